"""How far estimates are off, in the unit of what is estimated.

Root mean square error as equation 8 of Kang, Poria, Herremans, "Video2Music", 2024: over all
samples of a test split at once, padding left out. The released code takes the root for each
song first and averages the roots (`song_rmse`), and counts 300 seconds of every song, padded or
not; the former is here for comparison, the latter is not.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray


def rmse(predicted: ArrayLike, actual: ArrayLike, valid: ArrayLike | None = None) -> float:
    """Compute the root mean square error of all values of equal shape, where `valid` is true.

    `valid` has the shape of the values, or lacks their last axes. `ValueError` where shapes
    differ or nothing is valid.
    """
    errors = _squared(predicted, actual)
    if valid is not None:
        errors = errors[np.asarray(valid, dtype=bool)]
    if not errors.size:
        raise ValueError("there is no value to take an error of")
    return float(np.sqrt(errors.mean()))


def song_rmse(songs: Iterable[tuple[ArrayLike, ArrayLike]]) -> float:
    """Average each song's own `rmse`: pairs of predicted and actual values."""
    errors = [rmse(predicted, actual) for predicted, actual in songs]
    if not errors:
        raise ValueError("there is no song to average over")
    return float(np.mean(errors))


def _squared(predicted: ArrayLike, actual: ArrayLike) -> NDArray[np.float64]:
    guess, truth = (np.asarray(a, dtype=np.float64) for a in (predicted, actual))
    if guess.shape != truth.shape:
        raise ValueError(f"predicted {guess.shape} and actual {truth.shape} differ in shape")
    return np.square(guess - truth)
