"""What the models see of a row: means of segments, and music heard once and kept."""

import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symmv_builder import backends
from symmv_builder.backends import ModelHome
from symmv_builder.errors import StopRun
from symmv_builder.storage.root import Root
from symmv_builder.training.data import Rows
from symmv_builder.training.usable import LeftOut, UnusableRow
from symmv_builder.training.vmcp import features
from symmv_builder.training.vmcp.config import Config
from symmv_builder.training.vmcp.features import (
    COLUMNS,
    MusicFeatures,
    listen,
    notes_of,
    prepare,
    video_segments,
)
from tests.training.vmcp.clip_rows import TINY, clip_row
from tests.training.vmcp.tones import Tones

RNG = np.random.default_rng


@pytest.fixture
def music(tmp_path: Path) -> MusicFeatures:
    return MusicFeatures(Root(str(tmp_path)), "symmv", "tones", ModelHome())


def test_a_segments_pictures_are_averaged_and_a_remainder_is_left_out() -> None:
    semantic = np.arange(20)[:, None] * np.ones((1, 512))
    np.testing.assert_allclose(video_segments(semantic, 3.0)[:, 0], [8.5])
    np.testing.assert_allclose(video_segments(semantic, 1.0)[:, 0], [2.5, 8.5, 14.5])
    second = np.arange(7)[:, None] * np.ones((1, 768))
    np.testing.assert_allclose(video_segments(second, 3.0)[:, 0], [1, 4])
    np.testing.assert_allclose(video_segments(second[:2], 3.0)[:, 0], [0.5])


def test_features_of_a_rate_that_is_not_known_stop_the_run() -> None:
    with pytest.raises(StopRun, match="width 100 are unknown"):
        video_segments(np.zeros((6, 100)), 3.0)


def test_a_song_is_heard_once_and_read_by_the_next_run(tmp_path: Path) -> None:
    before = Tones.heard
    notes = notes_of(clip_row(1))
    root = Root(str(tmp_path))
    first = MusicFeatures(root, "symmv", "tones", ModelHome()).of(notes)
    again = MusicFeatures(root, "symmv", "tones", ModelHome()).of(notes)
    assert Tones.heard == before + 1
    np.testing.assert_array_equal(first, again)
    assert first.shape == (4, 24)


def test_other_notes_other_pedal_and_other_weights_are_other_features(
    music: MusicFeatures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = clip_row(1)
    music.of(notes_of(row))
    heard = Tones.heard
    music.of(notes_of(row | {"notes_velocities": row["notes_velocities"] + 1}))
    music.of(notes_of(row | {"pedal_ends_s": row["pedal_ends_s"] + 1}))
    monkeypatch.setattr(
        Tones,
        "identify",
        classmethod(lambda cls, home: backends.ModelIdentity("tones", "1", "1" * 64)),
    )
    MusicFeatures(Root(str(tmp_path)), "symmv", "tones", ModelHome()).of(notes_of(row))
    assert Tones.heard == heard + 3


def test_features_that_a_disk_has_damaged_are_made_again(
    music: MusicFeatures, tmp_path: Path
) -> None:
    notes = notes_of(clip_row(2))
    expected = music.of(notes)
    [file] = tmp_path.rglob("*.npy")
    for damage in (b"", b"\x93NUMPY", file.read_bytes()[:-7]):
        file.write_bytes(damage)
        fresh = MusicFeatures(Root(str(tmp_path)), "symmv", "tones", ModelHome())
        np.testing.assert_array_equal(fresh.of(notes), expected)


def test_one_note_hours_away_does_not_make_hours_of_sound(
    music: MusicFeatures, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "LONGEST_S", 6.0)
    row = clip_row(1, 3)
    far = {
        "notes_starts_s": np.append(row["notes_starts_s"], 40_000.0),
        "notes_ends_s": np.append(row["notes_ends_s"], 50_000.0),
        "notes_pitches": np.append(row["notes_pitches"], 60),
        "notes_velocities": np.append(row["notes_velocities"], 60),
        "pedal_ends_s": np.array([60_000.0]),
    }
    assert len(music.of(notes_of(row | far))) <= 3


def test_an_example_is_as_long_as_the_shorter_of_both(music: MusicFeatures) -> None:
    make = prepare(music, TINY)
    row = clip_row(1, 12)
    long = make(row | {"semantic": np.repeat(row["semantic"], 3, axis=0)}, RNG(0))
    short = make(row | {"semantic": row["semantic"][:40]}, RNG(0))
    assert long is not None
    assert short is not None
    assert long["video"].shape == (4, 512)
    assert short["music"].shape == (2, 24)


def test_a_long_song_is_cropped_at_the_same_place_in_both(music: MusicFeatures) -> None:
    row = clip_row(3, 30)
    whole = prepare(music, TINY)(row, RNG(0))
    assert whole is not None
    starts = set()
    for seed in range(12):
        part = prepare(music, replace(TINY, max_segments=4))(row, RNG(seed))
        assert part is not None
        [start] = [s for s in range(7) if np.array_equal(whole["video"][s : s + 4], part["video"])]
        np.testing.assert_array_equal(whole["music"][start : start + 4], part["music"])
        starts.add(start)
    assert len(starts) > 3


def test_several_windows_make_a_segment(music: MusicFeatures) -> None:
    row = clip_row(3, 12)
    one = prepare(music, TINY)(row, RNG(0))
    two = prepare(music, replace(TINY, windows=2))(row, RNG(0))
    assert one is not None
    assert two is not None
    for name in ("video", "music"):
        means = one[name].reshape(2, 2, -1).mean(axis=1)
        np.testing.assert_allclose(two[name], means, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("empty", ["notes", "semantic"])
def test_a_row_without_notes_or_pictures_is_no_example(music: MusicFeatures, empty: str) -> None:
    row = {k: v[:0] if k.startswith(empty) else v for k, v in clip_row(1).items()}
    with pytest.raises(UnusableRow, match="has no"):
        prepare(music, TINY)(row, RNG(0))


def test_ranks_share_the_songs_and_every_song_is_told_of(dataset: Root, tmp_path: Path) -> None:
    rows = [Rows(dataset, "symmv", split, COLUMNS) for split in ("train", "validation")]
    told: list[Any] = []
    before = Tones.heard
    for rank in range(2):
        music = MusicFeatures(Root(str(tmp_path)), "symmv", "tones", ModelHome())
        listen(rows, music, lambda *t: told.append(t), LeftOut(), rank=rank, world=2)
    assert Tones.heard == before + 13
    assert told == [(n, 13) for n in range(1, 14)] * 2


def test_musicnn_hears_the_notes_of_a_row(tmp_path: Path) -> None:
    """The default of the configuration, with its real weights."""
    if importlib.util.find_spec("musicnn") is None:
        pytest.skip("musicnn's weights are not here (pip install --no-deps musicnn)")
    music = MusicFeatures(Root(str(tmp_path)), "symmv", Config().embedding, ModelHome())
    example = prepare(music, Config())(clip_row(1, 9), RNG(0))
    assert example is not None
    assert example["music"].shape == (3, music.width)
    assert np.isfinite(example["music"]).all()
    assert len(music.identity.weights_sha256) == 64
