"""What a pair is: entry, song, where its recordings come from and what is stored of them."""

import re
from dataclasses import dataclass
from enum import StrEnum

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_SITES = {
    "file": (_ID, "file:{}"),
    "youtube": (re.compile(r"[A-Za-z0-9_-]{11}"), "https://www.youtube.com/watch?v={}"),
    # The site of `symmv_builder.demo.site`, on loopback; its yt-dlp plugin reads this form.
    "demo": (re.compile(r"[A-Za-z0-9_-]{11}"), "symmvdemo:watch:{}"),
    "bilibili": (re.compile(r"BV[A-Za-z0-9]{10}"), "https://www.bilibili.com/video/{}"),
}


class MediaKind(StrEnum):
    """The kind of a file, by its streams and not by its name."""

    AUDIO = "audio"
    VIDEO = "video"
    MIDI = "midi"


@dataclass(frozen=True, slots=True)
class Source:
    """The source of a recording: a site and the site's own identifier for it."""

    site: str
    video_id: str

    def __post_init__(self) -> None:
        if self.site not in _SITES:
            raise ValueError(f"unknown site {self.site!r}; known: {', '.join(sorted(_SITES))}")
        if not _SITES[self.site][0].fullmatch(self.video_id):
            raise ValueError(f"not an identifier of site {self.site}: {self.video_id!r}")

    @property
    def url(self) -> str:
        return _SITES[self.site][1].format(self.video_id)

    @classmethod
    def from_url(cls, url: str) -> "Source":
        """Find the source whose `url` this is; `ValueError` where it is none's."""
        for site, (_, form) in _SITES.items():
            prefix = form.format("")
            if url.startswith(prefix):
                return cls(site, url.removeprefix(prefix))
        raise ValueError(f"not an address of a recording: {url!r}")


@dataclass(frozen=True, slots=True)
class SongInfo:
    """The name and kind of a song; what nobody knows is empty.

    `identified_by` says who knew: ``shazam``, or ``title`` when it was only parsed; `note`
    what stood against it, such as another song that was heard.
    """

    title: str = ""
    artist: str = ""
    genre: str = ""
    shazam_id: str = ""
    isrc: str = ""
    lyrics_url: str = ""
    identified_by: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        if self.shazam_id.strip("0123456789"):
            raise ValueError(f"not a number of Shazam's: {self.shazam_id!r}")


@dataclass(frozen=True, slots=True)
class Listing:
    """A site's facts on a video that we have not fetched; unknown is `None` or empty.

    `kind` is what follows from that (`crawl.kinds`).
    """

    source: Source
    title: str
    channel: str = ""
    channel_id: str = ""
    channel_is_verified: bool = False
    duration_s: float | None = None
    view_count: int | None = None
    categories: tuple[str, ...] = ()
    description: str = ""
    live_status: str = ""
    uploaded: str = ""
    language: str = ""
    licence: str = ""
    tags: tuple[str, ...] = ()
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One pair: a recording of music and a video, and the song that both belong to.

    `listing` is what the site said of the video, where the entry came by a crawl.
    """

    entry_id: str
    dataset: str
    song_id: str
    video: Source
    music: Source
    song: SongInfo = SongInfo()
    listing: Listing | None = None

    def __post_init__(self) -> None:
        for name in ("entry_id", "dataset", "song_id"):
            if not _ID.fullmatch(getattr(self, name)):
                raise ValueError(f"not a valid {name}: {getattr(self, name)!r}")


@dataclass(frozen=True, slots=True)
class Asset:
    """A stored recording and what its container says of it.

    ``duration_s`` is that of the longest stream; fields of a missing stream are zero or
    empty. Width and height are as displayed (rotation and pixel aspect applied).
    """

    sha256: str
    kind: MediaKind
    size_bytes: int
    container: str
    duration_s: float
    audio_codec: str = ""
    audio_rate_hz: int = 0
    audio_channels: int = 0
    video_codec: str = ""
    width: int = 0
    height: int = 0
    frame_rate_hz: float = 0.0
    rotation_degrees: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", MediaKind(self.kind))
        if not re.fullmatch(r"[0-9a-f]{64}", self.sha256):
            raise ValueError(f"not a sha256: {self.sha256!r}")
