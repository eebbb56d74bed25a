"""POP909: 909 Chinese pop songs arranged for piano, with melody, beats, chords and key.

Wang et al., "POP909: A Pop-Song Dataset for Music Arrangement Generation", ISMIR 2020.
A folder a song: ``NNN.mid`` with tracks MELODY, BRIDGE and PIANO on a real tempo, and
text files, of which those made from the MIDI file are read (``beat_midi.txt``,
``chord_midi.txt``) and the key, which exists for the recording alone (``key_audio.txt``).
``versions/`` holds other takes of the same arrangement, without annotation: not read.

There is no video, and no published split: ours is by song.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symmv_builder import screen
from symmv_builder.backends import midi
from symmv_builder.crawl import probe
from symmv_builder.datasets.imports import symbolic
from symmv_builder.datasets.imports.published_archive import (
    as_beats,
    last_of,
    numbered_lines,
    read_spans,
    reading,
)
from symmv_builder.datasets.imports.tree import Song, Tree
from symmv_builder.datasets.recipe import Recipe
from symmv_builder.errors import MalformedFile, Reason, RejectEntry
from symmv_builder.files import Folder
from symmv_builder.music import chords, key, melody, rhythm
from symmv_builder.music.key import MAJOR_TONICS, MINOR_TONICS, fit_of
from symmv_builder.music.rhythm import quantise
from symmv_builder.pipeline.step import Step, use
from symmv_builder.records import (
    Beats,
    Chords,
    Entry,
    Floats,
    GridNotes,
    Ints,
    Key,
    KeySpans,
    Notes,
    Parts,
    Source,
)
from symmv_builder.vocab import SYMMV_ROOTS, pitch_class

NAME = "pop909"
LICENCE = "MIT"
# Recordings that the release does not hold: what reads them waits until they are there.
MEDIA = ("video",)
MELODY = "MELODY"
_BEATS, _CHORDS, _KEY = "beat_midi.txt", "chord_midi.txt", "key_audio.txt"
# Chords with less than this between them are neighbours.
_ROUNDING_S = 1e-3
# Beats and chords of a MIDI file fill its last bar, which goes on after the last note: four
# beats at 30 to the minute. In 645 songs of the release they end up to 1.8 s after it.
TAIL_S = 8.0
# The key is that of the sound recording, which fades out after the arrangement's last note:
# in the same songs by up to 21 s.
RECORDING_TAIL_S = 60.0
_LABEL = re.compile(r"([A-G][#b]*)(?::([^/]*))?(?:/.*)?")

# Harte's qualities in SymMV's ten. What SymMV has no word for takes the nearest triad or
# seventh below it: a sixth or a ninth adds to a chord and does not change its kind.
QUALITIES = {
    "": "M", "maj": "M", "maj6": "M", "6": "M",
    "min": "m", "min6": "m", "minmaj7": "m",
    "dim": "o", "hdim7": "o", "dim7": "o7",
    "aug": "+",
    "7": "7", "9": "7", "11": "7", "13": "7",
    "maj7": "M7", "maj9": "M7", "maj11": "M7", "maj13": "M7",
    "min7": "m7", "min9": "m7", "min11": "m7", "min13": "m7",
    "sus2": "sus2", "sus4": "sus4",
}  # fmt: skip
# A root alone or with its fifth has no third that would say its quality.
_WITHOUT_QUALITY = {"1", "5"}


def symmv_label(harte: str) -> str:
    """Harte's label (``Eb:min7/b3``) in SymMV's spelling (``Ebm7``), empty for no chord.

    The bass and what stands in brackets (``maj(9)``, ``sus4(b7)``) are dropped.
    `ValueError` where it is no such label.
    """
    if harte in ("N", "X"):
        return ""
    parts = _LABEL.fullmatch(harte)
    if not parts:
        raise ValueError(f"{harte[:20]!r} is not a chord")
    quality = re.sub(r"\(.*\)", "", parts[2] or "")
    if quality in _WITHOUT_QUALITY:
        return ""
    if quality not in QUALITIES:
        raise ValueError(f"{harte[:20]!r} has a quality that nobody mapped")
    return SYMMV_ROOTS[pitch_class(parts[1])] + QUALITIES[quality]


def read_beats(published: Path, notes: Notes) -> Beats:
    """Read the published beats of the MIDI file: time, and place in the bar by its third column.

    The second column marks every other beat and the third the downbeats; beats before the
    first downbeat are counted back from it by the commonest length of a bar.
    """
    with reading(_BEATS):
        lines = [
            (number, float(time), float(down))
            for number, (time, _, down) in numbered_lines(published, _BEATS)
        ]
    downbeats = np.flatnonzero([down == 1 for _, _, down in lines])
    if len(lines) < 2 or not len(downbeats):
        raise RejectEntry(Reason.NO_BEATS, f"{len(lines)} beats published, or no downbeat")
    places = positions_in_bar(downbeats, len(lines)).tolist()
    beats = [(line[0], line[1], place) for line, place in zip(lines, places, strict=True)]
    return as_beats(_BEATS, beats, last_of(notes) + TAIL_S)


BEATS = Step(
    "pop909_beats", 2, reads=("published", "notes"), run=read_beats, columns=rhythm.COLUMNS
)


def positions_in_bar(downbeats: Ints, count: int) -> Ints:
    """Number `count` beats ``[count]`` in their bars, from 1, by the beats' numbers `downbeats`.

    Beats before the first downbeat lead up to it, in bars of the commonest length.
    """
    lengths, votes = np.unique(np.append(np.diff(downbeats), 4), return_counts=True)
    bar = int(lengths[votes.argmax()])
    places = np.arange(count)
    bars = np.searchsorted(downbeats, places, side="right") - 1
    since = places - downbeats[bars.clip(0)]
    return np.asarray(np.where(bars < 0, since % bar, since) + 1, dtype=np.int64)


def read_parts(music: Path, beats: Beats, *, steps_per_beat: int = 4) -> Parts:
    """Read the quantised notes; melody is what stands in the track MELODY.

    Where the piano doubles a melody note on one step, the one note is the melody's. Notes
    of one pitch that fall on one step of one part become one, as in `quantise`.
    """
    tracks = midi.read_tracks(music)
    if not any(name == MELODY for name, _ in tracks):
        raise RejectEntry(Reason.NO_ANNOTATION, f"the file has no track {MELODY} with notes")
    melody, rest = (
        quantise(_merge(mask), beats, steps_per_beat=steps_per_beat)
        for mask in (
            [notes for name, notes in tracks if name == MELODY],
            [notes for name, notes in tracks if name != MELODY],
        )
    )
    melody_notes = set(zip(melody.onset_steps.tolist(), melody.pitches.tolist(), strict=True))
    keep = [
        place not in melody_notes
        for place in zip(rest.onset_steps.tolist(), rest.pitches.tolist(), strict=True)
    ]
    return _join(melody, rest, np.array(keep, dtype=np.bool_))


PARTS = Step("pop909_parts", 2, reads=("music", "beats"), run=read_parts, columns=melody.COLUMNS)


def _merge(tracks: list[Notes]) -> Notes:
    """Merge notes of several tracks into one order, which one empty track is too."""

    def joined(name: str) -> Floats:
        return np.concatenate([np.empty(0), *(getattr(notes, name) for notes in tracks)])

    starts, pitches = joined("starts_s"), joined("pitches")
    order = np.lexsort((pitches, starts))
    return Notes(
        starts_s=starts[order],
        ends_s=joined("ends_s")[order],
        pitches=pitches[order].astype(np.int64),
        velocities=joined("velocities")[order].astype(np.int64),
    )


def _join(melody: GridNotes, rest: GridNotes, keep: NDArray[np.bool_]) -> Parts:
    def joined(name: str) -> NDArray[Any]:
        return np.concatenate([getattr(melody, name), getattr(rest, name)[keep]])

    onsets, pitches = joined("onset_steps"), joined("pitches")
    order = np.lexsort((pitches, onsets))
    return Parts(
        starts_s=joined("starts_s")[order],
        ends_s=joined("ends_s")[order],
        pitches=pitches[order],
        velocities=joined("velocities")[order],
        onset_steps=onsets[order],
        duration_steps=joined("duration_steps")[order],
        is_melody=(np.arange(len(order)) < len(melody.pitches))[order],
    )


def read_chords(published: Path, notes: Notes) -> Chords:
    """Read the published chords of the MIDI file in SymMV's spelling, equal neighbours joined.

    Stretches without a chord are gaps. Neighbours are equal too where only the bass
    changes, as SymMV names no bass. `RejectEntry` (no_annotation) where no chord is named.
    """
    spans: list[tuple[float, float, str]] = []
    for start, end, words in read_spans(published, _CHORDS, last_of(notes) + TAIL_S):
        with reading(_CHORDS):
            [harte] = words
            label = symmv_label(harte)
        if spans and spans[-1][2] == label and start - spans[-1][1] < _ROUNDING_S:
            spans[-1] = (spans[-1][0], end, label)
        else:
            spans.append((start, end, label))
    spans = [span for span in spans if span[2]]
    if not spans:
        raise RejectEntry(Reason.NO_ANNOTATION, f"{_CHORDS} names no chord")
    return Chords(
        starts_s=np.array([span[0] for span in spans]),
        ends_s=np.array([span[1] for span in spans]),
        labels=tuple(span[2] for span in spans),
    )


CHORDS = Step(
    "pop909_chords",
    2,
    reads=("published", "notes"),
    run=read_chords,
    columns=chords.SYMBOLIC_COLUMNS,
)


def read_key(published: Path, notes: Notes) -> Key:
    """Read the published key in which most of the song stands, spelled as music21 does.

    A song that changes its key has a line for each (`read_key_spans`). The release says
    nothing of how well a key fits: the correlation is that of the notes with
    Krumhansl-Schmuckler's profile of the published key.
    """
    lasts: dict[tuple[str, str], float] = {}
    for start, end, name in _published_keys(published, notes):
        lasts[name] = lasts.get(name, 0.0) + end - start
    tonic, mode = max(lasts, key=lambda name: lasts[name])
    return Key(tonic, mode, fit_of(notes, tonic, mode, profile="krumhansl-schmuckler"))


KEY = Step("pop909_key", 2, reads=("published", "notes"), run=read_key, columns=key.COLUMNS)


def read_key_spans(published: Path, notes: Notes) -> KeySpans:
    """Read the published keys, one after another, spelled as music21 does."""
    spans = _published_keys(published, notes)
    return KeySpans(
        starts_s=np.array([start for start, _, _ in spans]),
        ends_s=np.array([end for _, end, _ in spans]),
        tonics=tuple(tonic for _, _, (tonic, _) in spans),
        modes=tuple(mode for _, _, (_, mode) in spans),
    )


KEY_SPANS = Step(
    "pop909_key_spans",
    1,
    reads=("published", "notes"),
    run=read_key_spans,
    columns=key.SPANS.columns,
)


def _published_keys(published: Path, notes: Notes) -> list[tuple[float, float, tuple[str, str]]]:
    """Start, end, and tonic with mode of each key; `RejectEntry` (no_annotation) without one."""
    spans = []
    for start, end, words in read_spans(published, _KEY, last_of(notes) + RECORDING_TAIL_S):
        with reading(_KEY):
            [label] = words
            tonic, _, quality = label.partition(":")
            number, mode = pitch_class(tonic), {"maj": "major", "min": "minor"}[quality]
        spans.append((start, end, ((MAJOR_TONICS, MINOR_TONICS)[mode == "minor"][number], mode)))
    if not spans:
        raise RejectEntry(Reason.NO_ANNOTATION, f"{_KEY} names no key")
    return spans


RECIPE = Recipe(
    name=NAME,
    schema="symmv",
    pairs=False,
    shares={"train": 8, "validation": 1, "test": 1},
    uses=(
        use(probe.MUSIC),
        use(symbolic.NOTES, makes="notes"),
        use(screen.NOTES),
        use(BEATS, makes="beats"),
        use(PARTS, makes="parts"),
        use(CHORDS, makes="chords"),
        use(KEY, makes="key"),
        use(KEY_SPANS, makes="key_spans"),
    ),
    absent=frozenset({"video_url"}),
)


def scan(path: Path) -> Tree:
    """Find the songs of a copy of the release: `path` is it, or holds its folder POP909."""
    inner = path / "POP909"
    folder = inner if inner.is_dir() else path
    handed_in = Folder(path)
    songs, left_out = [], []
    for place in sorted(folder.iterdir()):
        if not (place.is_dir() and re.fullmatch("[0-9]{3}", place.name)):
            continue
        music = place / f"{place.name}.mid"
        if not handed_in.holds(music):
            left_out.append(f"{place.name} has no {music.name}")
            continue
        source = Source("file", f"{NAME}.{place.name}")
        files = {
            name: place / name for name in (_BEATS, _CHORDS, _KEY) if handed_in.holds(place / name)
        }
        entry = Entry(place.name, NAME, place.name, video=source, music=source)
        songs.append(Song(entry, music, files))
    if not songs:
        problem = "this is no copy of POP909: it holds no NNN/NNN.mid, nor POP909/NNN"
        raise MalformedFile(path, problem)
    return Tree(tuple(songs), left_out=(*left_out, *handed_in.left_out))
