"""Probing: hash and facts, and which recording may be missing what."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from symmv_builder.backends import midi
from symmv_builder.crawl.probe import MUSIC, VIDEO, probe_music, probe_video
from symmv_builder.errors import Reason, RejectEntry
from symmv_builder.records import MediaKind, Notes
from tests.media import Pictures, Samples, noise, paint, steady, tone, write_media


def film(path: Path) -> Path:
    return write_media(
        path,
        Pictures([noise(n) for n in range(50)], steady(50)),
        Samples(tone(2.0), codec="aac"),
    )


def test_a_file_with_sound_and_picture_may_be_both_recordings(tmp_path: Path) -> None:
    path = film(tmp_path / "f.mp4")
    music, video = probe_music(path), probe_video(path)
    assert music == video
    assert music.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert music.kind is MediaKind.VIDEO
    assert music.duration_s == pytest.approx(2.0, abs=0.15)


def test_music_needs_sound_and_video_needs_pictures(tmp_path: Path) -> None:
    silent = write_media(tmp_path / "s.mp4", Pictures([noise(1)] * 5, steady(5)))
    song = write_media(tmp_path / "s.wav", Samples(tone(1.0)))
    cover = write_media(tmp_path / "c.mp4", Samples(tone(1.0), codec="aac"), cover=paint((9, 9, 9)))
    assert probe_video(silent).width == 64
    assert probe_music(song).audio_rate_hz == 8000
    assert probe_music(cover).kind is MediaKind.AUDIO
    for action, path, reason in (
        (probe_music, silent, Reason.NO_AUDIO),
        (probe_video, song, Reason.NO_VIDEO),
        (probe_video, cover, Reason.NO_VIDEO),
    ):
        with pytest.raises(RejectEntry) as caught:
            action(path)
        assert caught.value.reason is reason
        assert "the file" in caught.value.detail


def test_a_midi_file_may_be_the_music(tmp_path: Path) -> None:
    notes = Notes(
        starts_s=np.array([0.0, 1.0]),
        ends_s=np.array([0.5, 2.5]),
        pitches=np.array([60, 64]),
        velocities=np.array([80, 80]),
    )
    path = tmp_path / "song.mp3"
    midi.write_notes(path, {"piano": notes})
    asset = probe_music(path)
    assert asset.kind is MediaKind.MIDI
    assert asset.duration_s == pytest.approx(2.5, abs=0.01)
    with pytest.raises(RejectEntry):
        probe_video(path)
    with pytest.raises(RejectEntry, match="the limit is 2 s"):
        probe_music(path, max_duration_s=2.0)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"max_size_bytes": 100}, Reason.TOO_LARGE),
        ({"max_duration_s": 1.0}, Reason.TOO_LONG),
        ({"max_pixels": 100}, Reason.TOO_LARGE),
    ],
)
def test_limits_are_settings(tmp_path: Path, settings: dict[str, int], reason: Reason) -> None:
    path = film(tmp_path / "f.mp4")
    for step in (MUSIC, VIDEO):
        assert set(settings) <= set(step.defaults)
        with pytest.raises(RejectEntry) as caught:
            step.run(path, **settings)
        assert caught.value.reason is reason


def test_a_file_that_is_gone_or_empty_is_put_aside(tmp_path: Path) -> None:
    empty = tmp_path / "empty.mp4"
    empty.touch()
    for path, reason in ((empty, Reason.EMPTY_FILE), (tmp_path / "gone", Reason.UNREADABLE)):
        for action in (probe_music, probe_video):
            with pytest.raises(RejectEntry) as caught:
                action(path)
            assert caught.value.reason is reason
