"""KLD and MCC against scipy, against sums written out, and against what must hold."""

import math

import numpy as np
import pytest
from scipy.spatial.distance import cosine as cosine_distance
from scipy.stats import entropy

from symmv_builder.evaluation.semantics import (
    EPSILON,
    class_distribution,
    kl_divergence,
    kld,
    mcc,
)

RNG = np.random.default_rng(5)


def test_a_recording_s_distribution_is_its_segments_mean_made_to_sum_to_one() -> None:
    likelihoods = np.array([[0.9, 0.1, 0.0], [0.5, 0.3, 0.2]])
    np.testing.assert_allclose(class_distribution(likelihoods), [0.7, 0.2, 0.1])


@pytest.mark.parametrize("wrong", [[[1.2, 0.1]], [[-0.1, 0.5]], [[np.nan, 0.5]], [[0.0, 0.0]], []])
def test_what_is_no_likelihood_is_refused(wrong: list[list[float]]) -> None:
    with pytest.raises(ValueError):
        class_distribution(np.array(wrong))


def test_the_divergence_is_scipys() -> None:
    for _ in range(20):
        p, q = RNG.dirichlet(np.full(50, 0.3), 2)
        wanted = entropy(p + EPSILON, q + EPSILON)
        assert kl_divergence(p, q) == pytest.approx(wanted, rel=1e-9)


def test_the_divergence_is_the_originals_from_the_generated_ones() -> None:
    original, generated = np.array([0.75, 0.25]), np.array([0.5, 0.5])
    wanted = 0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5)
    assert kl_divergence(original, generated) == pytest.approx(wanted, abs=1e-5)
    assert kl_divergence(generated, original) != pytest.approx(wanted, abs=1e-3)
    assert kl_divergence(original, original) == 0


def test_a_class_that_only_the_original_has_costs_much_and_not_infinity() -> None:
    found = kl_divergence(np.array([0.5, 0.5]), np.array([1.0, 0.0]))
    assert 5 < found < 10
    with pytest.raises(ValueError, match="do not compare"):
        kl_divergence(np.ones(3) / 3, np.ones(4) / 4)


def test_kld_is_the_mean_over_pairs_beside_that_of_all_other_pairs() -> None:
    originals = list(RNG.dirichlet(np.ones(6), 3))
    pieces = [originals[2], originals[0]]
    found = kld(pieces, originals, [2, 0])
    assert found.own == pytest.approx(0, abs=1e-12)
    assert found.pairs == 2
    mismatched = [(2, 0), (2, 1), (0, 1), (0, 2)]
    others = [entropy(originals[i] + EPSILON, originals[p] + EPSILON) for p, i in mismatched]
    assert found.others == pytest.approx(np.mean(others), rel=1e-9)
    assert math.isnan(kld(pieces[:1], originals[2:], [0]).others)


def test_mcc_is_the_mean_cosine_of_pairs() -> None:
    pieces, originals = RNG.normal(size=(4, 9)), RNG.normal(size=(3, 9))
    own = [0, 2, 2, 1]
    found = mcc(pieces, originals, own)
    wanted = [1 - cosine_distance(pieces[n], originals[own[n]]) for n in range(4)]
    assert found.own == pytest.approx(np.mean(wanted), rel=1e-9)
    # Loudness of an embedding does not count.
    assert mcc(5 * pieces, originals, own).own == pytest.approx(found.own)
    assert mcc(originals, originals, [0, 1, 2]).own == pytest.approx(1)
    with pytest.raises(ValueError):
        mcc(pieces, originals, [0])
