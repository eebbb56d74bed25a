"""Sessions are balanced: in what is shown, in which place, and in which order."""

from collections import Counter
from itertools import pairwise

import pytest

from symmv_builder.study.plan import Unit, sessions_of, units_of

PIECES = {"ours": "abcdefgh", "cmt": "abcdefgh", "third": "abcdefgh"}


def test_pairs_are_those_of_every_two_models_on_the_videos_of_both() -> None:
    pieces = {"ours": "ab", "cmt": "bc", "third": "b"}
    units = units_of(pieces, ["pair"], against="", seed=3)
    assert {unit.video for unit in units} == {"b"}
    found = {tuple(model for model, _ in unit.pieces) for unit in units}
    assert found == {("ours", "cmt"), ("ours", "third"), ("cmt", "third")}
    against = units_of(pieces, ["pair"], against="cmt", seed=3)
    assert {tuple(m for m, _ in unit.pieces) for unit in against} == {
        ("ours", "cmt"), ("cmt", "third"),
    }  # fmt: skip


@pytest.mark.parametrize(("raters", "trials"), [(6, 0), (7, 0), (24, 10), (25, 7)])
def test_every_unit_is_shown_as_often_and_each_piece_is_first_as_often(
    raters: int, trials: int
) -> None:
    units = units_of(PIECES, ["pair"], against="", seed=5)
    sessions = sessions_of(units, raters=raters, trials=trials, checks=0, seed=5)
    times = Counter(shown.unit for session in sessions for shown in session)
    assert set(times) == set(range(24))
    assert max(times.values()) - min(times.values()) <= 1
    for unit in range(24):
        swapped = [s.is_swapped for session in sessions for s in session if s.unit == unit]
        assert abs(2 * sum(swapped) - len(swapped)) <= 1
    for session in sessions:
        assert len({shown.unit for shown in session}) == len(session)


def test_within_a_session_each_model_is_first_in_half_of_its_pairs() -> None:
    units = units_of(PIECES, ["pair"], against="", seed=5)
    for session in sessions_of(units, raters=6, trials=0, checks=0, seed=5):
        first = Counter(
            (units[s.unit].pieces[0][0], units[s.unit].pieces[1][0], s.is_swapped) for s in session
        )
        assert set(first.values()) == {4}


def test_of_two_sessions_after_each_other_the_second_runs_backwards() -> None:
    units = units_of(PIECES, ["rating"], against="", seed=5)
    sessions = sessions_of(units, raters=6, trials=0, checks=0, seed=5)
    orders = [[shown.unit for shown in session] for session in sessions]
    assert orders[1] == orders[0][::-1]
    assert orders[3] == orders[2][::-1]
    assert orders[2] != orders[0]


def test_checks_are_spread_and_never_first_and_series_are_last() -> None:
    units = units_of(PIECES, ["rating", "series"], against="", seed=5)
    assert sum(unit.kind == "series" for unit in units) == 3
    for session in sessions_of(units, raters=4, trials=8, checks=3, seed=5):
        places = [place for place, shown in enumerate(session) if shown.unit < 0]
        assert [session[place].check for place in places] == [0, 1, 2]
        assert places[0] > 0
        assert all(b - a >= 2 for a, b in pairwise(places))
        assert [units[shown.unit].kind for shown in session[-3:]] == ["series"] * 3


def test_checks_come_even_where_there_is_little_to_judge() -> None:
    units = [Unit("rating", "a", (("ours", "a"),))]
    [session] = sessions_of(units, raters=1, trials=0, checks=3, seed=1)
    assert [shown.unit for shown in session] == [0, -1, -1, -1]


def test_the_same_seed_gives_the_same_sessions_and_another_seed_others() -> None:
    def made(seed: int) -> object:
        units = units_of(PIECES, ["pair"], against="", seed=seed)
        return units, sessions_of(units, raters=5, trials=6, checks=1, seed=seed)

    assert made(1) == made(1)
    assert made(1) != made(2)
