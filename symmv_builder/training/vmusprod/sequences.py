"""A song as the sequences of tokens that the stages learn (Zhuo et al. 2023, section 4.2)."""

import numpy as np
from numpy.typing import NDArray

from symmv_builder.training.vmusprod.songs import QuantisedSong
from symmv_builder.training.vmusprod.tokens import LONGEST, Events, Sequence, sequence_of


def chord_sequence(song: QuantisedSong, *, end: bool = True) -> Sequence:
    """Encode chords as Rhythm and Chord tokens, with ``end`` unless a stretch is not the last."""
    return sequence_of(_events(song, chords=True, notes=None), end=end)


def melody_sequence(song: QuantisedSong, *, end: bool = True) -> Sequence:
    """Encode the melody as Rhythm and Note tokens."""
    return sequence_of(_events(song, chords=False, notes=song.is_melody), end=end)


def accompaniment_sequence(song: QuantisedSong, *, end: bool = True) -> Sequence:
    """Encode all notes but the melody as Rhythm and Note tokens."""
    return sequence_of(_events(song, chords=False, notes=~song.is_melody), end=end)


def full_sequence(song: QuantisedSong, *, end: bool = True) -> Sequence:
    """Encode all notes as Rhythm and Note tokens, as the ablations of section 6.4 generate them."""
    everything = np.ones(len(song.onsets), dtype=np.bool_)
    return sequence_of(_events(song, chords=False, notes=everything), end=end)


def _events(song: QuantisedSong, *, chords: bool, notes: NDArray[np.bool_] | None) -> Events:
    nothing = np.zeros(0, dtype=np.int64)
    chord_steps, roots, qualities = nothing, nothing, nothing
    if chords:
        bar_steps = np.arange(song.bars, dtype=np.int64) * song.steps_per_bar
        chord_steps = np.union1d(song.chord_onsets, bar_steps)
        sounding = np.searchsorted(song.chord_onsets, chord_steps, side="right") - 1
        roots, qualities = song.chord_roots[sounding], song.chord_qualities[sounding]
    mask = np.zeros(len(song.onsets), dtype=np.bool_) if notes is None else notes
    return Events(
        song.bars,
        song.steps_per_bar,
        chord_steps,
        roots,
        qualities,
        song.onsets[mask],
        song.pitches[mask],
        song.durations[mask].clip(1, LONGEST),
    )
