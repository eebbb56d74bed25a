"""One recording of a site that a person names by a link, under the rules of the crawl.

It is fetched as a crawl fetches: what was taken down stays away, nobody asks a site while a breaker
is open, sizes and lengths have limits, and a site that refuses us opens the breaker for everybody.
Nothing is stored: the file lies in a folder of the caller's.
"""

import time
from collections.abc import Callable
from pathlib import Path

from symmv_builder.crawl.fetch import Fetcher
from symmv_builder.datasets.job import BREAKERS, Patience, breaker_of
from symmv_builder.errors import Reason, RejectEntry, RetryLater, SessionBlocked
from symmv_builder.records import Source
from symmv_builder.storage import manifests
from symmv_builder.storage.assets import hash_file
from symmv_builder.storage.items import Items, entry_id_of
from symmv_builder.storage.store import Store


def name_of_source(source: Source) -> str:
    """Name the music for a recording of a site."""
    return entry_id_of(source)


def check_allowed(store: Store, source: Source, now: Callable[[], float] = time.time) -> None:
    """Raise `RejectEntry` where a data root bars a recording, for good or for now."""
    reason = manifests.read_blocklist(store.manifests).get(source)
    items = Items(store.ledger)
    reason = items.tombstones().get(source) if reason is None else reason
    if reason is not None:
        raise RejectEntry(
            Reason.COPYRIGHT, f"it was taken down and is not fetched again: {reason or 'no reason'}"
        )
    for name, message in BREAKERS.items():
        rest = items.breaker(name)
        if rest and rest[0] > now():
            raise RejectEntry(
                Reason.REFUSED,
                f"{message}; the network rests for another {rest[0] - now():.0f} s: {rest[1]}",
            )


def fetch_linked(site: Fetcher, source: Source, folder: Path, store: Store) -> Path:
    """Fetch the recording as a video file in `folder`, called as its music will be.

    `RejectEntry` where the site says that there is none or refuses it, where it is above the limits
    of the crawl (size, length), and where its contents were taken down.
    """
    try:
        download = site.download(source, folder, kind="video")
    except SessionBlocked:
        raise
    except RetryLater as error:
        raise RejectEntry(error.reason, f"{error}; try again later") from error
    if hash_file(download.path) in manifests.blocked_contents(store.manifests):
        download.path.unlink()
        raise RejectEntry(Reason.COPYRIGHT, "its contents were taken down under another name")
    return download.path.rename(
        download.path.with_name(f"{name_of_source(source)}{download.path.suffix}")
    )


def keep_away(store: Store, error: SessionBlocked, now: Callable[[], float] = time.time) -> float:
    """Open the breaker for a refusal, for every process of a data root; for how many seconds."""
    name, wait_s = breaker_of(error, Patience())
    Items(store.ledger).open_breaker(name, now() + wait_s, str(error))
    return wait_s
