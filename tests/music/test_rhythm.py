"""Quantising against hand-made beats; tracking against a stand-in model."""

import wave
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from symmv_builder.backends.slots import BeatTracker
from symmv_builder.errors import Reason, RejectEntry
from symmv_builder.music.rhythm import hear_beats, lies_on_beats, quantise
from symmv_builder.records import Beats, Notes
from tests.hearing import heard
from tests.standins import StandInModel

STEADY = Beats(
    times_s=np.asarray(np.arange(1, 9) * 0.5, np.float64),
    positions=np.array([3, 4, 1, 2, 3, 4, 1, 2]),
)


def notes(*rows: tuple[float, float, int, int]) -> Notes:
    table = np.array(rows, dtype=float).reshape(-1, 4)
    return Notes(table[:, 0], table[:, 1], table[:, 2], table[:, 3])


def test_steps_count_from_the_first_downbeat() -> None:
    grid = quantise(notes((0.5, 1.0, 60, 64), (1.49, 1.9, 60, 64), (1.63, 2.0, 62, 64)), STEADY)
    assert grid.onset_steps.tolist() == [-8, 0, 1]
    assert grid.duration_steps.tolist() == [4, 3, 3]
    assert grid.starts_s == pytest.approx([0.5, 1.5, 1.625])
    assert grid.ends_s == pytest.approx([1.0, 1.875, 2.0])


def test_the_grid_goes_on_before_the_first_and_after_the_last_beat() -> None:
    beats = Beats(times_s=np.array([1.0, 1.4, 2.4]), positions=np.array([1, 2, 3]))
    grid = quantise(notes((0.2, 0.3, 60, 64), (3.9, 4.4, 60, 64)), beats)
    assert grid.onset_steps.tolist() == [-8, 14]
    assert grid.ends_s[1] == pytest.approx(4.4)


def test_a_grid_point_before_the_recording_has_the_time_of_its_start() -> None:
    beats = Beats(times_s=np.array([0.99, 1.99, 2.99]), positions=np.array([1, 2, 3]))
    grid = quantise(notes((0.0, 0.74, 48, 64)), beats)
    assert grid.onset_steps.tolist() == [-4]
    assert grid.starts_s.tolist() == [0.0]
    assert grid.ends_s == pytest.approx([0.74])


def test_a_note_lasts_one_step_at_least() -> None:
    grid = quantise(notes((1.5, 1.51, 60, 64)), STEADY)
    assert grid.duration_steps.tolist() == [1]
    assert grid.ends_s == pytest.approx([1.625])


def test_two_notes_of_one_pitch_on_one_step_become_one() -> None:
    played = notes((1.48, 1.6, 60, 90), (1.49, 2.5, 64, 50), (1.52, 2.0, 60, 40))
    grid = quantise(played, STEADY)
    assert grid.pitches.tolist() == [60, 64]
    assert grid.velocities.tolist() == [90, 50]
    assert grid.duration_steps.tolist() == [4, 8]


def test_notes_on_one_step_are_sorted_by_pitch() -> None:
    grid = quantise(notes((1.48, 2.0, 67, 64), (1.5, 2.0, 60, 64)), STEADY)
    assert grid.pitches.tolist() == [60, 67]


def test_the_grid_follows_a_tempo_that_changes() -> None:
    beats = Beats(times_s=np.array([0, 0.5, 1.2, 2.2]), positions=np.array([1, 2, 3, 4]))
    grid = quantise(notes((0.25, 0.5, 60, 64), (0.85, 1.7, 60, 64)), beats)
    assert grid.onset_steps.tolist() == [2, 6]
    assert grid.duration_steps.tolist() == [2, 4]


def test_without_a_downbeat_the_first_beat_tells_where_the_bar_began() -> None:
    beats = Beats(times_s=np.array([1.0, 1.5]), positions=np.array([3, 4]))
    assert quantise(notes((1.0, 1.5, 60, 64)), beats).onset_steps.tolist() == [8]


def test_no_notes_make_an_empty_grid() -> None:
    assert len(quantise(notes(), STEADY).pitches) == 0


