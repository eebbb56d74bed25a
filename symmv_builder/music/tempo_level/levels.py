"""Which of a pulse's metrical levels are the beats, by a logistic model of each reading."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from symmv_builder.music.tempo_level.evidence import (
    Evidence,
    are_among,
    change_of_harmony,
    frames_at,
)
from symmv_builder.records import Beats, Floats

# Three of the pulse's times are two beats: dotted eighths were tracked.
TWO_THIRDS = 2 / 3
# Tempo, in beats a minute, at which the prior's curve is centred.
_CENTRE_BPM = 85.0
SHORTEST = 4
# Rises and changes that deviate by less than this are taken as alike: the rises in parts of their
# mean, the changes as they are. In POP909 changes deviate by .024 or more, in clicks by .003.
_ALIKE_RISE, _ALIKE_CHANGE = 0.1, 0.01
# What has to rise on times between those of the pulse, in parts of what rises on these.
_LEAST_RISE = 0.25

LEVEL_WEIGHTS = np.array([
    0.048, 0.433, 0.104, -0.376, -0.915, 1.013, 0.267, 0.375,
    -0.595, -1.059, 1.789, -0.149, -0.702, 0.396, -0.588, 0.100,
])  # fmt: skip


@dataclass(frozen=True, slots=True)
class Candidate:
    """One reading of a pulse: its beats, as a multiple of the pulse's tempo."""

    level: float
    times_s: Floats


def _at(evidence: Evidence, times_s: Floats, span_s: float) -> Floats:
    """Rises, rises of the bass, change of harmony and of the bass's at times, ``[t, 4]``."""
    rises = evidence.rises[frames_at(evidence, times_s)]
    return np.column_stack([rises, change_of_harmony(evidence, times_s, span_s)[:, :2]])


def _least_deviation(measures: Floats) -> Floats:
    """The deviations ``[m]`` under which measures ``[t, m]`` of `_at` are taken as alike."""
    alike = np.full(measures.shape[1], _ALIKE_CHANGE)
    alike[:2] = _ALIKE_RISE * measures[:, :2].mean(axis=0) + 1e-6
    return alike


def _spread(measures: Floats) -> tuple[Floats, Floats]:
    """Mean and deviation ``[m]`` of measures ``[t, m]`` of `_at`; no deviation is nearly 0."""
    return measures.mean(axis=0), np.maximum(measures.std(axis=0), _least_deviation(measures))


def _between(times_s: Floats) -> Floats:
    return np.asarray((times_s[1:] + times_s[:-1]) / 2)


def _doubled(times_s: Floats) -> Floats:
    out = np.empty(2 * len(times_s) - 1)
    out[::2], out[1::2] = times_s, _between(times_s)
    return out


def candidates(pulse_s: Floats) -> Iterator[Candidate]:
    """The readings of a pulse that have beats enough to be judged."""
    doubled = _doubled(pulse_s)
    for level, times_s in (
        (0.5, pulse_s[::2]),
        (0.5, pulse_s[1::2]),
        (TWO_THIRDS, doubled[::3]),
        (TWO_THIRDS, doubled[1::3]),
        (TWO_THIRDS, doubled[2::3]),
        (1.0, pulse_s),
        (1.0, _between(pulse_s)),
        (2.0, doubled),
    ):
        if len(times_s) >= SHORTEST:
            yield Candidate(level, times_s)


def _is_heard(evidence: Evidence, pulse_s: Floats, candidate: Candidate) -> bool:
    """Whether the sound gives any reason for a reading, but the pulse itself, which needs none.

    On times between those of the pulse something has to begin; at two thirds, more than on the
    times left out, or every waltz were in two. That only part of the pulse are beats is told by
    harmony: where it never changes, as under a metronome, all of them are.
    """
    gap_s = float(np.median(np.diff(pulse_s)))
    at_pulse = _at(evidence, pulse_s, gap_s)
    if candidate.level == 0.5:
        return bool((at_pulse[:, 2:].std(axis=0) > _ALIKE_CHANGE).any())
    added = candidate.times_s[~are_among(candidate.times_s, pulse_s)]
    rises = _at(evidence, added, gap_s)[:, 0]
    if candidate.level == TWO_THIRDS:
        left_out = at_pulse[~are_among(pulse_s, candidate.times_s), 0]
        return bool(rises.mean() >= left_out.mean())
    return not len(added) or bool(rises.mean() >= _LEAST_RISE * at_pulse[:, 0].mean())


def level_features(evidence: Evidence, pulse: Beats) -> tuple[list[Candidate], Floats]:
    """The readings of a pulse and what speaks for each, ``[candidates, len(LEVEL_WEIGHTS)]``.

    Of the four measures of `_at`, in deviations over the pulse and its middles: how much larger
    they are on the beats than between, and how much they differ from beat to beat, which is much
    where every other beat is none. Then rises on 16ths, the share of the tracker's downbeats that
    are beats, the octaves between the tempo and the prior's centre and their square, and which
    level it is.
    """
    gap_s = float(np.median(np.diff(pulse.times_s)))
    mean, deviation = _spread(_at(evidence, _doubled(pulse.times_s), gap_s))
    downbeats = pulse.times_s[pulse.positions == 1]
    levels = [c for c in candidates(pulse.times_s) if _is_heard(evidence, pulse.times_s, c)]
    rows = []
    for candidate in levels:
        times_s = candidate.times_s
        gap_s = float(np.median(np.diff(times_s)))
        halves = _between(times_s)
        quarters = _between(_doubled(times_s))
        on, off, fine = (
            (_at(evidence, points, gap_s) - mean) / deviation
            for points in (times_s, halves, quarters)
        )
        alternation = np.abs(on[::2].mean(axis=0) - on[1::2].mean(axis=0))
        octaves = np.log2(60 / gap_s / _CENTRE_BPM)
        share_on_beats = (
            are_among(times_s, downbeats).sum() / len(downbeats) if len(downbeats) else 0.5
        )
        rows.append(
            [
                *(on.mean(axis=0) - off.mean(axis=0)),
                *alternation,
                *fine.mean(axis=0)[:2],
                share_on_beats,
                octaves,
                octaves**2,
                candidate.level == 0.5,
                candidate.level == TWO_THIRDS,
                candidate.level == 2.0,
            ]
        )
    return levels, np.array(rows, dtype=np.float64)
