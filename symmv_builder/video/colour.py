"""Which colours the picture holds: the RGB-uv histogram in log-chroma space.

Afifi, Brubaker and Brown, "HistoGAN" (CVPR 2021), section 3.1, which SymMV names as its
colour feature. For each of R, G and B as the reference, the logarithms of its ratios to
the other two are coordinates u and v; every pixel adds to all bins by an
inverse-quadratic kernel, weighted by its intensity; the three planes together sum to 1.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends.pyav import Frame
from symmv_builder.pipeline.step import Step, Use
from symmv_builder.records import FeatureTrack
from symmv_builder.schema import Column
from symmv_builder.timeline import Clock
from symmv_builder.video import frames

EDGE = 3.0
SIGMA = 0.02
LARGEST_SIDE = 150
EPSILON = 1e-6
# Pixels at a time, so that kernels stay in the processor's cache, and pixels a matrix
# product, so that it is too small for BLAS to wake its threads: with several videos side
# by side those wait for each other and make the histogram ten times slower.
BLOCK = 512
STRIP = 64


def histogram(rgb: NDArray[np.uint8], *, bins: int = 64) -> NDArray[np.float32]:
    """RGB-uv histogram of a picture uint8 ``[h, w, 3]``: float32 ``[3, bins, bins]``, sum 1.

    Axis 0 is the reference channel (R, G, B); axes 1 and 2 are u and v, whose bin centres
    are spread evenly over ``[-3, 3]``. The ratios are R/G R/B, G/R G/B, B/R B/G. A black
    picture has no colour: its weights are those of epsilon.
    """
    pixels = rgb.reshape(-1, 3).astype(np.float64) / 255.0
    weight = np.sqrt((pixels**2).sum(axis=1) + EPSILON)
    missing = -len(pixels) % STRIP
    pixels, weight = np.pad(pixels, ((0, missing), (0, 0))), np.pad(weight, (0, missing))
    planes = np.zeros((3, bins, bins), dtype=np.float64)
    for start in range(0, len(pixels), BLOCK):
        block = slice(start, start + BLOCK)
        planes += _block(pixels[block], weight[block], bins)
    # Planes G and B were summed over coordinates of the opposite sign: see `_block`.
    planes[1] = planes[1, ::-1].copy()
    planes[2] = planes[2, ::-1, ::-1].copy()
    return np.asarray(planes / (planes.sum() + EPSILON), dtype=np.float32)


def _block(
    pixels: NDArray[np.float64], weight: NDArray[np.float64], bins: int
) -> NDArray[np.float32]:
    """Sum some pixels ``[n, 3]``: plane G by -u and plane B by -u and -v.

    The bin centres are symmetric, so the kernel of -x is that of x read backwards, and
    three kernels do for six coordinates.
    """
    log_r, log_g, log_b = np.log(pixels + EPSILON).T
    r_g, r_b, g_b = (
        _kernel(x, bins).reshape(-1, STRIP, bins)
        for x in (log_r - log_g, log_r - log_b, log_g - log_b)
    )
    strips = weight.astype(np.float32).reshape(-1, STRIP, 1)
    left_r, left_b = (r_g * strips).swapaxes(1, 2), (r_b * strips).swapaxes(1, 2)
    return np.stack([(a @ b).sum(axis=0) for a, b in ((left_r, r_b), (left_r, g_b), (left_b, g_b))])


def _kernel(x: NDArray[np.float64], bins: int) -> NDArray[np.float32]:
    """Inverse-quadratic kernel of values ``[n]`` around the bin centres, ``[n, bins]``."""
    centres = np.linspace(-EDGE, EDGE, bins, dtype=np.float32)
    distance = (x.astype(np.float32)[:, None] - centres) * np.float32(1.0 / SIGMA)
    return np.asarray(np.float32(1.0) / (np.float32(1.0) + distance * distance))


class _ColourWatcher:
    def __init__(self, hop_s: float, bins: int) -> None:
        self.hop_s: float | None = hop_s
        self._hop_s, self._bins = hop_s, bins
        self._rows: list[NDArray[np.float32]] = []
        self._index = -1

    def see(self, time_s: float, frame: Frame, previous: Frame | None) -> None:
        if frame.index == self._index:
            self._rows.append(self._rows[-1])
            return
        self._index = frame.index
        width, height = min(frame.width, LARGEST_SIDE), min(frame.height, LARGEST_SIDE)
        self._rows.append(histogram(frame.small(width, height), bins=self._bins).ravel())

    def finish(self, duration_s: float) -> FeatureTrack:
        values = np.array(self._rows, dtype=np.float32).reshape(-1, 3 * self._bins**2)
        return FeatureTrack("colour", self._hop_s, values, Clock.VIDEO)


def watch_colour(*, hop_s: float = 1.0, bins: int = 64) -> _ColourWatcher:
    """RGB-uv histograms every `hop_s` seconds, values ``[t, 3 * bins * bins]``, rows sum to 1.

    A side longer than 150 pixels is first scaled down to 150.
    """
    return _ColourWatcher(hop_s, bins)


def columns(use: Use, uses: Mapping[str, Use]) -> tuple[Column, ...]:
    """Declare a column as wide as there are bins; the meaning says the rate."""
    bins, rate_hz = use.parameters["bins"], 1 / use.parameters["hop_s"]
    meaning = f"RGB-uv log-chroma histogram, 3 x {bins} x {bins}, at {rate_hz:.3g} Hz"
    # Most bins of a histogram lie below what a half float can hold: a third would become 0.
    return (Column("{}", f"list<bytes<float32[{3 * bins**2}]>>", "share", meaning, "values"),)


STEP = Step("colour", 2, ("video",), watch_colour, together=frames.watch, columns=columns)
