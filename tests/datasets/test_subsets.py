"""Rows that are marked, exported alone."""

from pathlib import Path

import pytest

from symmv_builder.datasets.subsets import Subset, shards_of, write_subset
from symmv_builder.errors import UnknownName
from tests.datasets.exporting import DATASET, export, members, row, store_films, write_rows


def test_a_subset_is_exported_alone(tmp_path: Path) -> None:
    stored = store_films(tmp_path, 3)
    write_rows(stored, [row(stored, n) for n in range(3)])
    with pytest.raises(UnknownName, match="no subset 'best'"):
        export(stored, tmp_path / "none", video="none", subset="best")
    marked = Subset("train", ("film-1",), shards_of(stored.root, DATASET, "train"), {})
    write_subset(stored.root, DATASET, "best", marked)
    summary = export(stored, tmp_path / "out", video="none", subset="best")
    assert {split: count for split, count in summary.samples.items() if count} == {"train": 1}
    assert "film-1.json" in members(tmp_path / "out" / "train-00000.tar")
    # Without it the others join it.
    assert sum(export(stored, tmp_path / "out", video="none").samples.values()) == 3
