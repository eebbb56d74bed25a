"""What is known of a video that nobody has downloaded: its listing and its parsed title."""

from dataclasses import dataclass

from symmv_builder.records.entries import Source


@dataclass(frozen=True, slots=True)
class Listing:
    """What a site says of a video without our having fetched it; unknown is `None` or empty."""

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
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ParsedTitle:
    """Artist and title out of a video's title; `confidence` is 0-1.

    `marks` are what else the title says of the video: cover, piano, live, lyric, remix, ...
    """

    artist: str
    title: str
    confidence: float
    marks: tuple[str, ...] = ()
