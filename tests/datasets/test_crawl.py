"""Items of a crawl come to their end, and every failure costs what it should."""

from collections import Counter
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from symmv_builder.crawl.sources import CrawlSource
from symmv_builder.crawl.titles import Habits
from symmv_builder.datasets import recipe
from symmv_builder.datasets.crawl import (
    Crawl,
    Patience,
    discover_new,
    due_in_s,
    outage,
    try_again,
    work_off,
)
from symmv_builder.errors import Reason, RejectEntry, RetryLater, SessionBlocked, StopRun
from symmv_builder.records import Listing, Source
from symmv_builder.storage import items as states
from symmv_builder.storage.items import Item, Items, entry_id_of
from symmv_builder.storage.ledger import Ledger, Result
from symmv_builder.storage.root import Root
from symmv_builder.storage.store import Store

SONGS = (
    ("Adele", "Hello"),
    ("Coldplay", "Yellow"),
    ("Radiohead", "Creep"),
)
DAY_S = 86400.0
CHANNEL = CrawlSource("channel", "@pianist", None, "youtube", "Pianist", "", Habits())


def source(letter: str, number: int) -> Source:
    return Source("youtube", f"{letter * 8}{number:03d}")


@dataclass
class FakeSite:
    """Covers of three songs, their official videos among decoys, and failures to order."""

    trouble: dict[Source, list[Exception]] = field(default_factory=dict)
    fetched: list[Source] = field(default_factory=list)
    covers: int = len(SONGS)
    has_official: bool = True
    pages_gone: set[Source] = field(default_factory=set)
    canary: Source | None = None

    def list_source(
        self, kind: str, ref: str, *, known: Set[str], full: bool, limit: int | None, **_: Any
    ) -> Iterator[Listing]:
        for number in range(self.covers):
            artist, title = SONGS[number % len(SONGS)]
            yield Listing(
                source("c", number), f"{artist} - {title} (Piano Cover)", "Pianist", duration_s=200
            )

    def search(self, query: str, limit: int) -> list[Listing]:
        number = next(n for n, (_, title) in enumerate(SONGS) if title in query)
        artist, title = SONGS[number]
        official = Listing(
            source("o", number),
            f"{artist} - {title} (Official Video)",
            f"{artist}VEVO",
            channel_is_verified=True,
            duration_s=210,
            view_count=10**8,
            categories=("Music",),
        )
        lyric = Listing(source("l", number), f"{artist} - {title} (Lyrics)", "Lyrics Hub")
        if self.pages_gone:
            older = replace(official, source=source("g", number), view_count=10**9)
            return [older, lyric, official] if self.has_official else [older, lyric]
        return [lyric, official] if self.has_official else [lyric]

    def details(self, wanted: Source) -> Listing:
        if wanted in self.pages_gone:
            raise RejectEntry(Reason.VIDEO_PRIVATE, "it is private")
        for number in range(len(SONGS)):
            for listing in self.search(SONGS[number][1], 5):
                if listing.source == wanted:
                    return listing
        raise KeyError(wanted)

    def check_canary(self) -> None:
        """It sings."""


@pytest.fixture
def crawl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Crawl:
    root = Root(str(tmp_path))
    store = Store(root, root, Ledger(f"sqlite:///{tmp_path}/ledger.sqlite"))
    site = FakeSite()

    def fetch(site: FakeSite, wanted: Source, *_: Any, kind: str, captions: bool = False) -> None:
        waiting = site.trouble.get(wanted)
        if waiting:
            raise waiting.pop(0)
        site.fetched.append(wanted)

    monkeypatch.setattr("symmv_builder.datasets.crawl.fetch", fetch)
    patience = Patience(attempts=3, first_wait_s=100.0, breaker_s=3600.0)
    clock = Clock()
    return Crawl(
        recipe("symmv"),
        store,
        Items(store.ledger),
        site,  # type: ignore[arg-type]  # it downloads nothing: `fetch` is replaced
        clock,
        (CHANNEL,),
        patience=patience,
    )


