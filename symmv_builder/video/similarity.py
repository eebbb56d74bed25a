"""How alike pictures a second apart are: still pictures and slide shows are what differs little.

SSIM (Wang et al., "Image quality assessment: from error visibility to structural similarity",
2004) in grey, with its Gaussian window of 11 pixels (sigma 1.5), 1 for the same picture. V2M
(VidMuse, Tian et al. 2025) leaves out videos whose mean SSIM over windows is .8 and more. Pictures
are compared at 128 pixels in height, so that grain and codecs count less than what is shown.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from symmv_builder.backends.pyav import Frame
from symmv_builder.pipeline.step import Step
from symmv_builder.records import FeatureTrack, Floats
from symmv_builder.schema import Column
from symmv_builder.timeline import Clock
from symmv_builder.video import frames

_HEIGHT, _WINDOW, _SIGMA = 128, 11, 1.5
# The constants of the paper for eight bits: (0.01 * 255)^2 and (0.03 * 255)^2.
_C1, _C2 = 6.5025, 58.5225


def ssim(left: NDArray[np.uint8], right: NDArray[np.uint8]) -> float:
    """Compute the mean SSIM of two grey pictures uint8 ``[h, w]``, at least 11 pixels each way.

    1 at most.
    """
    x, y = left.astype(np.float64), right.astype(np.float64)
    mean_x, mean_y = _blurred(x), _blurred(y)
    var_x = _blurred(x * x) - mean_x**2
    var_y = _blurred(y * y) - mean_y**2
    both = _blurred(x * y) - mean_x * mean_y
    alike = (2 * mean_x * mean_y + _C1) * (2 * both + _C2)
    return float((alike / ((mean_x**2 + mean_y**2 + _C1) * (var_x + var_y + _C2))).mean())


def _blurred(picture: Floats) -> Floats:
    """Gaussian means wherever the window lies within the picture, ``[h - 10, w - 10]``."""
    places = np.arange(_WINDOW) - _WINDOW // 2
    weights = np.exp(-(places**2) / (2 * _SIGMA**2))
    weights /= weights.sum()
    for axis in (0, 1):
        picture = sliding_window_view(picture, _WINDOW, axis=axis) @ weights
    return picture


class _SimilarityWatcher:
    def __init__(self, hop_s: float) -> None:
        self.hop_s: float | None = hop_s
        self._hop_s = hop_s
        self._index = -1
        self._last: NDArray[np.uint8] | None = None
        self._values: list[float] = []

    def see(self, time_s: float, frame: Frame, previous: Frame | None) -> None:
        if frame.index == self._index:
            self._values.append(1.0)
            return
        width = max(_WINDOW, round(_HEIGHT * frame.width / frame.height))
        # Grey has one plane: its rows come without a third axis.
        grey = frame.small(width, _HEIGHT, "gray", "AREA").reshape(_HEIGHT, width)
        if self._last is not None:
            self._values.append(ssim(self._last, grey))
        self._index, self._last = frame.index, grey

    def finish(self, duration_s: float) -> FeatureTrack:
        # The first picture has none before it, so it is as like the second as that is to it.
        values = [*self._values[:1], *self._values] or [1.0]
        track = np.array(values, dtype=np.float32).reshape(-1, 1)
        return FeatureTrack("similarity", self._hop_s, track, Clock.VIDEO)


def watch_similarity(*, hop_s: float = 1.0) -> _SimilarityWatcher:
    """SSIM of the picture on screen with that of `hop_s` seconds before, values ``[t, 1]``.

    1 is the same picture, 0 one that has nothing to do with it; the first row repeats the second.
    """
    return _SimilarityWatcher(hop_s)


STEP = Step(
    "similarity",
    1,
    ("video",),
    watch_similarity,
    together=frames.watch,
    columns=(
        Column("{}", "list<float32>", "-1..1", "SSIM with the picture a hop before", "values"),
    ),
)
