"""Shards: the same bytes for the same rows, bounded, sorted, and named last."""

import hashlib
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from symmv_builder.datasets.schemas import columns_of, published_schema
from symmv_builder.errors import StopRun
from symmv_builder.storage.root import Root
from symmv_builder.storage.shards import (
    Outline,
    Shard,
    ShardWriter,
    as_plain,
    copy_shard,
    holds,
    read_receipt,
    read_rows,
    rewrite_without,
    shards_stand,
    write_receipt,
)
from symmv_builder.storage.tables import build_table, row_bytes, table_bytes
from symmv_builder.training.rows import Rows
from tests.synthetic_rows import make_row

DATASETS = ("symmv", "muvisync")


def rows_of(dataset: str, splits: str = "train train validation test") -> list[dict[str, Any]]:
    return [make_row(dataset, n, split=split) for n, split in enumerate(splits.split())]


def write(root: Root, dataset: str, rows: list[dict[str, Any]], **settings: int) -> list[Shard]:
    shards = ShardWriter(root, dataset, published_schema(dataset), **settings).write(rows)
    write_receipt(root, dataset, {"dataset": dataset, "shards": as_plain(shards)})
    return shards


def assert_same_row(found: dict[str, Any], given: dict[str, Any]) -> None:
    assert list(found) == list(given)
    for name, value in given.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name, strict=False)
        assert np.shape(found[name]) == np.shape(value), name


@pytest.mark.parametrize("dataset", DATASETS)
def test_rows_come_back_as_they_were_given(dataset: str, tmp_path: Path) -> None:
    root, rows = Root(str(tmp_path)), rows_of(dataset)
    write(root, dataset, rows)
    names = [column.name for column in columns_of(dataset)]
    found = list(read_rows(root, dataset, names))
    for one, other in zip(found, rows, strict=True):
        assert_same_row(one, other)


@pytest.mark.parametrize("dataset", DATASETS)
def test_the_same_rows_give_the_same_bytes_and_the_receipt_says_which(
    dataset: str, tmp_path: Path
) -> None:
    first = write(Root(str(tmp_path / "a")), dataset, rows_of(dataset))
    second = write(Root(str(tmp_path / "b")), dataset, rows_of(dataset))
    assert first == second
    for shard in first:
        one, other = (tmp_path / side / dataset / shard.path for side in "ab")
        assert one.read_bytes() == other.read_bytes()
        assert one.stat().st_size == shard.size_bytes


def test_a_split_begins_a_new_shard_and_rows_keep_their_order(tmp_path: Path) -> None:
    root = Root(str(tmp_path))
    shards = write(root, "muvisync", rows_of("muvisync"))
    assert [(shard.path.rpartition("-")[0], shard.rows) for shard in shards] == [
        ("shards/train", 2),
        ("shards/validation", 1),
        ("shards/test", 1),
    ]
    ids = [row["entry_id"] for row in read_rows(root, "muvisync", ["entry_id"])]
    assert ids == ["song-000", "song-001", "song-002", "song-003"]


def test_shards_are_between_their_least_and_greatest_size(tmp_path: Path) -> None:
    schema, rows = published_schema("muvisync"), rows_of("muvisync", "train " * 60)
    size = row_bytes(schema, rows[0])
    shards = write(Root(str(tmp_path)), "muvisync", rows, target_bytes=8 * size)
    assert sum(shard.rows for shard in shards) == 60
    assert all(2 <= shard.rows <= 25 for shard in shards[:-1])
    assert len({shard.rows for shard in shards}) > 2, "cut by content, not by number"


def test_a_row_over_the_limit_has_a_shard_of_its_own(tmp_path: Path) -> None:
    shards = write(Root(str(tmp_path)), "muvisync", rows_of("muvisync"), target_bytes=1)
    assert [shard.rows for shard in shards] == [1, 1, 1, 1]


def test_row_groups_are_bounded_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = rows_of("muvisync", "train " * 5)
    monkeypatch.setattr(
        "symmv_builder.storage.shards.ROW_GROUP_BYTES",
        int(2.5 * row_bytes(published_schema("muvisync"), rows[0])),
    )
    [shard] = write(Root(str(tmp_path)), "muvisync", rows)
    assert pq.ParquetFile(tmp_path / "muvisync" / shard.path).num_row_groups == 3


def test_features_are_fixed_size_lists_of_half_floats(tmp_path: Path) -> None:
    [shard] = write(Root(str(tmp_path)), "symmv", rows_of("symmv", "train"))
    schema = pq.read_schema(tmp_path / "symmv" / shard.path)
    assert schema.equals(published_schema("symmv"))
    assert schema.metadata == {b"schema": b"symmv/v2"}
    assert schema.field("semantic").type == pa.list_(pa.list_(pa.float16(), 512))
    assert schema.field("semantic").metadata[b"meaning"].startswith(b"CLIP")


