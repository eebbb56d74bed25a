"""Exports as the packages read them for which they are written."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from symmv_builder.backends.pyav import read_sound
from symmv_builder.schema import Column
from symmv_builder.training.exported import ExportedSamples
from tests.datasets.exporting import (
    Stored,
    asset,
    export,
    members,
    row,
    sound_of,
    store_films,
    write_rows,
)

# So small that every sample has a shard of its own.
TINY: dict[str, Any] = {"shard_bytes": 1000}


@pytest.fixture
def stored(tmp_path: Path) -> Stored:
    return store_films(tmp_path)


def test_the_package_webdataset_reads_the_tar_files(stored: Stored, tmp_path: Path) -> None:
    package = pytest.importorskip("webdataset")
    write_rows(stored, [row(stored, n) for n in range(3)])
    export(stored, tmp_path / "out", video="frames", frame_rate_hz=2.0, frame_side=24)
    read = package.WebDataset(str(tmp_path / "out" / "train-00000.tar"), shardshuffle=False)
    samples = list(read.decode("pil"))
    assert [sample["__key__"] for sample in samples] == ["film-0", "film-1"]
    assert samples[1]["json"]["title"] == "Title 1"
    assert samples[1]["feature.npy"].shape == (4, 4)
    assert [name for name in samples[0] if name.startswith("frames")] == [
        f"frames.000{n}.jpg" for n in range(4)
    ]
    assert samples[0]["frames.0000.jpg"].size == (32, 24)


def test_hugging_face_datasets_reads_sound_and_video_as_such(
    stored: Stored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    write_rows(stored, [row(stored, n) for n in range(3)])
    export(stored, tmp_path / "out", "hf", video="mp4")
    read = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert {name: split.num_rows for name, split in read.items()} == {"train": 2, "test": 1}
    features = read["train"].features
    assert isinstance(features["music"], datasets.Audio)
    assert isinstance(features["video"], datasets.Video)
    plain = read["train"].cast_column("music", datasets.Audio(decode=False))
    plain = plain.cast_column("video", datasets.Video(decode=False))
    assert plain[1]["video"]["bytes"] == asset(stored, 1).read_bytes()
    assert plain[1]["music"]["path"] == "film-1.flac"
    assert plain[1]["labels"] == ["a", "b"]
    sound = sound_of(plain[1]["music"]["bytes"], tmp_path)
    assert (sound.rate_hz, sound.samples.shape[1]) == (16_000, 2)


def test_frames_are_images_of_hugging_face_datasets(stored: Stored, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    write_rows(stored, [row(stored, n) for n in range(2)])
    export(stored, tmp_path / "out", "hf", sound="none", video="frames", frame_rate_hz=2.0)
    name = str(tmp_path / "out" / "data" / "train-00000.parquet")
    read = datasets.Dataset.from_parquet(name, cache_dir=str(tmp_path / "cache"))
    assert "music" not in read.features
    assert [image.size for image in read[0]["frames"]] == [(64, 48)] * 4


@pytest.mark.parametrize("form", ["lance", "litdata"])
def test_the_other_packages_read_theirs(form: str, stored: Stored, tmp_path: Path) -> None:
    package = pytest.importorskip(form)
    write_rows(stored, [row(stored, n) for n in range(5)])
    for count in (5, 4):
        rows = write_rows(stored, [row(stored, n) for n in range(count)])
        export(stored, tmp_path / "out", form, **TINY)
        mine = [r["entry_id"] for r in rows if r["split"] == "train"]
        if form == "lance":
            table = package.dataset(str(tmp_path / "out" / "train.lance")).to_table()
            assert table["entry_id"].to_pylist() == mine
            data = table["music"][0].as_py()
        else:
            read = package.StreamingDataset(str(tmp_path / "out" / "train"))
            assert [item["sample"] for item in read] == mine
            data = bytes(read[0]["music"])
            assert json.loads(read[0]["json"])["title"] == "Title 0"
        assert sound_of(data, tmp_path).rate_hz == 16_000


PICTURES = Column("frames", "list<binary>", "", "pictures", "frames.files")


@pytest.mark.parametrize("form", ["webdataset", "hf", "lance", "litdata"])
def test_pictures_that_are_a_column_are_files_of_a_sample(
    form: str, stored: Stored, tmp_path: Path
) -> None:
    """Also beside frames of the export itself, which have the name of that column then."""
    package = {"hf": "datasets"}.get(form, form)
    if form != "webdataset":
        pytest.importorskip(package)
    pictures = (b"\xff\xd8\xff one", b"\xff\xd8\xff the other")
    write_rows(stored, [row(stored, n, frames=pictures[:n]) for n in range(3)], [PICTURES])
    alone, both = tmp_path / "alone", tmp_path / "both"
    export(stored, alone, form, splits=("train",))
    export(stored, both, form, splits=("train",), video="frames", frame_rate_hz=1.0)
    for folder, name in ((alone, "frames"), (both, "row_frames")):
        # The second sample has one picture, the first none.
        if form == "webdataset":
            held = members(folder / "train-00000.tar")
            assert [held[each] for each in held if f".{name}." in each] == [pictures[0]]
            listed = [sample.get(name, []) for sample in ExportedSamples(folder)]
        elif form == "hf":
            table = pq.read_table(folder / "data" / "train-00000.parquet")
            listed = table[name].to_pylist()
        elif form == "lance":
            import lance

            listed = lance.dataset(str(folder / "train.lance")).to_table()[name].to_pylist()
        else:
            import litdata

            items = list(litdata.StreamingDataset(str(folder / "train")))
            listed = [[bytes(item[name])][: len(item[f"{name}_ends"])] for item in items]
        assert listed == [[], [pictures[0]]]
    if form == "webdataset":
        assert [len(sample["frames"]) for sample in ExportedSamples(both)] == [2, 2]


def test_hugging_face_datasets_decodes_the_very_sound_and_every_picture(
    stored: Stored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By torchcodec, which needs FFmpeg's libraries on the machine."""
    datasets = pytest.importorskip("datasets")
    pytest.importorskip("torchcodec", reason="torchcodec, by which datasets decodes, is not here")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    write_rows(stored, [row(stored, n) for n in range(2)])
    export(stored, tmp_path / "out", "hf", video="mp4")
    read = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    for number, sample in enumerate(read["train"]):
        sound = sample["music"].get_all_samples()
        whole = read_sound(asset(stored, number))
        assert (sound.sample_rate, tuple(sound.data.shape)) == (16_000, whole.samples.T.shape)
        assert np.abs(sound.data.numpy() - whole.samples.T).max() <= 0.5 / 32768
        assert len(sample["video"]) == 40
