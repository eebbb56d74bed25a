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
    "step of the beat",
    "step of the bar",
)
_PITCHES = np.arange(128)
# Stands for a distance to a note that is not there.
_FAR = 48.0


def note_features(grid: GridNotes) -> NDArray[np.float32]:
    """Features ``[len(NAMES), notes]`` of each note, in the order of the grid's notes.

    Steps are taken as 16ths in 4/4 for the places in beat and bar; the order of notes of one
    onset makes no difference. Memory grows with the number of onsets times 128 pitches.
    """
    if not len(grid.pitches):
        return np.empty((len(NAMES), 0), dtype=np.float32)
    steps, first, at = np.unique(grid.onset_steps, return_index=True, return_inverse=True)
    times = np.maximum.accumulate(grid.starts_s[first])
    pitch, count = grid.pitches, len(steps)
    seconds = np.maximum(grid.ends_s - grid.starts_s, 1e-3)
    until = np.searchsorted(steps, grid.onset_steps + grid.duration_steps)

    struck = np.zeros((count, 128), dtype=np.int32)
    np.add.at(struck, (at, pitch), 1)
    change = np.zeros((count + 1, 128), dtype=np.int32)
    np.add.at(change, (at, pitch), 1)
    np.add.at(change, (until, pitch), -1)
    sounding = change[:-1].cumsum(axis=0) > 0
    is_struck = struck > 0
    above_sounding = _count_above(sounding)
    above_struck = _count_above(is_struck)
    highest = 127 - sounding[:, ::-1].argmax(axis=1)
    top = 127 - is_struck[:, ::-1].argmax(axis=1)
    bottom = is_struck.argmax(axis=1)
    below, above = _neighbours(sounding)
    padded = np.pad(sounding, ((0, 0), (12, 12)))

    lengths = np.append(np.diff(times), max(float(grid.ends_s.max() - times[-1]), 1e-3))
    clock = np.append(0.0, lengths.cumsum())
    # Seconds, up to each onset, in which the highest sounding note is above each pitch.
    under = np.zeros((count + 1, 128))
    np.cumsum(lengths[:, None] * (highest[:, None] > _PITCHES), axis=0, out=under[1:])
    stretch = np.maximum(clock[until] - clock[at], 1e-6)

    longest = np.zeros(count)
    np.maximum.at(longest, at, seconds)
    wait, since = lengths[at], np.append(2.0, lengths[:-1])[at]
    tops = np.pad(top, 3, mode="edge")
    near = _nearest(is_struck)
    before, after = np.maximum(at - 1, 0), np.minimum(at + 1, count - 1)
    narrow, wide = (_Window(struck, top, times, reach) for reach in (2.0, 8.0))
    song = np.percentile(pitch, (25, 50, 90))
    return np.stack(
        [
            pitch,
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
            grid.onset_steps % 4,
            grid.onset_steps % 16,
        ],
        dtype=np.float32,
        casting="unsafe",
    )


class _Window:
    """Struck pitches from ``reach`` seconds before to as long after each onset."""

    def __init__(self, struck: Ints | NDArray[np.int32], top: Ints, times: Floats, reach: float):
        self._low = np.searchsorted(times, times - reach)
        self._high = np.searchsorted(times, times + reach, side="right")
        self.counts = self._within(struck)
        self._cumulated = self.counts.cumsum(axis=1)
        self._tops = self._within(top[:, None] == _PITCHES).cumsum(axis=1)
        self.onsets_a_second = (self._high - self._low) / (2 * reach)

    def pitch(self, share: float) -> Ints:
        """The lowest pitch at or under which that share of the notes lies."""
        return _quantile(self._cumulated, share)

    def median_top(self) -> Ints:
        return _quantile(self._tops, 0.5)

    def _within(self, struck: NDArray[np.generic]) -> NDArray[np.int32]:
        total = np.zeros((len(struck) + 1, 128), dtype=np.int32)
        np.cumsum(struck, axis=0, out=total[1:])
        return np.asarray(total[self._high] - total[self._low])


def _quantile(cumulated: NDArray[np.int32], share: float) -> Ints:
    return np.asarray((cumulated >= share * cumulated[:, -1:]).argmax(axis=1), dtype=np.int64)


def _count_above(present: NDArray[np.bool_]) -> NDArray[np.int16]:
    up_to = present.cumsum(axis=1, dtype=np.int16)
    return np.asarray(up_to[:, -1:] - up_to)


def _neighbours(present: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """The next pitch present under and over each pitch; far outside where there is none."""
    rows = np.full((len(present), 1), -_FAR * 4)
    low = np.maximum.accumulate(np.where(present, _PITCHES, -_FAR * 4), axis=1)
    high = np.where(present, _PITCHES, _FAR * 8)
    high = np.minimum.accumulate(high[:, ::-1], axis=1)[:, ::-1]
    return np.hstack([rows, low[:, :-1]]), np.hstack([high[:, 1:], -2 * rows])


def _nearest(present: NDArray[np.bool_]) -> Floats:
    """Semitones from each pitch to the nearest that is present."""
    below, above = _neighbours(present)
    distance = np.minimum(_PITCHES - below, above - _PITCHES)
    return np.where(present, 0.0, np.minimum(distance, _FAR))
