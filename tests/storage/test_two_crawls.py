"""Two crawls at once share the work: nothing is lost, fetched twice or set back."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("yt_dlp")

from symmv_builder.backends.ytdlp import LOOPBACK, Downloader
from symmv_builder.crawl.fetch import Fetched, fetch
from symmv_builder.crawl.sources import CrawlSource
from symmv_builder.crawl.titles import Habits
from symmv_builder.datasets import recipe
from symmv_builder.datasets.crawl import Crawl, Patience, bring, discover_new, open_crawl, work_off
from symmv_builder.datasets.propose import promote
from symmv_builder.demo.catalogue import Failure, Upload
from symmv_builder.demo.site import Site
from symmv_builder.storage import items as states
from symmv_builder.storage.assets import has_asset
from symmv_builder.storage.items import LeaseLost
from symmv_builder.storage.ledger import Ledger
from symmv_builder.storage.manifests import read_entries
from symmv_builder.storage.root import Root
from symmv_builder.storage.store import Store
from tests.loopback import CHANNEL, make_video, running, video_id

ROUNDS = 20
ITEMS = 5
SOURCE = CrawlSource("channel", CHANNEL.name, None, "demo", "", "", Habits())
# Shorter than a download takes, so that every lease has to be renewed.
PATIENCE = Patience(lease_s=0.4)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_video(tmp_path_factory.mktemp("media") / "video.mp4")


@pytest.fixture
def site(video: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    uploads = (Upload(video_id(n), f"Song {n}", CHANNEL.name, video) for n in range(ITEMS))
    with running(monkeypatch, *uploads) as found:
        yield found


def a_crawl(root: Path, ledger_url: str) -> Crawl:
    store = Store(Root(str(root)), Root(str(root)), Ledger(ledger_url))
    downloader = Downloader(LOOPBACK, sites=["demo"])
    opened = open_crawl(recipe("muvisync"), store, downloader, [SOURCE], tell=lambda _: None)
    return replace(opened, patience=PATIENCE)


def reset(crawl: Crawl) -> None:
    """Forget what was done, for another round on the same ledger."""
    for item in crawl.items.find("muvisync"):
        crawl.items.save(replace(item, state=states.FOUND))
        crawl.store.ledger.forget_asset(item.source.site, item.source.video_id)


@pytest.mark.slow
def test_two_crawls_at_once_fetch_everything_once_round_after_round(
    site: Site, video: Path, tmp_path: Path, ledger_url: str
) -> None:
    crawls = [a_crawl(tmp_path / "data", ledger_url) for _ in range(2)]
    discover_new(crawls[0])
    touched: list[int] = []
    for number in range(ROUNDS):
        # Slow enough now and then for a lease to run out if nobody renewed it.
        if number % 5 == 0:
            site.fail(Failure.SLOW, bytes_a_second=video.stat().st_size / 0.8)
        threads = [
            threading.Thread(target=lambda one=one: touched.append(work_off(one))) for one in crawls
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        site.heal()
        found = crawls[0].items.find("muvisync")
        assert [item.state for item in found] == [states.FETCHED] * ITEMS
        assert [item.attempts for item in found] == [0] * ITEMS
        assert len(site.visits("media")) == ITEMS * (number + 1)
        assert len(site.visits("watch")) == ITEMS * (number + 1)
        reset(crawls[0])
    # Each item was taken up by one of them alone.
    assert len(touched) == 2 * ROUNDS
    assert sum(touched) == ITEMS * ROUNDS
    for crawl in crawls:
        crawl.store.ledger.close()


def test_who_comes_back_late_changes_nothing_and_drops_the_item(
    site: Site, tmp_path: Path, ledger_url: str
) -> None:
    late, other = (a_crawl(tmp_path / "data", ledger_url) for _ in range(2))
    discover_new(late)

    def lease(crawl: Crawl, now_s: float) -> states.Item:
        wanted = [states.FOUND, states.FETCHED]
        [item] = crawl.items.lease("muvisync", wanted, limit=1, now_s=now_s, lease_s=60)
        return item

    mine = lease(late, 0.0)
    theirs = lease(other, 100.0)
    assert mine.source == theirs.source
    # Renewing and giving back touch nobody else's lease either.
    late.items.renew([mine], 1e12)
    late.items.give_back([mine])
    assert lease(late, 101.0).source != mine.source
    bring(other, theirs)
    visits = len(site.visits())
    bring(late, mine)
    with pytest.raises(LeaseLost, match="somebody else"):
        late.items.advance(mine, states.PARSED)
    assert len(site.visits()) == visits
    found = other.items.get("muvisync", mine.source)
    assert found is not None
    assert found.state == states.FETCHED


def test_a_takedown_outranks_whoever_works_on_the_item(
    site: Site, tmp_path: Path, ledger_url: str
) -> None:
    crawl = a_crawl(tmp_path / "data", ledger_url)
    discover_new(crawl)
    before = crawl.items.find("muvisync")[0]
    [mine] = crawl.items.lease("muvisync", [states.FOUND], limit=1, now_s=0.0, lease_s=60)
    assert before.source == mine.source
    crawl.items.save(replace(before, state=states.REMOVED))
    bring(crawl, mine)
    found = crawl.items.get("muvisync", mine.source)
    assert found is not None
    assert found.state == states.REMOVED


def test_what_is_taken_down_while_it_is_fetched_is_not_kept(
    site: Site, tmp_path: Path, ledger_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    crawl = a_crawl(tmp_path / "data", ledger_url)
    discover_new(crawl)
    [mine] = crawl.items.lease("muvisync", [states.FOUND], limit=1, now_s=0.0, lease_s=60)
    fetched = []

    def fetch_and_take_down(*arguments: Any, **options: Any) -> Fetched:
        found = fetch(*arguments, **options)
        fetched.append(has_asset(crawl.store.root, found.sha256))
        # Its own plan was made before the file was there.
        crawl.items.bury(mine.source, "asked")
        crawl.items.move("muvisync", [mine.source], states.REMOVED)
        return found

    monkeypatch.setattr("symmv_builder.datasets.crawl.fetch", fetch_and_take_down)
    bring(crawl, mine)
    assert fetched == [True]
    assert (mine.source.site, mine.source.video_id) not in crawl.store.ledger.assets()
    assert list(crawl.store.root.walk("assets")) == []


def test_a_proposal_that_was_promoted_meanwhile_is_not_set_back(
    site: Site, tmp_path: Path, ledger_url: str
) -> None:
    crawl, other = (a_crawl(tmp_path / "data", ledger_url) for _ in range(2))
    discover_new(crawl)
    work_off(crawl)
    leased = crawl.items.lease("muvisync", [states.FETCHED], limit=None, now_s=0.0, lease_s=1.0)
    # Their lease ran out while they were screened; another crawl screened and promoted them.
    for item in other.items.lease(
        "muvisync", [states.FETCHED], limit=None, now_s=2.0, lease_s=60.0
    ):
        other.items.advance(item, states.PROPOSED)
    done, _ = promote(other.items, other.store, "muvisync", [], above=0.5)
    assert len(done) == ITEMS
    for item in leased:
        with pytest.raises(LeaseLost):
            crawl.items.advance(item, states.PROPOSED)
    assert {item.state for item in crawl.items.find("muvisync")} == {states.PROMOTED}
    assert len(read_entries(crawl.store.manifests, "muvisync")) == ITEMS
    assert promote(crawl.items, crawl.store, "muvisync", [], above=0.5) == ([], [])
