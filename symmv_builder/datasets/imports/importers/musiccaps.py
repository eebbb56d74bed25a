"""MusicCaps: 5,521 clips of ten seconds with a caption of their music by a musician.

Agostinelli et al., "MusicLM: Generating Music From Text", 2023. The list is one table,
``musiccaps-public.csv``: an id of YouTube, the seconds, a caption and its aspects. V2Meow is
measured on it with the videos. Its split is kept: what AudioSet evaluates on is the test split.
The recordings are no part of it.
"""

import ast
from pathlib import Path

from symmv_builder.datasets.imports import labelled
from symmv_builder.datasets.imports.tree import Song, Tree
from symmv_builder.errors import MalformedFile
from symmv_builder.files import Folder
from symmv_builder.records import PublishedLabels
from symmv_builder.tables import Row, read_table
from symmv_builder.text import clean_line

NAME = "musiccaps"
LICENCE = "CC BY-SA 4.0"
MEDIA = labelled.MEDIA
TABLE = "musiccaps-public.csv"
_COLUMNS = ("ytid", "start_s", "end_s", "aspect_list", "caption", "is_audioset_eval")

RECIPE = labelled.recipe_of(NAME, {"train": 1, "test": 1})


def scan(path: Path) -> Tree:
    """Find the clips of the table in a folder; `StopRun` with line and column of a mistake."""
    table = path / TABLE
    handed_in = Folder(path)
    if not handed_in.holds(table):
        raise MalformedFile(path, f"this is no copy of MusicCaps: it holds no {TABLE}")
    songs, splits = [], {}
    for row in read_table(table, _COLUMNS):
        song = _song(table, row)
        songs.append((row.number, song))
        splits[song.entry.song_id] = _split(table, row)
    return Tree(labelled.once(table, songs), splits, left_out=tuple(handed_in.left_out))


def _song(table: Path, row: Row) -> Song:
    start_s, end_s = (labelled.number(table, row, name) for name in ("start_s", "end_s"))
    if end_s <= start_s:
        problem = f"{end_s:g} s is no later than start_s, {start_s:g}"
        raise MalformedFile(table, problem, row.number, "column end_s")
    labels = PublishedLabels(_aspects(table, row), clean_line(row["caption"]), start_s, end_s)
    return labelled.song_of(NAME, labelled.youtube(table, row, "ytid"), labels)


def _aspects(table: Path, row: Row) -> tuple[str, ...]:
    """Read the aspects, which are written as a list of Python."""
    try:
        aspects = ast.literal_eval(row["aspect_list"])
        if isinstance(aspects, list) and all(isinstance(each, str) for each in aspects):
            return tuple(map(clean_line, aspects))
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        pass
    problem = "this should be a list of texts, such as ['slow', 'piano']"
    raise MalformedFile(table, problem, row.number, "column aspect_list")


def _split(table: Path, row: Row) -> str:
    split = {"true": "test", "false": "train"}.get(row["is_audioset_eval"].casefold())
    if split is None:
        problem = f"{row['is_audioset_eval'][:40]!r} is neither True nor False"
        raise MalformedFile(table, problem, row.number, "column is_audioset_eval")
    return split
