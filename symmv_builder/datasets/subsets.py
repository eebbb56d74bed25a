"""Rows of a dataset that are marked, such as the best of a ranking: a file beside the shards.

``DATASET/subsets/NAME.json`` names the rows of one split and the shards in which they stand. Shards
that are written anew make it outdated: the mark is then refused, and not taken for other rows.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from symmv_builder.errors import Damaged, UnknownName
from symmv_builder.storage import seals
from symmv_builder.storage.manifests import read_object
from symmv_builder.storage.receipts import read_receipt
from symmv_builder.storage.root import Root
from symmv_builder.text import clean_line

FINETUNE = "finetune"
_REMEDY = "rank the dataset again"


@dataclass(frozen=True, slots=True)
class Subset:
    """Marked rows of a split by name; `shards` are the sha256 of all shards of that split.

    `about` says how they were chosen, as plain values.
    """

    split: str
    rows: tuple[str, ...]
    shards: tuple[str, ...]
    about: Mapping[str, Any]


def write_subset(root: Root, dataset: str, name: str, subset: Subset) -> str:
    """Keep a subset under a name, in the place of one that had it; where it lies."""
    place = _place(dataset, name)
    sealed = seals.seal(json.loads(json.dumps(asdict(subset))), place)
    root.write(place, (json.dumps(sealed, indent=1, sort_keys=True) + "\n").encode())
    return root.path(place)


def read_subset(root: Root, dataset: str, name: str) -> Subset:
    """Read a subset by its name.

    `StopRun` where there is none, or where the shards are other ones.
    """
    subset = stored_subset(root, dataset, name)
    if not stands(root, dataset, subset):
        place = root.path(_place(dataset, name))
        raise Damaged(place, "is of shards that were written anew since", _REMEDY)
    return subset


def stored_subset(root: Root, dataset: str, name: str) -> Subset:
    """Read a subset as it was written, whatever became of the shards; errors as `read_subset`."""
    place = _place(dataset, name)
    content = read_object(root, place, "a subset", _REMEDY)
    if not content:
        raise UnknownName("subset", clean_line(name), subset_names(root, dataset), where=dataset)
    try:
        content = seals.unseal(content, place)
        return Subset(
            str(content["split"]),
            tuple(content["rows"]),
            tuple(content["shards"]),
            dict(content["about"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise Damaged(root.path(place), "is no subset, or is damaged", _REMEDY) from error


def stands(root: Root, dataset: str, subset: Subset) -> bool:
    """Check whether the shards of its split are those of which a subset was made."""
    return subset.shards == shards_of(root, dataset, subset.split)


def subset_names(root: Root, dataset: str) -> tuple[str, ...]:
    """List the names of all subsets of a dataset."""
    files = root.names(f"{dataset}/subsets")
    return tuple(name.removesuffix(".json") for name in files if name.endswith(".json"))


def shards_of(root: Root, dataset: str, split: str) -> tuple[str, ...]:
    """List the sha256 of each shard of a split, in their order."""
    shards: Sequence[Mapping[str, str]] = (read_receipt(root, dataset) or {}).get("shards", ())
    of_split = (s for s in shards if s["path"].rpartition("/")[2].startswith(f"{split}-"))
    return tuple(shard["sha256"] for shard in of_split)


def _place(dataset: str, name: str) -> str:
    return f"{dataset}/subsets/{name}.json"
