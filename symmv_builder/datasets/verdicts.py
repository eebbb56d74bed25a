"""What becomes of an item that failed: it waits, is asked again on another day, or is put aside.

A site's word that a recording is gone (removed, private, ...) counts when the site says so again
on another day: until then the item waits with `refused_s`. When one video after the other is
refused for the same reason, it may be us who are refused. Then a recording that is known to be
good is asked for: the canary, or one that came before. If that does not come either, a breaker
opens and what was said of the others is taken back. A run of first refusals opens it in any case.
The run is counted by each process for itself; the second day guards those that count to less.
"""

import random
from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace

from symmv_builder.crawl.fetch import discard
from symmv_builder.datasets.job import Crawl, Refusal, open_breaker
from symmv_builder.errors import Reason, RejectEntry, RetryLater, SessionBlocked, SymMVError
from symmv_builder.pipeline.events import Event
from symmv_builder.records import Source
from symmv_builder.storage import items as states
from symmv_builder.storage.assets import has_asset
from symmv_builder.storage.items import Item, Items, LeaseLost, entry_id_of
from symmv_builder.storage.sidecars import Sidecars
from symmv_builder.storage.store import Store

# What a site says of a recording. All of it can be said of us as well, or change overnight.
SAID_BY_SITES = frozenset(
    {
        Reason.VIDEO_REMOVED,
        Reason.VIDEO_PRIVATE,
        Reason.COPYRIGHT,
        Reason.GEO_BLOCKED,
        Reason.AGE_RESTRICTED,
        Reason.MEMBERS_ONLY,
        Reason.DRM,
        Reason.SOURCE_GONE,
    }
)
_CAME = (states.FETCHED, states.PROPOSED, states.PROMOTED)
_WITNESSES = 2
# The state that an item had before a step of the crawl; other steps screen what was fetched.
_BEFORE = {"parse": states.FOUND, "match": states.PARSED, "fetch": states.MATCHED}


def put_aside(crawl: Crawl, item: Item, step: str, error: RejectEntry) -> None:
    """Reject an item; what a site says of its recordings only when it says so on two days."""
    if error.reason not in SAID_BY_SITES:
        reject(crawl, item, step, error)
        return
    now_s = crawl.now()
    first_s = item.refused_s or now_s
    asked_s = first_s + crawl.patience.confirm_s
    if now_s >= asked_s:
        after = reject(crawl, item, step, error)
    else:
        after = crawl.items.save(
            replace(
                item,
                refused_s=first_s,
                next_try_s=asked_s + random.uniform(0.0, crawl.patience.first_wait_s),
                step=step,
                detail=f"asked again on another day: {error}",
            )
        )
        wait_s = after.next_try_s - now_s
        crawl.note(f"asked again in {wait_s:.0f} s: {error}", entry_id_of(item.source))
    _count(crawl, Refusal(error.reason, item, after, is_first=now_s < asked_s))


def later(crawl: Crawl, item: Item, step: str, error: RetryLater) -> None:
    """Let an item wait, longer each time; reject it when its attempts are used up."""
    attempts = item.attempts + 1
    if attempts >= crawl.patience.attempts:
        detail = f"given up after {attempts} attempts: {error}"
        after = reject(crawl, item, step, RejectEntry(error.reason, detail))
    else:
        wait_s = crawl.patience.wait_s(attempts, error.after_s)
        after = crawl.items.save(
            replace(
                item,
                attempts=attempts,
                next_try_s=crawl.now() + wait_s,
                step=step,
                detail=str(error),
            )
        )
        crawl.note(f"again in {wait_s:.0f} s: {error}", entry_id_of(item.source))
    _count(crawl, Refusal(error.reason, item, after, is_first=False))


def reject(crawl: Crawl, item: Item, step: str, error: RejectEntry) -> Item:
    """Put an item aside for good, with the reason; what came of its recordings is removed."""
    rejected = crawl.items.save(
        replace(item, state=states.REJECTED, step=step, reason=error.reason, detail=error.detail)
    )
    for source in _sources(item):
        discard(crawl.store.root, source)
    name = entry_id_of(item.source)
    crawl.tell(Event("rejected", name, step, reason=error.reason, detail=error.detail))
    return rejected


def _sources(item: Item) -> set[Source]:
    return {item.source, item.official.source if item.official else item.source}


def _count(crawl: Crawl, refusal: Refusal) -> None:
    """Add a refusal to the run of its equals, and open the breaker where the run is too long."""
    site, run = refusal.before.source.site, crawl.refusals
    if run and (run[-1].reason, run[-1].before.source.site) != (refusal.reason, site):
        run.clear()
    run[:] = [one for one in run if one.before.source != refusal.before.source]
    run.append(refusal)
    if len(run) < crawl.patience.run:
        return
    whole, is_true = list(run), _something_comes(crawl, site)
    run.clear()
    # Those whose second refusal is due come together, however well the site treats us.
    if is_true and not all(one.is_first for one in whole):
        return
    if not is_true:
        for one in whole:
            _take_back(crawl, one)
    message = f"{len(whole)} recordings of {site} one after the other: {refusal.reason}"
    # Nothing answered, or the site refuses us in the words that it has for others.
    reason = refusal.reason if refusal.reason is Reason.UNREACHABLE else Reason.REFUSED
    open_breaker(crawl, SessionBlocked(message, crawl.patience.breaker_s, reason=reason))


def _something_comes(crawl: Crawl, site: str) -> bool:
    """Check whether the site still gives what is known to be good."""
    canary = crawl.site.canary
    witnesses = [canary] if canary is not None and canary.site == site else []
    earlier = crawl.items.some(crawl.recipe.name, site, _CAME, _WITNESSES)
    for source in [*witnesses, *(item.source for item in earlier)]:
        with suppress(SymMVError):
            crawl.site.details(source)
            return True
    return False


def _take_back(crawl: Crawl, refusal: Refusal) -> None:
    """Put an item back to where it was before its refusal; others are asked before it is."""
    again_s = crawl.now() + crawl.patience.breaker_s * random.uniform(1.0, 2.0)
    with suppress(LeaseLost):
        crawl.items.save(replace(refusal.before, next_try_s=again_s, version=refusal.after.version))


def try_again(items: Items, store: Store, dataset: str, reasons: Collection[Reason]) -> int:
    """Put rejected items back before the step that rejected them; gives their number.

    What screening said is forgotten with it. Recordings that are in the store no more are
    fetched again.
    """
    rejected = [item for item in items.find(dataset, [states.REJECTED]) if item.reason in reasons]
    count = 0
    for item in rejected:
        state = _BEFORE.get(item.step, states.FETCHED)
        if state == states.FETCHED:
            _forget_screening(store, item)
            if not all(_is_stored(store, source) for source in _sources(item)):
                state = states.MATCHED
        with suppress(LeaseLost):
            items.advance(item, state)
            count += 1
    return count


def _forget_screening(store: Store, item: Item) -> None:
    entry_id = entry_id_of(item.source)
    for result in store.ledger.results(item.dataset, entry_id):
        if result.reason == item.reason:
            Sidecars(store.root, item.dataset).forgive(entry_id, result.artifact, result.key)
            store.ledger.forget_results(item.dataset, entry_id, result.artifact)


def _is_stored(store: Store, source: Source) -> bool:
    sha256 = store.ledger.asset_of(source.site, source.video_id)
    return sha256 is not None and has_asset(store.root, sha256)
