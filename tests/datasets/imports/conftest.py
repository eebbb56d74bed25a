"""The `symmv` command in this process, and readers of what it writes."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from symmv_builder import cli
from symmv_builder.datasets.schemas import published_schema
from symmv_builder.storage.root import Root
from symmv_builder.storage.shards import (
    ShardWriter,
    as_plain,
    read_receipt,
    read_rows,
    write_receipt,
)
from tests.datasets.imports.small_releases import Call, Read, WriteDataset


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Call:
    """Run ``symmv WORDS``: exit code, standard output, standard error."""

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["symmv", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            cli.main()
        said = capsys.readouterr()
        return int(end.value.code or 0), said.out, said.err

    return run


@pytest.fixture
def read() -> Read:
    """Receipt and rows, with every column that there is, of a dataset in a folder."""

    def of(folder: Path, dataset: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        root = Root(str(folder))
        receipt = read_receipt(root, dataset)
        assert receipt is not None
        return receipt, list(read_rows(root, dataset, receipt["columns"]))

    return of


@pytest.fixture
def write_dataset(tmp_path: Path) -> WriteDataset:
    """Rows as the finished shards of a dataset; the root that holds them."""

    def write(dataset: str, rows: Sequence[dict[str, Any]]) -> Root:
        root = Root(str(tmp_path / "made"))
        shards = ShardWriter(root, dataset, published_schema(dataset)).write(rows)
        write_receipt(root, dataset, {"dataset": dataset, "shards": as_plain(shards)})
        return root

    return write
