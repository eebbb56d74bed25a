"""The paper's two stages: music videos as they sound first, then SymMV's notes as played."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from symmv_builder.backends.pyav.encode import write_sound
from symmv_builder.backends.sampler import render
from symmv_builder.datasets.schemas import published_schema
from symmv_builder.errors import StopRun
from symmv_builder.storage.assets import add_asset, hash_file
from symmv_builder.storage.root import Root
from symmv_builder.storage.shards import ShardWriter, as_plain, write_receipt
from symmv_builder.training.runs import Outcome, Request
from symmv_builder.training.vmcp import relevance, score
from symmv_builder.training.vmcp.config import VmcpConfig
from symmv_builder.training.vmcp.hearing import notes_of
from symmv_builder.training.vmcp.loading import OBJECTIVES, load
from symmv_builder.training.vmcp.train import train
from tests.training.vmcp.clip_rows import TINY, clip_row, small_dataset

COLUMNS = ("entry_id", "split", "music_sha256", "music_duration_s", "video_url", "semantic")
LARGE_CLIP = {"slot": "clip", "backend": "vit-l-14-336", "weights_sha256": "cd" * 32}
every_objective = pytest.mark.parametrize("objective", OBJECTIVES)


def music_videos(folder: Path, count: int = 8) -> Root:
    """Rows of MuVi-Sync, 768-wide frames at 1 Hz, whose recordings lie in the store; no notes."""
    root = Root(str(folder))
    rows: list[dict[str, Any]] = []
    for number in range(count):
        row = clip_row(number, 9 + 3 * (number % 3))
        path = folder / f"{number}.wav"
        folder.mkdir(exist_ok=True)
        write_sound(path, render(notes_of(row), rate_hz=22_050), 22_050)
        sha256 = hash_file(path)
        add_asset(root, path, sha256)
        path.unlink()
        seen = np.hstack([row["semantic"], row["semantic"][:, :256]])[::6]
        split = "train" if number < count - 2 else "validation"
        rows.append(row | {"music_sha256": sha256, "music_duration_s": 9.0, "semantic": seen}
                    | {"split": split})  # fmt: skip
    schema = pa.schema([published_schema("muvisync").field(name) for name in COLUMNS])
    shards = ShardWriter(root, "muvisync", schema).write(rows)
    write_receipt(root, "muvisync", {"shards": as_plain(shards), "models": [LARGE_CLIP]})
    return root


def stages(objective: Any, folder: Path) -> tuple[Root, Root, Outcome, Outcome, VmcpConfig]:
    videos, songs = music_videos(folder / "videos"), small_dataset(folder / "songs")
    tiny = replace(TINY, objective=objective)
    first = train(replace(tiny, sound="recording"), Request(videos, "muvisync", folder / "first"))
    second = replace(tiny, initial=str(folder / "first"), lr=1e-4)
    return videos, songs, first, train(second, Request(songs, "symmv", folder / "second")), second


@pytest.mark.slow
@every_objective
def test_a_model_of_music_videos_goes_on_with_songs_and_can_be_asked_about_both(
    objective: Any, tmp_path: Path
) -> None:
    videos, songs, first, second, _ = stages(objective, tmp_path)
    before, after = (load(outcome.best, objective) for outcome in (first, second))
    assert set(before.about["videos"]) == {"768"}
    assert set(after.about["videos"]) == {"512", "768"}
    assert after.about["videos"]["768"] == LARGE_CLIP
    was, now = before.model.state_dict(), after.model.state_dict()
    name = f"{after.model.entrances_name}.768."
    kept = [n for n in was if n.startswith(name)]
    assert kept
    assert all(torch.equal(was[n], now[n]) for n in kept)
    # What both stages share was learned further.
    shared = [n for n in was if n.startswith("music") and n.endswith("weight")]
    assert not all(torch.equal(was[n], now[n]) for n in shared)
    ask = score.score if objective == "vmcp" else relevance.score
    assert ask(second.best, songs, "symmv")["songs"] == 3
    on_videos = ask(second.best, videos, "muvisync", "train", sound="recording")
    assert (on_videos["songs"], on_videos["sound"]) == (6, "recording")
    with pytest.raises(
        StopRun, match=r"symmv has videos of width 512, but .* learned from videos of width 768"
    ):
        ask(first.best, songs, "symmv", sound="rendered")


@pytest.mark.slow
def test_the_second_stage_begins_with_the_weights_of_the_first(tmp_path: Path) -> None:
    videos, songs = music_videos(tmp_path / "videos"), small_dataset(tmp_path / "songs")
    train(replace(TINY, sound="recording"), Request(videos, "muvisync", tmp_path / "first"))
    still = replace(TINY, initial=str(tmp_path / "first"), lr=0.0, weight_decay=0.0)
    outcome = train(still, Request(songs, "symmv", tmp_path / "second"))
    was, now = (
        load(folder, "vmcp").model.state_dict() for folder in (tmp_path / "first", outcome.best)
    )
    assert set(now) - set(was) == {n for n in now if n.startswith("video.enter.512.")}
    assert all(torch.equal(was[name], now[name]) for name in was)


@pytest.mark.long
def test_a_second_stage_that_was_stopped_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    _, songs, _, whole, config = stages("vmcp", tmp_path)
    part = Request(songs, "symmv", tmp_path / "again", max_s=0.0)
    while train(config, part).ended == "time":
        pass
    one, other = (load(folder, "vmcp").model.state_dict() for folder in (whole.best, part.out))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_rows_whose_recordings_are_gone_are_left_out_and_named(tmp_path: Path) -> None:
    videos = music_videos(tmp_path / "videos")
    lost = sorted((tmp_path / "videos" / "assets").rglob("*"))
    [file] = [path for path in lost if path.is_file()][:1]
    file.unlink()
    config = replace(TINY, sound="recording", batch_size=6)
    outcome = train(config, Request(videos, "muvisync", tmp_path / "run"))
    assert list(outcome.left_out.values()) == ["its recording is not in the store"]
