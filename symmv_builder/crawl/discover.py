"""Which recordings there are: channels, playlists, searches, feeds and lists of ids.

Lists are read flat, without opening the videos, and incrementally: a channel is left
when only known videos come. That is right as long as earlier passes went through; after
one that broke off in the middle, older videos hide behind known ones and only a full
pass finds them, so that a caller asks for a full pass until one has ended.
"""

from collections.abc import Iterator, Set
from typing import Protocol

from symmv_builder.records import Listing


class Lister(Protocol):
    """The lister of a site's recordings: `backends.ytdlp.Downloader`."""

    def list_source(
        self,
        kind: str,
        ref: str,
        *,
        known: Set[str],
        full: bool,
        limit: int | None,
        site: str | None,
    ) -> Iterator[Listing]: ...


def discover(
    lister: Lister,
    kind: str,
    ref: str,
    *,
    known: Set[str] = frozenset(),
    full: bool = False,
    limit: int | None = None,
    site: str | None = None,
) -> Iterator[Listing]:
    """List videos of one source that are not among the `known` ids, each once, as they are found.

    `kind` is channel, playlist, search, feed or ids, `site` where the reference names no
    other (by default the lister's first); `limit` bounds how many are new, and
    how many results a search asks for. Raises what the lister raises: `SessionBlocked`,
    `RetryLater`, `StopRun` for a reference that means nothing, `RejectEntry` with
    SOURCE_GONE.
    """
    listed: set[str] = set()
    for listing in lister.list_source(kind, ref, known=known, full=full, limit=limit, site=site):
        if listing.source.video_id not in listed:
            listed.add(listing.source.video_id)
            yield listing
