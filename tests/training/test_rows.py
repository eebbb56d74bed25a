"""Rows out of shards: views of decoded row groups, bounded, mapped, or read from afar."""

import resource
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from symmv_builder.errors import StopRun
from symmv_builder.storage.root import Root
from symmv_builder.training.data import Rows
from symmv_builder.training.rows import SubsetRows
from tests.synthetic_rows import make_row
from tests.training.small_shards import COLUMNS, ROWS, assert_same, build, loader


@pytest.fixture
def rows(tmp_path: Path) -> Rows:
    root = Root(str(tmp_path))
    build(root)
    return Rows(root, "muvisync", "train", COLUMNS)


def test_the_rows_of_a_split_are_the_shards_rows_in_order(rows: Rows) -> None:
    assert len(rows) == ROWS
    assert len(rows.starts) > 6, "the test wants many row groups"
    ids = [f"song-{number:03d}" for number in range(ROWS)]
    assert [row["entry_id"] for row in rows] == ids
    assert [rows.row(number)["entry_id"] for number in range(ROWS)] == ids
    given = make_row("muvisync", 5, seconds=3 + 25 % 7)
    np.testing.assert_array_equal(rows.row(5)["semantic"], given["semantic"])
    assert rows.row(5)["chords_labels"] == given["chords_labels"]
    for number in (-1, ROWS):
        with pytest.raises(IndexError):
            rows.row(number)


def test_a_row_is_a_view_of_what_arrow_decoded(rows: Rows) -> None:
    table = rows.table(1)
    [first] = [chunk.values.values for chunk in table.column("semantic").chunks]
    memory = np.frombuffer(first.buffers()[1], dtype=np.uint8)
    for number in range(rows.starts[1], rows.starts[2]):
        values = rows.row(number)["semantic"]
        assert np.shares_memory(values, memory)
        assert not values.flags.writeable


def test_lengths_are_counted_from_one_column_alone(rows: Rows) -> None:
    assert rows.lengths("density").tolist() == [3 + n * 5 % 7 for n in range(ROWS)]
    with pytest.raises(ValueError, match="loudness"):
        rows.lengths("loudness")


def test_an_optional_column_that_is_absent_is_left_out(tmp_path: Path) -> None:
    build(Root(str(tmp_path)), without=("emotion",))
    rows = Rows(Root(str(tmp_path)), "muvisync", "train", ["density"], ["emotion", "motion"])
    assert rows.columns == ("density", "motion")
    assert set(rows.row(0)) == {"density", "motion"}


def test_a_needed_column_that_is_absent_stops_with_one_line(tmp_path: Path) -> None:
    build(Root(str(tmp_path)), without=("emotion",))
    with pytest.raises(StopRun, match=r"train-.* has no column emotion, which") as stop:
        Rows(Root(str(tmp_path)), "muvisync", "train", ["density", "emotion"])
    assert "\n" not in str(stop.value)


def test_nothing_built_stops_with_the_command_to_run(tmp_path: Path) -> None:
    with pytest.raises(StopRun, match="muvisync has no shards in"):
        Rows(Root(str(tmp_path)), "muvisync", "train", ["density"])


def test_only_so_many_bytes_of_row_groups_stay_in_memory(rows: Rows) -> None:
    largest = max(rows.table(group).nbytes for group in range(len(rows.group_bytes)))
    tight = Rows(rows.root, "muvisync", "train", COLUMNS, cache_bytes=2 * largest)
    first = tight.table(0)
    assert tight.table(0) is first
    for group in range(1, len(tight.group_bytes)):
        tight.table(group)
    assert tight.table(0) is not first
    assert_same(list(loader(tight, workers=3).epoch(0)), list(loader(rows).epoch(0)))


