"""Notes as the compound words of CMT, and back.

Di et al. (2021), section 4: a word is a stack of seven attributes. A rhythm word opens a bar, and
says its density: on how many of its 16ths notes begin; or it names one of these 16ths and an
instrument, and says its strength: how many notes begin there. Note words follow with pitch and
duration. As in the release, a word that names a 16th also counts down the density: on how many
16ths of the bar notes are still to begin. Bars have four beats.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

# The two kinds of tokens begin alike, so that places in bars are found in one way.
from symmv_builder.training.vmusprod.tokens import (
    BAR,
    BARBEAT,
    FIRST_POSITION,
    POSITIONS,
    TYPE,
    Sequence,
    placed,
)

__all__ = [
    "BAR",
    "BARBEAT",
    "BEGIN",
    "DENSITY",
    "DURATION",
    "END",
    "FIELDS",
    "FIRST_POSITION",
    "INSTRUMENT",
    "INSTRUMENTS",
    "LONGEST",
    "MOST_NOTES",
    "NOTE",
    "PAD",
    "PIANO",
    "PITCH",
    "POSITIONS",
    "RHYTHM",
    "SIZES",
    "STRENGTH",
    "TYPE",
    "Ints",
    "Sequence",
    "WordScore",
    "placed",
    "score_of",
    "tokens_of",
]

Ints: TypeAlias = NDArray[np.int64]

FIELDS = ("type", "barbeat", "density", "strength", "instrument", "pitch", "duration")
DENSITY, STRENGTH, INSTRUMENT, PITCH, DURATION = range(2, len(FIELDS))

PAD, BEGIN, END, RHYTHM, NOTE = range(5)

# The five instruments of the paper's data. Rows of piano music have the second alone.
INSTRUMENTS = ("drums", "piano", "guitar", "bass", "strings")
PIANO = 1 + INSTRUMENTS.index("piano")
# More notes of an instrument never began together in the paper's data.
MOST_NOTES = 20
LONGEST = 16

# 0 is "none" in every field.
SIZES: dict[str, int] = {
    "type": 1 + NOTE,
    "barbeat": FIRST_POSITION + POSITIONS,
    "density": 1 + POSITIONS + 1,
    "strength": 1 + MOST_NOTES,
    "instrument": 1 + len(INSTRUMENTS),
    "pitch": 1 + 128,
    "duration": 1 + LONGEST,
}


@dataclass(frozen=True, slots=True, eq=False)
class WordScore:
    """Notes of `bars` bars, sorted by onset, instrument and pitch; no two share all three.

    ``onsets`` are 16ths from the first bar, ``instruments`` 1-5 (`INSTRUMENTS`), ``pitches``
    0-127, ``durations`` 1-16 16ths; all int64 ``[n]``.
    """

    bars: int
    onsets: Ints
    instruments: Ints
    pitches: Ints
    durations: Ints

    def densities(self) -> Ints:
        """Count on how many 16ths of each bar notes begin, ``[bars]``, 0-16."""
        return np.bincount(np.unique(self.onsets) // POSITIONS, minlength=self.bars)

    def simu_notes(self) -> tuple[Ints, Ints, Ints]:
        """Group what begins together: 16ths, instruments, and strengths: how many notes, 1-20."""
        places = self.onsets * len(SIZES) + self.instruments
        places_used, counts = np.unique(places, return_counts=True)
        strengths = counts.clip(max=MOST_NOTES)
        return (
            places_used // len(SIZES),
            places_used % len(SIZES),
            np.asarray(strengths, dtype=np.int64),
        )


def tokens_of(score: WordScore) -> Sequence:
    """Write a score as words ``[t, 7]`` (columns `FIELDS`), between ``begin`` and ``end``."""
    densities = score.densities()
    bars = np.arange(score.bars, dtype=np.int64)
    steps, instruments, strengths = score.simu_notes()
    onsets = np.unique(score.onsets)
    # How many onsets lie up to the end of the bar of each simu-note, less those up to itself.
    to_come = np.searchsorted(onsets, (steps // POSITIONS + 1) * POSITIONS)
    to_come = to_come - np.searchsorted(onsets, steps, side="right")
    parts = (
        _rows(RHYTHM, len(bars), barbeat=BAR, density=densities + 1),
        _rows(
            RHYTHM,
            len(steps),
            barbeat=steps % POSITIONS + FIRST_POSITION,
            density=to_come + 1,
            strength=strengths,
            instrument=instruments,
        ),
        _rows(
            NOTE,
            len(score.onsets),
            pitch=score.pitches + 1,
            duration=score.durations,
        ),
    )
    rank = np.repeat([0, 1, 2], [len(rows) for rows in parts])
    at = np.concatenate([bars * POSITIONS, steps, score.onsets])
    of = np.concatenate([np.zeros_like(bars), instruments, score.instruments])
    tokens = np.concatenate(parts)
    order = np.lexsort((tokens[:, PITCH], rank, of, at))
    return placed(np.concatenate([_rows(BEGIN, 1), tokens[order], _rows(END, 1)]))


def _rows(kind: int, count: int, **fields: Ints | int) -> Ints:
    rows = np.zeros((count, len(FIELDS)), dtype=np.int64)
    rows[:, TYPE] = kind
    for name, values in fields.items():
        rows[:, FIELDS.index(name)] = values
    return rows


def score_of(sequence: Sequence) -> WordScore:
    """Read the notes that words say, each of the instrument of the rhythm word before it."""
    tokens = sequence.tokens
    is_note = tokens[:, TYPE] == NOTE
    marks = np.maximum.accumulate(np.where(tokens[:, INSTRUMENT] > 0, np.arange(len(tokens)), 0))
    return WordScore(
        bars=int((tokens[:, BARBEAT] == BAR).sum()),
        onsets=(sequence.bars * POSITIONS + sequence.beats)[is_note],
        instruments=tokens[marks, INSTRUMENT][is_note],
        pitches=tokens[is_note, PITCH] - 1,
        durations=tokens[is_note, DURATION],
    )
