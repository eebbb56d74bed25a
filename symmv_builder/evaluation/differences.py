"""Whether two groups of entries differ, measure by measure, with a correction for many tests.

`of_numbers` is the rank test of Mann and Whitney ("On a Test of Whether one of Two Random Variables
is Stochastically Larger than the Other", 1947), two-sided, with the correction for ties. `of_words`
is Pearson's chi-square test of independence. `holm` corrects p-values (Holm, "A Simple Sequentially
Rejective Multiple Test Procedure", 1979): with all of them below a level, the chance that any of
them is there by chance is below it.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from symmv_builder.packages import required

# Words that fewer entries have, in both groups together, are counted as one.
LEAST_COUNT = 10


@dataclass(frozen=True, slots=True)
class Tested:
    """A test: its statistic, how large the difference is, and how likely it is by chance."""

    statistic: float
    effect: float
    p: float


def of_numbers(first: ArrayLike, second: ArrayLike) -> Tested | None:
    """Compare two groups of numbers; `effect` is the chance that one of the first is the greater.

    Ties count half, so 0.5 is no difference. NaN are left out; `None` where a group is empty.
    """
    one, two = (np.asarray(values, dtype=np.float64) for values in (first, second))
    one, two = one[np.isfinite(one)], two[np.isfinite(two)]
    if not len(one) or not len(two):
        return None
    with required("report"):
        from scipy.stats import mannwhitneyu
    result = mannwhitneyu(one, two, alternative="two-sided", method="asymptotic")
    p = float(result.pvalue)
    effect = float(result.statistic) / (len(one) * len(two))
    # Where all values are equal there are no ranks to compare, and nothing differs.
    return Tested(float(result.statistic), effect, p if np.isfinite(p) else 1.0)


def of_words(first: Sequence[str], second: Sequence[str]) -> Tested | None:
    """Compare two groups of words by Cramér's V.

    `effect` is 0 for the same shares and 1 for no common word.

    Empty words are left out, rare ones (`LEAST_COUNT`) count as one. `None` where a group is empty
    or there are no two words to compare.
    """
    counts = [Counter(filter(None, words)) for words in (first, second)]
    total = counts[0] + counts[1]
    common = [word for word, number in sorted(total.items()) if number >= LEAST_COUNT]
    table = np.array([[each[word] for word in common] for each in counts], dtype=np.int64)
    rest = np.array([[sum(each.values())] for each in counts]) - table.sum(axis=1, keepdims=True)
    if rest.any():
        table = np.concatenate([table, rest], axis=1)
    if table.shape[1] < 2 or not table.sum(axis=1).all():
        return None
    with required("report"):
        from scipy.stats import chi2_contingency
    result = chi2_contingency(table, correction=False)
    effect = float(np.sqrt(result.statistic / table.sum()))
    return Tested(float(result.statistic), effect, float(result.pvalue))


def holm(p: Sequence[float]) -> list[float]:
    """P-values corrected for their number, in the order in which they came.

    One that is ``nan`` is of no test: it is not counted, and stays as it is.
    """
    corrected = list(p)
    tests = [number for number, value in enumerate(p) if value == value]
    highest = 0.0
    for rank, place in enumerate(sorted(tests, key=lambda number: p[number])):
        highest = max(highest, min(1.0, (len(tests) - rank) * p[place]))
        corrected[place] = highest
    return corrected
