"""Standard MIDI files: notes, pedal and beats in; named tracks out.

The reader is our own because the files are untrusted: every length is checked against
the bytes that are there, a delta time has at most four bytes (Standard MIDI Files 1.0,
section 1), and nothing is allocated by a number that a file merely claims. Simultaneous
notes of one pitch on one channel end in the order in which they began; a note that is
never ended has no known length and is left out.
"""

import struct
from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from symmv_builder.errors import Reason, RejectEntry
from symmv_builder.records import Beats, Floats, Ints, Notes

MAX_BYTES = 8 << 20
MAX_DURATION_S = 12 * 3600.0
MAX_BEATS = 200_000
DRUM_CHANNEL = 9
SUSTAIN = 64
DEFAULT_TEMPO_US = 500_000
SMPTE_RATES = {24: 24.0, 25: 25.0, 29: 30000 / 1001, 30: 30.0}


class NoteFields(Protocol):
    """What can be written as a track: `Notes`, `GridNotes` or `Parts`."""

    @property
    def starts_s(self) -> Floats: ...
    @property
    def ends_s(self) -> Floats: ...
    @property
    def pitches(self) -> Ints: ...
    @property
    def velocities(self) -> Ints: ...


@dataclass(slots=True)
class _Score:
    """What one file holds, in ticks."""

    ticks_per_beat: int
    tick_s: float | None
    notes: list[tuple[int, int, int, int]] = field(default_factory=list)
    pedals: list[tuple[int, int]] = field(default_factory=list)
    tempos: list[tuple[int, int]] = field(default_factory=list)
    meters: list[tuple[int, int, int]] = field(default_factory=list)
    last_tick: int = 0
    last_control: int = 0
    tracks: list[tuple[str, int]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Piece:
    """A file's notes and beats, and its end: of the last note, or the last controller's time."""

    notes: Notes
    beats: Beats
    end_s: float


def is_midi(path: Path) -> bool:
    """Whether a file begins as a Standard MIDI file does, whatever its name says."""
    try:
        with path.open("rb") as handle:
            return handle.read(4) == b"MThd"
    except OSError:
        return False


def read_notes(path: Path) -> Notes:
    """The notes of all instruments but drums, and the spans of the sustain pedal.

    Times follow the tempo map; a note ends where its key is released, not where the
    pedal is. `RejectEntry` (not_media, unreadable, too_large, too_long) for a bad file.
    """
    score = _read(path)
    return _notes(score, _clock(score, path))


def read_tracks(path: Path) -> list[tuple[str, Notes]]:
    """Name and notes of each track that holds notes, in the file's order, without pedal.

    A track without a name has an empty one. Errors are those of `read_notes`.
    """
    score = _read(path)
    to_seconds = _clock(score, path)
    ends = [*(first for _, first in score.tracks[1:]), len(score.notes)]
    found = []
    for (name, first), end in zip(score.tracks, ends, strict=True):
        if end > first:
            part = replace(score, notes=score.notes[first:end], pedals=[])
            found.append((name, _notes(part, to_seconds)))
    return found


def read_piece(path: Path) -> Piece:
    """What `read_notes` and `read_beats` give, and where the piece ends, in one reading."""
    score = _read(path)
    to_seconds = _clock(score, path)
    last = max([score.last_control, *(end for _, end, _, _ in score.notes)])
    return Piece(
        notes=_notes(score, to_seconds),
        beats=_beats(score, to_seconds),
        end_s=float(to_seconds(np.array([last]))[0]),
    )


def _notes(score: _Score, to_seconds: "_clock") -> Notes:
    notes = np.array(score.notes, dtype=np.int64).reshape(-1, 4)
    notes = notes[np.lexsort((notes[:, 2], notes[:, 0]))]
    pedals = np.array(_union(score.pedals), dtype=np.int64).reshape(-1, 2)
    return Notes(
        starts_s=to_seconds(notes[:, 0]),
        ends_s=to_seconds(notes[:, 1]),
        pitches=notes[:, 2],
        velocities=notes[:, 3],
        pedal_starts_s=to_seconds(pedals[:, 0]),
        pedal_ends_s=to_seconds(pedals[:, 1]),
    )


def read_beats(path: Path) -> Beats:
    """Quarter notes by the tempo map, from tick 0 to the first one at or after the end.

    Places in the bar follow the time signatures and are counted in quarters, whatever
    the denominator; where a bar is not a whole number of quarters, the first quarter
    that begins in it is 1. A file that counts in SMPTE frames has no beats and is read
    at 120 to the minute.
    """
    score = _read(path)
    return _beats(score, _clock(score, path))


def _beats(score: _Score, to_seconds: "_clock") -> Beats:
    ticks_per_beat = score.ticks_per_beat
    if score.tick_s is not None:
        ticks_per_beat = max(1, round(0.5 / score.tick_s))
    count = -(-score.last_tick // ticks_per_beat) + 1
    if count > MAX_BEATS:
        raise RejectEntry(Reason.TOO_LONG, f"the file has {count} beats, over {MAX_BEATS}")
    ticks = np.arange(count, dtype=np.int64) * ticks_per_beat
    times = to_seconds(ticks)
    if (np.diff(times) <= 0).any():
        raise RejectEntry(Reason.UNREADABLE, "the file has a tempo at which time stands still")
    positions = _positions(ticks, ticks_per_beat, score.meters)
    return Beats(times_s=times, positions=positions, source="file")


def write_notes(
    path: Path,
    tracks: Mapping[str, NoteFields],
    *,
    tempo_bpm: float = 120.0,
    ticks_per_beat: int = 220,
) -> None:
    """Write named tracks as a type 1 file of one tempo, 4/4, all on the piano.

    The defaults are those of the released SymMV files. The pedal of `Notes` is written
    as controller 64.
    """
    path.write_bytes(midi_bytes(tracks, tempo_bpm=tempo_bpm, ticks_per_beat=ticks_per_beat))


def midi_bytes(
    tracks: Mapping[str, NoteFields],
    *,
    tempo_bpm: float = 120.0,
    ticks_per_beat: int = 220,
) -> bytes:
    """The bytes that `write_notes` writes; times are rounded to the nearest tick."""
    tempo_us = round(60e6 / tempo_bpm)
    head = [
        (0, b"\xff\x51\x03" + tempo_us.to_bytes(3, "big")),
        (0, b"\xff\x58\x04\x04\x02\x18\x08"),
    ]
    ticks_per_s = ticks_per_beat * 1e6 / tempo_us
    chunks = [_track_bytes(head)]
    for name, notes in tracks.items():
        chunks.append(_track_bytes(_note_events(name, notes, ticks_per_s)))
    header = struct.pack(">4sLHHH", b"MThd", 6, 1, len(chunks), ticks_per_beat)
    return header + b"".join(chunks)


def _note_events(name: str, notes: NoteFields, ticks_per_s: float) -> list[tuple[int, bytes]]:
    """Ends come before starts of the same tick, except that a note lasts one tick at least."""

    def ticks(times_s: NDArray[np.float64]) -> list[int]:
        # A file begins at tick 0: what would lie before it begins there.
        return [max(0, int(t)) for t in np.rint(np.asarray(times_s) * ticks_per_s)]

    timed: list[tuple[int, int, bytes]] = []
    fields = zip(ticks(notes.starts_s), ticks(notes.ends_s), strict=True)
    for (start, end), pitch, velocity in zip(fields, notes.pitches, notes.velocities, strict=True):
        timed.append((start, 2, bytes((0x90, int(pitch), int(velocity)))))
        timed.append((max(end, start + 1), 0, bytes((0x80, int(pitch), 64))))
    if isinstance(notes, Notes):
        timed += [(t, 1, bytes((0xB0, SUSTAIN, 127))) for t in ticks(notes.pedal_starts_s)]
        timed += [(t, 0, bytes((0xB0, SUSTAIN, 0))) for t in ticks(notes.pedal_ends_s)]
    text = name.encode()[:127]
    events = [(0, b"\xff\x03" + bytes((len(text),)) + text), (0, b"\xc0\x00")]
    return events + [(tick, event) for tick, _, event in sorted(timed)]


def _track_bytes(events: list[tuple[int, bytes]]) -> bytes:
    body, now = bytearray(), 0
    for tick, event in [*events, (events[-1][0], b"\xff\x2f\x00")]:
        body += _variable_length(tick - now) + event
        now = tick
    return b"MTrk" + struct.pack(">L", len(body)) + bytes(body)


def _variable_length(value: int) -> bytes:
    groups = [value & 0x7F]
    while value := value >> 7:
        groups.append(value & 0x7F | 0x80)
    return bytes(reversed(groups))


def _read(path: Path) -> _Score:
    try:
        with path.open("rb") as handle:
            data = handle.read(MAX_BYTES + 1)
    except OSError as error:
        detail = f"the file cannot be opened: {error.strerror}"
        raise RejectEntry(Reason.UNREADABLE, detail) from error
    if not data:
        raise RejectEntry(Reason.EMPTY_FILE, "the file has no bytes")
    if data[:4] != b"MThd":
        raise RejectEntry(Reason.NOT_MEDIA, "the file is not a Standard MIDI file")
    if len(data) > MAX_BYTES:
        raise RejectEntry(Reason.TOO_LARGE, f"the file is over {MAX_BYTES >> 20} MiB of MIDI")
    try:
        return _parse(data)
    except (IndexError, struct.error, ValueError) as error:
        detail = (
            str(error) if isinstance(error, ValueError) else "it ends in the middle of an event"
        )
        raise RejectEntry(Reason.UNREADABLE, f"the file is damaged: {detail}") from error


def _parse(data: bytes) -> _Score:
    length, kind, tracks, division = struct.unpack(">LHHH", data[4:14])
    if kind > 1:
        raise ValueError(f"type {kind} holds independent patterns, not one piece")
    if division & 0x8000:
        rate = SMPTE_RATES.get(256 - (division >> 8), 0.0) * (division & 0xFF)
        score = _Score(ticks_per_beat=1, tick_s=1.0 / rate) if rate else _Score(0, None)
    else:
        score = _Score(ticks_per_beat=division, tick_s=None)
    if score.ticks_per_beat == 0:
        raise ValueError("its time division is zero")
    at, seen = 8 + length, 0
    while seen < tracks:
        name, size = data[at : at + 4], struct.unpack(">L", data[at + 4 : at + 8])[0]
        at += 8
        if at + size > len(data):
            raise ValueError("a track goes on after the end of the file")
        if name == b"MTrk":
            score.tracks.append(("", len(score.notes)))
            _parse_track(data[at : at + size], score)
            seen += 1
        at += size
    return score


def _parse_track(data: bytes, score: _Score) -> None:
    """Add one track's events to the score; `IndexError` where it breaks off."""
    at, tick, status = 0, 0, 0
    sounding: dict[tuple[int, int], deque[tuple[int, int]]] = defaultdict(deque)
    pedal_down: dict[int, int] = {}
    while at < len(data):
        delta, at = _number(data, at)
        tick += delta
        if data[at] & 0x80:
            status = data[at]
            at += 1
        if status == 0xFF:
            meta = data[at]
            size, at = _number(data, at + 1)
            if meta == 0x2F:
                break
            _meta(meta, data[at : at + size], tick, score)
            at += size
        elif status in (0xF0, 0xF7):
            size, at = _number(data, at)
            at += size
        elif 0x80 <= status < 0xF0:
            first, second = data[at], 0
            at += 1
            if status >> 4 not in (0xC, 0xD):
                second = data[at]
                at += 1
            if (first | second) & 0x80:
                raise ValueError("an event holds a byte over 127")
            if status & 0x0F != DRUM_CHANNEL:
                _channel(status, first, second, tick, score, sounding, pedal_down)
        else:
            raise ValueError(f"it holds an event of unknown kind {status:#x}")
    if at > len(data):
        raise IndexError
    score.pedals += [(start, tick) for start in pedal_down.values()]
    score.last_tick = max(score.last_tick, tick)


def _channel(
    status: int,
    first: int,
    second: int,
    tick: int,
    score: _Score,
    sounding: dict[tuple[int, int], deque[tuple[int, int]]],
    pedal_down: dict[int, int],
) -> None:
    """Take one channel event: a key or the sustain pedal, pressed or released."""
    kind, channel = status >> 4, status & 0x0F
    if kind == 0xB:
        score.last_control = max(score.last_control, tick)
    if kind == 0x9 and second:
        sounding[channel, first].append((tick, second))
    elif kind in (0x8, 0x9):
        if waiting := sounding.get((channel, first)):
            start, velocity = waiting.popleft()
            score.notes.append((start, tick, first, velocity))
    elif kind == 0xB and first == SUSTAIN:
        if second >= 64:
            pedal_down.setdefault(channel, tick)
        elif channel in pedal_down:
            score.pedals.append((pedal_down.pop(channel), tick))


def _meta(kind: int, body: bytes, tick: int, score: _Score) -> None:
    if kind == 0x51 and len(body) == 3 and any(body):
        score.tempos.append((tick, int.from_bytes(body, "big")))
    elif kind == 0x58 and len(body) >= 2 and body[0] and body[1] <= 6:
        score.meters.append((tick, body[0], 2 ** body[1]))
    elif kind == 0x03 and not score.tracks[-1][0]:
        score.tracks[-1] = (body.decode(errors="replace"), score.tracks[-1][1])


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A variable-length number and the place behind it."""
    value = 0
    for place in range(at, at + 4):
        value = value << 7 | data[place] & 0x7F
        if not data[place] & 0x80:
            return value, place + 1
    raise ValueError("a variable-length number has more than four bytes")


class _clock:
    """Ticks to seconds by the tempo map; refuses a file that goes on too long."""

    def __init__(self, score: _Score, path: Path) -> None:
        # Of several tempos at one tick the last one written counts.
        changes = {0: DEFAULT_TEMPO_US} | dict(sorted(score.tempos, key=lambda change: change[0]))
        if score.tick_s is not None:
            changes = {0: DEFAULT_TEMPO_US}
        self.ticks = np.array(list(changes), dtype=np.int64)
        self.tempos = np.array(list(changes.values()), dtype=np.float64)
        # One division at the end, so that a whole second comes out whole.
        self.parts = 1e6 * score.ticks_per_beat
        if score.tick_s is not None:
            self.tempos, self.parts = np.array([1.0]), 1.0 / score.tick_s
        gaps_s = np.diff(self.ticks) * self.tempos[:-1] / self.parts
        self.times_s = np.concatenate(([0.0], np.cumsum(gaps_s)))
        duration_s = float(self(np.array([score.last_tick]))[0])
        if duration_s > MAX_DURATION_S:
            detail = f"the file lasts {duration_s:.0f} s, over {MAX_DURATION_S:.0f} s"
            raise RejectEntry(Reason.TOO_LONG, detail)

    def __call__(self, ticks: Ints) -> Floats:
        place = np.searchsorted(self.ticks, ticks, side="right") - 1
        since = ticks - self.ticks[place]
        return np.asarray(self.times_s[place] + since * self.tempos[place] / self.parts)


def _positions(ticks: Ints, ticks_per_beat: int, meters: list[tuple[int, int, int]]) -> Ints:
    """Place in the bar, from 1, of beats at these ticks; 4/4 until a signature says else."""
    changes = {0: (4, 4)} | {tick: (top, bottom) for tick, top, bottom in sorted(meters)}
    starts = np.array(list(changes), dtype=np.int64)
    bars = np.array([top * 4 * ticks_per_beat / low for top, low in changes.values()])
    place = np.searchsorted(starts, ticks, side="right") - 1
    into_bar = np.mod(ticks - starts[place], bars[place])
    return np.asarray(into_bar // ticks_per_beat + 1, dtype=np.int64)


def _union(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Overlapping spans joined, in order; empty ones left out."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(span for span in spans if span[1] > span[0]):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined
