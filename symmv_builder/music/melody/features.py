"""What the melody model reads of each note: its place among the notes around it.

No velocity: it tells the part in symbolic data sets, where tracks were made at fixed levels, and
says little in a transcription. Distances in time are given in seconds beside grid steps, so that
beats at half or double tempo change few of the features.
"""

import numpy as np
from numpy.typing import NDArray

from symmv_builder.records import Floats, GridNotes, Ints

NAMES = (
    "pitch",
    "rank from the top of the onset",
    "notes at the onset",
    "notes sounding",
    "sounding above",
    "held above",
    "below the highest sounding",
    "gap to the next sounding below",
    "gap to the next sounding above",
    "octave below sounds",
    "octave above sounds",
    "share under a higher note",
    "seconds",
    "steps",
    "seconds / longest at the onset",
    "seconds to the next onset",
    "seconds since the last onset",
    "seconds / seconds to the next onset",
    "below the top of the onset",
    "above the bottom of the onset",
    "above the top of the onset before",
    "above the top two onsets before",
    "above the top three onsets before",
    "above the top of the next onset",
    "above the top two onsets on",
    "above the top three onsets on",
    "nearest pitch of the onset before",
    "nearest pitch of the next onset",
    "same pitch within 2 s",
    "same pitch within 8 s",
    "onsets a second within 2 s",
    "above the 10 % pitch within 2 s",
    "above the median pitch within 2 s",
    "above the 90 % pitch within 2 s",
    "above the median pitch within 8 s",
    "above the 90 % pitch within 8 s",
    "above the median top within 2 s",
    "above the median top within 8 s",
    "above the 25 % pitch of the song",
    "above the median pitch of the song",
    "above the 90 % pitch of the song",
    "below the highest struck within 0.25 s",
    "below the highest struck within 0.5 s",
    "below the highest struck within 1 s",
    "above the lowest struck within 0.5 s",
    "seconds / mean seconds within 2 s",
    "step of the beat",
    "step of the bar",
)
# Stands for a distance to a note that is not there.
_FAR = 48


def note_features(grid: GridNotes) -> NDArray[np.float32]:
    """Compute features ``[len(NAMES), notes]`` of each note, in the order of the grid's notes.

    Steps are taken as 16ths in 4/4 for the places in beat and bar; the order of notes of one
    onset makes no difference. Memory grows with the number of onsets times the range of pitches.
    """
    if not len(grid.pitches):
        return np.empty((len(NAMES), 0), dtype=np.float32)
    steps, first, at = np.unique(grid.onset_steps, return_index=True, return_inverse=True)
    times = np.maximum.accumulate(grid.starts_s[first])
    # Only the range that is played is looked at: pitches are counted from the lowest.
    pitch, count = grid.pitches - grid.pitches.min(), len(steps)
    pitches = np.arange(int(pitch.max()) + 1)
    seconds = np.maximum(grid.ends_s - grid.starts_s, 1e-3)
    until = np.searchsorted(steps, grid.onset_steps + grid.duration_steps)

    struck = np.zeros((count, len(pitches)), dtype=np.int32)
    np.add.at(struck, (at, pitch), 1)
    change = np.zeros((count + 1, len(pitches)), dtype=np.int32)
    np.add.at(change, (at, pitch), 1)
    np.add.at(change, (until, pitch), -1)
    sounding = np.cumsum(change[:-1], axis=0, dtype=np.int32) > 0
    is_struck = struck > 0
    above_sounding = _count_above(sounding)
    above_struck = _count_above(is_struck)
    highest = pitches[-1] - sounding[:, ::-1].argmax(axis=1)
    top = pitches[-1] - is_struck[:, ::-1].argmax(axis=1)
    bottom = is_struck.argmax(axis=1)
    below, above = _neighbours(sounding)
    padded = np.pad(sounding, ((0, 0), (12, 12)))

    lengths = np.append(np.diff(times), max(float(grid.ends_s.max() - times[-1]), 1e-3))
    clock = np.append(0.0, lengths.cumsum())
    # Seconds, up to each onset, in which the highest sounding note is above each pitch.
    under = np.zeros((count + 1, len(pitches)))
    np.cumsum(lengths[:, None] * (highest[:, None] > pitches), axis=0, out=under[1:])
    stretch = np.maximum(clock[until] - clock[at], 1e-6)

    sounded = np.zeros(count)
    np.add.at(sounded, at, seconds)
    longest = np.zeros(count)
    np.maximum.at(longest, at, seconds)
    wait, since = lengths[at], np.append(2.0, lengths[:-1])[at]
    tops = np.pad(top, 3, mode="edge")
    near = _nearest(is_struck)
    before, after = np.maximum(at - 1, 0), np.minimum(at + 1, count - 1)
    so_far = _cumulated(struck), _cumulated(top[:, None] == pitches)
    narrow, wide = (_Window(*so_far, times, reach) for reach in (2.0, 8.0))
    song = np.percentile(pitch, (25, 50, 90))
    return np.stack(
        [
            grid.pitches,
            above_struck[at, pitch],
            is_struck.sum(axis=1)[at],
            sounding.sum(axis=1)[at],
            above_sounding[at, pitch],
            above_sounding[at, pitch] - above_struck[at, pitch],
            highest[at] - pitch,
            np.minimum(pitch - below[at, pitch], _FAR),
            np.minimum(above[at, pitch] - pitch, _FAR),
            padded[at, pitch],
            padded[at, pitch + 24],
            (under[until, pitch] - under[at, pitch]) / stretch,
            seconds,
            grid.duration_steps,
            seconds / longest[at],
            wait,
            since,
            seconds / np.maximum(wait, 1e-3),
            top[at] - pitch,
            pitch - bottom[at],
            *(pitch - tops[at + 3 - k] for k in (1, 2, 3)),
            *(pitch - tops[at + 3 + k] for k in (1, 2, 3)),
            near[before, pitch],
            near[after, pitch],
            narrow.counts[at, pitch],
            wide.counts[at, pitch],
            narrow.onsets_a_second[at],
            *(pitch - narrow.pitch(share)[at] for share in (0.1, 0.5, 0.9)),
            *(pitch - wide.pitch(share)[at] for share in (0.5, 0.9)),
            *(pitch - window.median_top()[at] for window in (narrow, wide)),
            *(pitch - part for part in song),
            *(_within(np.maximum, top, times, reach)[at] - pitch for reach in (0.25, 0.5, 1.0)),
            pitch - _within(np.minimum, bottom, times, 0.5)[at],
            seconds / narrow.mean(sounded)[at],
            grid.onset_steps % 4,
            grid.onset_steps % 16,
        ],
        dtype=np.float32,
        casting="unsafe",
    )


