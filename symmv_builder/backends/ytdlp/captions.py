"""The subtitles that a listing names, fetched beside its video.

Only those that people have written: what a site recognised by itself lies under
``automatic_captions`` of yt-dlp and is left there, since it knows little of singing.
"""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LOG = logging.getLogger(__name__)
_MOST_BYTES = 1 << 20
# A language by its code, with a region or a script: ``de``, ``pt-BR``, ``zh-Hans``.
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_FORMATS = ("vtt", "srt")


@dataclass(frozen=True, slots=True)
class CaptionFile:
    """A file of subtitles, and their language by ISO 639-2; empty where it has no code there."""

    path: Path
    language: str


def fetch_captions(ydl: Any, info: Mapping[str, Any], recording: Path) -> CaptionFile | None:
    """Fetch the subtitles of a video into a file beside its own; `None` where there are none.

    Whatever keeps them away is no fault of the video: it is logged.
    """
    choice = choose(info)
    if choice is None:
        return None
    language, track, form = choice
    path = recording.with_suffix(f".{form}")
    try:
        path.write_bytes(_read(ydl, track))
        return CaptionFile(path, _three_letters(language))
    except Exception as error:  # noqa: BLE001  (a video is not refused for its subtitles)
        LOG.info("subtitles of %s did not come: %s", recording.name, type(error).__name__)
        path.unlink(missing_ok=True)
        return None


def choose(info: Mapping[str, Any]) -> tuple[str, Mapping[str, Any], str] | None:
    """Choose language, track and format of the subtitles to take; `None` where there are none.

    The video's own language comes first, then the others in the order of the site.
    """
    subtitles = info.get("subtitles")
    if not isinstance(subtitles, Mapping):
        return None
    own = str(info.get("language") or "").partition("-")[0]
    languages = [name for name in subtitles if _LANGUAGE.fullmatch(str(name))]
    languages.sort(key=lambda name: not own or name.partition("-")[0] != own)
    for language in languages:
        for form in _FORMATS:
            for track in subtitles[language] or ():
                if track.get("ext") == form and (track.get("url") or track.get("data")):
                    return language, track, form
    return None


def _read(ydl: Any, track: Mapping[str, Any]) -> bytes:
    """Read the text of a track; what is larger than any subtitles are is cut."""
    from yt_dlp.networking import Request

    if isinstance(track.get("data"), str):
        return str(track["data"]).encode()[:_MOST_BYTES]
    with ydl.urlopen(Request(str(track["url"]))) as response:
        return bytes(response.read(_MOST_BYTES))


def _three_letters(language: str) -> str:
    """Give the code of ISO 639-2, as MP4 and Matroska hold it; empty for a language without one."""
    from yt_dlp.utils import ISO639Utils

    code = language.partition("-")[0]
    return code if len(code) == 3 else ISO639Utils.short2long(code) or ""
