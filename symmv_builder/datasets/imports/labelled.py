"""Lists of videos that others labelled: ids to be fetched, and what was said of each.

Such a list holds no recording. Its entries have the columns of `STEP`, and those of their
recordings when these are there (`media`).
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from symmv_builder.crawl import probe
from symmv_builder.crawl.folder import identifier
from symmv_builder.datasets.imports.published_archive import read_bytes, reading
from symmv_builder.datasets.imports.tree import Song
from symmv_builder.datasets.recipe import Recipe
from symmv_builder.errors import MalformedFile
from symmv_builder.pipeline.step import Step, use
from symmv_builder.records import Entry, PublishedLabels, SongInfo, Source
from symmv_builder.schema import Column
from symmv_builder.tables import Row
from symmv_builder.text import clean_line

# Recordings that no list holds.
MEDIA = ("music", "video")
_FILE = "labels.json"


def read_labels(published: Path) -> PublishedLabels:
    """Read what the list says of a video: labels, a caption, and the seconds that it is of."""
    with reading(_FILE):
        return PublishedLabels(**json.loads(read_bytes(published, _FILE)))


STEP = Step(
    "published_labels",
    1,
    reads=("published",),
    run=read_labels,
    columns=(
        Column("{}", "list<string>", "", "labels of the video in the published list", "labels"),
        Column("{}_caption", "string", "", "what it says of the music in words", "caption"),
        Column("{}_start_s", "float64", "s", "start of what the caption is of", "start_s"),
        Column("{}_end_s", "float64", "s", "end of it; 0 for the whole video", "end_s"),
    ),
)


def recipe_of(name: str, shares: Mapping[str, int]) -> Recipe:
    """Give the recipe of a list: its labels, and what is known of recordings that are there."""
    return Recipe(
        name=name,
        pairs=False,
        shares=shares,
        uses=(
            use(STEP, makes="labels"),
            use(probe.MUSIC, makes="music_asset"),
            use(probe.VIDEO, makes="video_asset"),
        ),
        results=("labels",),
    )


def song_of(
    name: str, source: Source, labels: PublishedLabels, *, song_id: str = "", title: str = ""
) -> Song:
    """Make an entry of the dataset `name` of one video of a list; it is its own music."""
    entry_id = identifier(source.video_id)
    info = SongInfo(title=title)
    entry = Entry(entry_id, name, song_id or entry_id, video=source, music=source, song=info)
    texts = {
        "labels": labels.labels,
        "caption": labels.caption,
        "start_s": labels.start_s,
        "end_s": labels.end_s,
    }
    return Song(entry, None, texts={_FILE: json.dumps(texts, sort_keys=True)})


def youtube(path: Path, row: Row, column: str) -> Source:
    """Read the video whose id a row names.

    `StopRun` with file, line and column where it is none.
    """
    try:
        return Source("youtube", row[column])
    except ValueError:
        problem = f"{row[column][:40]!r} is no id of YouTube: 11 letters, digits, - and _"
        raise MalformedFile(path, problem, row.number, f"column {column}") from None


def number(path: Path, row: Row, column: str) -> float:
    """Read seconds in a row, 0 or more.

    `StopRun` with file, line and column where they are none.
    """
    try:
        value = float(row[column])
    except ValueError:
        value = -1.0
    if not 0.0 <= value < 1e6:
        problem = f"{row[column][:40]!r} is no number of seconds"
        raise MalformedFile(path, problem, row.number, f"column {column}")
    return value


def once(path: Path, songs: Sequence[tuple[int, Song]]) -> tuple[Song, ...]:
    """Collect the songs of numbered lines.

    `StopRun` naming both lines where a video stands twice.
    """
    lines: dict[str, int] = {}
    for line, song in songs:
        video = song.entry.video.video_id
        if lines.setdefault(video, line) != line:
            problem = f"{clean_line(video)} stands in line {lines[video]}, too"
            raise MalformedFile(path, problem, line)
    return tuple(song for _, song in songs)
