"""A row as what CMT learns: its notes as words, and where in the piece each stands."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from symmv_builder.training.cmt.tokens import LONGEST, PIANO, POSITIONS, WordScore, tokens_of
from symmv_builder.training.data import Example, transposition
from symmv_builder.training.vmusprod.examples import crop_of
from symmv_builder.training.vmusprod.songs import QuantisedSong, song_in_fours
from symmv_builder.training.vmusprod.tempo import Rounding, timing_of
from symmv_builder.training.vmusprod.tokens import NO_QUALITY, NO_ROOT, Sequence


@dataclass(frozen=True, slots=True)
class CmtExamples:
    """Makes examples of rows; an instance is the ``prepare`` of a loader."""

    max_tokens: int
    timing: Rounding
    transposes: bool

    def __call__(self, row: Mapping[str, Any], rng: np.random.Generator) -> Example:
        """Make ``tokens`` ``[t, 7]``, ``steps`` and ``timing`` ``[t]``.

        `UnusableRow` without a song.
        """
        song = song_in_fours(row)
        if self.transposes:
            song = song.transposed(transposition(song.pitches, rng))
        sequence = tokens_of(score_in(song))
        whole = arrays_of(sequence, song.bars, self.timing)
        first, last = crop_of(song.bars, [sequence.bars], self.max_tokens, rng)
        inside = (sequence.bars >= first) & (sequence.bars <= last)
        inside[0] = True
        places = np.flatnonzero(inside)[: self.max_tokens]
        return {name: values[places] for name, values in whole.items()}


def arrays_of(sequence: Sequence, bars: int, rounding: Rounding) -> Example:
    """Make words, the 16th of the piece of each, and the share of the piece that has passed."""
    timing = timing_of(
        sequence.bars,
        sequence.beats,
        steps_per_bar=POSITIONS,
        total_bars=bars,
        rounding=rounding,
    )
    steps = sequence.bars * POSITIONS + sequence.beats
    return {"tokens": sequence.tokens, "steps": steps, "timing": timing}


def score_in(song: QuantisedSong) -> WordScore:
    """Convert the notes of a song to the piano's; those of more than a bar end after one."""
    piano = np.full_like(song.onsets, PIANO)
    return WordScore(song.bars, song.onsets, piano, song.pitches, song.durations.clip(max=LONGEST))


def song_in_score(score: WordScore, instrument: int, tempo_bpm: float) -> QuantisedSong:
    """Convert one instrument's notes to a song without chords or melody, beats counted from 0."""
    own = score.instruments == instrument
    return QuantisedSong(
        onsets=score.onsets[own],
        durations=score.durations[own],
        pitches=score.pitches[own],
        is_melody=np.zeros(int(own.sum()), dtype=np.bool_),
        chord_onsets=np.zeros(1, dtype=np.int64),
        chord_roots=np.array([NO_ROOT], dtype=np.int64),
        chord_qualities=np.array([NO_QUALITY], dtype=np.int64),
        steps_per_bar=POSITIONS,
        bars=score.bars,
        tempo_bpm=tempo_bpm,
        beats=np.arange(score.bars * 4),
    )
