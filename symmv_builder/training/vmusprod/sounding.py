"""Tokens as notes and chords in seconds.

Tokens hold no loudness (Zhuo et al. 2023, section 4.2), so that of generated music is a rule:
melody above accompaniment, the first 16th of a bar above other beats, those above what lies
between. The levels keep within what is played in SymMV (15-87).
"""

from dataclasses import replace

import numpy as np

from symmv_builder.records import Chords, Notes
from symmv_builder.training.vmusprod.songs import QuantisedSong
from symmv_builder.training.vmusprod.tempo import STEPS_PER_BEAT, Clock
from symmv_builder.training.vmusprod.tokens import LONGEST, NO_ROOT, Ints, Sequence, events_of
from symmv_builder.vocab import SYMMV_QUALITIES, SYMMV_ROOTS

MELODY_VELOCITY, ACCOMPANIMENT_VELOCITY = 78, 60
DOWNBEAT_ACCENT, BEAT_ACCENT = 8, 4


def notes_of(sequence: Sequence, clock: Clock, velocity: int = MELODY_VELOCITY) -> Notes:
    """Decode the notes of a sequence, in seconds of `clock`; accents are added to `velocity`.

    What would begin before the clock's 0 begins there, as a recording does.
    """
    events = events_of(sequence)
    return _notes(
        events.steps, events.durations, events.pitches, events.steps_per_bar, clock, velocity
    )


def notes_of_song(song: QuantisedSong, clock: Clock) -> tuple[Notes, Notes]:
    """Convert melody and accompaniment of a song to seconds of `clock`."""
    parts = ((song.is_melody, MELODY_VELOCITY), (~song.is_melody, ACCOMPANIMENT_VELOCITY))
    melody, accompaniment = (
        _notes(
            song.onsets[part],
            song.durations[part],
            song.pitches[part],
            song.steps_per_bar,
            clock,
            velocity,
        )
        for part, velocity in parts
    )
    return melody, accompaniment


def chords_of_song(song: QuantisedSong, clock: Clock) -> Chords:
    """Convert a song's chords to seconds of `clock`, labelled as in SymMV; no chord is a gap."""
    ends = np.append(song.chord_onsets[1:], song.bars * song.steps_per_bar)
    has_root = song.chord_roots != NO_ROOT
    named = zip(song.chord_roots[has_root], song.chord_qualities[has_root], strict=True)
    return Chords(
        starts_s=clock(song.chord_onsets[has_root]).clip(0),
        ends_s=clock(ends[has_root]).clip(0),
        labels=tuple(SYMMV_ROOTS[root] + SYMMV_QUALITIES[quality] for root, quality in named),
    )


def struck_once(song: QuantisedSong) -> QuantisedSong:
    """Fit the song to one keyboard: a note ends where its key is struck again, in either part."""
    order = np.lexsort((song.onsets, song.pitches))
    same = np.diff(song.pitches[order]) == 0
    gaps = np.where(same, np.diff(song.onsets[order]), LONGEST)
    durations = song.durations.copy()
    durations[order[:-1]] = np.minimum(durations[order[:-1]], gaps)
    return replace(song, durations=durations)


def merged(melody: Notes, accompaniment: Notes) -> Notes:
    """Merge both parts, x_m (+) x_a of section 4.2; of a note in both the longer is kept."""
    starts = np.concatenate((melody.starts_s, accompaniment.starts_s))
    ends = np.concatenate((melody.ends_s, accompaniment.ends_s))
    pitches = np.concatenate((melody.pitches, accompaniment.pitches))
    velocities = np.concatenate((melody.velocities, accompaniment.velocities))
    order = np.lexsort((-ends, pitches, starts))
    new = np.ones(len(order), dtype=np.bool_)
    new[1:] = (np.diff(starts[order]) != 0) | (np.diff(pitches[order]) != 0)
    first = order[new]
    return Notes(starts[first], ends[first], pitches[first], velocities[first], melody.clock)


def cut(notes: Notes, end_s: float, *, shortest_s: float = 0.0) -> Notes:
    """Cut the notes at `end_s`; a remainder shorter than `shortest_s` is left out."""
    is_before = notes.starts_s < end_s - shortest_s
    return Notes(
        notes.starts_s[is_before],
        np.minimum(notes.ends_s[is_before], end_s),
        notes.pitches[is_before],
        notes.velocities[is_before],
        notes.clock,
    )


def _notes(
    steps: Ints, durations: Ints, pitches: Ints, steps_per_bar: int, clock: Clock, velocity: int
) -> Notes:
    on_beat = (steps % steps_per_bar) % STEPS_PER_BEAT == 0
    accents = np.where(on_beat, BEAT_ACCENT, 0)
    accents[steps % steps_per_bar == 0] = DOWNBEAT_ACCENT
    return Notes(
        starts_s=clock(steps).clip(0),
        ends_s=clock(steps + durations).clip(0),
        pitches=pitches,
        velocities=(velocity + accents).clip(1, 127),
    )
