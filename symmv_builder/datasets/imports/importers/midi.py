"""A folder of piano MIDI files that nobody annotated: songs of one's own, to train on.

They go the way of a transcribed cover: beats are heard in rendered sound, but for files whose
notes lie on beats of their own (`symbolic.read_midi_beats`); notes are put on their grid, melody,
chords and key are found by SymMV's stages. Files of equal content are one song, so that they stand
on one side of the split; what else belongs together only its owner knows.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from symmv_builder.crawl.folder import distinct, identifier
from symmv_builder.datasets.imports import symbolic
from symmv_builder.datasets.imports.tree import Song, Tree
from symmv_builder.datasets.recipe import Recipe
from symmv_builder.errors import MalformedFile, WrongSetting
from symmv_builder.files import Folder, read_file
from symmv_builder.music import key
from symmv_builder.pipeline.step import Use, use
from symmv_builder.records import Entry, SongInfo, Source
from symmv_builder.text import clean_line
from symmv_builder.training import Option

NAME = "midi"
MEDIA = ("video",)
# Karaoke files and RIFF hold MIDI too; `backends.midi` unpacks them and gzip.
_SUFFIX = re.compile(r"(?<=[^/])\.(mid|midi|kar|rmi)(\.gz)?$", re.IGNORECASE)
BEATS_CHOICES = get_args(symbolic.BeatsSource)
OPTIONS = (
    Option(
        "beats",
        str,
        "midi: `file` takes the beats of each file's tempo map, `tracked` hears them in rendered "
        "sound, `auto` (the default) tracks them only where the notes do not lie on the file's.",
    ),
)


def _written_beats(source: str) -> Use:
    return use(symbolic.WRITTEN_BEATS, makes="written_beats", source=source)


RECIPE = Recipe(
    name=NAME,
    schema="symmv",
    pairs=False,
    shares={"train": 8, "validation": 1, "test": 1},
    uses=(
        *symbolic.READ,
        _written_beats("auto"),
        use(symbolic.WRITTEN_OR_HEARD, makes="beats", model="madmom"),
        *symbolic.QUANTISED,
        symbolic.NAMED,
        use(key.STEP, profile="relative-pair"),
        use(key.SPANS),
    ),
    absent=frozenset({"video_url"}),
)


def with_options(options: Mapping[str, Any]) -> Recipe:
    """Give the recipe for a folder whose ``beats`` are its files', tracked, or what fits."""
    beats = _written_beats(options.get("beats", "auto"))
    uses = tuple(beats if use.makes == beats.makes else use for use in RECIPE.uses)
    return replace(RECIPE, uses=uses)


def scan(path: Path, *, beats: str = "auto") -> Tree:
    """Find every MIDI file below a folder, named by its place there; `StopRun` where there is none.

    Files whose places give one name (``a-b.mid`` and ``a/b.mid``, ``x.mid`` and ``x.midi``)
    are told apart by `folder.distinct`.
    """
    if beats not in BEATS_CHOICES:
        raise WrongSetting("beats", beats, f"it can be {', '.join(BEATS_CHOICES)}")
    handed_in = Folder(path)
    files = {
        file.relative_to(path).as_posix(): file
        for file in handed_in.files()
        if _SUFFIX.search(file.name)
    }
    if not files:
        problem = "it holds no MIDI files (.mid, .midi, .kar, .rmi, also in .gz)"
        raise MalformedFile(path, problem)
    titles = {place: _SUFFIX.sub("", place) for place in files}
    names = distinct({p: identifier(title.replace("/", "-")) for p, title in titles.items()})
    songs: list[Song] = []
    by_content: dict[str, str] = {}
    for place, file in files.items():
        name = names[place]
        content = hashlib.sha256(read_file(file)).hexdigest()
        song_id = by_content.setdefault(content, name)
        source = Source("file", identifier(f"{NAME}.{name}"))
        info = SongInfo(title=clean_line(Path(titles[place]).name), identified_by="title")
        songs.append(Song(Entry(name, NAME, song_id, video=source, music=source, song=info), file))
    return Tree(tuple(songs), left_out=tuple(handed_in.left_out), options={"beats": beats})