@dataclass
class Clock:
    time_s: float = 1000.0

    def __call__(self) -> float:
        return self.time_s


def state_of(crawl: Crawl, number: int) -> tuple[str, str, int]:
    item = crawl.items.get("symmv", source("c", number))
    assert item is not None
    return item.state, item.reason, item.attempts


def test_covers_are_found_matched_among_decoys_and_fetched(crawl: Crawl) -> None:
    assert discover_new(crawl) == 3
    assert work_off(crawl) == 3
    assert [state_of(crawl, n)[0] for n in range(3)] == [states.FETCHED] * 3
    item = crawl.items.get("symmv", source("c", 0))
    assert item is not None
    assert item.official is not None
    assert item.official.source == source("o", 0)
    assert (item.parsed.artist, item.parsed.title) == SONGS[0]  # type: ignore[union-attr]
    assert len(crawl.site.fetched) == 6  # type: ignore[attr-defined]


def test_a_second_round_finds_only_what_is_new(crawl: Crawl) -> None:
    crawl.site.covers = 2  # type: ignore[attr-defined]
    discover_new(crawl)
    work_off(crawl)
    crawl.site.covers = 3  # type: ignore[attr-defined]
    assert discover_new(crawl) == 1
    assert work_off(crawl) == 1


def test_a_song_without_an_official_video_is_put_aside(crawl: Crawl) -> None:
    crawl.site.has_official = False  # type: ignore[attr-defined]
    discover_new(crawl)
    work_off(crawl)
    assert [state_of(crawl, n)[:2] for n in range(3)] == [(states.REJECTED, Reason.NO_MATCH)] * 3
    item = crawl.items.get("symmv", source("c", 1))
    assert item is not None
    assert "Lyrics" in item.evidence


def test_the_next_best_is_taken_where_the_best_is_gone(crawl: Crawl) -> None:
    crawl.site.pages_gone = {source("g", n) for n in range(3)}  # type: ignore[attr-defined]
    discover_new(crawl)
    work_off(crawl)
    item = crawl.items.get("symmv", source("c", 0))
    assert item is not None
    assert (item.state, item.official and item.official.source) == (states.FETCHED, source("o", 0))
    assert "it is private" in item.evidence


def test_a_song_whose_only_official_video_is_gone_is_put_aside_for_that(crawl: Crawl) -> None:
    crawl.site.pages_gone = {source("g", n) for n in range(3)}  # type: ignore[attr-defined]
    crawl.site.has_official = False  # type: ignore[attr-defined]
    discover_new(crawl)
    work_off(crawl)
    assert state_of(crawl, 0)[:2] == (states.PARSED, "")
    crawl.now.time_s += 2 * DAY_S  # type: ignore[attr-defined]
    work_off(crawl)
    assert state_of(crawl, 0)[:2] == (states.REJECTED, Reason.VIDEO_PRIVATE)
    item = crawl.items.get("symmv", source("c", 0))
    assert item is not None
    assert "it is private" in item.evidence


def test_a_failure_that_may_pass_waits_in_the_ledger_and_spends_an_attempt(crawl: Crawl) -> None:
    crawl.site.trouble[source("c", 0)] = [RetryLater("slow")]  # type: ignore[attr-defined]
    discover_new(crawl)
    work_off(crawl)
    assert state_of(crawl, 0) == (states.MATCHED, "", 1)
    waits_s = due_in_s(crawl)
    assert waits_s is not None
    assert 50 <= waits_s <= 150
    assert work_off(crawl) == 0
    crawl.now.time_s += 200  # type: ignore[attr-defined]
    assert work_off(crawl) == 1
    assert state_of(crawl, 0) == (states.FETCHED, "", 0)


