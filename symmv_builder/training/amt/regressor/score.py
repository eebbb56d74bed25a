"""How far a regressor's estimates are off, as in the paper's Table 2, beside a plain guess.

The guess is the mean of the training split: what one knows without looking at the video. An
error is worth little where the guess's is not clearly larger.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symmv_builder.evaluation.regression import rmse, song_rmse
from symmv_builder.storage.root import Root
from symmv_builder.training.amt.features import TARGET_COLUMNS
from symmv_builder.training.amt.regressor.examples import COLUMNS, OPTIONAL, prepare
from symmv_builder.training.amt.regressor.model import load, predict
from symmv_builder.training.data import Rows
from symmv_builder.training.usable import LeftOut


def score(
    folder: Path,
    root: Root,
    dataset: str,
    split: str = "test",
    device: str = "cpu",
    tell: Callable[[int, int], None] = lambda done, songs: None,
) -> dict[str, Any]:
    """Measure errors over the real seconds of a split, of songs cut to the length trained with.

    ``rmse_density`` (notes) and ``rmse_loudness`` (0-1) by equation 8 over all seconds;
    ``song_rmse_*`` the mean of each song's own, as the released code reports it;
    ``baseline_rmse_*`` those of the training split's mean; ``songs`` and ``seconds`` counted;
    ``network`` which of the five it is. A song is scored as far as it is learned: its start.
    `tell` is given songs done and in all. `StopRun` where the split has no song.
    """
    regressor = load(folder, device)
    rows = Rows(root, dataset, split, COLUMNS, OPTIONAL)
    left_out = LeftOut()
    pairs: list[tuple[NDArray[np.float32], NDArray[np.float32]]] = []
    for number, row in enumerate(rows, 1):
        example = left_out.use(row, lambda row: prepare(row, regressor.config))
        if example is not None:
            estimated = np.stack(predict(regressor, example["video"]), axis=1)
            pairs.append((estimated, example["targets"]))
        tell(number, len(rows))
    if not pairs:
        raise left_out.no_rows(dataset, split)
    guess, truth = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
    mean = regressor.model.target_mean.cpu().numpy()
    scores: dict[str, Any] = {"network": regressor.config.model, "left_out": left_out.reasons}
    for column, name in enumerate(TARGET_COLUMNS):
        expected = truth[:, column]
        scores[f"rmse_{name}"] = rmse(guess[:, column], expected)
        songs = [(one[:, column], other[:, column]) for one, other in pairs]
        scores[f"song_rmse_{name}"] = song_rmse(songs)
        scores[f"baseline_rmse_{name}"] = rmse(np.full_like(expected, mean[column]), expected)
    return scores | {"songs": len(pairs), "seconds": len(truth)}
