"""yt-dlp as a library, behind one class that lists, searches and downloads."""

import io
import os
import time
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from symmv_builder.backends.ytdlp import bounds, listing, toolchain
from symmv_builder.backends.ytdlp.bounds import Bounds
from symmv_builder.backends.ytdlp.captions import CaptionFile, fetch_captions
from symmv_builder.backends.ytdlp.failures import MediaRefused, ToolchainBroken, translate
from symmv_builder.backends.ytdlp.politeness import MessageFilter, Politeness, Redaction
from symmv_builder.backends.ytdlp.ydl_options import (
    EXTRACTORS,
    check_formats,
    download_options,
    format_choice,
    options,
)
from symmv_builder.errors import (
    Reason,
    RetryLater,
    SessionBlocked,
    SiteNotCrawled,
    SymMVError,
    UnknownName,
)
from symmv_builder.records import Listing, Source

# The first video that YouTube ever had, and a good canary.
CANARY = Source("youtube", "jNQXAC9IVRw")
# A page of a channel: so many known in a row, and what follows is known too.
KNOWN_IN_A_ROW = 30
_MOST_REDIRECTIONS = 3
_FEED_BYTES = 4 << 20
# What answers while a site is there at all, and how long to wait for it.
_FRONT_PAGES = {
    "youtube": "https://www.youtube.com/robots.txt",
    "bilibili": "https://www.bilibili.com/robots.txt",
    "demo": "{site}/",
}
_FRONT_PAGE_S = 10.0
_OUTAGE_S = 300.0

Kind = Literal["audio", "video"]


@dataclass(frozen=True, slots=True)
class Downloaded:
    """A file that is there as a whole, what the site says of it, and the formats taken.

    `captions` are its subtitles, where they were asked for and are there.
    """

    path: Path
    listing: Listing
    formats: tuple[str, ...]
    captions: CaptionFile | None = None