def test_when_the_attempts_are_used_up_the_item_is_put_aside(crawl: Crawl) -> None:
    trouble = [RetryLater("slow", reason=Reason.NO_FORMATS) for _ in range(3)]
    crawl.site.trouble[source("c", 0)] = trouble  # type: ignore[attr-defined]
    discover_new(crawl)
    for _ in range(3):
        work_off(crawl)
        crawl.now.time_s += 1000  # type: ignore[attr-defined]
    assert state_of(crawl, 0)[:2] == (states.REJECTED, Reason.NO_FORMATS)


GONE = RejectEntry(Reason.VIDEO_REMOVED, "it was removed")


def test_what_a_site_says_for_good_counts_when_it_says_so_on_another_day(crawl: Crawl) -> None:
    crawl.site.trouble[source("o", 1)] = [GONE, GONE]  # type: ignore[attr-defined]
    discover_new(crawl)
    work_off(crawl)
    assert state_of(crawl, 1) == (states.MATCHED, "", 0)
    crawl.now.time_s += DAY_S - 1  # type: ignore[attr-defined]
    assert work_off(crawl) == 0
    crawl.now.time_s += 1000  # type: ignore[attr-defined]
    assert work_off(crawl) == 1
    assert state_of(crawl, 1)[:2] == (states.REJECTED, Reason.VIDEO_REMOVED)
    crawl.now.time_s += 100 * DAY_S  # type: ignore[attr-defined]
    assert work_off(crawl) == 0


def test_what_comes_on_the_second_day_was_not_gone(crawl: Crawl) -> None:
    crawl.site.trouble[source("o", 1)] = [GONE]  # type: ignore[attr-defined]
    discover_new(crawl)
    work_off(crawl)
    crawl.now.time_s += 2 * DAY_S  # type: ignore[attr-defined]
    work_off(crawl)
    item = crawl.items.get("symmv", source("c", 1))
    assert item is not None
    assert (item.state, item.refused_s) == (states.FETCHED, 0.0)


def test_a_verdict_of_our_own_needs_no_second_day(crawl: Crawl) -> None:
    too_long = RejectEntry(Reason.TOO_LONG, "it lasts 9000 s")
    crawl.site.trouble[source("o", 1)] = [too_long]  # type: ignore[attr-defined]
    discover_new(crawl)
    work_off(crawl)
    assert state_of(crawl, 1)[:2] == (states.REJECTED, Reason.TOO_LONG)


def many(crawl: Crawl, count: int) -> list[Item]:
    """So many covers that are matched already."""
    found = []
    for number in range(count):
        listing = Listing(Source("youtube", f"manycov{number:04d}"), "Adele - Hello (Cover)")
        official = replace(listing, source=Source("youtube", f"manyoff{number:04d}"))
        found.append(
            Item("symmv", listing, "many", state=states.MATCHED, official=official, score=1.0)
        )
    crawl.items.add(found)
    return found


def refuse(crawl: Crawl, items: Sequence[Item], error: Exception, times: int = 50) -> None:
    trouble = crawl.site.trouble  # type: ignore[attr-defined]
    trouble |= {item.source: [error] * times for item in items}


def ends(crawl: Crawl) -> Counter[tuple[str, str]]:
    return Counter((item.state, item.reason) for item in crawl.items.find("symmv"))


@pytest.mark.parametrize(
    "error",
    [GONE, RetryLater("no", reason=Reason.UNKNOWN_FAILURE), RetryLater("no answer")],
    ids=["removed", "unknown", "unreachable"],
)
def test_equal_refusals_one_after_the_other_open_the_breaker_and_decide_nothing(
    crawl: Crawl, error: Exception
) -> None:
    refuse(crawl, many(crawl, 30), error)
    seen = set()
    for _ in range(12):
        touched = work_off(crawl)
        seen.add(touched)
        assert touched <= crawl.patience.run
        crawl.now.time_s += DAY_S  # type: ignore[attr-defined]
    assert crawl.patience.run in seen
    assert ends(crawl) == {(states.MATCHED, ""): 30}
    assert all(item.attempts < crawl.patience.attempts for item in crawl.items.find("symmv"))
    # It was us after all.
    crawl.site.trouble.clear()  # type: ignore[attr-defined]
    for _ in range(20):
        crawl.now.time_s += DAY_S  # type: ignore[attr-defined]
        work_off(crawl)
    assert ends(crawl) == {(states.FETCHED, ""): 30}


