"""Keep a dataset growing: discover, parse, match, fetch, screen, propose.

Every recording that is found becomes an item of the ledger and goes from state to state.
What can be tried again waits in the ledger; a site that refuses us, or that cannot be reached,
opens a breaker that outlives the process; what is wrong for good says why (`verdicts`). Whoever
is killed leaves leases that run out and downloads that go on where they stopped. SymMV's order
is that of its paper (Zhuo et al. 2023, section 3.1); the last word is a person's (`promote`).
"""

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from symmv_builder.crawl.discover import discover
from symmv_builder.crawl.fetch import fetch, forget_fetched
from symmv_builder.crawl.kinds import kind_of_listing
from symmv_builder.crawl.match import ScoredListing, query_of, rank
from symmv_builder.crawl.sources import CrawlSource, default_sources, read_id_list, read_sources
from symmv_builder.crawl.titles import parse_title
from symmv_builder.datasets.job import (
    Crawl,
    Patience,
    Tell,
    VideoSite,
    dropping_lost,
    holding,
    network_opens_s,
    open_breaker,
    origin_of,
    outage,
)
from symmv_builder.datasets.recipe import Recipe
from symmv_builder.datasets.verdicts import later, put_aside, try_again
from symmv_builder.errors import (
    Reason,
    RejectEntry,
    RetryLater,
    SessionBlocked,
    SymMVError,
    WrongArguments,
)
from symmv_builder.records import Listing, ParsedTitle
from symmv_builder.storage import items as states
from symmv_builder.storage.items import Item, Items, LeaseLost
from symmv_builder.storage.manifests import read_blocklist
from symmv_builder.storage.root import Root
from symmv_builder.storage.store import Store

__all__ = [
    "NETWORK_STATES",
    "Crawl",
    "Patience",
    "bring",
    "check_site",
    "discover_new",
    "due_in_s",
    "find_sources",
    "network_opens_s",
    "open_crawl",
    "origin_of",
    "outage",
    "try_again",
    "work_off",
]

_BATCH = 50
NETWORK_STATES = (states.FOUND, states.PARSED, states.MATCHED)


def find_sources(manifests: Root, dataset: str, path: Path | None) -> list[CrawlSource]:
    """Find the sources of a dataset: a given file, else the manifests', else the package's.

    Lists of ids that they name are read, too: what is wrong with a file is said before a site
    is asked. `StopRun` where there are none, or where one cannot be read.
    """
    if path is None:
        name = f"{dataset}/sources.toml"
        remembered = Path(manifests.path(name)) if manifests.is_local else None
        path = remembered if remembered and remembered.is_file() else default_sources(dataset)
        if not path.is_file():
            raise WrongArguments(
                f"{dataset} has no sources: write {name} among its manifests, or give `sources`"
            )
    sources = read_sources(path)
    for source in sources:
        if source.file:
            read_id_list(source.file, site=source.site)
    return sources


def open_crawl(
    recipe: Recipe, store: Store, site: VideoSite, sources: Sequence[CrawlSource], *, tell: Tell
) -> Crawl:
    """Open a crawl with the ledger's memory; what is on the blocklist is barred before it begins.

    What killed crawls of this machine held is free again.
    """
    items = Items(store.ledger)
    items.end_dead_leases()
    tombstones = items.tombstones()
    for source, reason in read_blocklist(store.manifests).items():
        if source not in tombstones:
            items.bury(source, reason)
    return Crawl(recipe, store, items, site, time.time, tuple(sources), tell=tell)


def check_site(crawl: Crawl) -> None:
    """Ask for what is known to be good, where there is such a recording, before anything else.

    Where it does not come the breaker opens, as in the midst of a crawl. `StopRun` where the site
    answers and the downloader cannot read it. Nothing is asked while a breaker is open.
    """
    if network_opens_s(crawl):
        return
    try:
        crawl.site.check_canary()
    except SessionBlocked as error:
        open_breaker(crawl, error)
    except (RetryLater, RejectEntry) as error:
        message = f"what is known to be good does not come: {error}"
        is_away = error.reason is Reason.UNREACHABLE
        reason = Reason.UNREACHABLE if is_away else Reason.REFUSED
        open_breaker(crawl, SessionBlocked(message, crawl.patience.breaker_s, reason=reason))


