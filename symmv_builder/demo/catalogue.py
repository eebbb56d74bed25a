"""What the loopback video site holds, and how it can be made to fail.

A description is frozen: channels, videos, playlists. A site is made from one and may be
given more videos while it runs, as a real channel would.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from symmv_builder.records import Source

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


class Failure(StrEnum):
    """Everything that the site can be told to do to those who ask; each as real sites do it."""

    TOO_MANY_REQUESTS = "too_many_requests"
    BOT_CHECK = "bot_check"
    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    FORBIDDEN_ONCE = "forbidden_once"
    FORBIDDEN = "forbidden"
    SLOW = "slow"
    CUT_ONCE = "cut_once"
    TRUNCATED = "truncated"
    DAMAGED = "damaged"
    NO_FORMATS = "no_formats"
    REMOVED = "removed"
    PRIVATE = "private"
    COPYRIGHT = "copyright"
    GEO_BLOCKED = "geo_blocked"
    AGE_RESTRICTED = "age_restricted"
    MEMBERS_ONLY = "members_only"
    DRM = "drm"
    LIVE = "live"
    UPCOMING = "upcoming"


# What a watch page answers instead of formats, in the words of the largest real site.
REFUSALS: dict[Failure, tuple[str, str]] = {
    Failure.BOT_CHECK: ("Sign in to confirm you’re not a bot", ""),
    Failure.RATE_LIMITED: (
        "Video unavailable",
        "This content isn't available, try again later.",
    ),
    Failure.REMOVED: ("Video unavailable", "This video has been removed by the uploader"),
    Failure.PRIVATE: ("Private video", "Sign in if you've been granted access to this video"),
    Failure.COPYRIGHT: (
        "Video unavailable",
        'This video is no longer available due to a copyright claim by "Private Records"',
    ),
    Failure.GEO_BLOCKED: (
        "Video unavailable",
        "The uploader has not made this video available in your country",
    ),
    Failure.AGE_RESTRICTED: (
        "Sign in to confirm your age",
        "This video may be inappropriate for some users.",
    ),
    Failure.MEMBERS_ONLY: (
        "Join this channel to get access to members-only content like this video, "
        "and other exclusive perks.",
        "",
    ),
    Failure.UPCOMING: ("Premieres in 5 hours", ""),
    Failure.NO_FORMATS: ("", ""),
}

# True of a video whoever asks and however often.
LASTING = frozenset(
    {
        Failure.REMOVED,
        Failure.PRIVATE,
        Failure.COPYRIGHT,
        Failure.GEO_BLOCKED,
        Failure.AGE_RESTRICTED,
        Failure.MEMBERS_ONLY,
        Failure.DRM,
        Failure.LIVE,
        Failure.UPCOMING,
    }
)


@dataclass(frozen=True, slots=True)
class Channel:
    """Somebody who uploads; `name` is what its address says, `title` what people read."""

    name: str
    title: str
    verified: bool = False

    def __post_init__(self) -> None:
        _check_name(self.name)


@dataclass(frozen=True, slots=True)
class Upload:
    """One video of the site. `sound` is a second file with the sound alone, where there is one.

    With `media_has_sound` false the two must be merged, as real sites demand it.
    `captions` are subtitles that somebody wrote: a language and a file of WebVTT each.
    ``live_status`` speaks yt-dlp's words: ``not_live``, ``is_live``, ``is_upcoming``, ...
    """

    video_id: str
    title: str
    channel: str
    media: Path
    sound: Path | None = None
    media_has_sound: bool = True
    media_is_audio: bool = False
    description: str = ""
    duration_s: float = 0.0
    views: int = 0
    category: str = "Music"
    uploaded: str = "20250101"
    live_status: str = "not_live"
    height: int = 360
    captions: tuple[tuple[str, Path], ...] = ()

    def __post_init__(self) -> None:
        Source("demo", self.video_id)
        if not re.fullmatch(r"\d{8}", self.uploaded):
            raise ValueError(f"not a date as YYYYMMDD: {self.uploaded!r}")

    @property
    def files(self) -> dict[str, Path]:
        """The media files by the name of their format."""
        return {"media": self.media, **({"sound": self.sound} if self.sound else {})}

    @property
    def served(self) -> dict[str, Path]:
        """Every file of the video by its name on the site."""
        return {**self.files, **{f"captions-{name}": path for name, path in self.captions}}


@dataclass(frozen=True, slots=True)
class Playlist:
    """Videos in an order that a person gave them."""

    name: str
    title: str
    video_ids: tuple[str, ...]

    def __post_init__(self) -> None:
        _check_name(self.name)


@dataclass(frozen=True, slots=True)
class Description:
    """All that a site holds when it starts."""

    channels: tuple[Channel, ...]
    uploads: tuple[Upload, ...]
    playlists: tuple[Playlist, ...] = ()


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ValueError(f"not a name for an address: {name!r}")