def test_equal_refusals_are_true_while_something_that_is_known_to_be_good_comes(
    crawl: Crawl,
) -> None:
    good = Listing(source("o", 0), "Adele - Hello (Official Video)")
    crawl.items.add([Item("symmv", good, "x", state=states.FETCHED)])
    refuse(crawl, many(crawl, 20), GONE)
    for _ in range(10):
        work_off(crawl)
        crawl.now.time_s += DAY_S  # type: ignore[attr-defined]
    assert ends(crawl) == {(states.FETCHED, ""): 1, (states.REJECTED, GONE.reason): 20}


def test_different_refusals_open_no_breaker(crawl: Crawl) -> None:
    items = many(crawl, 20)
    refuse(crawl, items[::2], GONE)
    refuse(crawl, items[1::2], RejectEntry(Reason.VIDEO_PRIVATE, "it is private"))
    assert work_off(crawl) == 20


def test_an_outage_counts_no_attempt_says_so_and_passes(crawl: Crawl) -> None:
    away = SessionBlocked("nothing answers", 300.0, reason=Reason.UNREACHABLE)
    refuse(crawl, many(crawl, 20), away)
    for _ in range(10):
        assert work_off(crawl) == 1
        assert "nothing answers" in outage(crawl)
        crawl.now.time_s += 301  # type: ignore[attr-defined]
        assert outage(crawl) == ""
    assert {item.attempts for item in crawl.items.find("symmv")} == {0}
    crawl.site.trouble.clear()  # type: ignore[attr-defined]
    assert work_off(crawl) == 20
    assert ends(crawl) == {(states.FETCHED, ""): 20}


def test_verdicts_are_undone_to_where_the_item_was_before_its_step(crawl: Crawl) -> None:
    items = many(crawl, 4)
    for item, step in zip(items, ("parse", "match", "fetch", "screen_length"), strict=True):
        crawl.items.save(
            replace(item, state=states.REJECTED, step=step, reason=Reason.TOO_SHORT, attempts=4)
        )
    other = many(crawl, 5)[4]
    crawl.items.save(replace(other, state=states.REJECTED, step="fetch", reason=Reason.DRM))
    assert try_again(crawl.items, crawl.store, "symmv", [Reason.TOO_SHORT]) == 4
    found = crawl.items.find("symmv")
    # The recordings of the last are not in the store: they are fetched again.
    assert [item.state for item in found] == [
        states.FOUND, states.PARSED, states.MATCHED, states.MATCHED, states.REJECTED
    ]  # fmt: skip
    assert {(item.attempts, item.reason) for item in found[:4]} == {(0, "")}
    assert try_again(crawl.items, crawl.store, "symmv", [Reason.TOO_SHORT]) == 0


def test_an_item_that_was_screened_is_screened_again_where_its_recordings_are_there(
    crawl: Crawl,
) -> None:
    [item] = many(crawl, 1)
    assert item.official is not None
    for number, wanted in enumerate((item.source, item.official.source)):
        name = f"{number}" * 64
        crawl.store.root.write(f"assets/{name[:2]}/{name}", b"x")
        crawl.store.ledger.record_assets({(wanted.site, wanted.video_id): name})
    step, reason = "screen_length", Reason.TOO_SHORT
    crawl.items.save(replace(item, state=states.REJECTED, step=step, reason=reason))
    name = entry_id_of(item.source)
    result = Result(name, "length", step, "k", "", 0.1, reason, "1 s")
    crawl.store.ledger.record_results("symmv", [result])
    assert try_again(crawl.items, crawl.store, "symmv", [reason]) == 1
    assert [item.state for item in crawl.items.find("symmv")] == [states.FETCHED]
    assert crawl.store.ledger.results("symmv", name) == []


