"""A crawl that is killed again and again, amid every failure at once, ends as it must."""

from pathlib import Path

import pytest

from benchmarks.soak import LASTING, PASSING, Outcome, make_site, soak
from symmv_builder.demo.catalogue import Failure

ITEMS = 45


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return soak(tmp_path_factory.mktemp("soak"), ITEMS, seed=7, kills=4, longest_s=1.5)


@pytest.mark.slow
def test_every_item_is_fetched_or_rejected_with_the_right_class(outcome: Outcome) -> None:
    assert outcome.faults == ()
    assert outcome.items == ITEMS
    assert outcome.ends["fetched"] > ITEMS / 2


@pytest.mark.slow
def test_the_crawler_was_killed_and_downloads_went_on_where_they_broke_off(
    outcome: Outcome,
) -> None:
    assert outcome.kills >= 3
    assert outcome.starts == outcome.kills + 1
    assert outcome.resumed > 0


@pytest.mark.slow
def test_no_attempt_is_spent_on_a_breaker(outcome: Outcome) -> None:
    # Each of these items was refused more often than it has attempts, and none is rejected.
    assert outcome.refusals > 0
    assert outcome.faults == ()


def test_the_fates_of_a_few_thousand_items_hold_every_failure(tmp_path: Path) -> None:
    _, fates = make_site(tmp_path, 1000, 1)
    ordered = {failure for fate in fates for failure in fate.failures}
    assert ordered == set(LASTING) | set(PASSING)
    assert sum(fate.blocked for fate in fates) > 50
    session = {Failure.TOO_MANY_REQUESTS, Failure.BOT_CHECK, Failure.RATE_LIMITED}
    assert set(Failure) - ordered - session == {Failure.LIVE, Failure.SLOW}
