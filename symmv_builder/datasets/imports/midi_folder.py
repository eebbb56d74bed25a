"""A folder of piano MIDI files that nobody annotated: songs of one's own, to train on.

They go the way of a transcribed cover: beats are heard in rendered sound, notes are put
on their grid, melody, chords and key are found by SymMV's stages. Files of equal content
are one song, so that they stand on one side of the split; what else belongs together only
its owner knows.
"""

import hashlib
from pathlib import Path

from symmv_builder.crawl.folder import identifier
from symmv_builder.datasets.imports import symbolic
from symmv_builder.datasets.imports.take_in import Song, Tree, read_file
from symmv_builder.datasets.recipe import Recipe
from symmv_builder.errors import StopRun
from symmv_builder.music import key
from symmv_builder.pipeline.step import use
from symmv_builder.records import Entry, SongInfo, Source

NAME = "midi"
MEDIA = ("video",)
_SUFFIXES = frozenset({".mid", ".midi"})

RECIPE = Recipe(
    name=NAME,
    schema="symmv",
    pairs=False,
    shares={"train": 8, "validation": 1, "test": 1},
    uses=(
        *symbolic.READ,
        symbolic.HEARD,
        *symbolic.QUANTISED,
        *symbolic.NAMED,
        use(key.STEP, profile="relative-pair"),
    ),
    absent=frozenset({"video_url"}),
)


def scan(path: Path) -> Tree:
    """Every MIDI file below a folder, named by its place there; `StopRun` where there is none."""
    songs: dict[str, Song] = {}
    by_content: dict[str, str] = {}
    for file in sorted(path.rglob("*")):
        if file.suffix.lower() not in _SUFFIXES or not file.is_file():
            continue
        title = str(file.relative_to(path).with_suffix(""))
        name = identifier(title.replace("/", "-"))
        if name in songs:
            raise StopRun(f"{file} and {songs[name].music} would both be entry {name}: rename one")
        content = hashlib.sha256(read_file(file)).hexdigest()
        song_id = by_content.setdefault(content, name)
        source = Source("file", identifier(f"{NAME}.{name}"))
        info = SongInfo(title=file.stem, identified_by="title")
        entry = Entry(name, NAME, song_id, video=source, music=source, song=info)
        songs[name] = Song(entry, file)
    if not songs:
        raise StopRun(f"{path} holds no MIDI files (.mid, .midi)")
    return Tree(tuple(songs.values()))
