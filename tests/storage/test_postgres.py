"""What only a server does: workers that pass each other by, and a server that goes away.

Everything else that ledger and items promise is tested on both databases beside this file.
"""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa

from symmv_builder.errors import StopRun
from symmv_builder.records import Listing, Source
from symmv_builder.storage import items as states
from symmv_builder.storage.items import Item, Items
from symmv_builder.storage.ledger import Ledger, Result


def found(number: int) -> Item:
    listing = Listing(Source("youtube", f"aaaaaaaa{number:03d}"), f"Song {number}", "Channel")
    return Item("symmv", listing, origin="channel:Channel")


def test_who_leases_passes_over_what_another_is_taking_and_does_not_wait(postgres: Any) -> None:
    url = postgres.url()
    one, two = Items(Ledger(url)), Ledger(url)
    one.add([found(number) for number in range(4)])
    with two.writing() as connection:
        query = "SELECT video_id FROM items ORDER BY video_id LIMIT 2 FOR UPDATE"
        held = {row[0] for row in connection.execute(sa.text(query))}
        leased = one.lease("symmv", [states.FOUND], limit=4, now_s=1, lease_s=60)
    assert {item.source.video_id for item in leased} & held == set()
    assert len(leased) == 2


def test_eight_workers_at_once_lease_every_item_exactly_once(postgres: Any) -> None:
    url = postgres.url()
    Items(Ledger(url)).add([found(number) for number in range(200)])

    def work(_: int) -> list[Source]:
        mine, taken = Items(Ledger(url)), []
        while leased := mine.lease("symmv", [states.FOUND], limit=3, now_s=1, lease_s=60):
            taken += [item.source for item in leased]
        return taken

    with ThreadPoolExecutor(8) as pool:
        taken = [source for sources in pool.map(work, range(8)) for source in sources]
    assert len(taken) == len(set(taken)) == 200


def test_many_processes_may_open_a_new_ledger_at_once(postgres: Any) -> None:
    url = postgres.url()
    gate = threading.Barrier(6)

    def open_it(_: int) -> int:
        gate.wait()
        return len(Items(Ledger(url)).find("symmv"))

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(open_it, range(6))) == [0] * 6


def test_a_ledger_goes_on_when_its_server_was_restarted(postgres: Any) -> None:
    ledger = Ledger(postgres.url())
    ledger.record_results("symmv", [Result("a", "notes", "transcribe", "k", "", 0.5)])
    postgres.stop()
    try:
        with pytest.raises(StopRun, match="cannot use the ledger") as caught:
            ledger.datasets()
        assert "\n" not in str(caught.value)
    finally:
        postgres.start()
    assert ledger.datasets() == ["symmv"]


def test_a_url_without_a_driver_s_name_means_the_one_that_is_installed(postgres: Any) -> None:
    url = postgres.url().replace("postgresql+psycopg:", "postgresql:")
    assert Ledger(url).datasets() == []
