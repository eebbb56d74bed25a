"""Clocks, and the grids on which sampled things lie.

Every array of times belongs to one clock: that of the music recording or that of the
video. In SymMV the two are different files (a piano cover and an official video), so a
time without a clock means nothing.
"""

from enum import StrEnum
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

# A sample that lies this close to a grid point belongs to it: container timestamps are
# rational numbers that were rounded once.
TOLERANCE_S = 1e-4
# What frames are counted by where nobody knows the rate of a video.
USUAL_RATE_HZ = 25.0


class Clock(StrEnum):
    """Whose time a ``*_s`` array counts: seconds from the start of that recording."""

    MUSIC = "music"
    VIDEO = "video"


def grid_length(duration_s: float, hop_s: float) -> int:
    """Count grid points ``0, hop_s, 2*hop_s, ...`` that lie before ``duration_s``."""
    if duration_s <= 0:
        return 0
    return max(1, ceil((duration_s - TOLERANCE_S) / hop_s))


def grid_times(length: int, hop_s: float) -> NDArray[np.float64]:
    """List times in seconds of the first ``length`` grid points, shape ``[length]``."""
    return np.arange(length, dtype=np.float64) * hop_s


def frame_range(start_s: float, end_s: float, rate_hz: float) -> tuple[int, int]:
    """Count the first and the last frame of a stretch of a video of a rate, from 1.

    Times are rounded to a frame, and no stretch is shorter than one.

    >>> frame_range(0.0, 7.0, 25.0), frame_range(7.0, 7.01, 25.0)
    ((1, 175), (176, 176))
    """
    first = round(start_s * rate_hz) + 1
    return first, max(first, round(end_s * rate_hz))


def first_downbeat(positions: NDArray[Any]) -> int:
    """Index of the first beat that begins a bar, by the beats' places in their bars ``[b]``.

    Where none of them does, it lies before the first one: the index is negative then. From this
    beat steps are counted.
    """
    downbeats = np.flatnonzero(positions == 1)
    return int(downbeats[0]) if len(downbeats) else 1 - int(positions[0])


def window_starts(duration_s: float, hop_s: float, window_s: float) -> NDArray[np.float64]:
    """List where windows begin that lie around each hop of a grid, in seconds, ``[t]``.

    The middle of a window is that of its hop; at both ends the window is moved into the
    recording. One of a recording that is shorter begins at 0.

    >>> window_starts(10.0, 1.0, 3.0).tolist()
    [0.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 7.0]
    """
    middles_s = grid_times(grid_length(duration_s, hop_s), hop_s) + hop_s / 2
    return np.clip(middles_s - window_s / 2, 0.0, max(0.0, duration_s - window_s))
