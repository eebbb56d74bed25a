"""MIDI files: notes, pedal and beats in; named tracks out.

The reader is our own because the files are untrusted: every length is checked against
the bytes that are there, a delta time has at most four bytes (Standard MIDI Files 1.0,
section 1), and nothing is allocated by a number that a file merely claims. `container`
unpacks RIFF and gzip, `events` says how events become notes, `writing` writes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from symmv_builder.backends.midi.container import MAX_BYTES, is_midi, read_bytes
from symmv_builder.backends.midi.events import MidiTracks, Track, parse
from symmv_builder.backends.midi.writing import NoteFields, midi_bytes, write_notes
from symmv_builder.errors import Reason, RejectEntry
from symmv_builder.records import Beats, Floats, Ints, Notes

__all__ = [
    "MAX_BYTES",
    "MidiMusic",
    "NoteFields",
    "is_midi",
    "midi_bytes",
    "read_beats",
    "read_notes",
    "read_piece",
    "read_tempo_map",
    "read_tracks",
    "write_notes",
]

MAX_DURATION_S = 12 * 3600.0
MAX_BEATS = 200_000
DEFAULT_TEMPO_US = 500_000


@dataclass(frozen=True, slots=True)
class MidiMusic:
    """A file's notes and beats, and its end: of the last note, or the last controller's time."""

    notes: Notes
    beats: Beats
    end_s: float


def read_notes(path: Path) -> Notes:
    """Read the notes of all instruments but drums, and the spans of the sustain pedal.

    Times follow the tempo map; a note ends where its key is released, not where the
    pedal is. `RejectEntry` (empty_file, not_media, unreadable, too_large, too_long) for a
    bad file.
    """
    score = _read(path)
    return _notes(score.tracks, _clock(score))


def read_tracks(path: Path) -> list[tuple[str, Notes]]:
    """Read name and notes of each track that holds notes, in the file's order, without pedal.

    A track without a name has an empty one. Errors are those of `read_notes`.
    """
    score = _read(path)
    to_seconds = _clock(score)
    return [
        (track.name, _notes([Track(notes=track.notes)], to_seconds))
        for track in score.tracks
        if track.notes
    ]


def read_piece(path: Path) -> MidiMusic:
    """Read what `read_notes` and `read_beats` give, and where the piece ends, at once."""
    score = _read(path)
    to_seconds = _clock(score)
    ends = [end for track in score.tracks for _, end, _, _ in track.notes]
    last = max([*(track.last_control for track in score.tracks), *ends])
    return MidiMusic(
        notes=_notes(score.tracks, to_seconds),
        beats=_beats(score, to_seconds),
        end_s=float(to_seconds(np.array([last]))[0]),
    )


def read_beats(path: Path) -> Beats:
    """Quarter notes by the tempo map, from tick 0 to the first one at or after the end.

    Places in the bar follow the time signatures and are counted in quarters, whatever
    the denominator; where a bar is not a whole number of quarters, the first quarter
    that begins in it is 1. A file that counts in SMPTE frames has no beats and is read
    at 120 to the minute.
    """
    score = _read(path)
    return _beats(score, _clock(score))


def read_tempo_map(path: Path) -> tuple[Floats, Floats]:
    """Read a file's tempo map as `midi_bytes` takes it: seconds and beats, float64 ``[n]`` each.

    Its last point is the file's last event, or a beat behind the last tempo where that is later.
    Written again it gives the same tempos, so that notes that were read stay on their ticks.
    """
    score = _read(path)
    to_seconds = _clock(score)
    if score.tick_s is not None:
        raise RejectEntry(Reason.UNREADABLE, "the file counts in SMPTE frames and has no beats")
    last = max(score.last_tick, int(to_seconds.ticks[-1]) + score.ticks_per_beat)
    ticks = np.append(to_seconds.ticks, last)
    return to_seconds(ticks), ticks / score.ticks_per_beat


def _read(path: Path) -> MidiTracks:
    data = read_bytes(path)
    try:
        return parse(data)
    except ValueError as error:
        raise RejectEntry(Reason.UNREADABLE, f"the file is damaged: {error}") from error


def _notes(tracks: Sequence[Track], to_seconds: "_clock") -> Notes:
    notes = np.array([note for track in tracks for note in track.notes], dtype=np.int64)
    notes = notes.reshape(-1, 4)
    notes = notes[np.lexsort((notes[:, 2], notes[:, 0]))]
    spans = _union([span for track in tracks for span in track.pedals])
    pedals = np.array(spans, dtype=np.int64).reshape(-1, 2)
    return Notes(
        starts_s=to_seconds(notes[:, 0]),
        ends_s=to_seconds(notes[:, 1]),
        pitches=notes[:, 2],
        velocities=notes[:, 3],
        pedal_starts_s=to_seconds(pedals[:, 0]),
        pedal_ends_s=to_seconds(pedals[:, 1]),
    )


def _beats(score: MidiTracks, to_seconds: "_clock") -> Beats:
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
    meters = [meter for track in score.tracks for meter in track.meters]
    positions = _positions(ticks, ticks_per_beat, meters)
    return Beats(times_s=times, positions=positions, source="file")


class _clock:
    """Ticks to seconds by the tempo map; refuses a file that goes on too long."""

    def __init__(self, score: MidiTracks) -> None:
        # Of several tempos at one tick the last one written counts.
        tempos = [tempo for track in score.tracks for tempo in track.tempos]
        changes = {0: DEFAULT_TEMPO_US} | dict(sorted(tempos, key=lambda change: change[0]))
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
    """Number beats at these ticks in the bar, from 1; 4/4 until a signature says else."""
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
