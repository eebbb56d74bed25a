"""Melody and accompaniment out of one piano, and the texture of the SymMV release.

Skyline (Uitdenbogerd and Zobel, "Melodic matching techniques for large music
databases", 1999) takes the highest note of every moment. On a piano it also takes every
bass note that is struck alone, so ``sustained`` waits while a higher melody note still
sounds and leaves everything under middle C to the accompaniment. The default asks a small
model that was trained on POP909 (`benchmarks/train_melody.py`).
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from symmv_builder.music.melody.line import likeliest
from symmv_builder.music.melody.model import melody_forests, melody_scores
from symmv_builder.pipeline.step import Step
from symmv_builder.records import GridNotes, Notes, Parts
from symmv_builder.schema import Column


def split_parts(
    grid: GridNotes,
    *,
    rule: Literal["learned", "sustained", "skyline"] = "learned",
    min_pitch: int = 60,
) -> Parts:
    """Mark each quantised note as melody or accompaniment.

    ``learned``: of the notes that begin on each step, the one that the model takes most
    surely for melody, if it gives it more than a half. A tune without accompaniment, of which
    no two notes sound together, is all melody: the model knows only pieces that have both.
    ``skyline``: the highest note that begins on each step, whatever its pitch.
    ``sustained``: the same among notes of at least ``min_pitch`` (a MIDI number, read by
    this rule alone), but a step is passed over while the last chosen note sounds and is higher.
    """
    is_melody = np.zeros(len(grid.pitches), dtype=np.bool_)
    if rule == "learned":
        if _is_monophonic(grid):
            is_melody[:] = True
        else:
            is_melody[likeliest(grid, melody_scores(grid, melody_forests()))] = True
    elif rule == "skyline":
        is_melody[_highest(grid, np.arange(len(grid.pitches)))] = True
    else:
        tops = _highest(grid, np.flatnonzero(grid.pitches >= min_pitch))
        is_melody[_not_under_another(grid, tops)] = True
    return Parts(
        starts_s=grid.starts_s,
        ends_s=grid.ends_s,
        pitches=grid.pitches,
        velocities=grid.velocities,
        onset_steps=grid.onset_steps,
        duration_steps=grid.duration_steps,
        is_melody=is_melody,
        clock=grid.clock,
    )


COLUMNS = (
    Column("{}_starts_s", "list<float64>", "s, music", "onsets of the quantised notes, sorted",
           "starts_s"),
    Column("{}_ends_s", "list<float64>", "s, music", "ends of the quantised notes", "ends_s"),
    Column("{}_pitches", "list<uint8>", "MIDI number", "pitches of the quantised notes", "pitches"),
    Column("{}_velocities", "list<uint8>", "1-127", "velocities of the quantised notes",
           "velocities"),
    Column("{}_onset_steps", "list<int32>", "16th", "onsets counted from the first downbeat",
           "onset_steps"),
    Column("{}_duration_steps", "list<int32>", "16th", "durations", "duration_steps"),
    Column("{}_is_melody", "list<bool>", "", "melody (true) or accompaniment", "is_melody"),
)  # fmt: skip
STEP = Step("melody", 5, reads=("grid",), run=split_parts, columns=COLUMNS)


def _is_monophonic(grid: GridNotes) -> bool:
    """Check whether no two notes sound together."""
    order = np.argsort(grid.onset_steps, kind="stable")
    ends = (grid.onset_steps + grid.duration_steps)[order]
    return bool((grid.onset_steps[order][1:] >= np.maximum.accumulate(ends)[:-1]).all())


def _highest(grid: GridNotes, candidates: NDArray[np.intp]) -> NDArray[np.intp]:
    """Find the highest of the candidates on each step, in order of time."""
    order = np.lexsort((grid.pitches[candidates], grid.onset_steps[candidates]))
    candidates = candidates[order]
    last = np.ones(len(candidates), dtype=np.bool_)
    last[:-1] = np.diff(grid.onset_steps[candidates]) != 0
    return candidates[last]


def _not_under_another(grid: GridNotes, tops: NDArray[np.intp]) -> list[int]:
    melody: list[int] = []
    last_pitch, last_end = -1, -(1 << 62)
    ends = grid.onset_steps + grid.duration_steps
    for i in tops.tolist():
        if grid.onset_steps[i] < last_end and grid.pitches[i] < last_pitch:
            continue
        melody.append(i)
        last_pitch, last_end = int(grid.pitches[i]), int(ends[i])
    return melody


def texture(notes: Notes) -> Notes:
    """Make the ``texture`` files of the SymMV release: overlapping notes begin together.

    With notes in order of (start, pitch), each one that still sounds when the next
    begins is moved to begin with it. The release calls the result accompaniment; nothing
    is taken out. Sorted anew, since notes that now begin together may be out of order.
    """
    starts = notes.starts_s.copy()
    overlaps = notes.starts_s[1:] < notes.ends_s[:-1]
    starts[:-1][overlaps] = notes.starts_s[1:][overlaps]
    order = np.lexsort((notes.pitches, starts))
    return Notes(
        starts_s=starts[order],
        ends_s=notes.ends_s[order],
        pitches=notes.pitches[order],
        velocities=notes.velocities[order],
        clock=notes.clock,
        pedal_starts_s=notes.pedal_starts_s,
        pedal_ends_s=notes.pedal_ends_s,
    )


TEXTURE = Step("texture", 1, reads=("notes",), run=texture)
