"""A small dataset in several shards and many row groups, and a loader of its rows."""

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import numpy as np
import torch

from symmv_builder.datasets.schemas import published_schema
from symmv_builder.storage.root import Root
from symmv_builder.storage.shards import ShardWriter, as_plain, write_receipt
from symmv_builder.training.data import Batch, Batching, Example, Loader, Rows
from tests.synthetic_rows import make_row

COLUMNS = ("entry_id", "semantic", "density", "chords_labels")
ROWS = 23


def build(root: Root, count: int = ROWS, without: tuple[str, ...] = ()) -> None:
    """A dataset of `count` training rows of 3 to 9 seconds in several shards and row groups."""
    rows = [make_row("muvisync", n, seconds=3 + n * 5 % 7) for n in range(count)]
    rows.append(make_row("muvisync", 900, split="validation"))
    schema = published_schema("muvisync")
    for name in without:
        schema = schema.remove(schema.get_field_index(name))
    kept = [{name: row[name] for name in schema.names} for row in rows]
    with patch("symmv_builder.storage.shards.ROW_GROUP_BYTES", 40_000):
        shards = ShardWriter(root, "muvisync", schema, target_bytes=100_000).write(kept)
    write_receipt(root, "muvisync", {"shards": as_plain(shards)})


def prepare(row: dict[str, Any], rng: np.random.Generator) -> Example:
    return {
        "density": row["density"],
        "semantic": row["semantic"][:, :4],
        "drawn": np.asarray(rng.random()),
    }


def loader(rows: Rows, prepare: Callable[..., Example | None] = prepare, **options: Any) -> Loader:
    """A loader of batches of 4; options are those of `Batching` and of `Loader` alike."""
    fields = set(Batching.__dataclass_fields__)
    batching: dict[str, Any] = {"batch_size": 4, "seed": 7} | {
        n: v for n, v in options.items() if n in fields
    }
    rest = {name: value for name, value in options.items() if name not in fields}
    return Loader(rows, prepare, Batching(**batching), length_of="density", **rest)  # type: ignore[arg-type]


def assert_same(some: list[Batch], others: list[Batch]) -> None:
    for one, other in zip(some, others, strict=True):
        assert list(one) == list(other)
        for name, tensor in one.items():
            assert torch.equal(tensor, other[name]), name
