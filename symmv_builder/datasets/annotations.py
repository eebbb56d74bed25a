"""Annotations of one song out of the files that people keep them in.

=============  =================================================================================
notes          MIDI; JSON of `symmv run transcribe`; text ``onset offset pitch ...`` (MAPS)
melody         the same; of a MIDI file the track MELODY where there is one, of the JSON of
               `symmv run melody` the notes that are marked
beats          MIDI (its own ticks); JSON of `symmv run beats`; text ``time [place in the bar]``,
               or POP909's ``time mark downbeat``
chords         JSON of `symmv run chords`; text ``start end label`` (.lab), in Harte's spelling,
               SymMV's or MuVi-Sync's
key            JSON of `symmv run key`; text ``key`` or ``start end key``: the longest counts
=============  =================================================================================

Columns of a text stand between blanks, commas or semicolons. Everything that cannot be read is a
`RejectEntry` with one line.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from symmv_builder.backends import midi
from symmv_builder.errors import Reason, RejectEntry
from symmv_builder.records import Beats, Chords, Floats, Ints, Key, Notes
from symmv_builder.text import harmless
from symmv_builder.vocab import MODES, SYMMV_QUALITIES

TEXT_SUFFIXES = (".txt", ".lab", ".csv", ".tsv", ".beats", ".key")
JSON_SUFFIXES = (".json", ".jsonl")
MIDI_SUFFIXES = (".mid", ".midi")
# Tasks that a MIDI file answers by itself.
FROM_MIDI = ("transcription", "melody", "beats")
MELODY_TRACK = "MELODY"
_MOST_BYTES = 64 * 2**20
# Whole numbers of annotations are smaller.
_MOST = 1e9
# What a damaged file makes of its reader.
_UNREADABLE = (ValueError, LookupError, TypeError, RecursionError, OverflowError)

HARTE_QUALITIES = {
    "M": "maj", "m": "min", "o": "dim", "+": "aug", "7": "7", "M7": "maj7", "m7": "min7",
    "o7": "dim7", "sus2": "sus2", "sus4": "sus4",
}  # fmt: skip
_SYMMV_LABEL = re.compile(rf"([A-G][#b]?)({'|'.join(map(re.escape, SYMMV_QUALITIES))})")
_MODE_NAMES = {"maj": "major", "major": "major", "min": "minor", "minor": "minor"}


def harte_label(label: str) -> str:
    """A chord of SymMV's spelling (``Am7``) in Harte's (``A:min7``); others stay as they are.

    MuVi-Sync's labels are Harte's already.
    """
    parts = _SYMMV_LABEL.fullmatch(label)
    return f"{parts[1]}:{HARTE_QUALITIES[parts[2]]}" if parts else label


def read_annotation(path: Path, task: str) -> Any:
    """What a file says for a task: `Notes`, `Beats`, `Chords` (Harte's labels) or `Key`."""
    try:
        if midi.is_midi(path):
            return _from_midi(path, task)
        text = _read_text(path)
        if path.suffix.lower() in JSON_SUFFIXES:
            return from_json(json.loads(text), task)
        return _from_table(task, text)
    except _UNREADABLE as error:
        raise _unreadable(task, error) from error


def _unreadable(task: str, error: Exception) -> RejectEntry:
    cause = str(error).splitlines()[0] if str(error) else type(error).__name__
    return RejectEntry(Reason.UNREADABLE, f"it holds no {task}: {cause[:200]}")


def read_labels(path: Path) -> Chords:
    """The chords of a text file of ``start end label``, labels in Harte's spelling."""
    chords: Chords = read_annotation(path, "chords")
    return chords


def read_songs(path: Path, task: str) -> list[tuple[str, Any]]:
    """The annotations of a file with the songs' names: one, called as the file without suffix.

    What `symmv run` prints holds an object a line, each called as its own ``file``; a line with a
    reason in the place of a record is left out.
    """
    if path.suffix.lower() not in JSON_SUFFIXES:
        return [(path.stem, read_annotation(path, task))]
    try:
        lines = [json.loads(line) for line in _lines(_read_text(path))]
        if not all(isinstance(line, dict) and "file" in line for line in lines):
            return [(path.stem, read_annotation(path, task))]
        entries = [entry for entry in lines if "reason" not in entry]
        return [(Path(str(entry["file"])).stem, from_json(entry, task)) for entry in entries]
    except json.JSONDecodeError:
        # One object over several lines, or no JSON at all.
        return [(path.stem, read_annotation(path, task))]
    except _UNREADABLE as error:
        raise _unreadable(task, error) from error


def from_json(entry: Mapping[str, Any], task: str) -> Any:
    """A record of `symmv run` for a task; `ValueError` and the like where it is another's."""
    if not isinstance(entry, dict):
        raise ValueError("it is no JSON object")
    missing = [name for name in _FIELDS[task] if name not in entry]
    if missing:
        raise ValueError(f"it has no {', '.join(missing)}")
    return _RECORDS[task](entry)


def from_row(row: Mapping[str, Any], task: str) -> Any:
    """The annotation of a dataset's row, which has the columns of `COLUMNS`."""
    prefix, fields = COLUMNS[task]
    return from_json({name: row[f"{prefix}_{name}"] for name in fields}, task)


def _read_text(path: Path) -> str:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise RejectEntry(Reason.TOO_LARGE, f"it is larger than {_MOST_BYTES >> 20} MiB")
        return path.read_text("utf-8-sig")
    except OSError as error:
        raise RejectEntry(Reason.UNREADABLE, error.strerror or "it cannot be read") from error


def _lines(text: str) -> list[str]:
    return list(filter(_is_content, text.splitlines()))


def _is_content(line: str) -> bool:
    return bool(line.strip()) and not line.startswith("#")


def _from_midi(path: Path, task: str) -> Any:
    if task == "beats":
        return midi.read_beats(path)
    if task == "melody":
        tracks = dict(reversed(midi.read_tracks(path)))
        return tracks[MELODY_TRACK] if MELODY_TRACK in tracks else midi.read_notes(path)
    if task == "transcription":
        return midi.read_notes(path)
    raise ValueError("a MIDI file holds notes and beats alone")


def _notes(starts: Any, ends: Any, pitches: Any) -> Notes:
    """Notes in order of start and pitch, of whatever velocity."""
    start, end, pitch = (np.asarray(part, dtype=np.float64) for part in (starts, ends, pitches))
    order = np.lexsort((pitch, start))
    velocities = np.full(len(order), 64)
    return Notes(start[order], end[order], _whole(pitch[order], "pitch"), velocities)


def _whole(values: Any, what: str) -> Ints:
    """Numbers that count something; `ValueError` where one is no whole number."""
    table = np.asarray(values, dtype=np.float64)
    odd = table[(table != np.rint(table)) | ~(np.abs(table) < _MOST)]
    if len(odd):
        raise ValueError(f"{what} {odd[0]:g} is no whole number")
    return table.astype(np.int64)


def _marked_notes(entry: Mapping[str, Any]) -> Notes:
    count = len(entry["starts_s"])
    keep = np.asarray(entry.get("is_melody", np.ones(count)), dtype=np.bool_)
    parts = (np.asarray(entry[name])[keep] for name in ("starts_s", "ends_s", "pitches"))
    return _notes(*parts)


def _beats(times: Any, positions: Any) -> Beats:
    return Beats(np.asarray(times, dtype=np.float64), _whole(positions, "place in the bar"))


def _chords(starts: Any, ends: Any, labels: Iterable[Any]) -> Chords:
    return Chords(starts, ends, tuple(harte_label(str(label)) for label in labels))


def _key(tonic: str, mode: str) -> Key:
    tonic = tonic[:1].upper() + tonic[1:]
    return Key(tonic, _MODE_NAMES.get(mode.lower(), mode), 0.0)


_NOTES = ("starts_s", "ends_s", "pitches")
_FIELDS: Mapping[str, tuple[str, ...]] = {
    "transcription": _NOTES,
    "melody": _NOTES,
    "beats": ("times_s", "positions"),
    "chords": ("starts_s", "ends_s", "labels"),
    "key": ("tonic", "mode"),
}
# Prefix of a row's columns, and the fields that are read.
COLUMNS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    **{task: ("notes", fields) for task, fields in _FIELDS.items()},
    "melody": ("parts", (*_NOTES, "is_melody")),
    "beats": ("beats", _FIELDS["beats"]),
    "chords": ("chords", _FIELDS["chords"]),
    "key": ("key", _FIELDS["key"]),
}
_RECORDS: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
    "transcription": lambda said: _notes(said["starts_s"], said["ends_s"], said["pitches"]),
    "melody": _marked_notes,
    "beats": lambda said: _beats(said["times_s"], said["positions"]),
    "chords": lambda said: _chords(said["starts_s"], said["ends_s"], said["labels"]),
    "key": lambda said: _key(str(said["tonic"]), str(said["mode"])),
}


