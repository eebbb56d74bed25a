"""Density and loudness against counting by hand, second by second."""

import wave
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from symmv_builder.crawl.probe import probe_music
from symmv_builder.music.dynamics import hear_loudness, note_density
from symmv_builder.records import Asset, FeatureTrack, MediaKind, Notes
from symmv_builder.timeline import Clock
from tests.hearing import heard
from tests.media import Samples, tone, write_media


def recording(duration_s: float) -> Asset:
    return Asset("0" * 64, MediaKind.AUDIO, 1, "wav", duration_s)


def density(notes: Notes, duration_s: float, variant: str = "sounding") -> list[float]:
    track = note_density(recording(duration_s), notes, variant=variant)  # type: ignore[arg-type]
    assert (track.name, track.hop_s, track.clock) == ("density", 1.0, Clock.MUSIC)
    return [float(value) for value in track.values[:, 0]]


HELD = Notes(
    np.array([0.0, 0.5, 1.0, 2.9]),
    np.array([1.0, 2.5, 1.2, 9.0]),
    np.array([60, 62, 64, 65]),
    np.array([64] * 4),
)


def test_a_note_counts_in_every_second_in_which_it_sounds() -> None:
    assert density(HELD, 4.5) == [2, 2, 2, 1, 1]


def test_the_papers_density_counts_onsets_alone() -> None:
    assert density(HELD, 4.5, "onsets") == [2, 1, 1, 0, 0]


def test_notes_after_the_end_of_the_recording_are_not_counted() -> None:
    assert density(HELD, 2.0) == [2, 2]


def test_a_note_of_no_length_counts_where_it_begins() -> None:
    assert density(Notes(np.array([1.0]), np.array([1.0]), np.array([60]), np.array([64])), 3) == [
        0,
        1,
        0,
    ]


def test_a_recording_without_notes_is_empty_and_not_short() -> None:
    assert density(Notes(np.array([]), np.array([]), np.array([]), np.array([])), 2.2) == [0, 0, 0]


def test_many_notes_are_counted_as_one_by_one() -> None:
    random = np.random.default_rng(0)
    starts = np.sort(random.uniform(0, 60, 400))
    notes = Notes(
        starts, starts + random.exponential(1.0, 400), np.array([60] * 400), np.array([64] * 400)
    )
    sounding = [
        sum(s < i + 1 and e > i for s, e in zip(notes.starts_s, notes.ends_s, strict=True))
        for i in range(60)
    ]
    onsets = [sum(i <= s < i + 1 for s in notes.starts_s) for i in range(60)]
    assert density(notes, 60) == sounding
    assert density(notes, 60, "onsets") == onsets


def write(path: Path, samples: np.ndarray, rate_hz: int = 8000) -> Path:
    with wave.open(str(path), "wb") as out:
        out.setparams((samples.shape[1], 2, rate_hz, 0, "NONE", ""))
        out.writeframes(samples.astype("<i2").tobytes())
    return path


def loudness_of(path: Path, asset: Asset | None = None) -> FeatureTrack:
    track: FeatureTrack = heard(path, hear_loudness(), asset or probe_music(path))
    return track


def test_every_second_of_the_recording_has_a_value_and_none_behind_it(tmp_path: Path) -> None:
    path = write(tmp_path / "tone.wav", np.full((8000 * 3 + 80, 1), 16384))
    facts = asdict(probe_music(path))
    shorter, longer = (Asset(**{**facts, "duration_s": s}) for s in (3.0, 4.5))
    assert len(loudness_of(path, shorter).values) == 3
    assert loudness_of(path, longer).values[:, 0].tolist()[4] == 0.0


def test_loudness_is_the_root_mean_square_of_each_second_over_32767(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    samples = random.integers(-9000, 9000, (8000 * 5 // 2, 2))
    track = loudness_of(write(tmp_path / "noise.wav", samples))
    mono = samples.mean(axis=1)
    wanted = [np.sqrt(np.mean(mono[i * 8000 : (i + 1) * 8000] ** 2)) / 32767 for i in range(3)]
    assert (track.name, track.hop_s, track.clock) == ("loudness", 1.0, Clock.MUSIC)
    assert track.values[:, 0] == pytest.approx(wanted, rel=1e-5)


def test_the_last_part_of_a_second_is_measured_over_what_it_holds(tmp_path: Path) -> None:
    tone = np.full((8000 + 80, 1), 16384)
    track = loudness_of(write(tmp_path / "tone.wav", tone))
    assert track.values[:, 0] == pytest.approx([16384 / 32767] * 2, rel=1e-5)


def test_silence_is_zero_and_full_scale_is_one(tmp_path: Path) -> None:
    samples = np.zeros((16000, 1))
    samples[8000:] = -32768
    assert loudness_of(write(tmp_path / "step.wav", samples)).values[:, 0].tolist() == [0, 1]


def test_a_sample_that_is_no_number_spoils_no_loudness(tmp_path: Path) -> None:
    samples = tone(3.0)
    broken = samples.copy()
    broken[8001] = np.nan
    paths = [
        write_media(tmp_path / f"{number}.wav", Samples(each))
        for number, each in enumerate((samples, broken))
    ]
    whole, found = (loudness_of(path) for path in paths)
    np.testing.assert_allclose(found.values, whole.values, rtol=1e-2)
