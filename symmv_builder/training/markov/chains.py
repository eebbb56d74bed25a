"""Counts of what follows what in songs, and music drawn from them.

Every song is moved to where most of its notes lie on white keys (`songs.shift_to_white_keys`), so
that songs share one scale. Counted are

- chords: the next one given the one before and the mode of the song's key, and for how many beats
  each lasts;
- onsets of melody and accompaniment: the way to the next one given the 16th of the bar;
- how many notes begin together given the 16th, how long a note lasts given the way to the next;
- the melody's pitch given the pitch before it and the root of the chord, or the pitch alone where
  the songs never had both;
- the accompaniment's pitches above the chord's root given the chord's quality.

All counts stand in one array, a table for each of these, a row of a table for each of its states.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from symmv_builder.training.vmusprod.songs import (
    STEPS_PER_BEAT,
    QuantisedSong,
    shift_to_white_keys,
)
from symmv_builder.training.vmusprod.tokens import LONGEST, NO_QUALITY, NO_ROOT, Ints
from symmv_builder.vocab import MODES, SYMMV_QUALITIES

STEPS_PER_BAR = 16
# Chords by number: root and quality, then no chord. Behind them, what is before the first chord.
NO_CHORD = NO_ROOT * len(SYMMV_QUALITIES)
CHORDS = NO_CHORD + 1
# Notes of one part that begin together; more are counted as so many.
MOST_NOTES = 16
_QUALITIES = NO_QUALITY + 1
# Accompaniment's pitches are counted above their chord's root in the lowest octave, from -11 on.
_LOWEST_ABOVE = -11
_GAPS = LONGEST + 1

Kind: TypeAlias = Literal["mode", "chord", "rhythm", "pitch"]


@dataclass(frozen=True, slots=True)
class CountTable:
    """A table of states, and how many outcomes each has.

    It says what they are; `start` is where its counts begin.
    """

    kind: Kind
    states: tuple[int, ...]
    outcomes: int
    start: int = 0

    @property
    def size(self) -> int:
        return int(np.prod(self.states)) * self.outcomes

    def row(self, *state: int) -> int:
        """Find where the counts of a state begin."""
        return self.start + int(np.ravel_multi_index(state, self.states)) * self.outcomes

    def cells(self, outcomes: Ints, *states: Ints | int) -> Ints:
        """Find where the count of each outcome given its state is kept."""
        where = np.broadcast_arrays(outcomes, *states)[1:]
        rows = np.ravel_multi_index(tuple(where), self.states)
        return np.asarray(self.start + rows * self.outcomes + outcomes, dtype=np.int64)


def _placed(tables: dict[str, CountTable]) -> dict[str, CountTable]:
    placed, start = {}, 0
    for name, table in tables.items():
        placed[name] = CountTable(table.kind, table.states, table.outcomes, start)
        start += table.size
    return placed


TABLES = _placed(
    {
        "mode": CountTable("mode", (1,), len(MODES)),
        "chord": CountTable("chord", (len(MODES), CHORDS + 1), CHORDS),
        "beats": CountTable("chord", (CHORDS,), _GAPS),
        "gap": CountTable("rhythm", (2, STEPS_PER_BAR + 1), _GAPS),
        "together": CountTable("rhythm", (2, STEPS_PER_BAR), MOST_NOTES + 1),
        "lasting": CountTable("rhythm", (2, _GAPS), _GAPS),
        "melody": CountTable("pitch", (128 + 1, NO_ROOT + 1), 128),
        "above": CountTable("pitch", (_QUALITIES,), 128 - _LOWEST_ABOVE),
    }
)
CELLS = sum(table.size for table in TABLES.values())
_BEGIN_STEP, _BEGIN_PITCH = STEPS_PER_BAR, 128


def cells_of(song: QuantisedSong, mode: int) -> Ints:
    """List the cells of `CELLS` counts that a song adds one to, ``[n]``, for every time it does.

    `mode` is that of its key, by its place in `vocab.MODES`. Bars have four beats.
    """
    song = song.transposed(shift_to_white_keys(song.pitches))
    chords = _chord_numbers(song)
    ends = np.append(song.chord_onsets[1:], song.bars * STEPS_PER_BAR)
    beats = ((ends - song.chord_onsets) // STEPS_PER_BEAT).clip(max=LONGEST)
    cells = [
        TABLES["mode"].cells(np.array([mode]), 0),
        TABLES["chord"].cells(chords, mode, np.append(CHORDS, chords[:-1])),
        TABLES["beats"].cells(beats, chords),
    ]
    at = np.searchsorted(song.chord_onsets, song.onsets, side="right") - 1
    roots, qualities = song.chord_roots[at], song.chord_qualities[at]
    for part, own in enumerate((~song.is_melody, song.is_melody)):
        if not own.any():
            continue
        onsets, first, counts = np.unique(song.onsets[own], return_index=True, return_counts=True)
        gaps = np.diff(onsets, prepend=0, append=song.bars * STEPS_PER_BAR).clip(0, LONGEST)
        places = onsets % STEPS_PER_BAR
        before = np.append(_BEGIN_STEP, places)
        cells += [
            TABLES["gap"].cells(gaps, part, before),
            TABLES["together"].cells(counts.clip(max=MOST_NOTES), part, places),
            TABLES["lasting"].cells(song.durations[own], part, np.repeat(gaps[1:], counts)),
        ]
        pitches = song.pitches[own]
        if part:
            tops = pitches[first + counts - 1]
            earlier = np.append(_BEGIN_PITCH, tops[:-1])
            cells.append(TABLES["melody"].cells(tops, earlier, roots[own][first]))
        else:
            above = pitches - roots[own] % NO_ROOT - _LOWEST_ABOVE
            cells.append(TABLES["above"].cells(above, qualities[own]))
    return np.concatenate(cells)


def nats_of(cells: Ints, counts: Ints, smoothing: float) -> dict[str, tuple[float, int]]:
    """Measure how surprising a song is, by kind: nats summed over its events, and how many.

    Each count is raised by `smoothing`, so that what was never counted is not impossible.
    """
    sums_of_kinds: dict[str, tuple[float, int]] = {}
    for table in TABLES.values():
        own = cells[(cells >= table.start) & (cells < table.start + table.size)]
        rows = (own - table.start) // table.outcomes
        all_counts = counts[table.start :][: table.size].reshape(-1, table.outcomes)
        totals = all_counts.sum(axis=1)[rows] + smoothing * table.outcomes
        nats = float((np.log(totals) - np.log(counts[own] + smoothing)).sum())
        sums, number = sums_of_kinds.get(table.kind, (0.0, 0))
        sums_of_kinds[table.kind] = sums + nats, number + len(own)
    return sums_of_kinds


def _chord_numbers(song: QuantisedSong) -> Ints:
    named = song.chord_roots * len(SYMMV_QUALITIES) + song.chord_qualities
    is_none = (song.chord_roots == NO_ROOT) | (song.chord_qualities == NO_QUALITY)
    return np.asarray(np.where(is_none, NO_CHORD, named), dtype=np.int64)


class Chains:
    """Chains with their counts, from which music is drawn; `counts` int64 ``[CELLS]``."""

    def __init__(self, counts: Ints) -> None:
        if counts.shape != (CELLS,):
            raise ValueError(f"counts of shape {counts.shape}, not {(CELLS,)}")
        self.counts = counts

    @classmethod
    def of(cls, songs: Sequence[tuple[QuantisedSong, int]]) -> "Chains":
        """Counted in songs of four beats in a bar, each with the mode of its key."""
        counts = np.zeros(CELLS, dtype=np.int64)
        for song, mode in songs:
            np.add.at(counts, cells_of(song, mode), 1)
        return cls(counts)

    def compose(
        self, bars: int, tempo_bpm: float, seed: int, density: float = 1.0
    ) -> QuantisedSong:
        """Compose a piece of so many bars of four beats, on white keys.

        Of one seed always the same.

        Of two ways to a next onset the odds of the one that is a beat shorter are those counted
        times `density`.
        """
        random = np.random.default_rng(seed)
        end = bars * STEPS_PER_BAR
        mode = self._draw("mode", [(0,)], random)
        starts, chords = [], []
        step, chord = 0, CHORDS
        while step < end:
            chord = self._draw("chord", [(mode, chord), (mode, CHORDS)], random)
            starts.append(step)
            chords.append(chord)
            step += max(1, self._draw("beats", [(chord,)], random)) * STEPS_PER_BEAT
        named = np.array(chords)
        roots = np.where(named == NO_CHORD, NO_ROOT, named // len(SYMMV_QUALITIES))
        qualities = np.where(named == NO_CHORD, NO_QUALITY, named % len(SYMMV_QUALITIES))
        notes: dict[tuple[int, int], tuple[int, bool]] = {}
        for part in (0, 1):
            self._write(part, end, np.array(starts), roots, qualities, notes, random, density)
        order = sorted(notes)
        new = np.append(True, np.diff(named) != 0)
        return QuantisedSong(
            onsets=np.array([step for step, _ in order], dtype=np.int64),
            durations=np.array([notes[key][0] for key in order], dtype=np.int64),
            pitches=np.array([pitch for _, pitch in order], dtype=np.int64),
            is_melody=np.array([notes[key][1] for key in order], dtype=np.bool_),
            chord_onsets=np.array(starts, dtype=np.int64)[new],
            chord_roots=roots[new],
            chord_qualities=qualities[new],
            steps_per_bar=STEPS_PER_BAR,
            bars=bars,
            tempo_bpm=tempo_bpm,
            beats=np.arange(bars * STEPS_PER_BAR // STEPS_PER_BEAT),
        )

    def _write(
        self,
        part: int,
        end: int,
        starts: Ints,
        roots: Ints,
        qualities: Ints,
        notes: dict[tuple[int, int], tuple[int, bool]],
        random: np.random.Generator,
        density: float,
    ) -> None:
        """Write the notes of a part (1 is the melody) by onset, pitch, length, and whether melody.

        A part that no song had has none.
        """
        if not self._counted("gap", (part, _BEGIN_STEP)).any():
            return
        pitch = _BEGIN_PITCH
        leaning = density ** (-np.arange(_GAPS) / STEPS_PER_BEAT)
        step = self._draw("gap", [(part, _BEGIN_STEP)], random)
        while step < end:
            place = step % STEPS_PER_BAR
            gap = max(1, self._draw("gap", [(part, place), (part, 0)], random, leaning))
            at = int(np.searchsorted(starts, step, side="right")) - 1
            root, quality = int(roots[at]), int(qualities[at])
            together = self._draw("together", [(part, place), (part, 0)], random)
            for _ in range(1 if part else together):
                if part:
                    pitch = self._next_pitch(pitch, root, random)
                    sounding = pitch
                else:
                    above = self._draw("above", [(quality,), (0,)], random)
                    sounding = above + _LOWEST_ABOVE + root % NO_ROOT
                lasting = max(1, self._draw("lasting", [(part, gap), (part, 1)], random))
                notes[step, int(np.clip(sounding, 0, 127))] = (lasting, bool(part))
            step += gap

    def _next_pitch(self, pitch: int, root: int, random: np.random.Generator) -> int:
        counts = self._counted("melody", (pitch, root))
        if not counts.any():
            every = [self._counted("melody", (pitch, other)) for other in range(NO_ROOT + 1)]
            counts = np.sum(every, axis=0)
        # A pitch that only ever ended a song is followed by any.
        return _drawn(counts if counts.any() else self._whole("melody"), random)

    def _draw(
        self,
        name: str,
        states: Sequence[tuple[int, ...]],
        random: np.random.Generator,
        weights: NDArray[np.float64] | float = 1.0,
    ) -> int:
        """Draw what follows the first of the states that was ever counted, else any of the table's.

        Its counts are multiplied by `weights`.
        """
        for state in states:
            counts = self._counted(name, state) * weights
            if counts.any():
                return _drawn(counts, random)
        return _drawn(self._whole(name), random)

    def _whole(self, name: str) -> Ints:
        table = TABLES[name]
        whole = self.counts[table.start :][: table.size].reshape(-1, table.outcomes)
        summed: Ints = whole.sum(axis=0)
        return summed

    def _counted(self, name: str, state: tuple[int, ...]) -> Ints:
        table = TABLES[name]
        return self.counts[table.row(*state) :][: table.outcomes]


def _drawn(counts: NDArray[Any], random: np.random.Generator) -> int:
    return int(random.choice(len(counts), p=counts / counts.sum()))
