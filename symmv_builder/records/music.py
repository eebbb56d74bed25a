"""What is heard in music: notes, beats, chords and keys."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symmv_builder.records.arrays import Floats, Ints, same_length, set_array, set_spans
from symmv_builder.timeline import Clock
from symmv_builder.vocab import MODES, pitch_class


@dataclass(frozen=True, slots=True, eq=False)
class Notes:
    """Notes sorted by start, then pitch, and the spans of the sustain pedal.

    ``pitches`` are MIDI numbers 0-127, ``velocities`` 1-127; all note fields have shape
    ``[n]``, the pedal's ``[p]``.
    """

    starts_s: Floats
    ends_s: Floats
    pitches: Ints
    velocities: Ints
    clock: Clock = Clock.MUSIC
    pedal_starts_s: Floats = ()  # type: ignore[assignment]
    pedal_ends_s: Floats = ()  # type: ignore[assignment]

    def __post_init__(self) -> None:
        object.__setattr__(self, "clock", Clock(self.clock))
        _set_notes(self)
        for name in ("pedal_starts_s", "pedal_ends_s"):
            set_array(self, name, np.float64)
        same_length(self, "pedal_starts_s", "pedal_ends_s")


def _set_notes(record: Any) -> None:
    set_spans(record)
    for name in ("pitches", "velocities"):
        set_array(record, name, np.int64)
    same_length(record, "starts_s", "pitches", "velocities")
    if ((record.pitches < 0) | (record.pitches > 127)).any():
        raise ValueError(f"{type(record).__name__}: a pitch lies outside 0-127")
    if ((record.velocities < 1) | (record.velocities > 127)).any():
        raise ValueError(f"{type(record).__name__}: a velocity lies outside 1-127")


@dataclass(frozen=True, slots=True, eq=False)
class Beats:
    """Beats: times and their place in the bar (1 is the downbeat), shape ``[b]``.

    ``source`` says whether they were ``tracked`` in sound or stand in a ``file`` (empty where
    nobody said). ``tempo_level`` is their tempo over that of the pulse that a tracker found
    (0.5, 2/3, 1 or 2), and ``level_confidence`` (0-1) the probability of that level; `None` where
    none was chosen: beats that were written down, or the pulse itself.
    """

    times_s: Floats
    positions: Ints
    clock: Clock = Clock.MUSIC
    source: str = ""
    tempo_level: float = 1.0
    level_confidence: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "clock", Clock(self.clock))
        set_array(self, "times_s", np.float64)
        set_array(self, "positions", np.int64)
        same_length(self, "times_s", "positions")
        if (np.diff(self.times_s) <= 0).any():
            raise ValueError("Beats: times do not rise")
        if not 0 <= (self.level_confidence or 0.0) <= 1:
            raise ValueError("Beats: level_confidence lies outside 0-1")

    @property
    def tempo_bpm(self) -> float:
        """Sixty over the median gap between beats; 0 where there are fewer than two."""
        if len(self.times_s) < 2:
            return 0.0
        return float(60.0 / np.median(np.diff(self.times_s)))


@dataclass(frozen=True, slots=True, eq=False)
class GridNotes:
    """Notes snapped to the 16th grid of the tracked beats.

    ``onset_steps`` count 16ths from the first downbeat (negative before it),
    ``duration_steps`` are at least 1; ``starts_s`` and ``ends_s`` are the grid's times.
    """

    starts_s: Floats
    ends_s: Floats
    pitches: Ints
    velocities: Ints
    onset_steps: Ints
    duration_steps: Ints
    clock: Clock = Clock.MUSIC

    def __post_init__(self) -> None:
        object.__setattr__(self, "clock", Clock(self.clock))
        _set_notes(self)
        set_array(self, "onset_steps", np.int64)
        set_array(self, "duration_steps", np.int64)
        same_length(self, "starts_s", "onset_steps", "duration_steps")


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """Quantised notes, each marked as melody or accompaniment; fields as `GridNotes`."""

    starts_s: Floats
    ends_s: Floats
    pitches: Ints
    velocities: Ints
    onset_steps: Ints
    duration_steps: Ints
    is_melody: NDArray[np.bool_]
    clock: Clock = Clock.MUSIC

    def __post_init__(self) -> None:
        object.__setattr__(self, "clock", Clock(self.clock))
        _set_notes(self)
        set_array(self, "onset_steps", np.int64)
        set_array(self, "duration_steps", np.int64)
        set_array(self, "is_melody", np.bool_)
        same_length(self, "starts_s", "onset_steps", "duration_steps", "is_melody")


@dataclass(frozen=True, slots=True, eq=False)
class Chords:
    """Labelled spans, shape ``[c]``, sorted; a stretch without a span has no chord."""

    starts_s: Floats
    ends_s: Floats
    labels: tuple[str, ...]
    clock: Clock = Clock.MUSIC

    def __post_init__(self) -> None:
        object.__setattr__(self, "clock", Clock(self.clock))
        set_spans(self, "labels")


@dataclass(frozen=True, slots=True)
class Key:
    """Tonic (music21's spelling: ``B-``, ``C#``), mode, and how well its profile fits (r)."""

    tonic: str
    mode: str
    correlation: float

    def __post_init__(self) -> None:
        pitch_class(self.tonic)
        if self.mode not in MODES:
            raise ValueError(f"not a mode: {self.mode!r}")

    @property
    def tonic_class(self) -> int:
        """Pitch class of the tonic, 0-11."""
        return pitch_class(self.tonic)

    def __str__(self) -> str:
        """Write it as the SymMV release does: ``E- major``, ``c# minor``."""
        tonic = self.tonic.lower() if self.mode == "minor" else self.tonic
        return f"{tonic} {self.mode}"


@dataclass(frozen=True, slots=True, eq=False)
class KeySpans:
    """The keys that a piece goes through, shape ``[k]``, in order; spelled as in `Key`."""

    starts_s: Floats
    ends_s: Floats
    tonics: tuple[str, ...]
    modes: tuple[str, ...]
    clock: Clock = Clock.MUSIC

    def __post_init__(self) -> None:
        object.__setattr__(self, "clock", Clock(self.clock))
        set_spans(self, "tonics", "modes")
        for tonic, mode in zip(self.tonics, self.modes, strict=True):
            Key(tonic, mode, 0.0)