def test_fewer_than_two_beats_are_a_rejection() -> None:
    with pytest.raises(RejectEntry) as caught:
        quantise(notes((0, 1, 60, 64)), Beats(times_s=np.array([1.0]), positions=np.array([1])))
    assert caught.value.reason is Reason.NO_BEATS


def written(beat_s: float, count: int, *, shift_s: float = 0.0, seed: int | None = None) -> Notes:
    """Eighths of which every other, on the beat, is long; with a seed, notes at any time."""
    at = np.arange(count) * beat_s / 2
    if seed is not None:
        at = np.sort(np.random.default_rng(seed).uniform(0, count * beat_s / 2, count))
    long = np.where(np.arange(count) % 2 == 0, beat_s, beat_s / 4)
    return Notes(at + shift_s, at + shift_s + long, np.full(count, 60), np.full(count, 64))


def grid_of(beat_s: float, count: int = 80) -> Beats:
    return Beats(
        times_s=np.asarray(np.arange(count) * beat_s, np.float64),
        positions=np.arange(count) % 4 + 1,
    )


def test_notes_lie_on_the_beats_that_they_were_written_on() -> None:
    assert lies_on_beats(written(0.7, 100), grid_of(0.7))


@pytest.mark.parametrize("sixteenths", [0.5, 1, 2, 3])
def test_notes_do_not_lie_on_beats_that_are_shifted(sixteenths: float) -> None:
    late = written(0.7, 100, shift_s=sixteenths * 0.7 / 4)
    assert not lies_on_beats(late, grid_of(0.7))


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("count", [4, 16, 400])
def test_notes_at_any_time_lie_on_no_beats_however_few(seed: int, count: int) -> None:
    assert not lies_on_beats(written(0.5, count, seed=seed), grid_of(0.5, 200))


def test_a_song_in_another_tempo_does_not_lie_on_the_header_s_beats() -> None:
    assert not lies_on_beats(written(60 / 83, 200), grid_of(0.5, 300))


def test_triplets_lie_on_their_beats() -> None:
    at = np.arange(120) * 0.2
    long = np.where(np.arange(120) % 3 == 0, 0.6, 0.2)
    notes = Notes(
        np.asarray(at, np.float64),
        np.asarray(at + long, np.float64),
        np.full(120, 60),
        np.full(120, 64),
    )
    assert lies_on_beats(notes, grid_of(0.6))


def test_no_notes_and_no_beats_lie_on_nothing() -> None:
    assert not lies_on_beats(notes(), STEADY)
    assert not lies_on_beats(written(0.5, 50), Beats(times_s=np.array([]), positions=np.array([])))


class StandIn(StandInModel, BeatTracker):
    rate_hz = 8000
    mono = True

    def __init__(self, beats: Beats) -> None:
        self.beats = beats
        self.shape: tuple[int, ...] = ()

    def track(self, samples: NDArray[np.float32]) -> Beats:
        self.shape = samples.shape
        return self.beats


def silent_wav(path: Path) -> Path:
    with wave.open(str(path), "wb") as out:
        out.setparams((2, 2, 16000, 0, "NONE", ""))
        out.writeframes(bytes(16000 * 4))
    return path


def test_the_model_gets_sound_at_the_rate_that_it_asks_for(tmp_path: Path) -> None:
    model = StandIn(STEADY)
    beats = heard(silent_wav(tmp_path / "a.wav"), hear_beats(level="pulse", model=model))
    assert model.shape == (8000, 1)
    assert beats.times_s.tolist() == STEADY.times_s.tolist()
    assert beats.positions.tolist() == STEADY.positions.tolist()
    assert (beats.source, beats.tempo_level, beats.level_confidence) == ("tracked", 1.0, None)


def test_a_recording_without_beats_is_a_rejection(tmp_path: Path) -> None:
    model = StandIn(Beats(times_s=np.array([]), positions=np.array([])))
    with pytest.raises(RejectEntry) as caught:
        heard(silent_wav(tmp_path / "a.wav"), hear_beats(model=model))
    assert caught.value.reason is Reason.NO_BEATS