@pytest.mark.parametrize("dataset", DATASETS)
def test_a_row_whose_lists_are_all_empty_is_a_row(dataset: str, tmp_path: Path) -> None:
    full, empty = make_row(dataset, 0), make_row(dataset, 1)
    for column in columns_of(dataset):
        value = empty[column.name]
        if isinstance(value, np.ndarray | tuple):
            empty[column.name] = value[:0]
    for number, rows in enumerate(([empty], [full, empty], [empty, full])):
        root = Root(str(tmp_path / str(number)))
        write(root, dataset, rows)
        names = [column.name for column in columns_of(dataset)]
        for one, other in zip(read_rows(root, dataset, names), rows, strict=True):
            assert_same_row(one, other)


def test_a_value_that_does_not_fit_its_column_is_an_error(tmp_path: Path) -> None:
    row = make_row("muvisync", 0)
    row["semantic"] = row["semantic"][:, :767]
    with pytest.raises(ValueError, match="column semantic"):
        write(Root(str(tmp_path)), "muvisync", [row])
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_half_float_that_overflows_is_an_error(tmp_path: Path) -> None:
    row = make_row("muvisync", 0)
    row["semantic"] = row["semantic"] + 1e6
    with pytest.raises(ValueError, match="semantic"):
        write(Root(str(tmp_path)), "muvisync", [row])


def test_a_pitch_over_a_byte_is_an_error_and_not_another_pitch(tmp_path: Path) -> None:
    row = make_row("muvisync", 0)
    row["notes_pitches"] = row["notes_pitches"] + 256
    with pytest.raises(ValueError, match="notes_pitches"):
        write(Root(str(tmp_path)), "muvisync", [row])


def test_shards_of_an_earlier_build_go_only_once_the_receipt_is_written(tmp_path: Path) -> None:
    root = Root(str(tmp_path))
    write(root, "muvisync", rows_of("muvisync", "train train test"), target_bytes=1)
    old = read_receipt(root, "muvisync")
    assert old is not None
    # Other rows for the same split and number, and no receipt yet: as after a kill.
    other = [make_row("muvisync", 9)]
    [shard] = ShardWriter(root, "muvisync", published_schema("muvisync")).write(other)
    for standing in old["shards"]:
        data = root.read(f"muvisync/{standing['path']}")
        assert data is not None
        assert hashlib.sha256(data).hexdigest() == standing["sha256"]
    assert not shards_stand(root, "muvisync", old), "what a kill left behind must be cleared"
    write_receipt(root, "muvisync", {"dataset": "muvisync", "shards": as_plain([shard])})
    assert root.names("muvisync/shards") == [shard.path.removeprefix("shards/")]
    new = read_receipt(root, "muvisync")
    assert new is not None
    assert shards_stand(root, "muvisync", new)
    root.remove(f"muvisync/{shard.path}")
    assert not shards_stand(root, "muvisync", new)


def test_a_dataset_that_was_never_built_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(StopRun, match="symmv has no shards"):
        list(read_rows(Root(str(tmp_path)), "symmv", ["entry_id"]))


def test_a_missing_damaged_or_older_shard_stops_with_its_name(tmp_path: Path) -> None:
    root = Root(str(tmp_path))
    [shard] = write(root, "muvisync", rows_of("muvisync", "train"))
    with pytest.raises(StopRun, match="no column loudest"):
        list(read_rows(root, "muvisync", ["entry_id", "loudest"]))
    path = tmp_path / "muvisync" / shard.path
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(StopRun, match=r"train-\w+\.parquet.*build again"):
        list(read_rows(root, "muvisync", ["entry_id"]))
    path.unlink()
    with pytest.raises(StopRun, match=r"train-\w+\.parquet.*build again"):
        list(read_rows(root, "muvisync", ["entry_id"]))


def outline_all(rows: list[dict[str, Any]]) -> list[Outline]:
    return [Outline(r["split"], r["entry_id"], f"{r['entry_id']} {r['key_tonic']}") for r in rows]


