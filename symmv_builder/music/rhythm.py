"""Beats and downbeats of a recording, and its notes on the grid that they span.

Transcribed notes carry the player's timing. V-MusProd (Zhuo et al., "Video Background
Music Generation: Dataset, Method and Evaluation", 2023) works on 16th notes, so notes
are snapped to quarters of the tracked beats, whatever the tempo does.
"""

from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends.slots import BeatTracker
from symmv_builder.errors import Reason, RejectEntry
from symmv_builder.music import listening
from symmv_builder.music.tempo_level import choose_level, listen, magnitudes
from symmv_builder.pipeline.step import Step
from symmv_builder.records import Beats, Floats, GridNotes, Ints, Notes
from symmv_builder.schema import Column
from symmv_builder.text import amount
from symmv_builder.timeline import first_downbeat

# How well onsets have to lie on a grid (0-1), and by how many deviations better than by chance.
_LEAST_FIT, _DEVIATIONS = 0.3, 4.0
# Longer notes say no more of where a beat is.
_LONG_S = 2.0

Level = Literal["chosen", "pulse"]


class _BeatListener:
    block_s: float | None = None

    def __init__(self, model: BeatTracker, level: Level) -> None:
        self.rate_hz, self.mono = model.rate_hz, model.mono
        self._model, self._level = model, level

    def hear(self, samples: NDArray[np.float32], rate_hz: int) -> None:
        self._beats = beats_in_sound(samples, self._model, self._level)

    def finish(self) -> Beats:
        return self._beats


def hear_beats(*, level: Level = "chosen", model: BeatTracker) -> _BeatListener:
    """Track beats of the recording with their places in the bar; see `beats_in_sound`."""
    return _BeatListener(model, level)


def beats_in_sound(samples: NDArray[np.float32], model: BeatTracker, level: Level) -> Beats:
    """Track beats in samples ``[n, channels]`` as `model` takes them.

    ``level="chosen"`` gives the beats at the likeliest of the pulse's metrical levels
    (`tempo_level`), ``"pulse"`` what the tracker found, untouched. `RejectEntry` (no_beats)
    where fewer than two are found: one beat has no tempo.
    """
    beats = replace(model.track(samples), source="tracked")
    if level == "chosen" and len(beats.times_s):
        mono = np.asarray(samples.mean(axis=1), dtype=np.float32)
        beats = choose_level(beats, listen(magnitudes(mono, model.rate_hz)))
    _require_two(beats)
    return beats


COLUMNS = (
    Column("{}_times_s", "list<float64>", "s, music", "tracked beats", "times_s"),
    Column("{}_positions", "list<uint8>", "", "place in the bar, 1 is the downbeat", "positions"),
    Column("tempo_bpm", "float64", "1/min", "sixty over the median gap of the beats", "tempo_bpm"),
)
STEP = Step(
    "beats",
    5,
    reads=("music",),
    run=hear_beats,
    slot="beats",
    together=listening.listen,
    columns=COLUMNS,
)


def quantise(notes: Notes, beats: Beats, *, steps_per_beat: int = 4) -> GridNotes:
    """Snap starts and ends to the nearest of ``steps_per_beat`` equal parts of each beat.

    Before the first and after the last beat the grid goes on with the nearest gap; a grid
    point before the recording has its step, and the recording's start as its time.
    Steps count from the first downbeat; where none is marked, from the place that the
    first beat's number says. A note lasts one step at least. Notes of one pitch that
    fall on one step become one: the longest end, the highest velocity.
    `RejectEntry` (no_beats) with fewer than two beats.
    """
    _require_two(beats)
    zero = first_downbeat(beats.positions)
    onsets, ends = (
        np.rint((_to_beats(times, beats.times_s) - zero) * steps_per_beat).astype(np.int64)
        for times in (notes.starts_s, notes.ends_s)
    )
    ends = np.maximum(ends, onsets + 1)
    order = np.lexsort((notes.pitches, onsets))
    onsets, ends, pitches = onsets[order], ends[order], notes.pitches[order]
    velocities = notes.velocities[order]
    new = np.ones(len(onsets), dtype=bool)
    new[1:] = (np.diff(onsets) != 0) | (np.diff(pitches) != 0)
    first = np.flatnonzero(new)
    if len(first):
        ends = np.maximum.reduceat(ends, first)
        velocities = np.maximum.reduceat(velocities, first)
    onsets = onsets[first]
    starts_s, ends_s = (
        np.maximum(_to_seconds(steps / steps_per_beat + zero, beats.times_s), 0.0)
        for steps in (onsets, ends)
    )
    return GridNotes(
        starts_s=starts_s,
        ends_s=ends_s,
        pitches=pitches[first],
        velocities=velocities,
        onset_steps=onsets,
        duration_steps=ends - onsets,
        clock=notes.clock,
    )


QUANTISE = Step("quantise", 2, reads=("notes", "beats"), run=quantise)


def lies_on_beats(notes: Notes, beats: Beats) -> bool:
    """Check that notes were written on these beats: on 16ths or triplets of them.

    A transcription that claims 120 beats a minute has onsets anywhere between them. A grid that
    is merely shifted by 16ths is told by the long notes, which begin on beats and their halves.
    Fewer notes have to fit better, as they fit by chance more often. On POP909, 98 % of the songs
    lie on their annotated beats, and no song on beats a tenth of a beat away from these.
    """
    if len(beats.times_s) < 2 or not len(notes.starts_s):
        return False
    places = _to_beats(notes.starts_s, beats.times_s)
    weights = np.minimum(notes.ends_s - notes.starts_s, _LONG_S)
    weights = weights / max(float(weights.sum()), 1e-9)

    def fit(parts: int, shift: float = 0.0) -> float:
        """Give 1 where all onsets lie on so many equal parts of the beats, 0 for anywhere."""
        return float(weights @ np.cos(2 * np.pi * parts * (places - shift)))

    by_chance = float(np.sqrt(weights @ weights / 2))
    if max(fit(3), fit(4)) < max(_LEAST_FIT, _DEVIATIONS * by_chance):
        return False
    shifted = [fit(1, shift) + fit(2, shift) / 2 for shift in (0.0, 0.25, 0.5, 0.75)]
    return shifted[0] >= max(shifted[1:])


def _require_two(beats: Beats) -> None:
    if len(beats.times_s) < 2:
        count = amount(len(beats.times_s), "beat")
        raise RejectEntry(Reason.NO_BEATS, f"{count} found; two make a tempo")


def _to_beats(times_s: Floats, beats_s: Floats) -> Floats:
    """Place each time on the axis where the beats are 0, 1, 2, ..."""
    before = np.searchsorted(beats_s, times_s, side="right") - 1
    before = before.clip(0, len(beats_s) - 2)
    gaps = np.diff(beats_s)
    return np.asarray(before + (times_s - beats_s[before]) / gaps[before], dtype=np.float64)


def _to_seconds(places: NDArray[np.float64] | Ints, beats_s: Floats) -> Floats:
    """Convert back what `_to_beats` gives."""
    before = np.floor(places).astype(np.int64).clip(0, len(beats_s) - 2)
    gaps = np.diff(beats_s)
    return np.asarray(beats_s[before] + (places - before) * gaps[before], dtype=np.float64)
