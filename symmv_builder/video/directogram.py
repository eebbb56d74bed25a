"""How much moves in each direction: the directogram of a video.

Davis and Agrawala, "Visual Rhythm and Beat" (ACM Transactions on Graphics 37(4), 2018), section
4: as a spectrogram has the energy of sound by frequency, a directogram has the motion of pictures
by direction: the sum of the optical flow's magnitudes over the pixels that move that way. Here
the sum is divided by the number of pixels, and motion is a speed, in heights of the picture a
second, so that neither size nor frame rate changes it. The sum over all directions is the mean
speed of a pixel.
"""

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends.pyav import Frame
from symmv_builder.backends.slots import FlowModel
from symmv_builder.pipeline.step import Step
from symmv_builder.records import FeatureTrack
from symmv_builder.timeline import TOLERANCE_S, Clock, grid_length
from symmv_builder.video import frames

LONGER_SIDE = 160
# Flow is found between frames that are at least so far apart: every second one of 60 a second.
LEAST_GAP_S = 1 / 30


def by_direction(flow: NDArray[np.float32], bins: int) -> NDArray[np.float64]:
    """Pixels of motion in each direction ``[bins]``, a mean over the pixels of ``[h, w, 2]``.

    Bin ``i`` holds angles from ``i`` to ``i + 1`` of ``bins`` parts of a turn, from right to down.
    """
    across, down = flow[..., 0].ravel().astype(np.float64), flow[..., 1].ravel().astype(np.float64)
    turns = np.arctan2(down, across) / (2 * np.pi) % 1.0
    bin_of = np.minimum((turns * bins).astype(np.int64), bins - 1)
    sums = np.bincount(bin_of, weights=np.hypot(across, down), minlength=bins)
    return np.asarray(sums / max(len(across), 1), dtype=np.float64)


class _DirectogramWatcher:
    def __init__(self, model: FlowModel, hop_s: float, bins: int) -> None:
        self.hop_s: float | None = None
        self._model, self._hop_s, self._bins = model, hop_s, bins
        self._last: NDArray[np.uint8] | None = None
        self._times_s: list[float] = []
        self._speeds: list[NDArray[np.float64]] = []

    def see(self, time_s: float, frame: Frame, previous: Frame | None) -> None:
        gap_s = time_s - self._times_s[-1] if self._times_s else 0.0
        if self._last is not None and gap_s < LEAST_GAP_S - TOLERANCE_S:
            return
        factor = max(1.0, max(frame.width, frame.height) / LONGER_SIDE)
        width, height = max(1, round(frame.width / factor)), max(1, round(frame.height / factor))
        picture = frame.small(width, height, "gray")
        speeds = np.zeros(self._bins)
        # A stream whose size changes half-way has no flow across the change.
        if self._last is not None and self._last.shape == picture.shape:
            speeds = by_direction(self._model.flow(self._last, picture), self._bins)
            speeds /= height * gap_s
        self._last = picture
        self._times_s.append(time_s)
        self._speeds.append(speeds)

    def finish(self, duration_s: float) -> FeatureTrack:
        """Average what was seen of each grid cell; a frame's speed is that since the last one.

        While the last frame stays on screen nothing is known of its motion: it goes on.
        """
        length = grid_length(duration_s, self._hop_s)
        values = np.zeros((length, self._bins))
        if len(self._times_s) > 1:
            times_s = np.array(self._times_s, dtype=np.float64)
            moved = (np.diff(times_s)[:, None] * np.array(self._speeds[1:])).cumsum(axis=0)
            edges_s = (np.arange(length + 1) * self._hop_s).clip(times_s[0], times_s[-1])
            moved_at = [np.interp(edges_s, times_s, np.append(0.0, m)) for m in moved.T]
            seen_s = np.diff(edges_s)
            is_seen = seen_s > TOLERANCE_S
            values[is_seen] = np.diff(moved_at, axis=1).T[is_seen] / seen_s[is_seen, None]
            values[int(np.flatnonzero(is_seen)[-1]) + 1 :] = self._speeds[-1]
        return FeatureTrack("directogram", self._hop_s, values.astype(np.float32), Clock.VIDEO)


def watch_directogram(
    *, model: FlowModel, hop_s: float = 0.04, bins: int = 16
) -> _DirectogramWatcher:
    """Speed by direction every `hop_s` seconds, values ``[t, bins]`` in heights a second.

    Flow is found in grey pictures whose longer side is 160 pixels, between frames at least a
    thirtieth of a second apart. Across a cut it is large and means nothing.
    """
    return _DirectogramWatcher(model, hop_s, bins)


STEP = Step("directogram", 1, ("video",), watch_directogram, slot="flow", together=frames.watch)
