"""The level of a pulse: a played piece, and pulses as any tracker may have found them."""

import numpy as np
import pytest

from symmv_builder.backends.sampler import render
from symmv_builder.backends.slots import BeatTracker
from symmv_builder.errors import Reason, RejectEntry
from symmv_builder.music.rhythm import beats_in_sound
from symmv_builder.music.tempo_level import bar_positions, choose_level, listen, magnitudes
from symmv_builder.music.tempo_level.downbeats import (
    beat_features,
    downbeat_odds,
    lead_of_threes,
)
from symmv_builder.records import Beats, Floats, Notes
from tests.standins import StandInModel

RATE_HZ = 22050
PROGRESSION = ((48, 52, 55), (45, 48, 52), (41, 45, 48), (43, 47, 50))


def ballad(tempo_bpm: float, bars: int = 16, metre: int = 4, start_s: float = 0.5) -> Notes:
    """A bass note and a chord on each bar, broken in eighths, under a melody in quarters."""
    beat_s = 60 / tempo_bpm
    rows = []
    for bar in range(bars):
        at, chord = start_s + bar * metre * beat_s, PROGRESSION[bar % 4]
        rows.append((at, at + metre * beat_s, chord[0] - 12, 90))
        for eighth in range(2 * metre):
            begin = at + eighth * beat_s / 2
            rows.append((begin, begin + beat_s / 2, chord[eighth % 3], 50 + 10 * (eighth % 2 == 0)))
        for beat in range(metre):
            begin = at + beat * beat_s
            rows.append((begin, begin + beat_s, chord[(beat + bar) % 3] + 24, 80))
    table = np.array(sorted(rows))
    return Notes(table[:, 0], table[:, 1], table[:, 2], table[:, 3])


def jig(tempo_bpm: float, bars: int = 24, start_s: float = 0.5) -> Notes:
    """Bars of three quick beats, each with its chord: bass, broken chord and melody."""
    beat_s = 60 / tempo_bpm
    rows = []
    for bar in range(bars):
        at, chord = start_s + bar * 3 * beat_s, PROGRESSION[bar % 4]
        rows.append((at, at + 3 * beat_s, chord[0] - 12, 90))
        for beat in range(3):
            begin = at + beat * beat_s
            rows.append((begin, begin + beat_s, chord[beat * 2 % 3], 70 if beat == 0 else 55))
            rows.append((begin, begin + 0.9 * beat_s, chord[(beat + bar) % 3] + 24, 85))
    table = np.array(sorted(rows))
    return Notes(table[:, 0], table[:, 1], table[:, 2], table[:, 3])


def quarters(tempo_bpm: float, bars: int = 16, metre: int = 4, start_s: float = 0.5) -> Floats:
    return start_s + np.arange(bars * metre) * 60 / tempo_bpm


def doubled(times_s: Floats) -> Floats:
    return np.interp(np.arange(2 * len(times_s) - 1) / 2, np.arange(len(times_s)), times_s)


def counted(times_s: Floats, metre: int = 4) -> Beats:
    return Beats(times_s=times_s, positions=np.arange(len(times_s)) % metre + 1)


class Tracker(StandInModel, BeatTracker):
    """Finds in whatever it hears the pulse that it was given, as a tracker of any kind would."""

    rate_hz = RATE_HZ
    mono = True

    def __init__(self, pulse: Beats) -> None:
        self.pulse = pulse

    def track(self, samples: np.ndarray) -> Beats:
        return self.pulse


def tracked(notes: Notes, pulse: Beats) -> Beats:
    sound = render(notes, rate_hz=RATE_HZ).mean(axis=1, keepdims=True)
    return beats_in_sound(sound, Tracker(pulse), "chosen")


@pytest.mark.parametrize("tempo_bpm", [60, 72, 85])
def test_a_slow_song_at_double_tempo_comes_out_at_its_own(tempo_bpm: float) -> None:
    truth = quarters(tempo_bpm)
    beats = tracked(ballad(tempo_bpm), counted(doubled(truth)))
    assert beats.tempo_level == 0.5
    assert beats.times_s == pytest.approx(truth)
    assert beats.times_s[beats.positions == 1] == pytest.approx(truth[::4])


def test_the_pulse_is_halved_onto_its_second_time_where_the_beats_lie_there() -> None:
    truth = quarters(66)
    late = np.concatenate([[truth[0] - 30 / 66], doubled(truth)])
    pulse = Beats(times_s=late, positions=(np.arange(len(late)) - 1) % 4 + 1)
    beats = tracked(ballad(66), pulse)
    assert beats.times_s == pytest.approx(truth)


@pytest.mark.parametrize("tempo_bpm", [55, 72, 92, 105])
def test_beats_at_the_right_tempo_stay_as_they_are(tempo_bpm: float) -> None:
    truth = quarters(tempo_bpm)
    beats = tracked(ballad(tempo_bpm), counted(truth))
    assert beats.tempo_level == 1.0
    assert beats.times_s == pytest.approx(truth)
    assert beats.times_s[beats.positions == 1] == pytest.approx(truth[::4])


