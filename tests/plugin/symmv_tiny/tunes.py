"""An importer: every MIDI file of a folder is a song, its name the title."""

from pathlib import Path

from symmv_builder.crawl import probe
from symmv_builder.datasets.imports import symbolic
from symmv_builder.datasets.imports.tree import Song, Tree
from symmv_builder.datasets.recipe import Recipe
from symmv_builder.pipeline.step import use
from symmv_builder.records import Entry, SongInfo, Source

MEDIA = ("video",)
RECIPE = Recipe(
    name="tunes",
    pairs=False,
    shares={"train": 1},
    uses=(use(probe.MUSIC), use(symbolic.NOTES, makes="notes")),
)


def scan(path: Path) -> Tree:
    """The songs of a folder."""
    songs = []
    for file in sorted(path.glob("*.mid")):
        source = Source("file", f"tunes.{file.stem}")
        info = SongInfo(title=file.stem, identified_by="title")
        songs.append(Song(Entry(file.stem, "tunes", file.stem, source, source, info), file))
    return Tree(tuple(songs))
