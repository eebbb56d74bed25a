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
from symmv_builder.settings import Settings
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


@pytest.fixture(scope="session")
def built_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with the dataset of `toy_corrections`, built; nobody changes it."""
    import toy_corrections

    root: Path = toy_corrections.make_root(tmp_path_factory.mktemp("built"))
    return root


@pytest.fixture
def settings(built_once: Path, tmp_path: Path) -> Settings:
    """A copy of that root, which a test may change."""
    import toy_corrections

    copied: Settings = toy_corrections.copy_of(built_once, tmp_path / "root")
    return copied
