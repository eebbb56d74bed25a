"""How sure a mean over songs is, and whether two results of the same songs differ.

`confidence_interval` is the percentile bootstrap over songs (Efron and Tibshirani, "An Introduction
to the Bootstrap", 1993, chapter 13), with a seed. `compare_paired` is the signed-rank test of
Wilcoxon ("Individual Comparisons by Ranking Methods", 1945), two-sided, songs without a difference
dropped, as scipy computes it. `rate_interval` is the score interval of a rate (Wilson, "Probable
Inference, the Law of Succession, and Statistical Inference", 1927), `rank_correlation` the two
coefficients of Spearman (1904) and Kendall (tau-b, 1945) as scipy has them.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from symmv_builder.packages import required

LEVEL = 0.95
RESAMPLES = 10_000
SEED = 0
_VALUES_AT_ONCE = 10_000_000


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two results of `songs` songs: means, their difference (a - b) with its interval, the test.

    `statistic` is the smaller sum of ranks; where no song differs it is 0 and `p` is 1. One song
    says nothing of others: its interval and `p` are ``nan``.
    """

    songs: int
    mean_a: float
    mean_b: float
    difference: float
    low: float
    high: float
    statistic: float
    p: float


def confidence_interval(
    values: ArrayLike, *, level: float = LEVEL, resamples: int = RESAMPLES, seed: int = SEED
) -> tuple[float, float]:
    """Compute the interval of the mean of `values` ``[songs]``; of one song both ends are ``nan``.

    `ValueError` without values.
    """
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 1 or not len(table):
        raise ValueError("an interval needs the values of one song at least")
    if len(table) == 1:
        return math.nan, math.nan
    rng = np.random.default_rng(seed)
    means: list[float] = []
    while len(means) < resamples:
        count = min(resamples - len(means), max(1, _VALUES_AT_ONCE // len(table)))
        means += table[rng.integers(len(table), size=(count, len(table)))].mean(axis=1).tolist()
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def compare_paired(a: ArrayLike, b: ArrayLike, *, seed: int = SEED) -> Comparison:
    """Compare two results of the same songs, value by value; `ValueError` without songs."""
    ours, theirs = (np.asarray(values, dtype=np.float64) for values in (a, b))
    if ours.shape != theirs.shape:
        raise ValueError(f"{len(ours)} and {len(theirs)} values are not of the same songs")
    differences = ours - theirs
    low, high = confidence_interval(differences, seed=seed)
    statistic, p = 0.0, 1.0 if len(differences) > 1 else math.nan
    if len(differences) > 1 and differences.any():
        with required("evaluate"):
            from scipy.stats import wilcoxon
        result = wilcoxon(ours, theirs, zero_method="wilcox", alternative="two-sided")
        statistic, p = float(result.statistic), float(result.pvalue)
    return Comparison(
        len(ours), float(ours.mean()), float(theirs.mean()), float(differences.mean()),
        low, high, statistic, p,
    )  # fmt: skip


def rate_interval(hits: float, of: int, *, level: float = LEVEL) -> tuple[float, float]:
    """Compute the interval of the rate of `hits` among `of` trials, within 0-1.

    `ValueError` of none.

    >>> low, high = rate_interval(8, 10)
    >>> round(low, 3), round(high, 3)
    (0.49, 0.943)
    """
    if of < 1 or not 0 <= hits <= of:
        raise ValueError(f"{hits} of {of} trials is no rate")
    z = NormalDist().inv_cdf((1 + level) / 2)
    rate = hits / of
    middle = (rate + z * z / (2 * of)) / (1 + z * z / of)
    half = z / (1 + z * z / of) * (rate * (1 - rate) / of + z * z / (4 * of * of)) ** 0.5
    return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(frozen=True, slots=True)
class RankCorrelation:
    """The correlation of two numbers of the same `count` things by their order alone."""

    count: int
    spearman: float
    spearman_p: float
    kendall: float
    kendall_p: float


def rank_correlation(a: ArrayLike, b: ArrayLike) -> RankCorrelation | None:
    """Correlate the ranks of two rows of numbers ``[n]``.

    `None` of fewer than three things, and where all values of a row are the same.
    """
    ours, theirs = (np.asarray(values, dtype=np.float64) for values in (a, b))
    if ours.shape != theirs.shape:
        raise ValueError(f"{len(ours)} and {len(theirs)} values are not of the same things")
    if len(ours) < 3 or np.ptp(ours) == 0 or np.ptp(theirs) == 0:
        return None
    with required("evaluate"):
        from scipy.stats import kendalltau, spearmanr
    rho, tau = spearmanr(ours, theirs), kendalltau(ours, theirs)
    return RankCorrelation(
        len(ours), float(rho.statistic), float(rho.pvalue), float(tau.statistic), float(tau.pvalue)
    )
