"""SymMV as released: transcribed piano covers with chords and key, and the videos' addresses.

Zhuo et al., "Video Background Music Generation: Dataset, Method and Evaluation", ICCV
2023, and its public repository. What is odd about the release is dealt with here:

- `SymMV.csv` is a table with tabs, and a row of a song that Shazam did not know ends
  before that column. 87 addresses stand there more than once, and one song has several
  addresses: rows that share an address or a Shazam number are one song. No split is
  published; ours is by song.
- ``midi/NNNNN.mid`` counts 120 to the minute whatever the tempo: the notes are in real time
  and the beats mean nothing. They are tracked on sound rendered from the notes. The
  files hold no controllers, so nothing is known of the pedal: no column.
- ``midi/texture/`` is no accompaniment but another timing of the same notes: not read.
- ``chord/NNNNN.txt`` counts ticks of 1/440 s. The chords are kept as published by default:
  they lack the roots Eb and Bb and change on half seconds, not on beats. ``recomputed``
  names them as our own build does, 12 roots on the tracked beats.
- `tonality` is music21's default, Aarden-Essen, kept as published; the correlation is
  that of the notes with that profile of the published key.

The layout that `symmv export symmv` writes is read too, with the beats, pedal, splits and
ids that it adds.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from symmv_builder import datasets
from symmv_builder.backends import midi
from symmv_builder.crawl.folder import identifier
from symmv_builder.datasets.export_symmv import TICKS_PER_S
from symmv_builder.datasets.imports import symbolic
from symmv_builder.datasets.imports.index import OwnEntry, read_index, source_of
from symmv_builder.datasets.imports.published_archive import (
    as_beats,
    last_of,
    numbered_lines,
    read_lines,
    read_spans,
    reading,
)
from symmv_builder.datasets.imports.tree import Song, Tree
from symmv_builder.datasets.recipe import Recipe
from symmv_builder.errors import MalformedFile, NoSuchPath, Reason, RejectEntry, WrongSetting
from symmv_builder.files import Folder
from symmv_builder.music import chords, key, rhythm, transcribe
from symmv_builder.music.key import fit_of
from symmv_builder.pipeline.step import Step, use
from symmv_builder.records import Beats, Chords, Entry, Key, Notes, SongInfo, Source
from symmv_builder.tables import read_table
from symmv_builder.text import clean_line
from symmv_builder.training import Option
from symmv_builder.vocab import SYMMV_LABELS

NAME = "symmv-release"
LICENCE = "CC BY-NC-SA 4.0"
MEDIA = ("video",)
CHORDS_CHOICES = ("published", "recomputed")
OPTIONS = (
    Option(
        "chords",
        str,
        "symmv-release: `published` keeps the chords (10 roots, half seconds; the default); "
        "`recomputed` names them anew (12 roots, tracked beats).",
    ),
)
# A recording goes on after its last note: it fades, people clap, a card is shown. The chords
# of 60 songs of the release end before it.
TAIL_S = 60.0
# Beats of an export were heard in the recording; longer ones are not taken in.
LONGEST_S = 3600.0
_CHORDS, _KEY, _BEATS, _PEDAL = "chord.txt", "tonality.txt", "beats.txt", "pedal.txt"
_OF_VIDEO = ("video_asset", "motion", "semantic", "colour", "scenes")


def read_chords(published: Path, notes: Notes) -> Chords:
    """Read the published chords, one a line, ticks turned into seconds.

    `RejectEntry` (no_annotation) where no chord is named.
    """
    latest_s = last_of(notes) + TAIL_S
    spans = read_spans(published, _CHORDS, latest_s, per_second=TICKS_PER_S)
    if not spans:
        raise RejectEntry(Reason.NO_ANNOTATION, f"{_CHORDS} names no chord")
    with reading(_CHORDS):
        labels = tuple(label for _, _, [label] in spans)
        unknown = set(labels) - set(SYMMV_LABELS)
        if unknown:
            raise ValueError(f"{min(unknown)[:20]!r} is no label of SymMV's")
    return Chords(
        starts_s=np.array([start for start, _, _ in spans]),
        ends_s=np.array([end for _, end, _ in spans]),
        labels=labels,
    )


CHORDS = Step(
    "symmv_release_chords",
    2,
    reads=("published", "notes"),
    run=read_chords,
    columns=chords.SYMBOLIC_COLUMNS,
)


def read_key(published: Path, notes: Notes) -> Key:
    """Read the published tonality (``E- major``, ``c# minor``) and how well it fits the notes."""
    with reading(_KEY):
        [[tonic, mode]] = read_lines(published, _KEY)
        key = Key(tonic[:1].upper() + tonic[1:], mode, 0.0)
    fit = fit_of(notes, key.tonic, key.mode, profile="aarden-essen")
    return replace(key, correlation=fit)


KEY = Step("symmv_release_key", 1, reads=("published", "notes"), run=read_key, columns=key.COLUMNS)


def read_exported_beats(published: Path) -> Beats:
    """Read the beats that our export lays beside the release's files: tick, place in the bar."""
    with reading(_BEATS):
        beats = [
            (number, int(tick) / TICKS_PER_S, int(place))
            for number, (tick, place) in numbered_lines(published, _BEATS)
        ]
    return as_beats(_BEATS, beats, LONGEST_S)


BEATS = Step(
    "symmv_export_beats", 2, reads=("published",), run=read_exported_beats, columns=rhythm.COLUMNS
)


def read_exported_notes(music: Path, published: Path) -> Notes:
    """Read the notes of the MIDI file with the pedal that our own export lays beside it."""
    pedal = read_spans(published, _PEDAL, LONGEST_S, per_second=TICKS_PER_S)
    return replace(
        midi.read_notes(music),
        pedal_starts_s=np.array([start for start, _, _ in pedal]),
        pedal_ends_s=np.array([end for _, end, _ in pedal]),
    )


NOTES = Step(
    "symmv_export_notes",
    2,
    reads=("music", "published"),
    run=read_exported_notes,
    columns=(*transcribe.NOTES, *transcribe.PEDAL),
)

RECIPE = Recipe(
    name=NAME,
    schema="symmv",
    pairs=True,
    shares={"train": 1000, "validation": 70, "test": 70},
    uses=(
        *symbolic.READ,
        symbolic.HEARD,
        *symbolic.QUANTISED,
        use(CHORDS, makes="chords"),
        use(KEY, makes="key"),
        *(use for use in datasets.recipe("symmv").uses if use.makes in _OF_VIDEO),
    ),
    absent=frozenset({"pedal_starts_s", "pedal_ends_s"}),
)


def with_options(options: Mapping[str, Any]) -> Recipe:
    """Give the recipe for a copy: ``chords`` recomputed, or an export of ours (``exported``)."""
    recipe = RECIPE
    if options.get("exported"):
        recipe = _replaced(recipe, use(NOTES, makes="notes"), use(BEATS, makes="beats"))
        recipe = replace(recipe, absent=frozenset())
    if options.get("chords") == "recomputed":
        recipe = _replaced(recipe, symbolic.NAMED)
    return recipe


def _replaced(recipe: Recipe, *others: Any) -> Recipe:
    by_name = {other.makes: other for other in others}
    return replace(recipe, uses=tuple(by_name.get(use.makes, use) for use in recipe.uses))


def scan(path: Path, *, chords: str = "published") -> Tree:
    """Find the songs of a copy of the release (or of its repository), or of an export of ours."""
    if chords not in CHORDS_CHOICES:
        raise WrongSetting("chords", chords, f"it can be {' or '.join(CHORDS_CHOICES)}")
    folder = path if (path / "SymMV.csv").is_file() else path / "dataset"
    if not (folder / "SymMV.csv").is_file():
        problem = "this is no copy of the SymMV release: it holds no SymMV.csv"
        raise MalformedFile(path, problem)
    handed_in = Folder(path)
    rows = read_songs(folder / "SymMV.csv", handed_in)
    own = read_index(folder, handed_in)
    songs_of = song_ids(rows)
    songs, left_out, splits = [], [], {}
    for index, row in rows.items():
        music = folder / "midi" / f"{index}.mid"
        if not handed_in.holds(music):
            left_out.append(f"{index} has no midi/{music.name}")
            continue
        files = {
            name: folder / kind / f"{index}.txt"
            for name, kind in ((_CHORDS, "chord"), (_BEATS, "beats"), (_PEDAL, "pedal"))
            if handed_in.holds(folder / kind / f"{index}.txt")
        }
        entry = _entry(index, row, songs_of[index], own.get(index))
        if index in own:
            splits[entry.song_id] = own[index].split
        songs.append(Song(entry, music, files, {_KEY: row["tonality"]}))
    if not songs:
        problem = "it holds none of the midi/NNNNN.mid that its SymMV.csv names"
        raise MalformedFile(folder, problem)
    options = {"chords": chords, "exported": bool(own)}
    return Tree(tuple(songs), splits, options, (*left_out, *handed_in.left_out))


def _entry(index: str, row: Mapping[str, str], song_id: str, own: OwnEntry | None) -> Entry:
    name = own.entry_id if own else index
    music = Source("file", identifier(f"{NAME}.{name}"))
    unknown = Source("file", identifier(f"{NAME}.{name}.video"))
    return Entry(
        entry_id=name,
        dataset=NAME,
        song_id=own.song_id if own else song_id,
        video=source_of(row["youtube_url"]) or unknown,
        music=music,
        song=SongInfo(shazam_id=row["shazam_id"]),
    )


def read_songs(path: Path, handed_in: Folder) -> dict[str, dict[str, str]]:
    """Read the rows of `SymMV.csv` by index; a column that a row ends before is empty."""
    if not handed_in.holds(path):
        raise NoSuchPath(path, "file of the folder")
    names = ("youtube_url", "tonality", "shazam_id")
    rows: dict[str, dict[str, str]] = {}
    for row in read_table(path, ("index", *names)):
        index = row["index"]
        if not re.fullmatch("[0-9]{5}", index) or index in rows:
            problem = "this is no row of SymMV's table with an index of its own"
            raise MalformedFile(path, problem, row.number)
        rows[index] = {name: clean_line(row[name]) for name in names}
        if rows[index]["shazam_id"].strip("0123456789"):
            problem = f"{rows[index]['shazam_id'][:20]!r} is no number"
            raise MalformedFile(path, problem, row.number)
    return rows


def song_ids(rows: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Find the song of each row, by the first index of all that belong together.

    They share an address or a Shazam number, also through others.
    """
    song = {index: index for index in rows}

    def first(index: str) -> str:
        while song[index] != index:
            index = song[index]
        return index

    by_title: dict[str, str] = {}
    for index, row in sorted(rows.items()):
        source = source_of(row["youtube_url"])
        address = source.url if source else row["youtube_url"]
        for mark in filter(None, (address, row["shazam_id"])):
            one, other = sorted((first(index), first(by_title.setdefault(mark, index))))
            song[other] = one
    return {index: first(index) for index in rows}
