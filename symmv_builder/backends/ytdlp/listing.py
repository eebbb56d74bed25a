"""Where lists of videos are, and what their entries say.

A reference is what a person writes into a list of sources: a channel's handle or id, a
playlist's id, words to search for, ids. Addresses are made from what was checked here,
never taken as they come.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any

from symmv_builder.errors import UnknownName, WrongSetting
from symmv_builder.records import Listing, Source

KINDS = ("channel", "playlist", "search", "feed", "ids")
SEARCH_KEYS = {"youtube": "ytsearch", "bilibili": "bilisearch", "demo": "symmvdemosearch"}
_LONGEST_QUERY = 200
_LONGEST_DESCRIPTION = 5000
_LONGEST_WORD = 200
_MOST_TAGS = 100

_NAME = r"[a-z0-9][a-z0-9-]{0,39}"
_CHANNEL_ID = r"UC[A-Za-z0-9_-]{22}"
# What may stand for a list of each kind on each site, and where that list is.
_LISTS: dict[tuple[str, str], tuple[tuple[str, str], ...]] = {
    ("youtube", "channel"): (
        (_CHANNEL_ID, "https://www.youtube.com/channel/{}/videos"),
        (r"@[\w.·-]{3,60}", "https://www.youtube.com/{}/videos"),
    ),
    ("youtube", "playlist"): (
        (r"(?:PL|UU|OL|FL)[A-Za-z0-9_-]{10,80}", "https://www.youtube.com/playlist?list={}"),
    ),
    ("youtube", "feed"): ((_CHANNEL_ID, "https://www.youtube.com/feeds/videos.xml?channel_id={}"),),
    ("bilibili", "channel"): ((r"\d{1,20}", "https://space.bilibili.com/{}/video"),),
    ("demo", "channel"): ((_NAME, "symmvdemo:channel:{}"),),
    ("demo", "playlist"): ((_NAME, "symmvdemo:playlist:{}"),),
    ("demo", "feed"): ((_NAME, "{site}/feeds/videos.xml?channel_id={}"),),
}
_PASTED = re.compile(
    r"https://(?:www\.|m\.)?youtube\.com/(?:channel/|playlist\?list=)?"
    r"(?P<ref>[^/?&#]+)(?:/(?:videos|featured)?)?$"
)


@dataclass(frozen=True, slots=True)
class Place:
    """A list on a site: its address for yt-dlp, or the ids themselves."""

    site: str
    kind: str
    address: str = ""
    sources: tuple[Source, ...] = ()


def place(kind: str, ref: str, *, default_site: str, limit: int) -> Place:
    """Resolve a reference to the place of a list; a leading ``site:`` names another site.

    `StopRun` for a reference that means nothing: somebody's list of sources is wrong.
    """
    if kind not in KINDS:
        raise UnknownName("kind of source", kind, tuple(KINDS))
    if default_site not in SEARCH_KEYS:
        raise UnknownName("site", default_site, tuple(SEARCH_KEYS))
    if kind == "ids":
        return Place(default_site, kind, sources=_sources(ref, default_site))
    site, name = _split(ref.strip(), default_site)
    if kind == "search":
        return Place(site, kind, f"{SEARCH_KEYS[site]}{limit}:{plain_query(name)}")
    pasted = _PASTED.match(name)
    name = pasted["ref"] if pasted else name
    for pattern, address in _LISTS.get((site, kind), ()):
        if re.fullmatch(pattern, name):
            return Place(site, kind, address.replace("{}", name))
    raise WrongSetting("ref", ref, f"that is not a {kind} of {site}")


def plain_query(words: str) -> str:
    """Write words to search for on one line and of bounded length."""
    query = " ".join(text(words).split())[:_LONGEST_QUERY]
    if not query:
        raise WrongSetting("query", words, "there are no words to search for")
    return query


def _split(ref: str, default_site: str) -> tuple[str, str]:
    site, colon, name = ref.partition(":")
    return (site, name.strip()) if colon and site in SEARCH_KEYS else (default_site, ref)


def _sources(ref: str, default_site: str) -> tuple[Source, ...]:
    sources = []
    for item in re.split(r"[\s,]+", ref.strip()):
        site, name = _split(item, default_site)
        try:
            sources.append(Source(site, name))
        except ValueError as error:
            raise WrongSetting("ids", ref, f"the list of ids is wrong: {error}") from error
    return tuple(dict.fromkeys(sources))


def text(value: object, limit: int | None = None) -> str:
    """Clean a site's text of characters that no file and no database can hold."""
    if not isinstance(value, str):
        return ""
    return value.encode("utf-8", "replace").decode().replace("\0", "")[:limit]


