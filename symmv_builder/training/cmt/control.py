"""What a video asks of its music: densities of bars and strengths of 16ths.

Di et al. (2021), section 3: the faster a video moves in a bar, the more simu-notes begin in it;
where a visual beat is, a simu-note is as strong as the beat is salient. Both go by ranks: the
share of videos that move less, or of visual beats that are weaker, is that of bars that are less
dense, or of simu-notes that are weaker, in the music that was learned from. So thresholds of a
video's values are its quantiles at the cumulative shares of the music's values.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symmv_builder.training.cmt.tokens import POSITIONS, Ints
from symmv_builder.training.usable import UnusableRow
from symmv_builder.training.vmusprod.tempo import QUANTILES, STEPS_PER_BEAT, Floats, quantiles_of

# What is read of a row of the recipe `cmt`, and the rate of the first.
VIDEO_COLUMNS = ("flow_magnitude", "visual_beats_times_s", "visual_beats_strengths")
FLOW_HOP_S = 0.2
# A bar of a video without music, for the quantiles of a corpus: four beats at 120 a minute.
USUAL_BAR_S = 2.0

# A level is asked for that at least so large a share of the music has.
RAREST = 1e-3

# Thresholds that the release of CMT (wzk1015/video-bgm-generation, stat_mix.py) took from "a set of
# videos", and the cumulative shares in per cent of the densities and strengths of its music
# (gen_midi_conditional.py) at which they lie. Flow is there the mean of absolute components in
# pixels a frame; with 360 lines, 25 frames a second and all directions alike it is in heights a
# second what is here.
_PIXELS_A_FRAME = (
    0.00817, 0.02034, 0.02979, 0.04104, 0.07087, 0.10513, 0.14267, 0.19096,
    0.51551, 0.75148, 0.99893, 1.20675, 1.63226, 2.03171, 2.46743, 2.81044,
)  # fmt: skip
_DENSITY_SHARES = (
    1.95, 2.86, 3.51, 4.26, 6.19, 8.53, 11.87, 16.30,
    43.39, 55.12, 63.00, 68.25, 75.29, 79.75, 83.31, 86.09,
)  # fmt: skip
_SALIENCES = (0.2289, 0.48382, 0.7871, 0.89116, 0.96456, 0.99124, 0.99782, 0.99967, 0.99989)
_STRENGTH_SHARES = (54.38, 77.43, 90.80, 96.57, 98.70, 99.60, 99.85, 99.94, 99.97)


def _released(shares: Sequence[float], values: Sequence[float], factor: float) -> list[float]:
    grid = np.linspace(0, 1, QUANTILES)
    quantiles = np.array([0.0, *shares]) / 100, np.array([0.0, *values]) * factor
    return [float(value) for value in np.interp(grid, *quantiles)]


USUAL_FLOW = _released(_DENSITY_SHARES, _PIXELS_A_FRAME, math.pi / 2 / 360 * 25)
USUAL_SALIENCE = _released(_STRENGTH_SHARES, _SALIENCES, 1.0)
"""101 quantiles of flow and of salience, for models that have seen no video."""


def thresholds(counts: Sequence[int], quantiles: Sequence[float]) -> Floats:
    """Compute at which value of a video the music's next level begins, rising, ``[levels - 1]``.

    `counts` says how often each level occurs in the music, `quantiles` the values of videos.
    """
    shares = np.cumsum(np.asarray(counts, dtype=np.float64))[:-1] / sum(counts)
    return np.asarray(np.interp(shares, np.linspace(0, 1, len(quantiles)), quantiles))


def levels(values: NDArray[Any], counts: Sequence[int], quantiles: Sequence[float]) -> Ints:
    """Give the level of each value, from 0: how many thresholds it reaches."""
    indices = np.searchsorted(thresholds(counts, quantiles), values, side="right")
    # The strongest beat of every video is 1: it asks for what is usual at times, not for the one
    # simu-note of a corpus that nobody could play.
    common = np.flatnonzero(np.asarray(counts) >= RAREST * sum(counts))
    nearest: Ints = common[np.searchsorted(common, indices).clip(max=len(common) - 1)]
    return nearest


@dataclass(frozen=True, slots=True, eq=False)
class Control:
    """The densities and strengths that are asked of a piece, both int64.

    ``densities`` ``[bars]`` are 0-16, or -1 where any will do; ``strengths`` ``[16 * bars]`` are
    1-20 where a simu-note has to begin, else 0.
    """

    densities: Ints
    strengths: Ints

    @classmethod
    def free(cls, bars: int) -> "Control":
        """Make a control that asks for nothing."""
        return cls(np.full(bars, -1), np.zeros(bars * POSITIONS, dtype=np.int64))

    def denser(self, factor: float, counts: Sequence[int]) -> "Control":
        """Multiply the control's densities by `factor`, within those that music has.

        Where none is asked for, it is that factor of the mean density of the music that was
        learned from (`counts`).
        """
        if factor == 1.0:
            return self
        usual = float(np.average(np.arange(len(counts)), weights=np.asarray(counts)))
        densities = np.where(self.densities < 0, usual, self.densities)
        levels_asked = np.rint(factor * densities).astype(np.int64).clip(0, len(counts) - 1)
        return replace(self, densities=levels_asked)


def video_in(row: Mapping[str, Any]) -> dict[str, Floats]:
    """Read the columns of a row about its video, those of `VIDEO_COLUMNS` that it has.

    `UnusableRow` where a value is not finite, or a visual beat has no strength.
    """
    columns = {n: np.asarray(row[n], dtype=np.float64) for n in VIDEO_COLUMNS if n in row}
    for name, values in columns.items():
        if not np.isfinite(values).all():
            raise UnusableRow(f"its column {name} holds values that are not finite")
    times_s, strengths = (columns.get(name, np.zeros(0)) for name in VIDEO_COLUMNS[1:])
    if len(times_s) != len(strengths):
        raise UnusableRow(f"{len(strengths)} of its {len(times_s)} visual beats have a strength")
    return columns


def control_of(
    video: Mapping[str, Floats], bars: int, tempo_bpm: float, about: Mapping[str, Any]
) -> Control:
    """Derive what a video (`video_in`) asks of bars at a tempo, by a model's memory (`about`).

    Density by the mean of ``flow_magnitude`` over each bar; strengths by the visual beats, each on
    its nearest 16th, of two on one 16th the stronger. Without a column nothing is asked of its
    kind, and neither of bars behind the end of the video.
    """
    free = Control.free(bars)
    densities, strengths = free.densities, free.strengths
    flow, times_s, salience = (video.get(name, np.zeros(0)) for name in VIDEO_COLUMNS)
    step_s = 60.0 / tempo_bpm / STEPS_PER_BEAT
    means = bar_means(flow, FLOW_HOP_S, POSITIONS * step_s)[:bars]
    densities[: len(means)] = levels(means, about["densities"], about["flow_quantiles"])
    steps = np.rint(times_s / step_s).astype(np.int64)
    beat_levels = 1 + levels(salience, about["strengths"], about["salience_quantiles"])
    inside = steps < len(strengths)
    np.maximum.at(strengths, steps[inside], beat_levels[inside])
    return Control(densities, strengths)


def bar_means(flow: Floats, hop_s: float, bar_s: float) -> Floats:
    """Average a track over each bar that it reaches into, by time: ``[bars]``."""
    end_s = len(flow) * hop_s
    count = math.ceil(end_s / bar_s - 1e-6)
    edges_s = np.minimum(np.arange(count + 1) * bar_s, end_s)
    flow_until_s = np.interp(
        edges_s, np.arange(len(flow) + 1) * hop_s, np.append(0.0, flow.cumsum())
    )
    return np.asarray(np.diff(flow_until_s) * hop_s / np.diff(edges_s))


def video_quantiles(videos: Sequence[Mapping[str, Floats]]) -> tuple[list[float], list[float]]:
    """Quantiles of the flow of bars and of the salience of visual beats in a corpus's videos.

    Those of the release where no video (`video_in`) says any.
    """
    flow_name, _, salience_name = VIDEO_COLUMNS
    flows = [bar_means(v[flow_name], FLOW_HOP_S, USUAL_BAR_S) for v in videos if flow_name in v]
    beats = [video[salience_name] for video in videos if salience_name in video]
    flow, salience = (np.concatenate([np.zeros(0), *parts]) for parts in (flows, beats))
    return (
        quantiles_of(flow.tolist()) if len(flow) else USUAL_FLOW,
        quantiles_of(salience.tolist()) if len(salience) else USUAL_SALIENCE,
    )