def test_a_blocked_session_opens_the_breaker_and_spends_no_attempt(crawl: Crawl) -> None:
    crawl.site.trouble[source("c", 0)] = [SessionBlocked("429")]  # type: ignore[attr-defined]
    discover_new(crawl)
    assert work_off(crawl) == 1
    assert state_of(crawl, 0) == (states.MATCHED, "", 0)
    assert work_off(crawl) == 0
    crawl.now.time_s += 3599  # type: ignore[attr-defined]
    assert work_off(crawl) == 0
    crawl.now.time_s += 2  # type: ignore[attr-defined]
    assert work_off(crawl) == 3
    assert [state_of(crawl, n)[0] for n in range(3)] == [states.FETCHED] * 3


def test_nothing_is_listed_while_the_breaker_is_open(crawl: Crawl) -> None:
    crawl.items.open_breaker("network", crawl.now() + 60, "429")
    assert discover_new(crawl) == 0
    crawl.now.time_s += 61  # type: ignore[attr-defined]
    assert discover_new(crawl) == 3


def test_a_broken_toolchain_stops_the_run_and_loses_nothing(crawl: Crawl) -> None:
    crawl.site.trouble[source("c", 0)] = [StopRun("update yt-dlp")]  # type: ignore[attr-defined]
    discover_new(crawl)
    with pytest.raises(StopRun, match="update"):
        work_off(crawl)
    assert state_of(crawl, 0) == (states.MATCHED, "", 0)
    assert work_off(crawl) == 3


def test_a_worker_that_died_gives_its_item_back_when_its_lease_runs_out(crawl: Crawl) -> None:
    discover_new(crawl)
    crawl.items.lease("symmv", [states.FOUND], limit=1, now_s=crawl.now(), lease_s=3600)
    assert work_off(crawl) == 2
    crawl.now.time_s += 3601  # type: ignore[attr-defined]
    assert work_off(crawl) == 1


def test_a_recording_with_a_tombstone_is_neither_cover_nor_official_video(crawl: Crawl) -> None:
    crawl.items.bury(source("c", 0), "asked")
    crawl.items.bury(source("o", 1), "asked")
    assert discover_new(crawl) == 2
    work_off(crawl)
    assert state_of(crawl, 1)[:2] == (states.REJECTED, Reason.NO_MATCH)
    assert state_of(crawl, 2)[0] == states.FETCHED


def test_a_source_gives_only_the_kinds_of_video_that_it_is_for(crawl: Crawl) -> None:
    """A title that tells nothing is asked of its page; what no page tells is taken."""
    titles = {0: "Interview with Somebody", 1: "A day in Kyoto, silent vlog", 2: "01", 3: "02"}
    pages = {2: ("Gaming",), 3: ()}
    asked = []

    def list_source(*_: Any, **__: Any) -> Iterator[Listing]:
        return iter([Listing(source("c", n), title, "Ch") for n, title in titles.items()])

    def details(wanted: Source) -> Listing:
        asked.append(wanted)
        number = int(wanted.video_id[-3:])
        return Listing(wanted, titles[number], "Ch", categories=pages[number])

    site: Any = crawl.site
    site.list_source, site.details = list_source, details
    sources = (replace(CHANNEL, kinds=("vlog", "film")),)
    crawl = replace(crawl, recipe=recipe("v2m"), sources=sources)
    discover_new(crawl)
    work_off(crawl)
    found = {n: crawl.items.get("v2m", source("c", n)) for n in titles}
    states_of = {n: (item.state, item.step, item.reason) for n, item in found.items() if item}
    turned_away = (states.REJECTED, "parse", Reason.WRONG_KIND)
    assert states_of == {
        0: turned_away,
        1: (states.FETCHED, "", ""),
        2: turned_away,
        3: (states.FETCHED, "", ""),
    }
    assert asked == [source("c", 2), source("c", 3)]
    assert found[0] is not None
    assert found[0].detail == "it is of the kind other; its source is for vlog, film"