def to_listing(
    entry: Mapping[str, Any], site: str, around: Mapping[str, Any] | None = None
) -> Listing | None:
    """Convert yt-dlp's entry to a listing; `None` where it is not a video of the site.

    `around` is the list that the entry stands in: channels' entries leave out the channel.
    """
    name = str(entry.get("id"))
    if site == "bilibili":
        # The first part of a video in several parts stands for the video.
        name = name.removesuffix("_p1")
    try:
        source = Source(site, name)
    except ValueError:
        return None

    def first(*names: str) -> Any:
        values = (d.get(name) for d in (entry, around or {}) for name in names)
        return next((value for value in values if value not in (None, "")), None)

    uploaded = str(entry.get("upload_date") or "")
    return Listing(
        source=source,
        title=text(entry.get("title")),
        channel=text(first("channel", "uploader")),
        channel_id=text(first("channel_id", "uploader_id")),
        channel_is_verified=bool(first("channel_is_verified")),
        duration_s=_number(entry.get("duration")),
        view_count=None if (views := _number(entry.get("view_count"))) is None else int(views),
        categories=tuple(filter(None, (text(name) for name in entry.get("categories") or ()))),
        description=text(entry.get("description"), _LONGEST_DESCRIPTION),
        live_status=text(entry.get("live_status")),
        uploaded=uploaded if re.fullmatch(r"\d{8}", uploaded) else "",
        language=text(entry.get("language"), _LONGEST_WORD),
        licence=text(entry.get("license"), _LONGEST_WORD),
        tags=_tags(entry.get("tags")),
    )


def _tags(value: object) -> tuple[str, ...]:
    """List the first of an uploader's tags."""
    tags = value[:_MOST_TAGS] if isinstance(value, list) else []
    return tuple(filter(None, (text(tag, _LONGEST_WORD) for tag in tags)))


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and value >= 0 else None


def read_feed(xml: str, site: str) -> list[Listing]:
    """Parse a channel's feed: its videos, in order.

    Read tag by tag: a feed is untrusted, and no entity of it is ever expanded.
    """
    reader = _Feed()
    reader.feed(xml)
    reader.close()
    return [listed for item in reader.items if (listed := to_listing(item, site)) is not None]


class _Feed(HTMLParser):
    """Collects the few tags of a feed that say something of a video."""

    _FIELDS: Mapping[str, str] = {
        "yt:videoid": "id",
        "title": "title",
        "published": "published",
        "name": "channel",
        "yt:channelid": "channel_id",
        "media:description": "description",
    }

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.items: list[dict[str, str]] = []
        self._inside = False
        self._field = ""

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag == "entry":
            self.items.append({})
            self._inside = True
        self._field = self._FIELDS.get(tag, "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "entry" and self.items:
            self._inside = False
            published = self.items[-1].get("published", "")[:10]
            self.items[-1]["upload_date"] = published.replace("-", "")
        self._field = ""

    def handle_data(self, data: str) -> None:
        if self._inside and self._field:
            text_so_far = self.items[-1].get(self._field, "")
            self.items[-1][self._field] = text_so_far + data
