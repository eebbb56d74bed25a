"""The options that yt-dlp runs with: what is allowed, and everything else switched off."""

import io
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from symmv_builder.backends.ytdlp.politeness import MessageFilter, Politeness
from symmv_builder.backends.ytdlp.toolchain import runtime_options
from symmv_builder.errors import MissingPackage, Reason, RejectEntry, RetryLater
from symmv_builder.records import Source

# The extractors of each site, by yt-dlp's names. Nothing else is ever asked, above all not
# the generic one, which would follow any address.
EXTRACTORS: Mapping[str, tuple[str, ...]] = {
    "youtube": ("youtube", "youtube:tab", "youtube:playlist", "youtube:search"),
    "bilibili": ("BiliBili", "BilibiliSpaceVideo", "BiliBiliSearch"),
    "demo": ("symmvdemo", "symmvdemo:channel", "symmvdemo:playlist", "symmvdemo:search"),
}
_SIX_HOURS_S = 6 * 3600.0
_COMING = {"is_live": "is live", "is_upcoming": "has not begun", "post_live": "has just ended"}


def options(
    politeness: Politeness, sites: Sequence[str], listener: MessageFilter, cookies: io.StringIO
) -> dict[str, Any]:
    """Options of every call: quiet, on disk only what is asked for, restricted to the sites."""
    allowed = [name for site in sites for name in EXTRACTORS[site]]
    shortest_s, longest_s = politeness.sleep_before_download_s
    return {
        "logger": listener,
        "quiet": True,
        "noprogress": True,
        "no_color": True,
        "allowed_extractors": [re.escape(name) for name in allowed],
        "enable_file_urls": False,
        "ignoreerrors": False,
        "noplaylist": True,
        "cachedir": False,
        "geo_bypass": False,
        # An empty address means no proxy at all; `None` would read the environment.
        "proxy": politeness.proxy,
        "cookiefile": cookies,
        "socket_timeout": politeness.socket_timeout_s,
        "retries": politeness.retries,
        "fragment_retries": politeness.retries,
        "extractor_retries": politeness.retries,
        "retry_sleep_functions": dict.fromkeys(
            ("http", "fragment", "extractor"), lambda n: politeness.sleep_before_retry_s * 2**n
        ),
        "sleep_interval_requests": politeness.sleep_between_requests_s,
        "sleep_interval": shortest_s,
        "max_sleep_interval": longest_s,
        "ratelimit": politeness.bytes_a_second,
        # Loopback has no certificates, and to read those of the system takes longer than a page.
        "nocheckcertificate": tuple(sites) == ("demo",),
        "js_runtimes": {politeness.javascript: runtime_options(politeness.javascript)},
        "remote_components": [],
        "lazy_playlist": True,
        "extract_flat": "in_playlist",
        "warn_when_outdated": False,
    }


def download_options(
    source: Source, folder: Path, politeness: Politeness, merger: Path | None
) -> dict[str, Any]:
    """Options of a download on top of `options`: where to and how much.

    The file is named by the id that we checked, not by what the site says; the format is
    part of the name, so that a file half done is only ever continued in its own format.
    """
    options: dict[str, Any] = {
        "outtmpl": {"default": f"{source.video_id}.%(format_id).40s.%(ext)s"},
        "paths": {"home": str(folder)},
        "restrictfilenames": True,
        "match_filter": presence(politeness),
        "progress_hooks": [_size_limit(politeness.max_size_bytes)],
        "extract_flat": False,
        "continuedl": True,
        "nopart": False,
        "updatetime": False,
        "fixup": "never",
        "external_downloader": {"default": "native"},
        "allow_unplayable_formats": False,
    }
    if merger is not None:
        options["ffmpeg_location"] = str(merger)
    return options


def presence(politeness: Politeness) -> Callable[..., None]:
    """Make a filter that passes only recordings that are complete and short enough."""

    def check(info: Mapping[str, Any], *, incomplete: bool = False) -> None:
        status = info.get("live_status") or ("is_live" if info.get("is_live") else "")
        if status in _COMING:
            raise RetryLater(
                f"the video {_COMING[status]}", _SIX_HOURS_S, reason=Reason.NOT_YET_AVAILABLE
            )
        duration_s = info.get("duration")
        if isinstance(duration_s, int | float) and duration_s > politeness.max_duration_s:
            limit = f"the limit is {politeness.max_duration_s:.0f} s"
            raise RejectEntry(Reason.TOO_LONG, f"the video lasts {duration_s:.0f} s; {limit}")

    return check


def _size_limit(max_size_bytes: int) -> Callable[[Mapping[str, Any]], None]:
    def check(progress: Mapping[str, Any]) -> None:
        size = max(progress.get("total_bytes") or 0, progress.get("downloaded_bytes") or 0)
        if size > max_size_bytes:
            limit = f"the limit is {max_size_bytes} bytes"
            raise RejectEntry(Reason.TOO_LARGE, f"the file has {size} bytes; {limit}")

    return check


def format_choice(kind: str, max_height: int, *, can_merge: bool) -> str:
    """Write yt-dlp's format selector: a single file where there is one, else merged streams."""
    if kind == "audio":
        return "ba/b"
    fits = f"[height<=?{max_height}]"
    choices = [f"b{fits}", f"bv*{fits}+ba" if can_merge else "", "w", "wv*+ba" if can_merge else ""]
    return "/".join(choice for choice in choices if choice)


def check_formats(formats: Sequence[Mapping[str, Any]], kind: str, *, can_merge: bool) -> None:
    """Say why a recording has no format for us, where yt-dlp would only say that there is none."""
    with_sound = [f for f in formats if f.get("acodec") != "none" and f.get("ext") != "mhtml"]
    with_picture = [f for f in formats if f.get("vcodec") != "none" and f.get("ext") != "mhtml"]
    if not with_sound and not with_picture:
        return
    if not with_sound:
        raise RejectEntry(Reason.NO_AUDIO, "the site offers no format with sound")
    if kind == "video" and not with_picture:
        raise RejectEntry(Reason.NO_VIDEO, "the site offers no format with a picture")
    whole = any(f.get("vcodec") != "none" for f in with_sound)
    if kind == "video" and not whole and not can_merge:
        raise MissingPackage(
            "imageio-ffmpeg",
            "pip install imageio-ffmpeg",
            "the site offers picture and sound as two files, and nothing here can merge them",
        )
