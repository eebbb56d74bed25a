"""Extractors of the loopback video site, for the yt-dlp that tests and the demo run.

``symmvdemo:watch:ID``, ``symmvdemo:channel:NAME``, ``symmvdemo:playlist:NAME`` and
``symmvdemosearchN:WORDS`` are resolved against the site that SYMMV_DEMO_SITE names.
A refusal is raised as yt-dlp raises it for the largest real site: same classes, same
words, so that what is tested here holds there.
"""

import itertools
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from yt_dlp.extractor.common import InfoExtractor, SearchInfoExtractor
from yt_dlp.networking.exceptions import HTTPError
from yt_dlp.utils import ExtractorError

Facts: TypeAlias = dict[str, Any]

__all__ = [
    "SymmvDemoChannelIE",
    "SymmvDemoIE",
    "SymmvDemoPlaylistIE",
    "SymmvDemoSearchIE",
]

_LOGIN = (
    "Use --cookies-from-browser or --cookies for the authentication. "
    "See  https://github.com/yt-dlp/yt-dlp/wiki/FAQ#how-do-i-pass-cookies-to-yt-dlp  "
    "for how to manually pass cookies"
)
_RATE_LIMITED = (
    "The current session has been rate-limited by YouTube for up to an hour. It is recommended "
    "to use `-t sleep` to add a delay between video requests to avoid exceeding the rate limit."
)
_GEO = "The uploader has not made this video available in your country"


class _SymmvDemoPages(InfoExtractor):  # type: ignore[misc]
    """The part that all extractors of the site share: where it is, how its pages are read."""

    def _site(self) -> str:
        site = os.environ.get("SYMMV_DEMO_SITE", "")
        if not re.fullmatch(r"http://127\.0\.0\.1:\d+", site):
            raise ExtractorError(
                "SYMMV_DEMO_SITE is not the address of a site on loopback", expected=True
            )
        return site

    def _data(self, path: str, name: str, query: Mapping[str, Any] | None = None) -> Facts:
        page = self._download_webpage(self._site() + path, name, query=query or {})
        data: Facts = self._search_json(r'<script[^>]+id="data">', page, "data", name)
        return data

    def _entries(
        self, path: str, name: str, query: Mapping[str, Any] | None = None
    ) -> Iterator[Facts]:
        """Iterate over a list's entries; a page is read when its first entry is asked for."""
        for number in itertools.count(1):
            data = self._data(path, name, {**(query or {}), "page": number})
            for item in data["entries"]:
                yield self.url_result(
                    f"symmvdemo:watch:{item['id']}", SymmvDemoIE, item["id"], **_facts(item)
                )
            if not data["more"]:
                return


def _facts(item: Facts) -> Facts:
    return {
        "title": item["title"],
        "channel": item["channel"],
        "channel_id": item["channel_id"],
        "channel_is_verified": item["verified"],
        "description": item["description"],
        "duration": item["duration_s"],
        "view_count": item["views"],
        "categories": [item["category"]],
        "upload_date": item["uploaded"],
        "live_status": item["live_status"],
    }


class SymmvDemoIE(_SymmvDemoPages):
    IE_NAME = "symmvdemo"
    IE_DESC = False
    _VALID_URL = r"symmvdemo:watch:(?P<id>[A-Za-z0-9_-]{11})$"

    def _real_extract(self, url: str) -> Any:
        video_id = self._match_id(url)
        try:
            data = self._data("/watch", video_id, {"v": video_id})
        except ExtractorError as error:
            if isinstance(error.cause, HTTPError) and error.cause.status == 404:
                self.raise_no_formats("Video unavailable", expected=True, video_id=video_id)
            raise
        if not data["formats"]:
            self._refuse(data, video_id)
        return {
            "id": video_id,
            **_facts(data),
            "formats": [self._format(item) for item in data["formats"]],
            "subtitles": {
                name: [{"url": self._site() + address, "ext": "vtt"}]
                for name, address in data["captions"].items()
            },
        }

    def _refuse(self, data: Facts, video_id: str) -> None:
        """Raise what yt-dlp's own extractor raises for the reason that the page gives."""
        if data["drm"]:
            self.report_drm(video_id)
        reason, subreason = data["reason"], data["subreason"]
        if subreason.startswith(_GEO):
            self.raise_geo_restricted(subreason, ["AX"], metadata_available=True)
        if subreason:
            reason += f". {subreason}"
        if "sign in" in reason.lower():
            reason = f"{reason.rstrip('.')}. {_LOGIN}"
        elif "This content isn't available, try again later" in reason:
            reason = f"{reason.rstrip('.')}. {_RATE_LIMITED}"
        if reason:
            self.raise_no_formats(reason, expected=True)

    def _format(self, item: Facts) -> Facts:
        return {
            "format_id": item["format"],
            "url": self._site() + item["address"],
            "ext": item["extension"],
            "filesize": item["size_bytes"],
            "height": item["height"],
            "vcodec": "none" if item["height"] is None else "h264",
            "acodec": "aac" if item["audio"] else "none",
        }


class SymmvDemoChannelIE(_SymmvDemoPages):
    IE_NAME = "symmvdemo:channel"
    IE_DESC = False
    _VALID_URL = r"symmvdemo:channel:(?P<id>[a-z0-9-]+)$"

    def _real_extract(self, url: str) -> Any:
        name = self._match_id(url)
        return self.playlist_result(self._entries(f"/channel/{name}", name), name)


class SymmvDemoPlaylistIE(_SymmvDemoPages):
    IE_NAME = "symmvdemo:playlist"
    IE_DESC = False
    _VALID_URL = r"symmvdemo:playlist:(?P<id>[a-z0-9-]+)$"

    def _real_extract(self, url: str) -> Any:
        name = self._match_id(url)
        return self.playlist_result(self._entries(f"/playlist/{name}", name), name)


class SymmvDemoSearchIE(_SymmvDemoPages, SearchInfoExtractor):  # type: ignore[misc]
    IE_NAME = "symmvdemo:search"
    IE_DESC = False
    _SEARCH_KEY = "symmvdemosearch"

    def _search_results(self, query: str) -> Iterator[Facts]:
        return self._entries("/results", "search", {"q": query})
