"""Rows of a dataset that are marked, such as the best of a ranking: a file beside the shards.

``DATASET/subsets/NAME.json`` names the rows of one split and the shards in which they stand. Shards
that are written anew make it outdated: the mark is then refused, and not taken for other rows.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from symmv_builder.errors import Damaged, UnknownName
from symmv_builder.storage.manifests import read_object
from symmv_builder.storage.receipts import read_receipt
from symmv_builder.storage.root import Root
from symmv_builder.text import clean_line

FINETUNE = "finetune"


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
    root.write(place, (json.dumps(asdict(subset), indent=1, sort_keys=True) + "\n").encode())
    return root.path(place)


def read_subset(root: Root, dataset: str, name: str) -> Subset:
    """A subset by its name; `StopRun` where there is none, or where the shards are other ones."""
    place = _place(dataset, name)
    remedy = "rank the dataset again"
    held = read_object(root, place, "a subset", remedy)
    if not held:
        raise UnknownName("subset", clean_line(name), (), where=dataset)
    try:
        subset = Subset(
            str(held["split"]), tuple(held["rows"]), tuple(held["shards"]), dict(held["about"])
        )
    except (KeyError, TypeError, ValueError) as error:
        raise Damaged(root.path(place), "is no subset", remedy) from error
    if subset.shards != shards_of(root, dataset, subset.split):
        raise Damaged(root.path(place), "is of shards that were written anew since", remedy)
    return subset


def shards_of(root: Root, dataset: str, split: str) -> tuple[str, ...]:
    """The sha256 of each shard of a split, in their order."""
    shards: Sequence[Mapping[str, str]] = (read_receipt(root, dataset) or {}).get("shards", ())
    mine = (s for s in shards if s["path"].rpartition("/")[2].startswith(f"{split}-"))
    return tuple(shard["sha256"] for shard in mine)


def _place(dataset: str, name: str) -> str:
    return f"{dataset}/subsets/{name}.json"