class Tracked:
    """Rows by id, and the ids that were asked for."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = {row["entry_id"]: row for row in rows}
        self.loaded: list[str] = []

    def load(self, outline: Outline) -> dict[str, Any]:
        self.loaded.append(outline.entry_id)
        return self.rows[outline.entry_id]


SMALL = ("entry_id", "split", "key_tonic", "notes_starts_s")


def small_rows(count: int) -> list[dict[str, Any]]:
    """Rows of a few hundred bytes, in order."""
    one = make_row("muvisync", 0)
    return [
        {name: one[name] for name in SMALL} | {"entry_id": f"e{n:05d}", "split": "train"}
        for n in range(0, 10 * count, 10)
    ]


def update(
    root: Root, rows: list[dict[str, Any]], standing: list[Shard]
) -> tuple[list[Shard], list[str]]:
    schema = pa.schema([field for field in published_schema("muvisync") if field.name in SMALL])
    target = 40 * row_bytes(schema, rows[0])
    tracked = Tracked(rows)
    writer = ShardWriter(root, "muvisync", schema, target_bytes=target)
    return writer.update(outline_all(rows), tracked.load, standing), tracked.loaded


def touch(rows: list[dict[str, Any]], kind: str, at: int) -> list[dict[str, Any]]:
    """The rows with one added, changed or removed."""
    if kind == "add":
        return [
            *rows[: at + 1],
            rows[at] | {"entry_id": rows[at]["entry_id"][:-1] + "5"},
            *rows[at + 1 :],
        ]
    if kind == "change":
        return [*rows[:at], rows[at] | {"key_tonic": "F#"}, *rows[at + 1 :]]
    return [*rows[:at], *rows[at + 1 :]]


@pytest.mark.parametrize("kind", ["add", "change", "remove"])
@pytest.mark.parametrize("at", [0, 777, 1234, 1999])
def test_one_row_among_two_thousand_touches_two_files_at_most(
    kind: str, at: int, tmp_path: Path
) -> None:
    root, rows = Root(str(tmp_path)), small_rows(2000)
    before, loaded = update(root, rows, [])
    assert len(loaded) == 2000
    assert len(before) > 20
    times = {s.path: (tmp_path / "muvisync" / s.path).stat().st_mtime_ns for s in before}
    other = touch(rows, kind, at)
    after, loaded = update(root, other, before)
    assert len(set(before) - set(after)) <= 2
    assert len(set(after) - set(before)) <= 2
    assert len(loaded) == sum(shard.rows for shard in after if shard not in before)
    for path, time in times.items():
        assert (tmp_path / "muvisync" / path).stat().st_mtime_ns == time
    fresh, _ = update(Root(str(tmp_path / "fresh")), other, [])
    assert after == fresh


def test_a_file_without_an_entry_is_the_one_that_its_other_rows_give(tmp_path: Path) -> None:
    root, rows = Root(str(tmp_path)), rows_of("muvisync", "train " * 6)
    with patch("symmv_builder.storage.shards.ROW_GROUP_BYTES", 100_000):
        [shard] = write(root, "muvisync", rows)
        gone = {"song-001", "song-004", "song-005"}
        made = rewrite_without(root, "muvisync", shard, gone)
        left = [row for row in rows if row["entry_id"] not in gone]
        [fresh] = write(Root(str(tmp_path / "fresh")), "muvisync", left)
    assert made == fresh
    assert holds(root, f"muvisync/{shard.path}", {"song-004"})
    assert not holds(root, f"muvisync/{fresh.path}", gone)
    assert rewrite_without(root, "muvisync", fresh, {r["entry_id"] for r in left}) is None


def test_the_size_of_a_row_is_the_same_before_and_after_it_is_an_arrow_row() -> None:
    for dataset in DATASETS:
        schema, rows = published_schema(dataset), rows_of(dataset)
        sizes = [row_bytes(schema, row) for row in rows]
        assert table_bytes(build_table(schema, rows)) == sizes


def test_a_flipped_bit_in_a_page_stops_every_reader_with_the_file(tmp_path: Path) -> None:
    root = Root(str(tmp_path))
    [shard] = write(root, "muvisync", rows_of("muvisync", "train"))
    path = tmp_path / "muvisync" / shard.path
    group = pq.ParquetFile(path).metadata.row_group(0)
    largest = max(range(group.num_columns), key=lambda n: group.column(n).total_compressed_size)
    column, data = group.column(largest), bytearray(path.read_bytes())
    # Well behind the page's header.
    data[column.data_page_offset + column.total_compressed_size // 2] ^= 1
    path.write_bytes(data)
    names = [column.name for column in columns_of("muvisync")]
    with pytest.raises(StopRun, match=path.name):
        list(read_rows(root, "muvisync", names))
    with pytest.raises(StopRun, match=path.name):
        list(Rows(root, "muvisync", "train", names))
    with pytest.raises(StopRun, match=rf"{path.name} is damaged"):
        copy_shard(root, f"muvisync/{shard.path}", "copy/a.parquet", shard.sha256)
    assert root.names("copy") == []


def peak_bytes(root: Root, rows: list[dict[str, Any]]) -> int:
    """Arrow's greatest memory while one shard of these rows is rewritten without one."""
    schema = pa.schema([field for field in published_schema("muvisync") if field.name in SMALL])
    [shard] = ShardWriter(root, "muvisync", schema).write(rows)
    usual = pa.default_memory_pool()
    counted = pa.proxy_memory_pool(usual)
    pa.set_memory_pool(counted)
    try:
        assert rewrite_without(root, "muvisync", shard, {rows[5]["entry_id"]})
    finally:
        pa.set_memory_pool(usual)
    return int(counted.max_memory())


def test_rewriting_takes_no_more_memory_for_more_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("symmv_builder.storage.shards.ROW_GROUP_BYTES", 200_000)
    rows = small_rows(10_000)
    few = peak_bytes(Root(str(tmp_path / "few")), rows[:1000])
    many = peak_bytes(Root(str(tmp_path / "many")), rows)
    assert 0 < many < 2 * few
