"""Events as the tokens of V-MusProd, and back; `sequences` makes them of songs.

Zhuo et al. (2023), section 4.2: a token is a stack of attributes. A Rhythm token holds BarBeat,
a Note token pitch and duration, a Chord token root and quality, and every token its type. The
paper marks bars and beats; notes lie on 16ths, so that here a Rhythm token opens a bar or names
one of its 16ths. A bar is written even where nothing happens in it, a 16th once for all that
begins on it, notes from low to high. A chord sequence states its chord anew in every bar.

``begin`` says in its duration how many 16ths a bar has, so that a model need not guess the metre.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from symmv_builder.vocab import SYMMV_QUALITIES, SYMMV_ROOTS

Ints: TypeAlias = NDArray[np.int64]

FIELDS = ("type", "barbeat", "pitch", "duration", "root", "quality")
TYPE, BARBEAT, PITCH, DURATION, ROOT, QUALITY = range(len(FIELDS))

PAD, BEGIN, END, RHYTHM, CHORD, NOTE = range(6)
TYPES = ("pad", "begin", "end", "rhythm", "chord", "note")

BAR = 1
FIRST_POSITION = 2
POSITIONS = 16
LONGEST = 64
NO_ROOT, NO_QUALITY = len(SYMMV_ROOTS), len(SYMMV_QUALITIES)

# 0 is "none" in every field, so that each is as large as what it can say and one.
SIZES: dict[str, int] = {
    "type": len(TYPES),
    "barbeat": FIRST_POSITION + POSITIONS,
    "pitch": 1 + 128,
    "duration": 1 + LONGEST,
    "root": 1 + len(SYMMV_ROOTS) + 1,
    "quality": 1 + len(SYMMV_QUALITIES) + 1,
}
FIELDS_OF: dict[int, tuple[str, ...]] = {
    PAD: (),
    BEGIN: (),
    END: (),
    RHYTHM: ("barbeat",),
    CHORD: ("root", "quality"),
    NOTE: ("pitch", "duration"),
}


@dataclass(frozen=True, slots=True, eq=False)
class Sequence:
    """Tokens int64 ``[t, 6]`` (columns `FIELDS`), and where each one lies, int64 ``[t]``.

    ``bars`` is the number of the bar, from 0, and ``beats`` the 16th in it, 0-15; a bar's own
    token lies in the bar that it opens, ``begin`` at 0, ``end`` where the last token lies.
    """

    tokens: Ints
    bars: Ints
    beats: Ints

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def steps_per_bar(self) -> int:
        """The number of 16ths in a bar, which ``begin`` holds."""
        return int(self.tokens[0, DURATION])


@dataclass(frozen=True, slots=True, eq=False)
class Events:
    """Chords and notes of a sequence; ``root`` 0-11, 12 for none, ``quality`` 0-9, 10 for none.

    Steps are 16ths from the first bar; durations 1-64; all int64, ``[c]`` and ``[n]``.
    """

    bars: int
    steps_per_bar: int
    chord_steps: Ints
    roots: Ints
    qualities: Ints
    steps: Ints
    pitches: Ints
    durations: Ints


def merged_sequence(chords: Sequence, melody: Sequence, *, end: bool = True) -> Sequence:
    """Merge chords and melody into one sequence, as the Accompaniment Transformer's encoder reads.

    `ValueError` where the two are not of the same bars.
    """
    one, other = events_of(chords), events_of(melody)
    if (one.bars, one.steps_per_bar) != (other.bars, other.steps_per_bar):
        raise ValueError("the chords and the melody are not of the same bars")
    both = Events(
        one.bars,
        one.steps_per_bar,
        one.chord_steps,
        one.roots,
        one.qualities,
        other.steps,
        other.pitches,
        other.durations,
    )
    return sequence_of(both, end=end)


def sequence_of(events: Events, *, end: bool = True) -> Sequence:
    """Encode chords and notes as tokens, in order of bar, 16th, chord before notes, pitch."""
    spb = events.steps_per_bar
    bars = np.arange(events.bars, dtype=np.int64)
    marked = np.union1d(events.chord_steps, events.steps)
    parts = (
        _rows(RHYTHM, bars * spb, barbeat=np.full_like(bars, BAR)),
        _rows(RHYTHM, marked, barbeat=marked % spb + FIRST_POSITION),
        _rows(CHORD, events.chord_steps, root=events.roots + 1, quality=events.qualities + 1),
        _rows(NOTE, events.steps, pitch=events.pitches + 1, duration=events.durations),
    )
    rank = np.concatenate([np.full(len(rows), i) for i, (rows, _) in enumerate(parts)])
    tokens = np.concatenate([rows for rows, _ in parts])
    steps = np.concatenate([at for _, at in parts])
    order = np.lexsort((tokens[:, PITCH], rank, steps))
    edges, _ = _rows(BEGIN, np.zeros(1, dtype=np.int64), duration=np.array([spb]))
    pieces = [edges, tokens[order]]
    if end:
        pieces.append(_rows(END, np.zeros(1, dtype=np.int64))[0])
    return placed(np.concatenate(pieces))


def _rows(kind: int, steps: Ints, **fields: Ints) -> tuple[Ints, Ints]:
    rows = np.zeros((len(steps), len(FIELDS)), dtype=np.int64)
    rows[:, TYPE] = kind
    for name, values in fields.items():
        rows[:, FIELDS.index(name)] = values
    return rows, steps


def placed(tokens: Ints) -> Sequence:
    """Find the bar and the 16th of each of the tokens ``[t, 6]``."""
    barbeat = tokens[:, BARBEAT]
    bars = (np.cumsum(barbeat == BAR) - 1).clip(0)
    # The last rhythm token up to each token; before the first one, `begin` itself.
    marks = np.maximum.accumulate(np.where(barbeat > 0, np.arange(len(tokens)), 0))
    beats = (barbeat[marks] - FIRST_POSITION).clip(0)
    return Sequence(tokens, bars, beats)


def events_of(sequence: Sequence) -> Events:
    """Decode a sequence. `ValueError` where it has no ``begin`` that gives the metre."""
    tokens = sequence.tokens
    if len(tokens) == 0 or tokens[0, TYPE] != BEGIN or sequence.steps_per_bar < 1:
        raise ValueError("a sequence begins with `begin`, which holds the length of a bar")
    spb = sequence.steps_per_bar
    steps = sequence.bars * spb + sequence.beats
    is_chord, is_note = tokens[:, TYPE] == CHORD, tokens[:, TYPE] == NOTE
    return Events(
        bars=int((tokens[:, BARBEAT] == BAR).sum()),
        steps_per_bar=spb,
        chord_steps=steps[is_chord],
        roots=tokens[is_chord, ROOT] - 1,
        qualities=tokens[is_chord, QUALITY] - 1,
        steps=steps[is_note],
        pitches=tokens[is_note, PITCH] - 1,
        durations=tokens[is_note, DURATION],
    )
