"""Tests of difference find what is there, and nothing where there is nothing."""

import numpy as np
import pytest

from symmv_builder.evaluation.differences import holm, of_numbers, of_words

pytest.importorskip("scipy")


def test_a_shift_is_found_and_its_size_is_a_chance() -> None:
    rng = np.random.default_rng(0)
    low, high = rng.normal(0, 1, 300), rng.normal(1, 1, 300)
    found = of_numbers(high, low)
    assert found is not None
    # Of two normals one deviation apart the greater is greater with this chance.
    assert found.effect == pytest.approx(0.76, abs=0.04)
    assert found.p < 1e-10
    same = of_numbers(low, np.append(low, np.nan))
    assert same is not None
    assert same.effect == 0.5
    assert same.p == pytest.approx(1.0)


def test_equal_values_do_not_differ_and_no_values_are_no_test() -> None:
    found = of_numbers([2.0] * 5, [2.0] * 7)
    assert found is not None
    assert (found.p, found.effect) == (1.0, 0.5)
    assert of_numbers([np.nan], [1.0]) is None


def test_words_differ_by_their_shares() -> None:
    found = of_words(["a"] * 80 + ["b"] * 20, ["a"] * 20 + ["b"] * 80)
    assert found is not None
    assert found.effect == pytest.approx(0.6)
    assert found.p < 1e-10
    same = of_words(["a", "b", ""] * 20, ["a", "b"] * 20)
    assert same is not None
    assert same.p == pytest.approx(1.0)
    assert of_words(["a"] * 20, ["a"] * 20) is None
    assert of_words([""], ["a"] * 20) is None


def test_rare_words_count_as_one() -> None:
    many = [f"word {number}" for number in range(40)]
    found = of_words(["a"] * 50 + many, ["a"] * 50 + many)
    assert found is not None
    assert found.p == pytest.approx(1.0)


def test_p_values_are_corrected_in_their_order() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []
