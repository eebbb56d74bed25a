"""What a title says of its video."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ParsedTitle:
    """Artist and title out of a video's title; `confidence` is 0-1.

    `marks` are what else the title says of the video: cover, piano, live, lyric, remix, ...
    """

    artist: str
    title: str
    confidence: float
    marks: tuple[str, ...] = ()