class Downloader:
    """Lists and recordings from some sites. One thread at a time.

    The first of `sites` is meant where a reference names none. A `canary` is a video that
    is known to be good: when yt-dlp fails as it does when a site has changed, the canary
    tells whether the whole run is in vain or one recording.
    """

    def __init__(
        self,
        politeness: Politeness | None = None,
        *,
        sites: Sequence[str] = ("youtube", "bilibili"),
        canary: Source | None = None,
    ) -> None:
        unknown = [site for site in sites if site not in EXTRACTORS]
        if unknown or not sites:
            raise UnknownName("site to crawl", ", ".join(unknown), tuple(EXTRACTORS))
        self._politeness = politeness or Politeness()
        self._sites, self._canary = tuple(sites), canary
        self._cookies = self._politeness.read_cookies()
        self._last_request_s: float | None = None
        toolchain.check_version()
        if "demo" in sites:
            toolchain.load_demo_extractors()

    @property
    def canary(self) -> Source | None:
        """A recording that is known to be good, where one was given."""
        return self._canary

    def check_toolchain(self) -> None:
        """Raise `StopRun` where a program is missing without which the sites cannot be read.

        Nothing is asked of a site.
        """
        if "youtube" in self._sites:
            toolchain.check_javascript(self._politeness.javascript)

    def check_canary(self) -> None:
        """Raise `StopRun` where yt-dlp reads nothing of the canary: the site has changed.

        Raises what keeps it from being asked: `SessionBlocked`, `RetryLater`, `RejectEntry`.
        """
        if self._canary is not None and not self._has_formats(self._canary):
            raise ToolchainBroken(
                f"yt-dlp finds no format of {self._canary.url}, which is known to be good; "
                "update yt-dlp and deno"
            )

    def list_source(
        self,
        kind: str,
        ref: str,
        *,
        known: Set[str] = frozenset(),
        full: bool = False,
        limit: int | None = None,
        site: str | None = None,
    ) -> Iterator[Listing]:
        """List what a channel, playlist, search, feed or list of ids holds and `known` does not.

        `site` is meant where the reference names none, by default the first. Lists are
        read lazily. A channel's list, whose newest come first, is left after
        `KNOWN_IN_A_ROW` known ones unless the pass is `full`. Videos of an id list come
        without a title: ask `details`. Raises `RetryLater`, `SessionBlocked`,
        `StopRun`, and `RejectEntry` SOURCE_GONE.
        """
        where = listing.place(kind, ref, default_site=site or self._sites[0], limit=limit or 50)
        if {where.site, *(source.site for source in where.sources)} - set(self._sites):
            raise SiteNotCrawled(ref, self._sites)
        count = in_a_row = 0
        for listed in self._entries(where):
            if listed.source.video_id in known:
                in_a_row += 1
                if kind == "channel" and not full and in_a_row >= KNOWN_IN_A_ROW:
                    return
                continue
            in_a_row = 0
            yield listed
            count += 1
            if count == limit:
                return

    def search(self, query: str, limit: int) -> list[Listing]:
        """List the first results of the first site for some words, in the site's order."""
        return list(self.list_source("search", f"{self._sites[0]}:{query}", limit=limit))

    def details(self, source: Source) -> Listing:
        """Read what the watch page says of one recording; raises as `download`."""
        info = self._extract(source)
        details = listing.to_listing(info, source.site)
        if details is None or details.source != source:
            raise RetryLater("the page is of another video", reason=Reason.UNKNOWN_FAILURE)
        return details

    def download(
        self, source: Source, folder: Path, *, kind: Kind, captions: bool = False
    ) -> Downloaded:
        """Fetch a recording into a folder; a partial file that lies there is continued.

        ``audio`` takes the best sound, ``video`` the best picture up to the height that
        is set, with sound. When the media's address has expired, the page is asked once
        more. With `captions` the subtitles that people wrote for it, in the video's own language
        where there are such, come as a file beside it. Raises `RejectEntry`,
        `RetryLater`, `SessionBlocked`, `StopRun`.
        """
        self._must_crawl(source)
        folder.mkdir(parents=True, exist_ok=True)
        try:
            return self._download_again(source, folder, kind, captions)
        except ToolchainBroken as error:
            broken = error
        # Outside of the handler: an error of the canary's must not be taken for this one.
        if self._canary in (None, source) or not self._has_formats(self._canary):
            raise broken
        raise RetryLater(str(broken), 3600.0, reason=Reason.NO_FORMATS)

    def _download_again(
        self, source: Source, folder: Path, kind: Kind, captions: bool
    ) -> Downloaded:
        """Download, and once more where the address of the media has expired."""
        with suppress(MediaRefused):
            return self._download(source, folder, kind, captions)
        return self._download(source, folder, kind, captions)

    def _must_crawl(self, source: Source) -> None:
        if source.site not in self._sites:
            raise SiteNotCrawled(source.url, self._sites)

    def _entries(self, where: listing.Place) -> Iterator[Listing]:
        if where.kind == "ids":
            yield from (Listing(source=source, title="") for source in where.sources)
        elif where.kind == "feed":
            yield from listing.read_feed(self._read_feed(where), where.site)
        else:
            with self._session("list", where.site) as ydl:
                info = _follow(ydl, where.address)
                for entry in info.get("entries") or ():
                    listed = listing.to_listing(entry or {}, where.site, info)
                    if listed is not None:
                        yield listed

    def _read_feed(self, where: listing.Place) -> str:
        from yt_dlp.networking import Request

        with self._session("list", where.site, same_host=True) as ydl:
            response = ydl.urlopen(Request(_on_site(where.address)))
            return bytes(response.read(_FEED_BYTES)).decode("utf-8", "replace")

    def _extract(self, source: Source) -> Mapping[str, Any]:
        self._must_crawl(source)
        with self._session("video", source.site) as ydl:
            return _follow(ydl, source.url)

    def _has_formats(self, source: Source | None) -> bool:
        """Check whether the canary sings; what keeps us from hearing it is raised."""
        try:
            return bool(source and self._extract(source).get("formats"))
        except ToolchainBroken:
            return False

    def _download(self, source: Source, folder: Path, kind: Kind, captions: bool) -> Downloaded:
        merger = toolchain.merging_program()
        options = download_options(source, folder, self._politeness, merger)
        with self._session("video", source.site, options) as ydl:
            can_merge = _can_merge(ydl)
            select = ydl.build_format_selector(
                format_choice(kind, self._politeness.max_height, can_merge=can_merge)
            )

            def choose(context: Mapping[str, Any]) -> Any:
                check_formats(context["formats"], kind, can_merge=can_merge)
                return select(context)

            ydl.format_selector = choose
            info = ydl.extract_info(source.url, download=True) or {}
            result = self._result(source, folder, info)
            if captions:
                result = replace(result, captions=fetch_captions(ydl, info, result.path))
        return result

    def _result(self, source: Source, folder: Path, info: Mapping[str, Any]) -> Downloaded:
        downloads: Sequence[Mapping[str, Any]] = info.get("requested_downloads") or ()
        path = Path(str(downloads[0].get("filepath", ""))) if len(downloads) == 1 else None
        details = listing.to_listing(info, source.site)
        if path is None or not path.is_file() or path.resolve().parent != folder.resolve():
            raise RetryLater("yt-dlp ended without a file", reason=Reason.UNKNOWN_FAILURE)
        if details is None or details.source != source:
            path.unlink()
            raise RetryLater("the page is of another video", reason=Reason.UNKNOWN_FAILURE)
        if path.stat().st_size == 0:
            path.unlink()
            raise RetryLater("the file that came is empty", 300.0, reason=Reason.EMPTY_FILE)
        names = (
            str(f.get("format_id", "")) for f in downloads[0].get("requested_formats") or downloads
        )
        return Downloaded(path, details, tuple(listing.text(name, 40) for name in names))

    @contextmanager
    def _session(
        self,
        of: Literal["video", "list"],
        site: str,
        more: Mapping[str, Any] | None = None,
        *,
        same_host: bool = False,
    ) -> Iterator[Any]:
        """Open a yt-dlp with our options, whose every error leaves as one of ours.

        The error that it was is left behind: it may hold what must not be shown. `same_host`
        refuses redirects to another host.
        """
        clean = Redaction(self._politeness, self._cookies)
        listener, cookies = MessageFilter(clean), io.StringIO(self._cookies)
        self._keep_distance()
        try:
            with self._open(site, listener, cookies, more, same_host=same_host) as ydl:
                yield ydl
        except SymMVError:
            raise
        except Exception as error:  # noqa: BLE001  (whatever a parser of strange pages raises)
            translated = translate(error, of=of, warnings=listener.warnings, clean=clean)
            raise self._whose_fault(translated, site) from None
        finally:
            self._last_request_s = time.monotonic()
            # A session's cookies go on to the next call. yt-dlp writes behind what it read.
            self._cookies = cookies.getvalue().lstrip("\0") or self._cookies

    def _open(
        self,
        site: str,
        listener: MessageFilter,
        cookies: io.StringIO,
        more: Mapping[str, Any] | None = None,
        *,
        same_host: bool = False,
    ) -> Any:
        """Open a yt-dlp that speaks to a site and to nothing in our own network."""
        from yt_dlp import YoutubeDL

        parameters = options(self._politeness, self._sites, listener, cookies)
        ydl = YoutubeDL({**parameters, **(more or {})})
        if site == "demo":
            address = urlsplit(_on_site("{site}"))
            only = (address.hostname or "", address.port or 80)
            bounds.install(ydl, Bounds(only=only, same_host=same_host))
        else:
            by_proxy = bool(self._politeness.proxy)
            bounds.install(ydl, Bounds(same_host=same_host, by_proxy=by_proxy))
        return ydl

    def _whose_fault(self, error: SymMVError, site: str) -> SymMVError:
        """Tell whose fault a silence is: what did not answer, while the site answers.

        Else it is the network: ours, or the way to the site. Then nobody can be fetched, and no
        attempt is spent.
        """
        if not isinstance(error, RetryLater) or error.reason is not Reason.UNREACHABLE:
            return error
        if not self._answers(site):
            message = f"{site} does not answer at all: {error}"
            return SessionBlocked(message, _OUTAGE_S, reason=Reason.UNREACHABLE)
        if error.spends_attempt:
            return error
        return RetryLater(str(error), error.after_s, reason=Reason.UNREACHABLE)

    def _answers(self, site: str) -> bool:
        """Check whether a site's own host says anything, be it an error."""
        from yt_dlp.networking import Request
        from yt_dlp.networking.exceptions import HTTPError

        listener = MessageFilter(Redaction(self._politeness, self._cookies))
        with self._open(site, listener, io.StringIO(self._cookies)) as ydl:
            request = Request(_on_site(_FRONT_PAGES[site]))
            request.extensions["timeout"] = min(_FRONT_PAGE_S, self._politeness.socket_timeout_s)
            try:
                ydl.urlopen(request).close()
            except HTTPError:
                return True
            except Exception:  # noqa: BLE001  (whatever it was, nothing answered)
                return False
            return True

    def _keep_distance(self) -> None:
        """Sleep between two calls as yt-dlp does between two requests of one."""
        if self._last_request_s is not None:
            passed_s = time.monotonic() - self._last_request_s
            time.sleep(max(0.0, self._politeness.sleep_between_requests_s - passed_s))


def _on_site(address: str) -> str:
    """Give an address whose ``{site}`` is that of the loopback site."""
    return address.replace("{site}", os.environ.get("SYMMV_DEMO_SITE", ""))


def _follow(ydl: Any, address: str) -> Mapping[str, Any]:
    """Follow an address through the few redirections that sites make."""
    info: Mapping[str, Any] = ydl.extract_info(address, download=False, process=False) or {}
    for _ in range(_MOST_REDIRECTIONS):
        if info.get("_type") not in ("url", "url_transparent"):
            break
        key = info.get("ie_key")
        info = ydl.extract_info(info["url"], download=False, process=False, ie_key=key) or {}
    return info


def _can_merge(ydl: Any) -> bool:
    from yt_dlp.postprocessor.ffmpeg import FFmpegMergerPP

    with suppress(OSError):
        return bool(FFmpegMergerPP(ydl).available)
    return False