def test_half_the_tempo_is_doubled_again() -> None:
    truth = quarters(88)
    beats = tracked(ballad(88), counted(truth[::2]))
    assert beats.tempo_level == 2.0
    assert beats.times_s == pytest.approx(truth[:-1])


def test_what_was_decided_and_how_surely_stands_in_the_record() -> None:
    beats = tracked(ballad(66), counted(doubled(quarters(66))))
    assert beats.source == "tracked"
    assert beats.level_confidence is not None
    assert 0.5 < beats.level_confidence <= 1


def test_the_loudness_of_a_recording_decides_nothing() -> None:
    sound = render(ballad(70), rate_hz=RATE_HZ).mean(axis=1)
    pulse = counted(doubled(quarters(70)))
    loud, quiet = (
        choose_level(pulse, listen(magnitudes(sound * gain, RATE_HZ))) for gain in (1.0, 0.01)
    )
    assert loud.times_s.tolist() == quiet.times_s.tolist()
    assert loud.level_confidence == pytest.approx(quiet.level_confidence, abs=1e-3)


@pytest.mark.parametrize("count", [2, 3, 4, 7, 8])
def test_short_pulses_keep_at_least_two_beats(count: int) -> None:
    beats = tracked(ballad(80, bars=2), counted(quarters(80)[:count]))
    assert len(beats.times_s) >= 2
    if count < 4:
        assert (beats.tempo_level, beats.level_confidence) == (1.0, 0.0)


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_beats_are_rejected_at_any_level(count: int) -> None:
    with pytest.raises(RejectEntry) as caught:
        tracked(ballad(80, bars=2), counted(quarters(80)[:count]))
    assert caught.value.reason is Reason.NO_BEATS


@pytest.mark.parametrize("tempo_bpm", [75, 90, 110, 130])
def test_a_waltz_keeps_its_beats_and_its_bars_of_three(tempo_bpm: float) -> None:
    truth = quarters(tempo_bpm, metre=3)
    beats = tracked(ballad(tempo_bpm, metre=3), counted(truth, metre=3))
    assert beats.tempo_level == 1.0
    assert beats.times_s == pytest.approx(truth)
    assert beats.times_s[beats.positions == 1] == pytest.approx(truth[::3])


@pytest.mark.parametrize("tempo_bpm", [148, 182])
@pytest.mark.parametrize("counted_in", [3, 4])
def test_a_quick_piece_in_threes_is_not_halved(tempo_bpm: float, counted_in: int) -> None:
    truth = quarters(tempo_bpm, bars=24, metre=3)
    beats = tracked(jig(tempo_bpm), counted(truth, metre=counted_in))
    assert beats.tempo_level == 1.0
    assert beats.times_s == pytest.approx(truth)
    assert beats.times_s[beats.positions == 1] == pytest.approx(truth[::3])


def test_a_slow_waltz_at_double_tempo_is_halved() -> None:
    truth = quarters(75, metre=3)
    beats = tracked(ballad(75, metre=3), counted(doubled(truth), metre=3))
    assert beats.times_s == pytest.approx(truth)
    assert beats.times_s[beats.positions == 1] == pytest.approx(truth[::3])


@pytest.mark.parametrize("metre", [3, 4])
@pytest.mark.parametrize("late", [0, 1, 2, 3])
def test_bars_begin_where_the_harmony_changes_wherever_the_tracker_counts_from(
    metre: int, late: int
) -> None:
    truth = quarters(90, metre=metre)
    pulse = Beats(times_s=truth, positions=(np.arange(len(truth)) - late) % metre + 1)
    beats = tracked(ballad(90, metre=metre), pulse)
    assert beats.times_s[beats.positions == 1] == pytest.approx(truth[::metre])


def test_bars_are_found_without_any_downbeat_of_the_tracker() -> None:
    truth = quarters(80)
    pulse = Beats(times_s=truth, positions=np.zeros(len(truth), dtype=np.int64))
    beats = tracked(ballad(80), pulse)
    assert beats.times_s[beats.positions == 1] == pytest.approx(truth[::4])


def test_odds_of_downbeats_are_the_mean_of_the_networks() -> None:
    random = np.random.default_rng(0)
    features, taps = random.normal(size=(6, 2)), 3
    weights = {
        "kernel": random.normal(size=(2, 4, 2, taps)),
        "bias": random.normal(size=(2, 4)),
        "out": random.normal(size=(2, 4)),
        "out_bias": random.normal(size=2),
    }
    expected = np.zeros(6)
    for beat in range(6):
        for network in range(2):
            hidden = weights["bias"][network].copy()
            for tap in range(taps):
                if 0 <= beat + tap - 1 < 6:
                    hidden += weights["kernel"][network, :, :, tap] @ features[beat + tap - 1]
            score = np.maximum(hidden, 0) @ weights["out"][network]
            expected[beat] += (score + weights["out_bias"][network]) / 2
    assert downbeat_odds(features, weights) == pytest.approx(expected)