def discover_new(crawl: Crawl, *, full: bool = False) -> int:
    """List every source and add what is new; how many items that were.

    A source that does not answer is told and passed over; a site that refuses us opens
    its breaker and ends the round. Nothing is listed while it is open.
    """
    rests_s = network_opens_s(crawl)
    if rests_s:
        crawl.note(f"nothing is listed: the network rests for another {rests_s:.0f} s")
        return 0
    dataset = crawl.recipe.name
    passed = crawl.items.passed(dataset)
    new = 0
    for source in crawl.sources:
        origin = origin_of(source)
        listings = iter(_list(crawl, source, full=full or origin not in passed))
        try:
            # What came before a source broke off is kept: batches, not one big transaction.
            while batch := list(islice(listings, _BATCH)):
                new += crawl.items.add([Item(dataset, listing, origin) for listing in batch])
        except SessionBlocked as error:
            open_breaker(crawl, error)
            break
        except (RetryLater, RejectEntry) as error:
            crawl.note(f"{origin} could not be listed: {error}")
        else:
            crawl.items.end_pass(dataset, origin, crawl.now())
    return new


def _list(crawl: Crawl, source: CrawlSource, *, full: bool) -> Iterable[Listing]:
    if source.file:
        return read_id_list(source.file, site=source.site)
    known_ids = crawl.items.known_ids(crawl.recipe.name, origin_of(source))
    ref = f"{source.site}:{source.ref}"
    return discover(crawl.site, source.kind, ref, known=known_ids, full=full)


def work_off(crawl: Crawl, *, most: int | None = None) -> int:
    """Bring due items as far as the network takes them; how many were touched.

    Ends when nothing is due, when the breaker is open, or after `most` items.
    """
    touched = 0
    while most is None or touched < most:
        if network_opens_s(crawl):
            break
        leased = crawl.items.lease(
            crawl.recipe.name,
            NETWORK_STATES,
            limit=1,
            now_s=crawl.now(),
            lease_s=crawl.patience.lease_s,
        )
        if not leased:
            break
        bring(crawl, leased[0])
        touched += 1
    return touched


def bring(crawl: Crawl, item: Item) -> None:
    """Take one leased item through parsing, matching and fetching, or to where it stops."""
    steps = {states.FOUND: _parse, states.PARSED: _match, states.MATCHED: _fetch}
    with dropping_lost(crawl, item), holding(crawl, [item]):
        while item.state in steps:
            step = steps[item.state]
            name = step.__name__.strip("_")
            try:
                item = step(crawl, item)
            except SessionBlocked as error:
                open_breaker(crawl, error)
                return
            except RetryLater as error:
                later(crawl, item, name, error)
                return
            except NoMatch as error:
                put_aside(crawl, replace(item, evidence=error.evidence), name, error.why)
                return
            except RejectEntry as error:
                put_aside(crawl, item, name, error)
                return


class NoMatch(SymMVError):
    """No candidate is the official video of a song: `why`, with the `evidence` of each."""

    def __init__(self, why: RejectEntry, evidence: str) -> None:
        super().__init__(str(why))
        self.why, self.evidence = why, evidence


def _parse(crawl: Crawl, item: Item) -> Item:
    listing = item.listing
    if not listing.title:
        listing = crawl.site.details(item.source)
    listing = _of_kind(crawl, item, listing)
    habits = crawl.habits_of(item)
    try:
        parsed = parse_title(listing.title, channel=listing.channel, habits=habits)
    except RejectEntry:
        if crawl.recipe.pairs:
            raise
        # A video that is its own music needs no search: its title is only a label.
        parsed = ParsedTitle("", listing.title, 0.0)
    if crawl.recipe.pairs:
        return _advance(crawl, item, states.PARSED, listing=listing, parsed=parsed)
    return _advance(
        crawl, item, states.MATCHED, listing=listing, parsed=parsed, official=listing, score=1.0
    )


def _of_kind(crawl: Crawl, item: Item, listing: Listing) -> Listing:
    """Give the listing of an item of a kind that its source is to give, with its page where asked.

    Lists say neither category nor tags: where the title tells nothing, the page is asked once.
    Raises `RejectEntry` WRONG_KIND.
    """
    kinds = crawl.kinds_of(item)
    if kinds and not kind_of_listing(listing) and not listing.categories:
        listing = crawl.site.details(item.source)
    kind = kind_of_listing(listing)
    if kinds and kind and kind not in kinds:
        detail = f"it is of the kind {kind}; its source is for {', '.join(kinds)}"
        raise RejectEntry(Reason.WRONG_KIND, detail)
    return listing


