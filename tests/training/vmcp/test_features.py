"""What the models see of a row: means of segments, and music heard once and kept."""

import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symmv_builder import backends
from symmv_builder.backends import ModelHome
from symmv_builder.backends.midi import write_notes
from symmv_builder.backends.pyav.encode import write_sound
from symmv_builder.backends.sampler import render
from symmv_builder.errors import MalformedColumn
from symmv_builder.storage.assets import add_asset, add_asset_bytes, hash_file
from symmv_builder.storage.root import Root
from symmv_builder.training.data import Rows
from symmv_builder.training.usable import LeftOut, UnusableRow
from symmv_builder.training.vmcp import hearing
from symmv_builder.training.vmcp.config import VmcpConfig
from symmv_builder.training.vmcp.features import (
    columns,
    listen,
    pair_segments,
    prepare,
    video_segments,
)
from symmv_builder.training.vmcp.hearing import MusicFeatures, notes_of
from tests.media import Samples, write_media
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
    with pytest.raises(MalformedColumn, match="semantic of the row is 100 wide"):
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
    monkeypatch.setattr(hearing, "LONGEST_S", 6.0)
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
    rows = [
        Rows(dataset, "symmv", split, *columns("rendered")) for split in ("train", "validation")
    ]
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
    music = MusicFeatures(Root(str(tmp_path)), "symmv", VmcpConfig().embedding, ModelHome())
    example = prepare(music, VmcpConfig())(clip_row(1, 9), RNG(0))
    assert example is not None
    assert example["music"].shape == (3, music.width)
    assert np.isfinite(example["music"]).all()
    assert len(music.identity.weights_sha256) == 64


def sounding_row(root: Root, folder: Path, number: int, suffix: str = ".wav") -> dict[str, Any]:
    """A row whose recording, of its own notes, is in the store."""
    row = clip_row(number)
    path = folder / f"{number}{suffix}"
    sound = render(notes_of(row), rate_hz=22_050)
    write_sound(path, sound, 22_050)
    sha256 = hash_file(path)
    add_asset(root, path, sha256)
    return row | {"music_sha256": sha256, "music_duration_s": 12.0}


def test_a_recording_is_heard_out_of_the_store_and_once(tmp_path: Path) -> None:
    root = Root(str(tmp_path / "data"))
    row = sounding_row(root, tmp_path, 1)
    before = Tones.heard
    first = MusicFeatures(root, "symmv", "tones", ModelHome(), "recording").of_row(row)
    again = MusicFeatures(root, "symmv", "tones", ModelHome(), "recording").of_row(row)
    assert Tones.heard == before + 1
    np.testing.assert_array_equal(first, again)
    # The recording is the notes as the same piano plays them.
    played = MusicFeatures(root, "symmv", "tones", ModelHome()).of_row(row)
    apart = np.linalg.norm(first[:4] - played[:4]) / np.linalg.norm(played[:4])
    assert apart < 0.2
    assert np.corrcoef(first[:4].ravel(), played[:4].ravel())[0, 1] > 0.95


def test_a_recording_that_is_not_there_or_broken_is_an_unusable_row(tmp_path: Path) -> None:
    root = Root(str(tmp_path / "data"))
    music = MusicFeatures(root, "symmv", "tones", ModelHome(), "recording")
    with pytest.raises(UnusableRow, match="not in the store"):
        music.of_row({"music_sha256": "ab" * 32})
    with pytest.raises(UnusableRow, match="not in the store"):
        music.of_row({"music_sha256": ""})
    sha256 = add_asset_bytes(root, b"no sound at all")
    with pytest.raises(UnusableRow, match="cannot be heard"):
        music.of_row({"music_sha256": sha256})


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".mp3", ".mp4", ".mid"])
def test_files_of_any_kind_are_heard(tmp_path: Path, suffix: str) -> None:
    root = Root(str(tmp_path / "data"))
    notes, path = notes_of(clip_row(1)), tmp_path / f"song{suffix}"
    if suffix == ".mid":
        write_notes(path, {"piano": notes})
    elif suffix in (".wav", ".flac"):
        write_sound(path, render(notes, rate_hz=44_100), 44_100)
    else:
        codec = "libmp3lame" if suffix == ".mp3" else "aac"
        samples = render(notes, rate_hz=44_100)
        write_media(path, Samples(samples, 44_100, "stereo", codec=codec))
    music = MusicFeatures(root, "symmv", "tones", ModelHome())
    heard, played = music.of_file(path), music.of(notes)
    assert np.corrcoef(heard[:4].ravel(), played[:4].ravel())[0, 1] > 0.9


