"""How far raters agree beyond chance: the kappas of Cohen and of Fleiss.

`cohens_kappa` is of two raters (Cohen, "A Coefficient of Agreement for Nominal Scales", 1960): the
share of items that both judge alike, against what their own shares of each category would give by
chance. `fleiss_kappa` is of any raters, as many for each item (Fleiss, "Measuring Nominal Scale
Agreement among Many Raters", 1971). 1 is full agreement, 0 that of chance.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike


def cohens_kappa(first: Sequence[str], second: Sequence[str]) -> float:
    """Agreement of two raters over the same items, in the same order; at most 1.

    ``nan`` where both give one and the same category to all: chance would give that, too.
    `ValueError` without items, or for sequences of two lengths.

    >>> cohens_kappa(["yes", "yes", "no", "no"], ["yes", "no", "no", "no"])
    0.5
    """
    if len(first) != len(second) or not first:
        raise ValueError("two raters need the same items, one at least")
    alike = sum(a == b for a, b in zip(first, second, strict=True)) / len(first)
    ours, theirs = Counter(first), Counter(second)
    chance = sum(ours[name] * theirs[name] for name in ours) / len(first) ** 2
    return _beyond_chance(alike, chance)


def fleiss_kappa(counts: ArrayLike) -> float:
    """Agreement of raters: how many gave each item each category, ``[items, categories]``.

    ``nan`` where all items are of one category. `ValueError` where items have not as many raters,
    two at least, or there are none.

    >>> round(fleiss_kappa([[2, 0], [0, 2], [1, 1]]), 3)
    0.333
    """
    table = np.asarray(counts, dtype=np.float64)
    if table.ndim != 2 or not table.size:
        raise ValueError("counts are [items, categories], one item at least")
    raters = table.sum(axis=1)
    if (raters != raters[0]).any() or raters[0] < 2:
        raise ValueError("every item needs as many raters, two at least")
    pairs = raters[0] * (raters[0] - 1)
    alike = float(((table * (table - 1)).sum(axis=1) / pairs).mean())
    chance = float(((table.sum(axis=0) / table.sum()) ** 2).sum())
    return _beyond_chance(alike, chance)


def _beyond_chance(alike: float, chance: float) -> float:
    return float("nan") if chance == 1 else (alike - chance) / (1 - chance)
