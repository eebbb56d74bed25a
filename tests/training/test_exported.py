"""Samples of an export, streamed: what was exported, each once, in a repeatable order."""

import io
import json
import tarfile
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch.utils.data import DataLoader

from symmv_builder.backends.pyav.encode import write_sound
from symmv_builder.datasets.media_export.formats import Layout, webdataset
from symmv_builder.datasets.media_export.samples import Sample
from symmv_builder.errors import NoRows, StopRun
from symmv_builder.training import exported
from symmv_builder.training.exported import ExportedSamples
from tests.media import tone

RATE = 8000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven samples in three shards, as an export of sound and frames writes them."""
    place = tmp_path_factory.mktemp("export")
    media = tmp_path_factory.mktemp("media")
    parts = []
    for shard, members in enumerate(((0, 1, 2), (3, 4), (5, 6))):
        samples = []
        for number in members:
            wave = tone(0.2 + number / 20, RATE, 2) * np.float32((number + 1) / 8)
            path = media / f"{number}.flac"
            write_sound(path, wave, RATE)
            frames = [media / f"000{n}.jpg" for n in range(2)]
            for n, frame in enumerate(frames):
                frame.write_bytes(b"jpeg %d" % n)
            row = {"title": f"T{number}", "feature": np.full((2, 3), number, np.float16)}
            # The name of a member that is longer than a header holds.
            row["c" * 120] = np.arange(number)
            samples.append(Sample(f"song-{number}", row, path, None, frames))
        layout = Layout("songs", pa.schema([]), True, False, True)
        name = f"train-{shard:05d}.tar"
        webdataset.write(place / name, layout, iter(samples))
        parts.append({"shard": {"path": name}, "samples": len(samples)})
    receipt = {"dataset": "songs", "format": "webdataset", "complete": True, "parts": parts}
    (place / "export.json").write_text(json.dumps(receipt))
    return place


def test_a_sample_is_what_was_exported(folder: Path) -> None:
    soundfile = pytest.importorskip("soundfile")
    samples = list(ExportedSamples(folder))
    assert [sample["sample"] for sample in samples] == [f"song-{n}" for n in range(7)]
    for number, (sample, member) in enumerate(zip(samples, sounds(folder), strict=True)):
        assert sample["title"] == f"T{number}"
        assert sample["feature"].dtype == torch.float16
        assert (sample["feature"] == number).all()
        assert sample["c" * 120].tolist() == list(range(number))
        assert sample["frames"] == [b"jpeg 0", b"jpeg 1"]
        whole, rate = soundfile.read(io.BytesIO(member), dtype="float32", always_2d=True)
        assert sample["music_rate_hz"] == rate
        np.testing.assert_array_equal(sample["music"].numpy(), whole.T)


def sounds(folder: Path) -> list[bytes]:
    """The FLAC files of all shards, as Python's own tarfile reads them."""
    found = []
    for path in sorted(folder.glob("*.tar")):
        with tarfile.open(path) as tar:
            members: list[Any] = [m for m in tar.getmembers() if m.name.endswith(".flac")]
            found += [tar.extractfile(member).read() for member in members]  # type: ignore[union-attr]
    return found


def test_only_what_is_asked_for_is_given(folder: Path) -> None:
    [sample, *_] = ExportedSamples(folder, parts=("feature", "row"))
    assert sorted(sample) == ["feature", "sample", "title"]


def test_every_epoch_has_an_order_of_its_own_that_can_be_repeated(folder: Path) -> None:
    def order(seed: int, epoch: int) -> list[str]:
        samples = ExportedSamples(folder, parts=("row",), shuffle=True, seed=seed)
        samples.set_epoch(epoch)
        return [sample["sample"] for sample in samples]

    assert order(1, 0) == order(1, 0)
    assert sorted(order(1, 0)) == sorted(order(1, 1)) == sorted(order(2, 0))
    assert len({tuple(order(seed, epoch)) for seed in (1, 2) for epoch in (0, 1, 2)}) > 3


def test_workers_and_ranks_give_each_sample_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who a worker is, torch says: real ones are forked, and this process has threads."""
    monkeypatch.setenv("WORLD_SIZE", "2")
    names = []
    for rank, worker in product("01", range(2)):
        monkeypatch.setenv("RANK", rank)
        info = SimpleNamespace(id=worker, num_workers=2)
        monkeypatch.setattr(exported, "get_worker_info", lambda info=info: info)
        samples = ExportedSamples(folder, parts=("row",), shuffle=True)
        names += [sample["sample"] for sample in samples]
    assert sorted(names) == [f"song-{n}" for n in range(7)]


def test_crops_are_as_long_as_each_other_and_drawn_anew_in_each_epoch(folder: Path) -> None:
    samples = ExportedSamples(folder, parts=("music",), crop_s=0.3, seed=3)
    loader: Any = DataLoader(samples, batch_size=7)
    [batch] = loader
    assert batch["music"].shape == (7, 2, 2400)
    # The first is 0.2 s long.
    assert not batch["music"][0, :, 1600:].any()
    whole = list(ExportedSamples(folder))[6]["music"]
    crop = batch["music"][6]
    windows = whole.unfold(1, 2400, 1).transpose(0, 1)
    assert (windows == crop).flatten(1).all(dim=1).any()
    samples.set_epoch(1)
    [other] = loader
    assert not torch.equal(other["music"][6], crop)
    [same] = DataLoader(ExportedSamples(folder, parts=("music",), crop_s=0.3, seed=3), batch_size=7)
    assert torch.equal(same["music"], batch["music"])


def test_an_export_that_cannot_be_read_is_one_clear_line(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(StopRun, match=r"export\.json is not a file"):
        ExportedSamples(tmp_path)
    with pytest.raises(NoRows, match="it has train"):
        ExportedSamples(folder, "test")
    with pytest.raises(StopRun, match="crop_s is 0"):
        ExportedSamples(folder, crop_s=0)
    receipt = json.loads((folder / "export.json").read_bytes())
    for wrong in ({"format": "hf"}, {"complete": False}, {"parts": 3}):
        (tmp_path / "export.json").write_text(json.dumps({**receipt, **wrong}))
        with pytest.raises(StopRun, match="cannot be read as an export"):
            ExportedSamples(tmp_path)
    (tmp_path / "export.json").write_text(json.dumps(receipt))
    (tmp_path / "train-00000.tar").write_bytes(b"x" * 2048)
    with pytest.raises(StopRun, match="cannot be read as a shard"):
        list(ExportedSamples(tmp_path))
    whole = (folder / "train-00000.tar").read_bytes()
    (tmp_path / "train-00000.tar").write_bytes(whole[:1000])
    with pytest.raises(StopRun, match="cannot be read as a shard"):
        list(ExportedSamples(tmp_path))