def test_unpacked_row_groups_are_mapped_and_parquet_is_read_no_more(
    rows: Rows, tmp_path: Path
) -> None:
    unpacked = tmp_path / "unpacked"
    wanted = list(loader(rows).epoch(0))
    first = Rows(rows.root, "muvisync", "train", COLUMNS, unpacked=unpacked)
    assert_same(list(loader(first, workers=2).epoch(0)), wanted)
    assert len(list(unpacked.iterdir())) == len(rows.group_bytes)
    second = Rows(rows.root, "muvisync", "train", COLUMNS, unpacked=unpacked)
    other = Rows(rows.root, "muvisync", "train", ["density"], unpacked=unpacked)
    for shard in (tmp_path / "muvisync" / "shards").iterdir():
        shard.unlink()
    assert_same(list(loader(second).epoch(0)), wanted)
    with pytest.raises(StopRun, match="cannot read"):
        other.row(0)


def test_a_disk_that_takes_no_unpacked_rows_is_one_line(rows: Rows, tmp_path: Path) -> None:
    unpacked = tmp_path / "unpacked"
    full = Rows(rows.root, "muvisync", "train", COLUMNS, unpacked=unpacked)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(StopRun, match=f"cannot write to {unpacked}") as stop:
            full.row(0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "\n" not in str(stop.value)
    assert list(unpacked.iterdir()) == []
    assert full.row(0)["entry_id"] == "song-000", "once there is room, it goes on"


def test_remote_shards_are_read_in_part_and_once() -> None:
    root = Root(f"memory://rows-{uuid.uuid4().hex}")
    build(root)
    rows = Rows(root, "muvisync", "train", COLUMNS, cache_bytes=0)
    local = list(loader(rows, workers=3).epoch(0))
    assert sorted(n for batch in local for n in batch["index"].tolist()) == list(range(ROWS))
    for shard in root.names("muvisync/shards"):
        root.remove(f"muvisync/shards/{shard}")
    assert_same(list(loader(rows).epoch(0)), local)


def test_of_a_remote_shard_only_the_wanted_columns_are_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    root = Root(f"memory://rows-{uuid.uuid4().hex}")
    build(root)
    asked: list[int] = []
    real = MemoryFileSystem.cat_file

    def counting(self: Any, path: str, start: int | None = None, end: int | None = None) -> bytes:
        data: bytes = real(self, path, start=start, end=end)
        asked.append(len(data) if path.endswith(".parquet") else 0)
        return data

    monkeypatch.setattr(MemoryFileSystem, "cat_file", counting)
    few = Rows(root, "muvisync", "train", ["density", "chords_labels"])
    many = Rows(root, "muvisync", "train", COLUMNS)
    read = []
    for rows in (few, many):
        asked.clear()
        assert len(list(rows)) == ROWS
        read.append(sum(asked))
    assert 0 < read[0] < read[1] / 5


def test_a_remote_shard_that_is_gone_is_one_line() -> None:
    root = Root(f"memory://rows-{uuid.uuid4().hex}")
    build(root)
    [first, *_] = root.names("muvisync/shards")
    root.remove(f"muvisync/shards/{first}")
    with pytest.raises(StopRun, match=first):
        Rows(root, "muvisync", "train", COLUMNS)


def test_a_subset_is_read_by_its_row_groups_and_loaded_whole(rows: Rows) -> None:
    names = {f"song-{number:03d}" for number in (0, 3, 4, 11, 12, 13, 22)}
    part = SubsetRows(rows.root, "muvisync", "train", COLUMNS, names)
    assert part.entries() == sorted(names)
    assert [row["entry_id"] for row in part] == sorted(names)
    assert len(part.starts) < len(rows.starts), "row groups without a marked row are left out"
    assert len(part.group_bytes) == len(part.starts) - 1
    lengths = {r["entry_id"]: len(r["density"]) for r in rows}
    assert part.lengths("density").tolist() == [lengths[name] for name in sorted(names)]
    without = [row["entry_id"] for row in part.without_features()]
    assert without == sorted(names)
    assert part.digest != rows.digest
    batches = list(loader(part, shuffle=True, buckets=2, workers=2).epoch(0))
    assert sorted(int(i) for batch in batches for i in batch["index"]) == list(range(len(names)))
    for batch in batches:
        for index, density in zip(batch["index"].tolist(), batch["density"], strict=True):
            expected = part.row(index)["density"]
            assert density[: len(expected)].tolist() == expected.tolist()
