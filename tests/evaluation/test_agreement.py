"""Agreement between raters, against values worked out by hand and printed ones."""

import numpy as np
import pytest

from symmv_builder.evaluation.agreement import fleiss_kappa, krippendorff_alpha
from symmv_builder.evaluation.significance import rank_correlation, rate_interval

GAP = float("nan")
# Krippendorff, "Computing Krippendorff's Alpha-Reliability", 2011, section C: 4 raters, 12 items.
PRINTED = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, GAP, GAP, GAP],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, GAP, 3],
    [GAP, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, GAP],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, GAP],
]


@pytest.mark.parametrize(
    ("level", "alpha"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)]
)
def test_alpha_is_the_printed_one(level: str, alpha: float) -> None:
    assert krippendorff_alpha(PRINTED, level) == pytest.approx(alpha, abs=0.001)  # type: ignore[arg-type]


def test_kappa_of_fourteen_raters_is_the_one_worked_out_by_hand() -> None:
    """Ten items, five categories; the sums of squares are 0.378 observed and 0.213 by chance."""
    counts = [
        [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
    ]  # fmt: skip
    assert fleiss_kappa(counts) == pytest.approx(0.210, abs=0.0005)


def test_kappa_of_items_of_different_numbers_of_raters() -> None:
    # Shares of agreeing pairs 1, 1/3, (one rater: none); answers 5 and 1 of 6: by chance 26/36.
    observed, chance = (1 + 1 / 3) / 2, (4 / 5) ** 2 + (1 / 5) ** 2
    expected = (observed - chance) / (1 - chance)
    assert fleiss_kappa([[2, 0], [2, 1], [1, 0]]) == pytest.approx(expected)


def test_all_agree_is_one_and_nothing_to_compare_is_no_number() -> None:
    assert fleiss_kappa([[3, 0], [0, 3]]) == 1
    assert krippendorff_alpha([[1, 2], [1, 2]]) == 1
    assert np.isnan(fleiss_kappa([[1, 0], [0, 1]]))
    assert np.isnan(fleiss_kappa([[3, 0], [3, 0]]))
    assert np.isnan(krippendorff_alpha([[1, 1], [1, 1]]))
    assert np.isnan(krippendorff_alpha([[1, GAP], [GAP, 2]]))


def test_the_interval_of_a_rate_is_scipys() -> None:
    stats = pytest.importorskip("scipy.stats")
    for hits, of in ((0, 5), (8, 10), (40, 55), (12, 12)):
        theirs = stats.binomtest(hits, of).proportion_ci(method="wilson")
        assert rate_interval(hits, of) == pytest.approx((theirs.low, theirs.high), abs=1e-9)
    for hits, of in ((0, 0), (3, 2), (-1, 2)):
        with pytest.raises(ValueError, match="is no rate"):
            rate_interval(hits, of)


def test_correlations_are_those_of_ranks() -> None:
    pytest.importorskip("scipy")
    found = rank_correlation([1.0, 2.0, 3.0, 4.0], [10.0, 30.0, 20.0, 40.0])
    assert found is not None
    # One of six pairs is the wrong way round; the squared differences of ranks sum to 2.
    assert found.kendall == pytest.approx((5 - 1) / 6)
    assert found.spearman == pytest.approx(1 - 6 * 2 / (4 * 15))
    assert rank_correlation([1.0, 2.0], [1.0, 2.0]) is None
    assert rank_correlation([1.0, 1.0, 1.0], [1.0, 2.0, 3.0]) is None
    with pytest.raises(ValueError, match="not of the same things"):
        rank_correlation([1.0], [1.0, 2.0])
