"""The crawl's memory: leases, retries, breakers and tombstones."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from symmv_builder.records import Listing, ParsedTitle, Source
from symmv_builder.storage import items as states
from symmv_builder.storage.items import Item, Items, LeaseLost
from symmv_builder.storage.ledger import Ledger


@pytest.fixture
def items(ledger_url: str) -> Items:
    return Items(Ledger(ledger_url))


def found(number: int, state: str = states.FOUND) -> Item:
    listing = Listing(Source("youtube", f"aaaaaaaa{number:03d}"), f"Song {number}", "Channel")
    return Item("symmv", listing, origin="channel:Channel", state=state)


def test_an_item_comes_back_as_it_was_stored(items: Items) -> None:
    item = found(1)
    items.add([item])
    official = Listing(Source("youtube", "b" * 11), "Official", categories=("Music",))
    parsed = ParsedTitle("Artist", "Title", 0.9, ("cover",))
    kept = items.advance(item, states.MATCHED, parsed=parsed, official=official, score=0.8)
    assert items.get("symmv", item.source) == kept
    assert kept.version == 1


def test_what_is_known_is_not_added_again(items: Items) -> None:
    assert items.add([found(1), found(2)]) == 2
    items.advance(found(1), states.PARSED)
    assert items.add([found(1), found(2), found(3)]) == 1
    assert items.find("symmv", [states.PARSED])[0].source == found(1).source
    assert len(items.known_ids("symmv")) == 3


def test_a_leased_item_is_given_to_nobody_else_until_the_lease_runs_out(items: Items) -> None:
    items.add([found(1), found(2), found(3)])
    first = items.lease("symmv", [states.FOUND], limit=2, now_s=100, lease_s=60)
    second = items.lease("symmv", [states.FOUND], limit=5, now_s=101, lease_s=60)
    assert (len(first), len(second)) == (2, 1)
    assert not items.lease("symmv", [states.FOUND], limit=5, now_s=110, lease_s=60)
    assert len(items.lease("symmv", [states.FOUND], limit=5, now_s=160, lease_s=60)) == 2


def test_saving_gives_the_lease_back(items: Items) -> None:
    items.add([found(1)])
    [item] = items.lease("symmv", [states.FOUND], limit=1, now_s=0, lease_s=60)
    items.advance(item, states.PARSED)
    assert items.lease("symmv", [states.PARSED], limit=1, now_s=1, lease_s=60)


def test_an_item_that_waits_is_not_due_before_its_time(items: Items) -> None:
    items.add([Item("symmv", found(1).listing, "x", next_try_s=50.0)])
    assert not items.lease("symmv", [states.FOUND], limit=1, now_s=49, lease_s=60)
    assert items.next_due_s("symmv", [states.FOUND]) == 50.0
    assert items.lease("symmv", [states.FOUND], limit=1, now_s=50, lease_s=60)


def test_two_connections_never_take_the_same_item(ledger_url: str) -> None:
    one, two = Items(Ledger(ledger_url)), Items(Ledger(ledger_url))
    one.add([found(number) for number in range(40)])
    taken: list[Source] = []
    for _ in range(10):
        for side in (one, two):
            leased = side.lease("symmv", [states.FOUND], limit=2, now_s=1, lease_s=60)
            taken += [item.source for item in leased]
    assert len(taken) == len(set(taken)) == 40


def test_a_breaker_outlives_the_process_and_never_closes_sooner(ledger_url: str) -> None:
    Items(Ledger(ledger_url)).open_breaker("youtube", 5000.0, "429")
    again = Items(Ledger(ledger_url))
    again.open_breaker("youtube", 4000.0, "bot check")
    assert again.breaker("youtube") == (5000.0, "bot check")
    assert again.breaker("bilibili") is None


def test_what_has_a_tombstone_is_never_added(items: Items) -> None:
    items.bury(found(1).source, "takedown: asked by the artist")
    assert items.add([found(1), found(2)]) == 1
    assert items.tombstones() == {found(1).source: "takedown: asked by the artist"}


def test_counts_are_by_state_step_and_reason(items: Items) -> None:
    items.add([found(1), found(2), found(3, states.REJECTED)])
    assert items.counts("symmv") == {("found", "", ""): 2, ("rejected", "", ""): 1}


def test_a_lease_that_is_renewed_does_not_run_out(items: Items) -> None:
    items.add([found(1), found(2)])
    leased = items.lease("symmv", [states.FOUND], limit=None, now_s=0, lease_s=60)
    items.renew(leased, 200.0)
    assert not items.lease("symmv", [states.FOUND], limit=5, now_s=100, lease_s=60)
    items.give_back(leased[:1])
    again = items.lease("symmv", [states.FOUND], limit=5, now_s=100, lease_s=60)
    assert [item.source for item in again] == [leased[0].source]


def test_a_lease_is_held_through_the_steps_in_between(items: Items) -> None:
    items.add([found(1)])
    [item] = items.lease("symmv", [states.FOUND], limit=1, now_s=0, lease_s=60)
    item = items.advance(item, states.PARSED, held_until_s=60.0)
    assert not items.lease("symmv", [states.PARSED], limit=1, now_s=1, lease_s=60)
    items.renew([item], 100.0)
    assert not items.lease("symmv", [states.PARSED], limit=1, now_s=61, lease_s=60)
    items.advance(item, states.FETCHED)
    # What was given back stays so: a heartbeat that comes late does not take it again.
    items.renew([item], 1000.0)
    assert items.lease("symmv", [states.FETCHED], limit=1, now_s=1, lease_s=60)


def test_a_save_of_an_older_version_changes_nothing(items: Items) -> None:
    items.add([found(1)])
    items.advance(found(1), states.PARSED)
    with pytest.raises(LeaseLost, match="yt-aaaaaaaa001"):
        items.advance(found(1), states.REJECTED)
    assert [item.state for item in items.find("symmv")] == [states.PARSED]


def test_a_ledger_of_an_earlier_version_gets_the_columns_that_it_lacks(ledger_url: str) -> None:
    ledger = Ledger(ledger_url)
    Items(ledger).add([found(1)])
    with ledger.engine.begin() as connection:
        for column in ("owner", "version", "refused_s"):
            connection.execute(sa.text(f"ALTER TABLE items DROP COLUMN {column}"))
    ledger.close()
    with ThreadPoolExecutor(4) as pool:
        opened = list(pool.map(lambda _: Items(Ledger(ledger_url)), range(4)))
    assert opened[0].find("symmv") == [found(1)]
    [item] = opened[1].lease("symmv", [states.FOUND], limit=1, now_s=0, lease_s=60)
    assert opened[1].advance(item, states.PARSED).version == 2


LEASE = """
import os, sys
from symmv_builder.storage.items import Items
from symmv_builder.storage.ledger import Ledger
items = Items(Ledger(sys.argv[1]))
assert len(items.lease("symmv", ["found"], limit=2, now_s=0, lease_s=60)) == 2
os.kill(os.getpid(), 9)
"""


def test_a_process_of_this_machine_that_was_killed_holds_nothing(ledger_url: str) -> None:
    items, other = Items(Ledger(ledger_url)), Items(Ledger(ledger_url))
    items.add([found(number) for number in range(3)])
    subprocess.run([sys.executable, "-c", LEASE, ledger_url], check=False)
    assert len(items.lease("symmv", [states.FOUND], limit=5, now_s=1, lease_s=60)) == 1
    other.end_dead_leases()
    # Those of the living stand.
    assert len(other.lease("symmv", [states.FOUND], limit=5, now_s=1, lease_s=60)) == 2