class _Window:
    """Struck pitches from ``reach`` seconds before to as long after each onset.

    ``struck`` and ``tops`` count them, and those on top of an onset, before each onset.
    """

    def __init__(
        self, struck: NDArray[np.int32], tops: NDArray[np.int32], times: Floats, reach: float
    ):
        self._low = np.searchsorted(times, times - reach)
        self._high = np.searchsorted(times, times + reach, side="right")
        self.counts = struck[self._high] - struck[self._low]
        self._cumulated = self.counts.cumsum(axis=1)
        self._tops = (tops[self._high] - tops[self._low]).cumsum(axis=1)
        self.onsets_a_second = (self._high - self._low) / (2 * reach)

    def pitch(self, share: float) -> Ints:
        """Find the lowest pitch at or under which that share of the notes lies."""
        return _quantile(self._cumulated, share)

    def mean(self, sums: Floats) -> Floats:
        """Average over notes what is given summed by onset."""
        total = np.append(0.0, np.cumsum(sums))
        return np.asarray(
            (total[self._high] - total[self._low]) / np.maximum(self._cumulated[:, -1], 1)
        )

    def median_top(self) -> Ints:
        return _quantile(self._tops, 0.5)


def _cumulated(struck: NDArray[np.generic]) -> NDArray[np.int32]:
    """Count notes ``[onsets + 1, pitches]`` before each onset."""
    total = np.zeros((len(struck) + 1, struck.shape[1]), dtype=np.int32)
    np.cumsum(struck, axis=0, dtype=np.int32, out=total[1:])
    return total


def _within(extreme: np.ufunc, values: Ints, times: Floats, reach: float) -> Ints:
    """Find the values' extreme from ``reach`` seconds before to as long after each onset."""
    low = np.searchsorted(times, times - reach)
    high = np.searchsorted(times, times + reach, side="right")
    # Every second stretch lies between two windows; the last window may end with the values.
    stretches = np.stack([low, high], axis=1).ravel()
    extremes = extreme.reduceat(np.append(values, values[-1]), stretches)[::2]
    return np.asarray(extremes, dtype=np.int64)


def _quantile(cumulated: Ints | NDArray[np.int32], share: float) -> Ints:
    return np.asarray((cumulated >= share * cumulated[:, -1:]).argmax(axis=1), dtype=np.int64)


def _count_above(present: NDArray[np.bool_]) -> NDArray[np.int16]:
    up_to = present.cumsum(axis=1, dtype=np.int16)
    return np.asarray(up_to[:, -1:] - up_to)


def _neighbours(present: NDArray[np.bool_]) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """Find the next pitch present under and over each pitch; far outside where there is none."""
    count, width = present.shape
    pitches = np.arange(width, dtype=np.int16)
    below = np.full((count, width), -4 * _FAR, dtype=np.int16)
    above = np.full((count, width), 8 * _FAR, dtype=np.int16)
    low = np.where(present, pitches, np.int16(-4 * _FAR))
    high = np.where(present, pitches, np.int16(8 * _FAR))[:, ::-1]
    below[:, 1:] = np.maximum.accumulate(low, axis=1)[:, :-1]
    above[:, :-1] = np.minimum.accumulate(high, axis=1)[:, ::-1][:, 1:]
    return below, above


def _nearest(present: NDArray[np.bool_]) -> NDArray[np.int16]:
    """Count semitones from each pitch to the nearest that is present."""
    below, above = _neighbours(present)
    pitches = np.arange(present.shape[1], dtype=np.int16)
    distance: NDArray[np.int16] = np.minimum(
        np.minimum(pitches - below, above - pitches), np.int16(_FAR)
    )
    distance[present] = 0
    return distance
