"""Rules that turn a written score into something a person might have played.

A demo rendered straight from notation would flatter every stage that follows: onsets on
a grid, one loudness. The rules are the well-known ones: tempo and loudness rise and
fall with the phrase (Todd, "The dynamics of dynamics", JASA 1992), the melody comes a
little before what accompanies it (Goebl, "Melody lead in piano performance", JASA
2001), metre and register shade the velocity, hands are never exact, the pedal changes
just after the harmony. The noise is seeded: one manner, one performance.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends.music21 import Score
from symmv_builder.records import Beats, Floats, Notes

_LEAD_IN_S = 0.6
_RING_S = 1.4
_PHRASE_BARS = 4
_MELODY_LEAD_S = 0.012
_GRACE_S = 0.075
_SHORTEST_S = 0.045
_SAME_Q = 1e-4


@dataclass(frozen=True, slots=True)
class Manner:
    """The way a piece is played: beats a minute, freedom (0 strict, 1 romantic), pedal."""

    tempo_bpm: float
    freedom: float
    seed: int
    pedal: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class _Time:
    """Score positions in quarter notes, what they are in seconds, and where in the phrase."""

    knots_q: Floats
    knots_s: Floats
    phrase: Floats

    def seconds(self, quarters: Floats) -> Floats:
        return np.asarray(np.interp(quarters, self.knots_q, self.knots_s), dtype=np.float64)

    def arc(self, quarters: Floats) -> Floats:
        """Rise to 1 in the middle of a phrase, from 0 at its ends."""
        place = np.interp(quarters, self.knots_q, self.phrase)
        return np.asarray(1.0 - (2.0 * place - 1.0) ** 2, dtype=np.float64)


def perform(score: Score, *, manner: Manner, longest_s: float) -> tuple[Notes, Beats, float]:
    """Play as many bars as `longest_s` holds: notes and beats in seconds, and the whole length.

    The excerpt closes on the first chord of the bar after the last whole one. Raises
    `ValueError` where not even one bar fits.
    """
    rng = np.random.default_rng(manner.seed)
    time, last = _time(score, manner, longest_s, rng)
    end_q = float(score.beats_q[last])
    is_played = score.onsets_q <= end_q + _SAME_Q
    onsets_q, pitches = score.onsets_q[is_played], score.pitches[is_played]
    lengths_q = np.where(
        np.abs(onsets_q - end_q) < _SAME_Q, time.knots_q[-1] - end_q, score.durations_q[is_played]
    )
    is_melody = _upper_line(onsets_q, pitches, score.staves[is_played] == 0)
    starts = _starts(time, onsets_q, lengths_q, pitches, is_melody, rng)
    ends = _ends(time, onsets_q, lengths_q, score.is_staccato[is_played], manner, starts, rng)
    velocities = _velocities(score, time, onsets_q, pitches, is_melody, manner, rng)
    order = np.lexsort((pitches, starts))
    pedal = _pedal(score, time, last) if manner.pedal else np.zeros((2, 0))
    notes = Notes(
        starts_s=starts[order],
        ends_s=_released(starts[order], ends[order], pitches[order]),
        pitches=pitches[order],
        velocities=velocities[order],
        pedal_starts_s=pedal[0],
        pedal_ends_s=pedal[1],
    )
    beats = Beats(time.seconds(score.beats_q[: last + 1]), score.beat_positions[: last + 1])
    return notes, beats, float(time.knots_s[-1] + _RING_S)


def _time(
    score: Score, manner: Manner, longest_s: float, rng: np.random.Generator
) -> tuple[_Time, int]:
    """Make the tempo curve; gives the number of the beat on which the excerpt closes."""
    beats_q, positions = score.beats_q, score.beat_positions
    bars = np.cumsum(positions == 1) - (positions[0] == 1)
    of_bar = (positions - 1) / max(1, int(positions.max()))
    phrase = ((bars + of_bar) % _PHRASE_BARS) / _PHRASE_BARS
    drift = np.convolve(rng.normal(0.0, 0.02, len(beats_q) + 4), np.full(5, 0.2), "valid")
    slower = 0.15 * (2.0 * phrase - 1.0) ** 2 - 0.05 + drift
    beat_s = 60.0 / manner.tempo_bpm * (1.0 + manner.freedom * slower)
    nominal_s = _LEAD_IN_S + np.concatenate([[0.0], np.cumsum(beat_s)[:-1]])
    closing = np.flatnonzero((positions == 1) & (nominal_s + 3 * beat_s.max() < longest_s))
    if len(closing) < 2:
        raise ValueError(f"{longest_s} s do not hold one bar")
    last = int(closing[-1])
    # The closing bar broadens, the closing chord is held.
    ritardando = 1.0 + manner.freedom * np.clip((np.arange(last) - (last - 3)) / 3.0, 0.0, 1.0) / 4
    steps_s = np.append(beat_s[:last] * ritardando, 1.6 * beat_s[last])
    beat_q = float(beats_q[1] - beats_q[0])
    ending_q = beats_q[last] + 1.6 * beat_q
    knots_q = np.concatenate([[beats_q[0] - beat_q], beats_q[: last + 1], [ending_q]])
    knots_s = np.concatenate([[-beat_s[0], 0.0], np.cumsum(steps_s)])
    knots_s += _LEAD_IN_S - np.interp(score.onsets_q[0], knots_q, knots_s)
    place = np.concatenate([[0.0], phrase[: last + 1], [1.0]])
    return _Time(knots_q, knots_s, place), last


def _upper_line(
    onsets_q: Floats, pitches: NDArray[np.int64], upper: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Mark notes that are the highest of the upper staff at their onset."""
    slots = np.rint(onsets_q / _SAME_Q).astype(np.int64)
    highest: dict[int, int] = {}
    for index in np.flatnonzero(upper).tolist():
        best = highest.get(int(slots[index]))
        if best is None or pitches[index] > pitches[best]:
            highest[int(slots[index])] = index
    marks = np.zeros(len(pitches), dtype=np.bool_)
    marks[list(highest.values())] = True
    return marks


