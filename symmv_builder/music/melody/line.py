"""Where each note lies beside a melody that was found already, as far as it is right.

A melody goes on: a note that is hidden under others, an octave off or struck late is told by the
line before and after it, and by how much of the piece is melody at all.
"""

import numpy as np
from numpy.typing import NDArray

from symmv_builder.records import Floats, GridNotes, Ints

NAMES = (
    "score",
    "best other score of the onset",
    "best other score within 90 ms",
    "best score of the onset before",
    "best score of the next onset",
    "above the melody note of the onset",
    "above the melody note before",
    "above the second melody note before",
    "above the third melody note before",
    "above the next melody note",
    "above the second melody note on",
    "above the third melody note on",
    "seconds since the melody note before",
    "seconds to the next melody note",
    "seconds that the melody note before still sounds",
    "above the mean of the melody within 2 s",
    "above the mean of the melody within 8 s",
    "spread of the melody within 2 s",
    "spread of the melody within 8 s",
    "melody notes a second within 2 s",
    "melody notes a second within 8 s",
    "share of the melody under the note within 1 s",
    "share of the melody under the note within 4 s",
    "mean probability of the pitch within 8 s",
    "mean probability of the pitch in the song",
    "mean probability of the song",
    "above the mean of the song's melody",
)
# Stands for a note that is not there: semitones, and seconds.
_FAR, _LONG = 60, 10.0
# The score of a note that is not there.
_NONE = -12.0


def likeliest(grid: GridNotes, scores: Floats) -> NDArray[np.intp]:
    """Find the note of the highest score of each step, where that is over 0, in order of time.

    Of two notes with the same score the higher one.
    """
    order = np.lexsort((grid.pitches, scores, grid.onset_steps))
    last = np.ones(len(order), dtype=np.bool_)
    last[:-1] = np.diff(grid.onset_steps[order]) != 0
    best = order[last]
    return np.asarray(best[scores[best] > 0])


def line_features(grid: GridNotes, scores: Floats) -> NDArray[np.float32]:
    """Compute features ``[len(NAMES), notes]`` from log odds ``[notes]`` of being melody."""
    if not len(scores):
        return np.empty((len(NAMES), 0), dtype=np.float32)
    steps, first, at = np.unique(grid.onset_steps, return_index=True, return_inverse=True)
    times = np.maximum.accumulate(grid.starts_s[first])
    pitch, now = grid.pitches - grid.pitches.min(), times[at]
    odds = 1.0 / (1.0 + np.exp(-scores))
    best, other = _two_best(scores, at, len(steps))
    padded = np.concatenate([[_NONE], best, [_NONE]])

    line = likeliest(grid, scores)
    before = np.searchsorted(grid.onset_steps[line], grid.onset_steps)
    after = np.searchsorted(grid.onset_steps[line], grid.onset_steps, side="right")
    tune = np.concatenate([np.full(3, -_FAR), pitch[line], np.full(3, -_FAR)])
    began = np.concatenate([[-np.inf], grid.starts_s[line], [np.inf]])
    ended = np.concatenate([[-np.inf], grid.ends_s[line]])
    interval = np.where(after > before, pitch - tune[before + 3], _FAR)

    mass, struck = (_cumulated(each, at, pitch) for each in (odds, np.ones(len(at))))
    sums = [np.append(0.0, np.cumsum(np.bincount(at, odds * pitch**k))) for k in range(3)]
    reaches = {reach: _Reach(times, reach) for reach in (1.0, 2.0, 4.0, 8.0)}
    moments = [reaches[reach].moments(sums) for reach in (2.0, 8.0)]
    return np.stack(
        [
            scores,
            np.where(scores >= best[at], other[at], best[at]),
            _best_near(scores, grid, 0.09),
            padded[at],
            padded[at + 2],
            interval,
            *(pitch - tune[before + 3 - k] for k in (1, 2, 3)),
            *(pitch - tune[after + 2 + k] for k in (1, 2, 3)),
            np.minimum(now - began[before], _LONG),
            np.minimum(began[after + 1] - now, _LONG),
            np.clip(ended[before] - now, -_LONG, _LONG),
            *(pitch - mean[at] for mean, _, _ in moments),
            *(spread[at] for _, spread, _ in moments),
            *(rate[at] for _, _, rate in moments),
            *(_share_under(reaches[reach].total(mass), at, pitch) for reach in (1.0, 4.0)),
            reaches[8.0].total_of(mass, at, pitch) / reaches[8.0].total_of(struck, at, pitch),
            mass[-1, pitch] / struck[-1, pitch],
            np.full(len(at), odds.mean()),
            pitch - np.average(pitch, weights=odds + 1e-9),
        ],
        dtype=np.float32,
        casting="unsafe",
    )


class _Reach:
    """Sums of what begins from ``reach`` seconds before to as long after each onset."""

    def __init__(self, times: Floats, reach: float):
        self._low = np.searchsorted(times, times - reach)
        self._high = np.searchsorted(times, times + reach, side="right")
        self._seconds = 2 * reach

    def total(self, cumulated: Floats) -> Floats:
        return np.asarray(cumulated[self._high] - cumulated[self._low])

    def total_of(self, cumulated: Floats, at: Ints, pitch: Ints) -> Floats:
        """Sum as `total` does, at some places alone."""
        low, high = self._low[at], self._high[at]
        return np.asarray(cumulated[high, pitch] - cumulated[low, pitch])

    def moments(self, sums: list[Floats]) -> tuple[Floats, Floats, Floats]:
        """Compute mean and spread of the melody's pitch, and its notes a second."""
        mass, first, second = (self.total(each) for each in sums)
        mean = first / np.maximum(mass, 1e-9)
        variance = second / np.maximum(mass, 1e-9) - mean**2
        return mean, np.sqrt(np.maximum(variance, 0.0)), mass / self._seconds


def _cumulated(values: Floats, at: Ints, pitch: Ints) -> Floats:
    """Sum the values ``[onsets + 1, pitches]`` of all notes before each onset."""
    table = np.zeros((int(at.max()) + 2, int(pitch.max()) + 1))
    np.add.at(table, (at + 1, pitch), values)
    return np.asarray(np.cumsum(table, axis=0))


def _share_under(mass: Floats, at: Ints, pitch: Ints) -> Floats:
    up_to = mass.cumsum(axis=1)
    return np.asarray((up_to[at, pitch] - mass[at, pitch] / 2) / np.maximum(up_to[at, -1], 1e-9))


def _two_best(scores: Floats, at: Ints, count: int) -> tuple[Floats, Floats]:
    """Find the best and second best score of each onset."""
    order = np.lexsort((-scores, at))
    first = np.searchsorted(at[order], np.arange(count))
    second = np.minimum(first + 1, len(at) - 1)
    alone = at[order][second] != np.arange(count)
    alone |= second == first
    return scores[order][first], np.where(alone, _NONE, scores[order][second])


def _best_near(scores: Floats, grid: GridNotes, seconds: float) -> Floats:
    """Find the best of eight notes before and after that begin within so many seconds."""
    order = np.lexsort((grid.pitches, grid.starts_s))
    starts, score = grid.starts_s[order], scores[order]
    best = np.full(len(order), _NONE)
    for shift in range(1, min(9, len(order))):
        close = starts[shift:] - starts[:-shift] <= seconds
        best[shift:] = np.maximum(best[shift:], np.where(close, score[:-shift], _NONE))
        best[:-shift] = np.maximum(best[:-shift], np.where(close, score[shift:], _NONE))
    back = np.empty(len(order))
    back[order] = best
    return back
