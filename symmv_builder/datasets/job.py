"""What a crawl of one dataset needs, its leases while it works, and its breakers.

A breaker keeps every process from the network until a time that is in the ledger. There are
two: ``network`` after a site refused us, ``outage`` after nothing could be reached, which is
short and says that the fault is on our side.
"""

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Protocol

from symmv_builder.crawl.discover import Lister
from symmv_builder.crawl.fetch import Fetcher
from symmv_builder.crawl.sources import CrawlSource
from symmv_builder.crawl.titles import Habits
from symmv_builder.datasets.recipe import Recipe
from symmv_builder.errors import Reason, SessionBlocked, SymMVError
from symmv_builder.pipeline.events import Event
from symmv_builder.records import Listing, Source
from symmv_builder.storage.items import Item, Items, LeaseLost, entry_id_of
from symmv_builder.storage.store import Store

Tell = Callable[[Event], None]
_NETWORK, _OUTAGE = "network", "outage"
# Every breaker by name, and what it says while it is open.
BREAKERS = {_NETWORK: "the site refuses us", _OUTAGE: "nothing answers"}


class VideoSite(Lister, Fetcher, Protocol):
    """A site as the crawl sees it; `backends.ytdlp.Downloader`.

    `canary` is a recording that is known to be good, where there is one.
    """

    @property
    def canary(self) -> Source | None: ...

    def search(self, query: str, limit: int) -> list[Listing]: ...

    def details(self, source: Source) -> Listing: ...

    def check_canary(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Patience:
    """The number and times of attempts; never part of a key.

    Waits double from `first_wait_s` to `longest_wait_s`, each times a random 0.5-1.5, so
    that what failed together is not tried together. A breaker stays open for at least
    `breaker_s`, or `outage_s` where nothing could be reached at all. What a site says for good
    counts when it says so again `confirm_s` later. `run` equal refusals one after the other are
    a refusal of the crawl until a recording that is known to be good says otherwise. A lease
    lasts `lease_s` and is renewed while its holder lives.
    """

    attempts: int = 5
    first_wait_s: float = 300.0
    longest_wait_s: float = 86400.0
    breaker_s: float = 3600.0
    outage_s: float = 300.0
    confirm_s: float = 86400.0
    run: int = 8
    lease_s: float = 300.0

    def wait_s(self, attempt: int, asked_s: float) -> float:
        doubled = min(self.first_wait_s * 2.0 ** (attempt - 1), self.longest_wait_s)
        return max(doubled, asked_s) * random.uniform(0.5, 1.5)


@dataclass(frozen=True, slots=True)
class Refusal:
    """One refusal: the item as it was before and as it was stored after; the first of its kind?"""

    reason: Reason
    before: Item
    after: Item
    is_first: bool


@dataclass(frozen=True, slots=True)
class Crawl:
    """Everything that a crawl of one dataset needs. `now` gives seconds since the epoch.

    `refusals` are those since a recording last came, all for one reason.
    """

    recipe: Recipe
    store: Store
    items: Items
    site: VideoSite
    now: Callable[[], float]
    sources: Sequence[CrawlSource] = ()
    patience: Patience = Patience()
    tell: Tell = lambda _: None
    candidates: int = 5
    refusals: list[Refusal] = field(default_factory=list)

    def habits_of(self, item: Item) -> Habits:
        """Tell how the source that an item comes from writes its titles."""
        source = self._source_of(item)
        return source.habits if source else Habits()

    def kinds_of(self, item: Item) -> tuple[str, ...]:
        """List the kinds of video that the source of an item is to give; empty for all."""
        source = self._source_of(item)
        return source.kinds if source else ()

    def _source_of(self, item: Item) -> CrawlSource | None:
        return next((each for each in self.sources if origin_of(each) == item.origin), None)

    def held_until_s(self) -> float:
        """Tell when a lease that is taken or renewed now runs out."""
        return self.now() + self.patience.lease_s

    def note(self, text: str, entry_id: str = "") -> None:
        self.tell(Event("note", entry_id, detail=text))


def origin_of(source: CrawlSource) -> str:
    """Name a source as the ledger does."""
    place = source.file.name if source.file else source.ref
    return f"{source.site}:{source.kind}:{place}"


def breaker_of(error: SessionBlocked, patience: Patience) -> tuple[str, float]:
    """Tell which breaker a refusal opens, and for how many seconds."""
    if error.reason is Reason.UNREACHABLE:
        return _OUTAGE, patience.outage_s
    return _NETWORK, max(error.after_s, patience.breaker_s)


def open_breaker(crawl: Crawl, error: SessionBlocked) -> None:
    """Keep everybody away from the network for a while, across processes and restarts."""
    name, wait_s = breaker_of(error, crawl.patience)
    crawl.items.open_breaker(name, crawl.now() + wait_s, str(error))
    crawl.note(f"{BREAKERS[name]}; the network rests for {wait_s:.0f} s: {error}")


def network_opens_s(crawl: Crawl) -> float:
    """Give the seconds until both breakers are closed; 0 where they are."""
    now = crawl.now()
    return max(0.0, *(open_until_s - now for _, open_until_s in breakers(crawl.items)))


def breakers(items: Items) -> list[tuple[str, float]]:
    """Tell of every breaker by name until when it is open, in seconds since the epoch."""
    states = ((name, items.breaker(name)) for name in BREAKERS)
    return [(name, breaker[0] if breaker else 0.0) for name, breaker in states]


def outage(crawl: Crawl) -> str:
    """Tell why nothing could be reached, while that breaker is open; else empty."""
    breaker = crawl.items.breaker(_OUTAGE)
    return breaker[1] or BREAKERS[_OUTAGE] if breaker and breaker[0] > crawl.now() else ""


@contextmanager
def holding(crawl: Crawl, items: Sequence[Item]) -> Iterator[None]:
    """Renew the leases of items while the block runs, and give back those that it leaves."""
    over = threading.Event()

    def renew() -> None:
        while not over.wait(crawl.patience.lease_s / 4):
            # A ledger that is locked for the moment is asked again; a lease that is lost shows
            # when its item is stored.
            with suppress(SymMVError):
                crawl.items.renew(items, crawl.held_until_s())

    thread = threading.Thread(target=renew, name="leases", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        with suppress(SymMVError):
            crawl.items.give_back(items)


@contextmanager
def dropping_lost(crawl: Crawl, item: Item) -> Iterator[None]:
    """Leave an item to whoever took it up meanwhile."""
    try:
        yield
    except LeaseLost as error:
        crawl.note(str(error), entry_id_of(item.source))