def _starts(
    time: _Time,
    onsets_q: Floats,
    lengths_q: Floats,
    pitches: NDArray[np.int64],
    is_melody: NDArray[np.bool_],
    rng: np.random.Generator,
) -> Floats:
    loose = rng.normal(0.0, 0.006, len(onsets_q)) + np.where(is_melody, -_MELODY_LEAD_S, 0.0)
    # A chord is struck from below, very slightly.
    loose += (pitches - 60) * 0.0001
    grace = np.where(lengths_q == 0, -_GRACE_S, 0.0)
    return np.asarray(np.maximum(time.seconds(onsets_q) + loose + grace, 0.05), dtype=np.float64)


def _ends(
    time: _Time,
    onsets_q: Floats,
    lengths_q: Floats,
    is_staccato: NDArray[np.bool_],
    manner: Manner,
    starts: Floats,
    rng: np.random.Generator,
) -> Floats:
    share = np.where(is_staccato, 0.45, 0.97 if manner.pedal else 0.88)
    share = share * (1.0 + rng.normal(0.0, 0.03, len(share)))
    ends = time.seconds(onsets_q + lengths_q * share)
    return np.asarray(np.maximum(ends, starts + _SHORTEST_S), dtype=np.float64)


def _released(starts: Floats, ends: Floats, pitches: NDArray[np.int64]) -> Floats:
    """Cut ends short: a key must rise before it can be struck again."""
    ends = ends.copy()
    for pitch in np.unique(pitches):
        same = np.flatnonzero(pitches == pitch)
        again = starts[same[1:]]
        ends[same[:-1]] = np.maximum(
            np.minimum(ends[same[:-1]], again - 0.012), np.minimum(starts[same[:-1]] + 0.02, again)
        )
    return ends


def _velocities(
    score: Score,
    time: _Time,
    onsets_q: Floats,
    pitches: NDArray[np.int64],
    is_melody: NDArray[np.bool_],
    manner: Manner,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    before = np.clip(np.searchsorted(score.beats_q, onsets_q + _SAME_Q) - 1, 0, None)
    on_beat = np.abs(onsets_q - score.beats_q[before]) < _SAME_Q
    accent = np.where(on_beat, np.where(score.beat_positions[before] == 1, 7.0, 2.0), -3.0)
    values = 58.0 + accent + 10.0 * (0.5 + manner.freedom) * time.arc(onsets_q)
    values += np.where(is_melody, 13.0, 0.0) + 0.12 * (pitches - 60)
    values += rng.normal(0.0, 3.0, len(values))
    return np.clip(np.rint(values), 22, 112).astype(np.int64)


def _pedal(score: Score, time: _Time, last: int) -> NDArray[np.float64]:
    """Make pedal spans ``[2, p]``: down just after beat 1 (and 3 of four), up before a change."""
    positions, beats_s = score.beat_positions[: last + 1], time.seconds(score.beats_q[: last + 1])
    half = 3 if positions.max() == 4 else 0
    changes = np.flatnonzero((positions == 1) | (positions == half))
    downs = beats_s[changes] + 0.07
    until = np.append(changes[1:] - (0 if half else 1), last)
    ups = np.append(beats_s[until[:-1]] + 0.02, time.knots_s[-1])
    is_long = ups > downs + 0.1
    return np.stack([downs[is_long], ups[is_long]])
