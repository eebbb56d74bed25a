"""A passage of a piece written anew in CMT's words: whole bars, behind all that stands before them.

A bar is the least that can be written by itself: its own word says how dense it is, and comes
before its notes. The model reads the piece's words up to the passage and goes on, with what is
asked of the passage's bars put in their place; it stops behind the last of them. What stands behind
the passage stays, and is not known to the model, whose words see none that come later.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from symmv_builder.records import Notes
from symmv_builder.training.cmt.control import Control
from symmv_builder.training.cmt.tokens import (
    INSTRUMENTS,
    LONGEST,
    MOST_NOTES,
    POSITIONS,
    Ints,
    WordScore,
    tokens_of,
)
from symmv_builder.training.composing import Passage, Piece
from symmv_builder.training.vmusprod.tempo import STEPS_PER_BEAT

# Of a bar: what a time in a file, or one that a person typed, may miss a bar line by.
_NEAR = 0.005


def tempo_of(piece: Piece) -> float:
    """Read the tempo of a piece off its MIDI file: that of its JSON, in whole microseconds."""
    if piece.tempo_map is None:
        return piece.tempo_bpm
    times_s, numbers = piece.tempo_map
    return float(60.0 * (numbers[1] - numbers[0]) / (times_s[1] - times_s[0]))


def bars_in(passage: Passage, tempo_bpm: float, bars: int) -> tuple[int, int]:
    """Count the whole bars in a passage: the first, and the one behind the last.

    `StopRun` where there is none.
    """
    bar_s = 60.0 / tempo_bpm * POSITIONS / STEPS_PER_BEAT
    first = max(0, math.ceil(passage.start_s / bar_s - _NEAR))
    last = min(bars, math.floor(passage.end_s / bar_s + _NEAR))
    # The last bar is cut where the piece ends.
    last = bars if passage.end_s >= passage.piece.seconds else last
    if last <= first:
        raise passage.none_within("bar")
    return first, last


def score_in_piece(tracks: Mapping[str, Notes], tempo_bpm: float, bars: int) -> WordScore:
    """Put the notes of a piece on 16ths, of the instruments that CMT has words for."""
    step_s = 60.0 / tempo_bpm / STEPS_PER_BEAT
    parts = [np.zeros((0, 4), dtype=np.int64)]
    for number, name in enumerate(INSTRUMENTS, start=1):
        notes = tracks.get(name)
        if notes is None:
            continue
        onsets, ends = (
            np.rint(t / step_s).astype(np.int64) for t in (notes.starts_s, notes.ends_s)
        )
        columns = (onsets, np.full_like(onsets, number), notes.pitches, ends - onsets)
        parts.append(np.stack(columns, axis=1))
    return _score(bars, np.concatenate(parts))


def spliced(old: WordScore, new: WordScore, first: int, last: int) -> WordScore:
    """Put the bars from `first` up to `last` of the score `new` into `old`.

    A new note is left out while one of the same pitch and instrument is still held from before.
    """
    start, end = first * POSITIONS, last * POSITIONS
    before, after, inside = (
        _rows(old)[old.onsets < start],
        _rows(old)[old.onsets >= end],
        _rows(new)[(new.onsets >= start) & (new.onsets < end)],
    )
    for onset, instrument, pitch, length in before[before[:, 0] + before[:, 3] > start]:
        is_struck = (inside[:, 1] == instrument) & (inside[:, 2] == pitch)
        inside = inside[~is_struck | (inside[:, 0] >= onset + length)]
    return _score(old.bars, np.concatenate((before, inside, after)))


def words_before(score: WordScore, bar: int) -> Ints:
    """Write the words of all bars before a bar ``[p, 7]``, behind ``begin``."""
    rows = _rows(score)
    # Without `end`.
    return tokens_of(_score(bar, rows[rows[:, 0] < bar * POSITIONS])).tokens[:-1]


def control_in(facts: Mapping[str, Any], bars: int) -> Control:
    """Read what was asked of a piece from its JSON; nothing where that does not tell its bars."""
    free = Control.free(bars)
    try:
        densities = np.array(facts["densities_asked"], dtype=np.int64)
        steps = np.array(facts["steps_asked"], dtype=np.int64)
        free.strengths[steps] = np.array(facts["strengths_asked"], dtype=np.int64)
        return Control(densities, free.strengths) if len(densities) == bars else Control.free(bars)
    except (LookupError, TypeError, ValueError, OverflowError):
        return Control.free(bars)


def merged(old: Control, new: Control, first: int, last: int) -> Control:
    """Put what is asked of the bars from `first` up to `last` in the place of what was."""
    densities, strengths = old.densities.copy(), old.strengths.copy()
    densities[first:last] = new.densities[first:last]
    steps = slice(first * POSITIONS, last * POSITIONS)
    strengths[steps] = new.strengths[steps]
    return Control(densities, strengths)


def _rows(score: WordScore) -> Ints:
    """List onset, instrument, pitch and duration of each note, ``[n, 4]``."""
    return np.stack((score.onsets, score.instruments, score.pitches, score.durations), axis=1)


def _score(bars: int, rows: Ints) -> WordScore:
    """Make a score of notes ``[n, 4]`` in any order; of two that begin as one the first stays."""
    rows = rows[(rows[:, 0] >= 0) & (rows[:, 0] < bars * POSITIONS)]
    rows = rows[np.unique(rows[:, :3], axis=0, return_index=True)[1]]
    simu_notes = rows[:, 0] * len(INSTRUMENTS) + rows[:, 1]
    starts = np.searchsorted(simu_notes, simu_notes)
    rows = rows[np.arange(len(rows)) - starts < MOST_NOTES]
    return WordScore(bars, rows[:, 0], rows[:, 1], rows[:, 2], rows[:, 3].clip(1, LONGEST))