def aligned_row(music_s: list[float], video_s: list[float], sure: float = 0.9) -> dict[str, Any]:
    """A video of a minute in which frame i, 6 a second, is i / 6 everywhere."""
    seen = np.arange(360)[:, None] / 6 * np.ones((1, 512))
    return {
        "semantic": seen.astype(np.float32),
        "alignment_music_s": np.array(music_s),
        "alignment_video_s": np.array(video_s),
        "alignment_confidence": sure,
    }


def numbered(count: int) -> np.ndarray[Any, Any]:
    return np.arange(count, dtype=np.float32)[:, None]


def test_segments_are_paired_through_the_alignment() -> None:
    # The video has an introduction of 10 s and runs at the cover's tempo.
    row = aligned_row([0.0, 30.0], [10.0, 40.0])
    video, music = pair_segments(row, numbered(8), 3.0)
    np.testing.assert_array_equal(music[:, 0], np.arange(8))
    np.testing.assert_allclose(video[:, 0], 10 + 3 * np.arange(8) + 1.5 - 1 / 12, atol=1e-4)


def test_a_video_at_another_tempo_is_averaged_over_its_own_span() -> None:
    row = aligned_row([0.0, 20.0], [0.0, 30.0])
    video, _ = pair_segments(row, numbered(6), 3.0)
    np.testing.assert_allclose(video[:, 0], 4.5 * np.arange(6) + 2.25 - 1 / 12, atol=1e-4)


def test_segments_without_a_counterpart_are_left_out() -> None:
    # The video lacks seconds 9-21 of the music, and the alignment ends at 30 s.
    row = aligned_row([0.0, 9.0, 21.0, 30.0], [5.0, 14.0, 14.0, 23.0])
    video, music = pair_segments(row, numbered(15), 3.0)
    assert music[:, 0].tolist() == [0, 1, 2, 7, 8, 9]
    assert video[3, 0] == pytest.approx(14 + 1.5 - 1 / 12, abs=1e-4)
    # What the video alone plays is jumped over, too.
    row = aligned_row([0.0, 9.0, 9.1, 30.0], [0.0, 9.0, 30.0, 50.9])
    _, music = pair_segments(row, numbered(10), 3.0)
    assert music[:, 0].tolist() == [0, 1, 2, 4, 5, 6, 7, 8, 9]


def test_without_an_alignment_segments_are_paired_by_number() -> None:
    row = aligned_row([0.0, 30.0], [10.0, 40.0])
    plain = pair_segments({"semantic": row["semantic"]}, numbered(8), 3.0)
    for other in (
        pair_segments(row, numbered(8), 3.0, aligned=False),
        pair_segments(row | {"alignment_confidence": 0.2}, numbered(8), 3.0),
    ):
        np.testing.assert_array_equal(other[0], plain[0])
        np.testing.assert_array_equal(other[1], plain[1])
    assert plain[0][0, 0] == pytest.approx(1.5 - 1 / 12, abs=1e-4)


def test_a_song_none_of_which_is_aligned_is_unusable() -> None:
    with pytest.raises(UnusableRow, match="no segment of its music is aligned"):
        pair_segments(aligned_row([], []), numbered(8), 3.0)


def test_segments_of_odd_lengths_stay_on_their_clock() -> None:
    # 0.96 s are 5.76 frames: rounding each to 6 would be 24 segments late after ten minutes.
    row = np.arange(6 * 600)[:, None] / 6 * np.ones((1, 512))
    seen = video_segments(row, 0.96)
    assert len(seen) == 625
    np.testing.assert_allclose(seen[:, 0], 0.96 * np.arange(625) + 0.48, atol=0.17)
    slow = np.arange(600)[:, None] * np.ones((1, 768))
    np.testing.assert_allclose(video_segments(slow, 0.96)[:, 0], 0.96 * np.arange(625), atol=1.0)
