"""How far people who judged the same things agree beyond chance.

`cohens_kappa` is of two raters (Cohen, "A Coefficient of Agreement for Nominal Scales", 1960).
`fleiss_kappa` is Fleiss ("Measuring Nominal Scale Agreement Among Many Raters", 1971), extended to
items of different numbers of raters as each item's own share of agreeing pairs.
`krippendorff_alpha` is Krippendorff ("Content Analysis", 4th edition, 2018, chapter 12): gaps are
allowed, and the level of measurement says how far apart two values are. All are 1 where all agree
and 0 where they agree as chance would have it.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from symmv_builder.records import Floats

Level: TypeAlias = Literal["nominal", "ordinal", "interval"]


def cohens_kappa(first: Sequence[str], second: Sequence[str]) -> float:
    """Kappa of two raters over the same items, in the same order.

    ``nan`` where both give one and the same category to all: chance would give that, too.
    `ValueError` without items, or for sequences of two lengths.

    >>> cohens_kappa(["yes", "yes", "no", "no"], ["yes", "no", "no", "no"])
    0.5
    """
    if len(first) != len(second) or not first:
        raise ValueError("two raters need the same items, one at least")
    alike = sum(a == b for a, b in zip(first, second, strict=True)) / len(first)
    first_counts, second_counts = Counter(first), Counter(second)
    by_chance = (
        sum(first_counts[name] * second_counts[name] for name in first_counts) / len(first) ** 2
    )
    return float("nan") if by_chance == 1 else (alike - by_chance) / (1 - by_chance)


def fleiss_kappa(counts: ArrayLike) -> float:
    """Kappa of `counts` ``[items, categories]``: how many raters put an item into a category.

    Items of fewer than two raters are passed over. ``nan`` where none is left, and where all
    ratings are of one category: nothing can be said of chance then.

    >>> round(fleiss_kappa([[2, 0], [0, 2], [1, 1]]), 3)
    0.333
    """
    table = np.asarray(counts, dtype=np.float64)
    table = table[table.sum(axis=1) >= 2]
    if not len(table):
        return float("nan")
    of_item = table.sum(axis=1)
    agreeing = (table * (table - 1)).sum(axis=1) / (of_item * (of_item - 1))
    by_chance = float(((table.sum(axis=0) / table.sum()) ** 2).sum())
    if np.isclose(by_chance, 1.0):
        return float("nan")
    return float((agreeing.mean() - by_chance) / (1 - by_chance))


def krippendorff_alpha(ratings: ArrayLike, level: Level = "interval") -> float:
    """Alpha of `ratings` ``[raters, items]``, ``nan`` where a rater did not judge an item.

    ``nan`` where no item has two ratings, and where all ratings are one value.

    >>> round(krippendorff_alpha([[1, 2, 3], [1, 2, 4]], "nominal"), 3)
    0.615
    """
    table = np.asarray(ratings, dtype=np.float64)
    table = table[:, (~np.isnan(table)).sum(axis=0) >= 2] if table.size else table
    values = np.unique(table[~np.isnan(table)])
    if len(values) < 2:
        return float("nan")
    # How often each value was given to each item, and which values met in one item.
    counts = (table[:, :, None] == values).sum(axis=0).astype(np.float64)
    of_item = counts.sum(axis=1)
    met = (counts.T / (of_item - 1)) @ counts - np.diag((counts / (of_item - 1)[:, None]).sum(0))
    total = counts.sum(axis=0)
    distance = _distance(values, total, level)
    expected = float((np.outer(total, total) * distance).sum()) / float(total.sum() - 1)
    return 1.0 - float((met * distance).sum()) / expected


def _distance(values: Floats, total: Floats, level: Level) -> Floats:
    """Squared distances ``[values, values]`` at a level of measurement."""
    if level == "nominal":
        return 1.0 - np.eye(len(values))
    # Ranks for ordinal values: how many ratings lie below the middle of each value.
    places = values if level == "interval" else np.cumsum(total) - total / 2
    squared: Floats = (places[:, None] - places[None, :]) ** 2
    return squared