def _advance(crawl: Crawl, item: Item, state: str, **changes: Any) -> Item:
    """Store the item in its next state, still leased by us."""
    held_until_s = crawl.held_until_s()
    return crawl.items.advance(item, state, held_until_s=held_until_s, **changes)


def _match(crawl: Crawl, item: Item) -> Item:
    if item.parsed is None:
        raise RejectEntry(Reason.UNPARSABLE_TITLE, "the item was stored without its title")
    scored, unreachable = _candidates(crawl, item, item.parsed)
    evidence = json.dumps(
        [_plain(each) for each in scored]
        + [_plain(each) | {"verdict": "reject", "gone": str(error)} for each, error in unreachable]
    )
    if not scored or scored[0].verdict == "reject":
        best_text = f"the best of {len(scored)} scores {scored[0].score:.2f}" if scored else "none"
        query = f"{item.parsed.artist} - {item.parsed.title}"
        no_match = RejectEntry(Reason.NO_MATCH, f"no official video of {query}: {best_text}")
        raise NoMatch(unreachable[0][1] if unreachable else no_match, evidence)
    best = scored[0]
    facts: dict[str, Any] = {
        "official": best.listing,
        "score": best.score,
        "evidence": evidence,
    }
    if best.verdict == "accept":
        return _advance(crawl, item, states.MATCHED, **facts)
    return crawl.items.advance(item, states.REVIEW, **facts)


def _candidates(
    crawl: Crawl, item: Item, song: ParsedTitle
) -> tuple[list[ScoredListing], list[tuple[ScoredListing, RejectEntry]]]:
    """Rank what a search finds, best first; gives also what ranked better but is not to be had."""
    tombstones = crawl.items.tombstones()
    listings = [
        listing
        for listing in crawl.site.search(query_of(song), crawl.candidates)
        if listing.source != item.source and listing.source not in tombstones
    ]
    cover: dict[str, Any] = {
        "cover_duration_s": item.listing.duration_s,
        "cover_uploaded": item.listing.uploaded,
    }
    unreachable: list[tuple[ScoredListing, RejectEntry]] = []
    scored = rank(song, listings, **cover)
    # Results come flat; the page of the best says more of its channel. Rank it with that.
    while scored and scored[0].verdict != "reject":
        others = [each.listing for each in scored[1:]]
        try:
            best = crawl.site.details(scored[0].listing.source)
        except RejectEntry as error:
            unreachable.append((scored[0], error))
            scored = rank(song, others, **cover)
        else:
            return rank(song, [best, *others], **cover), unreachable
    return scored, unreachable


def _plain(scored: ScoredListing) -> dict[str, Any]:
    return {
        "url": scored.listing.source.url,
        "title": scored.listing.title,
        "channel": scored.listing.channel,
        "score": scored.score,
        "verdict": scored.verdict,
        "parts": dict(scored.parts),
    }


def _reads_captions(recipe: Recipe) -> bool:
    """Check whether a step of a recipe reads the subtitles of a video."""
    return any(use.step.name == "lyrics" for use in recipe.known)


def _fetch(crawl: Crawl, item: Item) -> Item:
    if item.official is None:
        raise RejectEntry(Reason.NO_MATCH, "the item was stored without its official video")
    root, ledger = crawl.store.root, crawl.store.ledger
    video = item.official.source
    if video != item.source:
        fetch(crawl.site, item.source, root, ledger, kind="audio")
        crawl.refusals.clear()
    fetch(crawl.site, video, root, ledger, kind="video", captions=_reads_captions(crawl.recipe))
    crawl.refusals.clear()
    try:
        return crawl.items.advance(item, states.FETCHED)
    except LeaseLost:
        # A takedown outranks leases: what it barred while it was being fetched goes again.
        for source in {item.source, video} & crawl.items.tombstones().keys():
            forget_fetched(root, ledger, source)
        raise


def due_in_s(crawl: Crawl, of_states: Sequence[str] = NETWORK_STATES) -> float | None:
    """Give the seconds until something is due again; `None` where nothing waits."""
    soonest = crawl.items.next_due_s(crawl.recipe.name, of_states)
    return None if soonest is None else max(0.0, soonest - crawl.now(), network_opens_s(crawl))
