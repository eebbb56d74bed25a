"""Loudness as broadcasters measure it: LUFS by ITU-R BS.1770-4, of the whole and of every second.

The sound is weighted by two filters (a shelf for the head, a high pass: "K-weighting"), its mean
square is taken in blocks of 400 ms that overlap by 75 %, and quiet blocks do not count: those
below -70 LUFS, then those more than 10 LU below the mean of the rest. Short-term loudness
(EBU Tech 3341) is that of three seconds, without a gate. The standard has the filters' numbers for
48 kHz; for other rates they come from the same analogue filters by the bilinear transform.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symmv_builder.music import listening
from symmv_builder.packages import required
from symmv_builder.pipeline.step import Step
from symmv_builder.records import Asset, Floats, Loudness
from symmv_builder.schema import Column
from symmv_builder.timeline import window_starts

HOP_S, WINDOW_S = 1.0, 3.0
# The absolute gate; also what stands for silence, whose loudness is minus infinity.
FLOOR_LUFS = -70.0
_RELATIVE_LU = -10.0
_OFFSET = -0.691
# Powers are kept a tenth of a second each: a block has four of them, and begins with each.
_PARTS, _BLOCK, _WINDOW = 10, 4, 30
# Middle frequency in Hz, quality and gain in dB of the shelf; frequency and quality of the pass.
_SHELF = (1681.974450955533, 0.7071752369554196, 3.999843853973347)
_PASS = (38.13547087602444, 0.5003270373238773)
_SHELF_POWER = 0.4996667741545416


def k_weighting(rate_hz: int) -> Floats:
    """Make the two filters as second-order sections ``[2, 6]`` (b0 b1 b2 1 a1 a2) for a rate."""
    frequency, quality, gain_db = _SHELF
    warped = math.tan(math.pi * frequency / rate_hz)
    high = 10.0 ** (gain_db / 20.0)
    middle = high**_SHELF_POWER
    scale = 1.0 + warped / quality + warped**2
    shelf = [
        (high + middle * warped / quality + warped**2) / scale,
        2.0 * (warped**2 - high) / scale,
        (high - middle * warped / quality + warped**2) / scale,
        *(1.0, *_poles(warped, quality)),
    ]
    frequency, quality = _PASS
    high_pass = [1.0, -2.0, 1.0, 1.0, *_poles(math.tan(math.pi * frequency / rate_hz), quality)]
    return np.array([shelf, high_pass])


def _poles(warped: float, quality: float) -> tuple[float, float]:
    scale = 1.0 + warped / quality + warped**2
    return 2.0 * (warped**2 - 1.0) / scale, (1.0 - warped / quality + warped**2) / scale


class _LufsListener:
    rate_hz: int | None = None
    mono = False
    block_s: float | None = 1.0

    def __init__(self) -> None:
        self._filters: Floats | None = None
        self._state: Any = None
        self._powers: list[Floats] = []

    def hear(self, samples: NDArray[np.float32], rate_hz: int) -> None:
        with required("evaluate"):
            from scipy.signal import sosfilt
        if self._filters is None:
            self._filters = k_weighting(rate_hz)
            self._state = np.zeros((len(self._filters), 2, samples.shape[1]))
        weighted, self._state = sosfilt(
            self._filters, samples.astype(np.float64), axis=0, zi=self._state
        )
        edges = np.arange(_PARTS + 1) * rate_hz // _PARTS
        edges = np.unique(np.minimum(edges, len(weighted)))
        power = np.square(weighted).sum(axis=1)
        sums = np.add.reduceat(power, edges[:-1])
        # A last part that is not whole counts as long as it is, so it weighs with the others.
        self._powers.append(np.stack([sums, np.diff(edges)], axis=1))

    def finish(self, music_asset: Asset) -> Loudness:
        parts = np.concatenate([np.zeros((0, 2)), *self._powers])
        heard_s = len(parts) / _PARTS
        starts_s = window_starts(music_asset.duration_s, HOP_S, WINDOW_S)
        firsts = np.floor(np.minimum(starts_s, heard_s) * _PARTS + 1e-6).astype(np.int64)
        return Loudness(integrated(parts), _loudness(_means(parts, firsts, _WINDOW)), HOP_S)


def hear_lufs() -> _LufsListener:
    """Integrated loudness, and short-term loudness ``[t]`` of each second, in LUFS.

    Row i is of the three seconds around second i (i - 1 to i + 2), moved into the recording at
    both ends. -70 stands for silence and for all that is quieter. A mono file counts as one
    channel. More than two channels are heard as the two that they are mixed down to, scaled so that
    nothing is clipped: some LU below what the standard gives for surround sound.
    """
    return _LufsListener()


def integrated(parts: Floats) -> float:
    """Gated loudness in LUFS of weighted powers: sum and number of samples each 100 ms, ``[p, 2]``.

    A recording that is shorter than a block is one.
    """
    firsts = np.arange(max(1, len(parts) - _BLOCK + 1))
    means = _means(parts, firsts, _BLOCK)
    loud = means[_levels(means) > FLOOR_LUFS]
    if not len(loud):
        return FLOOR_LUFS
    loud = loud[_levels(loud) > _levels(loud.mean()) + _RELATIVE_LU]
    return float(max(FLOOR_LUFS, _levels(loud.mean())))


def _means(parts: Floats, firsts: NDArray[np.int64], many: int) -> Floats:
    """Average power over `many` parts from each of `firsts` on, of as many as there are."""
    total = np.concatenate([np.zeros((1, 2)), np.cumsum(parts, axis=0)])
    ends = np.minimum(firsts + many, len(parts))
    sums, counts = (total[ends] - total[np.minimum(firsts, ends)]).T
    return np.asarray(np.maximum(sums, 0.0) / np.maximum(counts, 1.0))


def _levels(means: Any) -> Any:
    return _OFFSET + 10.0 * np.log10(np.maximum(means, 1e-30))


def _loudness(means: Floats) -> NDArray[np.float32]:
    return np.asarray(np.maximum(_levels(means), FLOOR_LUFS), dtype=np.float32)


STEP = Step(
    "loudness_lufs",
    1,
    ("music_asset", "music"),
    hear_lufs,
    together=listening.listen,
    columns=(
        Column("{}", "float32", "LUFS", "integrated loudness by BS.1770", "integrated_lufs"),
        Column(
            "{}_short_term",
            "list<float32>",
            "LUFS",
            "loudness of the three seconds around each second, -70 for silence",
            "short_term_lufs",
        ),
    ),
)
