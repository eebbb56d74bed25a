"""A row of MuVi-Sync as the regressors read it, and what a whole split looks like."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symmv_builder.training.amt.features import (
    TARGET_COLUMNS,
    VIDEO_COLUMNS,
    targets,
    video_input,
)
from symmv_builder.training.amt.regressor.config import RegressorConfig
from symmv_builder.training.amt.regressor.model import FeatureStatistics
from symmv_builder.training.data import Example, Rows
from symmv_builder.training.usable import LeftOut, UnusableRow

COLUMNS = (*VIDEO_COLUMNS, *TARGET_COLUMNS)
OPTIONAL = ("entry_id",)
# A deviation below this is that of something constant, which is left as it is.
_CONSTANT = 1e-6


def prepare(row: Mapping[str, Any], config: RegressorConfig) -> Example:
    """Prepare the first seconds of a row: ``video`` ``[t, w]`` and ``targets`` ``[t, 2]``.

    `UnusableRow` where there is no second of both, or a value is not finite.
    """
    video, targets_s = video_input(row), targets(row)
    seconds = min(len(video), len(targets_s), config.length)
    if seconds == 0:
        raise UnusableRow("it has no second of video and music")
    return {"video": video[:seconds], "targets": targets_s[:seconds]}


def survey(
    rows: Rows, config: RegressorConfig, tell: Callable[[int, int], None], left_out: LeftOut
) -> FeatureStatistics:
    """Compute mean and deviation of inputs and targets over all seconds of a split.

    `tell` gets how many rows of how many are read. `StopRun` where no row has a second.
    """
    sums: dict[str, list[NDArray[np.float64]]] = {}
    seconds = 0
    for number, row in enumerate(rows, 1):
        example = left_out.use(row, lambda row: prepare(row, config))
        if example is not None:
            seconds += len(example["video"])
            for name, values in example.items():
                wide = values.astype(np.float64)
                one, two = sums.setdefault(name, [np.zeros(wide.shape[1])] * 2)
                sums[name] = [one + wide.sum(axis=0), two + np.square(wide).sum(axis=0)]
        tell(number, len(rows))
    if not seconds:
        raise left_out.no_rows(rows.dataset, rows.split)
    return FeatureStatistics(*_moments(sums["video"], seconds), *_moments(sums["targets"], seconds))


def _moments(
    sums: list[NDArray[np.float64]], seconds: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    mean = sums[0] / seconds
    std = np.sqrt(np.maximum(sums[1] / seconds - mean**2, 0))
    std[std < _CONSTANT] = 1
    return mean.astype(np.float32), std.astype(np.float32)
