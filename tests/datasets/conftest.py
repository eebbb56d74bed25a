"""What tests of datasets share.

The toy build's module is imported by worker processes too: they must find it. Tests of
exports need datasets without a build: synthetic rows, shards and a receipt.
"""

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from symmv_builder.datasets.schemas import published_schema
from symmv_builder.storage.root import Root
from symmv_builder.storage.shards import ShardWriter, as_plain, write_receipt

HERE = str(Path(__file__).parent)
sys.path.insert(0, HERE)
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [HERE, os.environ.get("PYTHONPATH")]))

ORDER = ("train", "validation", "test")
WriteDataset = Callable[[str, Sequence[dict[str, Any]]], Root]


@pytest.fixture
def write_dataset(tmp_path: Path) -> WriteDataset:
    """Write rows as the finished shards of a dataset; the data root that holds them."""

    def write(dataset: str, rows: Sequence[dict[str, Any]]) -> Root:
        root = Root(str(tmp_path / "root"))
        ordered = sorted(rows, key=lambda row: (ORDER.index(row["split"]), row["entry_id"]))
        shards = ShardWriter(root, dataset, published_schema(dataset)).write(ordered)
        write_receipt(root, dataset, {"dataset": dataset, "shards": as_plain(shards)})
        return root

    return write
