"""Named tracks of notes as a Standard MIDI file of type 1."""

import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import numpy as np

from symmv_builder.backends.midi.events import SUSTAIN
from symmv_builder.records import Floats, Ints, Notes


class NoteFields(Protocol):
    """A record that can be written as a track: `Notes`, `GridNotes` or `Parts`."""

    @property
    def starts_s(self) -> Floats: ...
    @property
    def ends_s(self) -> Floats: ...
    @property
    def pitches(self) -> Ints: ...
    @property
    def velocities(self) -> Ints: ...


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
    tempo_map: tuple[Floats, Floats] | None = None,
) -> bytes:
    """Make the bytes that `write_notes` writes; times are rounded to the nearest tick.

    `tempo_map` takes the place of the one tempo: seconds, and the beats that sound then, float64
    ``[n]`` each and rising from 0. Between two of them the tempo is steady.
    """
    if tempo_map is None:
        tempo_map = np.array([0.0, 60.0 / tempo_bpm]), np.array([0.0, 1.0])
    times_s, beats = tempo_map
    tempos_us = np.rint(1e6 * np.diff(times_s) / np.diff(beats)).astype(np.int64)
    first = np.rint(beats * ticks_per_beat).astype(np.int64)
    head = [
        (tick, b"\xff\x51\x03" + us.to_bytes(3, "big"))
        for tick, us in zip(first.tolist(), tempos_us.tolist(), strict=False)
    ]
    head.insert(1, (0, b"\xff\x58\x04\x04\x02\x18\x08"))
    # A reader counts in whole microseconds a beat: the times at which it comes to these ticks.
    read_s = np.concatenate(([0.0], np.cumsum(np.diff(first) * tempos_us / ticks_per_beat / 1e6)))

    def ticks(times: Floats) -> list[int]:
        place = np.searchsorted(read_s[1:-1], times, side="right")
        exact = first[place] + (times - read_s[place]) * (ticks_per_beat * 1e6 / tempos_us[place])
        # A file begins at tick 0: what would lie before it begins there.
        return [max(0, int(tick)) for tick in np.rint(exact)]

    chunks = [_track_bytes(head)]
    for name, notes in tracks.items():
        chunks.append(_track_bytes(_note_events(name, notes, ticks)))
    header = struct.pack(">4sLHHH", b"MThd", 6, 1, len(chunks), ticks_per_beat)
    return header + b"".join(chunks)


def _note_events(
    name: str, notes: NoteFields, ticks: Callable[[Floats], list[int]]
) -> list[tuple[int, bytes]]:
    """Sort ends before starts of the same tick, except that a note lasts one tick at least."""
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