# A line of a text file: its number from 1, and its words.
_Line = tuple[int, list[str]]


def _from_table(task: str, text: str) -> Any:
    numbered = enumerate(text.splitlines(), 1)
    lines = [(at, _words(line)) for at, line in numbered if _is_content(line)]
    if not lines:
        raise RejectEntry(Reason.UNREADABLE, "the file is empty")
    return _TABLES[task](lines)


def _words(line: str) -> list[str]:
    """Split a line at blanks, or at commas or semicolons where it begins with such a cell.

    Commas in brackets are a chord's: ``C:maj(9,11)``.
    """
    words = line.split()
    mark = next((mark for mark in ";," if mark in words[0]), None)
    if mark is None:
        return words
    return [cell.strip() for cell in re.split(rf"{mark}(?![^(]*\))", line)]


def _not_expected(line: _Line, form: str) -> RejectEntry:
    number, words = line
    shown = harmless(" ".join(words), 40)
    return RejectEntry(Reason.UNREADABLE, f"line {number}: expected {form}, not {shown!r}")


def _columns(lines: list[_Line], count: int, form: str) -> tuple[Floats, list[_Line]]:
    """The first columns of a table as numbers ``[n, count]``, and its lines without headings."""
    lines = _without_headings(lines)
    for line in lines:
        words = line[1][:count]
        if len(words) < count or not all(map(_is_number, words)):
            raise _not_expected(line, form)
    numbers = [row[:count] for _, row in lines]
    return np.array(numbers, dtype=np.float64).reshape(-1, count), lines


def _without_headings(lines: list[_Line]) -> list[_Line]:
    """A first line is one of headings where others follow and it does not begin with a number."""
    return lines[1:] if len(lines) > 1 and not _is_number(lines[0][1][0]) else lines


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _notes_of_table(lines: list[_Line]) -> Notes:
    return _notes(*_columns(lines, 3, "`onset offset pitch`")[0].T)


def _beats_of_table(lines: list[_Line]) -> Beats:
    form = "`time`, `time position` or `time mark downbeat`"
    widths = [min(3, len(words)) for _, words in _without_headings(lines)]
    width = widths[0]
    table, lines = _columns(lines, width, form)
    if set(widths) != {width}:
        odd = next(number for number, each in enumerate(widths) if each != width)
        raise _not_expected(lines[odd], f"{form}, the same in all lines")
    if width >= 3:
        # POP909: the second column marks every other beat, the third the downbeats.
        return _beats(table[:, 0], np.where(table[:, 2] == 1, 1, 2))
    return _beats(table[:, 0], table[:, 1] if width == 2 else np.zeros(len(table)))


def _chords_of_table(lines: list[_Line]) -> Chords:
    form = "`start end label`"
    spans, lines = _columns(lines, 2, form)
    for line in lines:
        # Another number may follow, such as a likelihood; a word may not: `C minor` is no label.
        if len(line[1]) < 3 or not all(map(_is_number, line[1][3:])):
            raise _not_expected(line, form)
    return _chords(spans[:, 0], spans[:, 1], [words[2] for _, words in lines])


def _key_of_table(lines: list[_Line]) -> Key:
    lasts: dict[tuple[str, str], float] = {}
    for number, row in lines:
        is_span = len(row) > 2 and all(map(_is_number, row[:2]))
        words = re.split(r"[:\s]+", " ".join(row[2:] if is_span else row).strip())
        if len(words) != 2 or words[1].lower() not in _MODE_NAMES:
            form = f"`C major`, `C:maj` or `start end C:maj`, with {' or '.join(MODES)} as its mode"
            raise _not_expected((number, row), form)
        length = float(row[1]) - float(row[0]) if is_span else 1.0
        name = (words[0], words[1])
        lasts[name] = lasts.get(name, 0.0) + length
    return _key(*max(lasts, key=lambda name: lasts[name]))


_TABLES: Mapping[str, Callable[[list[_Line]], Any]] = {
    "transcription": _notes_of_table,
    "melody": _notes_of_table,
    "beats": _beats_of_table,
    "chords": _chords_of_table,
    "key": _key_of_table,
}
