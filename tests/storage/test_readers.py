"""A shard opens in the readers that people use, and every one sees the same values."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from symmv_builder.datasets.schemas import published_schema
from symmv_builder.storage.root import Root
from symmv_builder.storage.shards import ShardWriter
from tests.synthetic_rows import make_row

DATASETS = ("symmv", "muvisync")


@pytest.fixture(scope="module", params=DATASETS)
def shard(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path, list[dict[str, Any]]]:
    """A dataset's name, a shard of three rows, and the rows."""
    dataset = str(request.param)
    folder = tmp_path_factory.mktemp(dataset)
    rows = [make_row(dataset, number, seconds=4 + number) for number in range(3)]
    rows[2]["semantic"] = rows[2]["semantic"][:0]
    rows[2]["chords_labels"] = ()
    [made] = ShardWriter(Root(str(folder)), dataset, published_schema(dataset)).write(rows)
    return dataset, folder / dataset / made.path, rows


def _vector(item: Any) -> np.ndarray[Any, Any]:
    """An item of a list: a number, a vector, or the bytes of one, which are float32."""
    return np.frombuffer(item, "<f4") if isinstance(item, bytes) else np.asarray(item)


def assert_same(found: list[dict[str, Any]], rows: list[dict[str, Any]]) -> None:
    """Every column of every row, values and dimensions; lists may be nested in any way."""
    assert len(found) == len(rows)
    for one, other in zip(found, rows, strict=True):
        assert list(one) == list(other)
        for name, value in other.items():
            got = one[name]
            if isinstance(value, np.ndarray | tuple):
                assert len(got) == len(value), name
                got = np.array([_vector(item) for item in got])
                if len(value):
                    np.testing.assert_array_equal(got, np.asarray(value), err_msg=name)
            else:
                assert got == value, name


def test_a_shard_opens_in_plain_pyarrow(shard: tuple[str, Path, list[dict[str, Any]]]) -> None:
    _, path, rows = shard
    assert_same(pq.read_table(path).to_pylist(), rows)


def test_a_shard_opens_in_pandas(shard: tuple[str, Path, list[dict[str, Any]]]) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    _, path, rows = shard
    assert_same(pandas.read_parquet(path).to_dict("records"), rows)


def test_a_shard_opens_in_polars(shard: tuple[str, Path, list[dict[str, Any]]]) -> None:
    polars = pytest.importorskip("polars", reason="polars is not installed")
    dataset, path, rows = shard
    frame = polars.read_parquet(path)
    width = 512 if dataset == "symmv" else 768
    assert frame.schema["semantic"] == polars.List(polars.Array(polars.Float16, width))
    assert_same(frame.to_dicts(), rows)


def test_polars_scans_without_reading_the_features(
    shard: tuple[str, Path, list[dict[str, Any]]],
) -> None:
    polars = pytest.importorskip("polars", reason="polars is not installed")
    _, path, rows = shard
    frame = polars.scan_parquet(path).filter(polars.col("key_mode") == "major")
    assert frame.select("entry_id").collect()["entry_id"].to_list() == [
        row["entry_id"] for row in rows if row["key_mode"] == "major"
    ]


def test_a_shard_opens_in_duckdb(shard: tuple[str, Path, list[dict[str, Any]]]) -> None:
    duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed")
    _, path, rows = shard
    with duckdb.connect() as connection:
        table = connection.execute("select * from read_parquet(?)", [str(path)])
        names = [column[0] for column in table.description]
        found = [dict(zip(names, values, strict=True)) for values in table.fetchall()]
        counted = connection.execute(
            "select entry_id, len(notes_starts_s) from read_parquet(?)", [str(path)]
        ).fetchall()
    assert_same(found, rows)
    assert counted == [(row["entry_id"], len(row["notes_starts_s"])) for row in rows]


def test_a_shard_opens_in_hugging_face_datasets(
    shard: tuple[str, Path, list[dict[str, Any]]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    datasets = pytest.importorskip("datasets", reason="datasets is not installed")
    dataset, path, rows = shard
    cache = str(tmp_path / "cache")
    loaded = datasets.load_dataset("parquet", data_files=str(path), cache_dir=cache)["train"]
    assert_same(list(loaded), rows)
    features = loaded.features["semantic"].feature
    assert features.length == (512 if dataset == "symmv" else 768)


def test_datasets_finds_the_splits_in_the_folder_of_shards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    datasets = pytest.importorskip("datasets", reason="datasets is not installed")
    rows = [make_row("muvisync", n, split=split) for n, split in enumerate(("train", "test"))]
    ShardWriter(Root(str(tmp_path)), "muvisync", published_schema("muvisync")).write(rows)
    loaded = datasets.load_dataset(
        str(tmp_path / "muvisync" / "shards"), cache_dir=str(tmp_path / "cache")
    )
    assert {split: list(part["entry_id"]) for split, part in loaded.items()} == {
        "train": ["song-000"],
        "test": ["song-001"],
    }