@pytest.mark.parametrize("count", [4, 5, 8, 9])
def test_few_beats_have_features_that_are_finite(count: int) -> None:
    sound = render(ballad(80, bars=3), rate_hz=RATE_HZ).mean(axis=1)
    pulse = counted(quarters(80)[:count])
    features = beat_features(listen(magnitudes(sound, RATE_HZ)), pulse, pulse.times_s)
    assert len(features) == count
    assert np.isfinite(features).all()
    assert np.isfinite(downbeat_odds(features)).all()


def clicks(times_s: Floats, accent: int) -> np.ndarray:
    """A metronome, ``[n]`` samples: every so many clicks are higher and twice as loud."""
    length = np.arange(int(0.03 * RATE_HZ)) / RATE_HZ
    sound = np.zeros(int((times_s[-1] + 0.5) * RATE_HZ), dtype=np.float32)
    for number, time_s in enumerate(times_s):
        accented = number % accent == 0
        click = (0.5 + 0.5 * accented) * np.sin(2 * np.pi * (1000 + 500 * accented) * length)
        start = round(float(time_s) * RATE_HZ)
        sound[start : start + len(length)] += click * np.exp(-150 * length)
    return sound


@pytest.mark.parametrize("tempo_bpm", [40, 60, 75, 90, 105, 120, 140, 160, 180, 200, 215])
@pytest.mark.parametrize("accent", [1, 3, 4])
@pytest.mark.parametrize("seconds", [3.0, 30.0])
def test_a_metronome_keeps_its_tempo(tempo_bpm: float, accent: int, seconds: float) -> None:
    times_s = np.arange(0.5, seconds, 60 / tempo_bpm)
    # As trackers give them: on their frames.
    pulse = counted(np.round(times_s, 2))
    beats = choose_level(pulse, listen(magnitudes(clicks(times_s, accent), RATE_HZ)))
    assert beats.tempo_level == 1.0
    assert beats.times_s.tolist() == pulse.times_s.tolist()


@pytest.mark.parametrize("tempo_bpm", [60, 75, 90])
def test_a_beat_is_not_divided_where_nothing_begins(tempo_bpm: float) -> None:
    starts_s = quarters(tempo_bpm, bars=8)
    pitches = 60 + np.array([0, 2, 4, 5, 7, 5, 4, 2])[np.arange(len(starts_s)) % 8]
    notes = Notes(starts_s, starts_s + 55 / tempo_bpm, pitches, np.full(len(starts_s), 80))
    beats = tracked(notes, counted(starts_s))
    assert beats.times_s.tolist() == starts_s.tolist()


def test_silence_gives_no_measure_that_is_not_finite() -> None:
    evidence = listen(magnitudes(np.zeros(10 * RATE_HZ, dtype=np.float32), RATE_HZ))
    beats = choose_level(counted(np.asarray(np.arange(1, 18) * 0.5, np.float64)), evidence)
    assert beats.level_confidence is not None
    assert np.isfinite(beats.level_confidence)


@pytest.mark.parametrize("metre", [3, 4])
@pytest.mark.parametrize("first", [0, 1, 2])
def test_bars_are_counted_from_the_beats_that_speak_for_it(metre: int, first: int) -> None:
    beats = np.arange(40)
    odds = np.where((beats - first) % metre == 0, 2.0, -2.0)
    assert bar_positions(odds).tolist() == ((beats - first) % metre + 1).tolist()


@pytest.mark.parametrize("metre", [3, 4])
def test_the_lead_of_threes_is_in_nats_a_beat(metre: int) -> None:
    odds = np.where(np.arange(48) % metre == 0, 2.0, -2.0)
    lead = lead_of_threes(odds)
    assert (lead > 0) == (metre == 3)
    assert lead_of_threes(np.tile(odds, 2)) == pytest.approx(lead)


def test_one_wrong_downbeat_does_not_break_the_bars() -> None:
    beats = np.arange(40)
    odds = np.where(beats % 4 == 0, 2.0, -2.0)
    odds[[8, 10]] = odds[[10, 8]]
    assert bar_positions(odds).tolist() == (beats % 4 + 1).tolist()


def test_a_bar_that_breaks_off_shifts_all_later_ones() -> None:
    marks = np.zeros(50, dtype=bool)
    marks[[0, 4, 8, 12, 16, 20, 22, 26, 30, 34, 38, 42, 46]] = True
    positions = bar_positions(np.where(marks, 3.0, -3.0))
    assert np.flatnonzero(positions == 1).tolist() == np.flatnonzero(marks).tolist()
