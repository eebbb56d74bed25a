"""A row's music on the 16th grid, as V-MusProd learns it.

The rows' notes are quantised to 16ths of the tracked beats (Zhuo et al. 2023, section 3.2). Here
they are put into bars, and the chords, which rows hold in seconds, onto the beats that they began
on. Songs have a half bar now and then, and trackers slip: what lies between two downbeats is cut
into whole bars and the rest of it left out, so that a position in the bar keeps its meaning.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symmv_builder.timeline import first_downbeat
from symmv_builder.training.usable import UnusableRow
from symmv_builder.training.vmusprod.tokens import (
    LONGEST,
    NO_QUALITY,
    NO_ROOT,
    Events,
    Ints,
    Sequence,
    events_of,
)
from symmv_builder.vocab import NO_CHORD, SYMMV_LABELS, SYMMV_QUALITIES

STEPS_PER_BEAT = 4
COLUMNS = (
    "beats_times_s",
    "beats_positions",
    "parts_pitches",
    "parts_onset_steps",
    "parts_duration_steps",
    "parts_is_melody",
)
CHORD_COLUMNS = ("chords_starts_s", "chords_ends_s", "chords_labels")

_WHITE_KEYS = np.array([0, 2, 4, 5, 7, 9, 11])
# The commonest way from a downbeat to the next, in beats, and how many a bar is given for it.
_METRES = {2: 4, 3: 3, 4: 4, 6: 3, 8: 4}
# A song that loses more of its beats than this has no bars that could be learned.
MOST_LEFT_OUT = 0.25
# What lies further apart than this, in beats, is no music of one recording.
MOST_BEATS = 100_000
_CHORD_NUMBERS = {
    NO_CHORD: (NO_ROOT, NO_QUALITY),
    **{label: divmod(i, len(SYMMV_QUALITIES)) for i, label in enumerate(SYMMV_LABELS)},
}


@dataclass(frozen=True, slots=True, eq=False)
class QuantisedSong:
    """Notes and chords in steps, 16ths from the first bar; all arrays int64 but ``is_melody``.

    Notes ``[n]`` are sorted by onset, then pitch, and no two share both; durations are 1-64.
    Chords ``[c]`` last until the next one: the first begins at 0, neighbours differ; ``root`` is
    0-11 or 12 and ``quality`` 0-9 (`vocab.SYMMV_QUALITIES`) or 10 where no chord is. ``beats``
    ``[bars * beats in a bar]`` are the numbers that the song's beats have in the recording,
    negative before the first tracked one. ``ValueError`` where something of this is not so.
    """

    onsets: Ints
    durations: Ints
    pitches: Ints
    is_melody: NDArray[np.bool_]
    chord_onsets: Ints
    chord_roots: Ints
    chord_qualities: Ints
    steps_per_bar: int
    bars: int
    tempo_bpm: float
    beats: Ints

    def __post_init__(self) -> None:
        end = self.bars * self.steps_per_bar
        _require(self.bars > 0 and self.steps_per_bar in (12, 16), "bars of 12 or 16 steps")
        _require(self.tempo_bpm > 0, "a tempo")
        lengths = {len(a) for a in (self.onsets, self.durations, self.pitches, self.is_melody)}
        _require(len(lengths) == 1, "notes with all their fields")
        keys = self.onsets * 128 + self.pitches
        _require(bool((np.diff(keys) > 0).all()), "notes sorted by onset and pitch, none twice")
        _require(_within(self.onsets, 0, end) and _within(self.pitches, 0, 128), "notes in range")
        _require(_within(self.durations, 1, LONGEST + 1), "durations of 1 to 64")
        chords = (self.chord_onsets, self.chord_roots, self.chord_qualities)
        _require(len({len(a) for a in chords}) == 1, "chords with all their fields")
        _require(len(self.chord_onsets) > 0 and self.chord_onsets[0] == 0, "a chord at 0")
        rising = bool((np.diff(self.chord_onsets) > 0).all())
        _require(rising and _within(self.chord_onsets, 0, end), "chords in order")
        _require(_within(self.chord_roots, 0, 13), "roots in range")
        _require(_within(self.chord_qualities, 0, 11), "qualities in range")
        beats = self.bars * self.beats_per_bar
        rising = bool((np.diff(self.beats) > 0).all())
        _require(rising and len(self.beats) == beats, "a rising number for each beat")

    @property
    def beats_per_bar(self) -> int:
        return self.steps_per_bar // STEPS_PER_BEAT

    def transposed(self, semitones: int) -> "QuantisedSong":
        """Transpose the song by semitones; a note that leaves 0-127 is moved back by octaves."""
        pitches = self.pitches + semitones
        pitches = np.where(pitches > 127, 127 - (127 - pitches) % 12, pitches)
        pitches = np.where(pitches < 0, pitches % 12, pitches)
        onsets, durations, pitches, is_melody = _distinct(
            self.onsets, self.durations, pitches, self.is_melody
        )
        moved = (self.chord_roots + semitones) % 12
        return replace(
            self,
            onsets=onsets,
            durations=durations,
            pitches=pitches,
            is_melody=is_melody,
            chord_roots=np.where(self.chord_roots == NO_ROOT, NO_ROOT, moved),
        )

    def cropped(self, first_bar: int, bars: int) -> "QuantisedSong":
        """Crop to ``bars`` bars from ``first_bar`` on: notes that begin there, and chords."""
        if first_bar < 0 or bars < 1 or first_bar + bars > self.bars:
            raise ValueError(f"bars {first_bar} to {first_bar + bars} of {self.bars}")
        start, end = first_bar * self.steps_per_bar, (first_bar + bars) * self.steps_per_bar
        inside = (self.onsets >= start) & (self.onsets < end)
        sounding = int(np.searchsorted(self.chord_onsets, start, side="right")) - 1
        last = int(np.searchsorted(self.chord_onsets, end))
        return replace(
            self,
            onsets=self.onsets[inside] - start,
            durations=self.durations[inside],
            pitches=self.pitches[inside],
            is_melody=self.is_melody[inside],
            chord_onsets=(self.chord_onsets[sounding:last] - start).clip(0),
            chord_roots=self.chord_roots[sounding:last],
            chord_qualities=self.chord_qualities[sounding:last],
            bars=bars,
            beats=self.beats[start // STEPS_PER_BEAT : end // STEPS_PER_BEAT],
        )


def song_of(row: Mapping[str, Any]) -> QuantisedSong:
    """Build the song of a row that has `COLUMNS`, with chords where it has `CHORD_COLUMNS` too.

    Bars before the first note and after the last onset are left out. `UnusableRow` where there is
    nothing to learn: no notes, fewer than two beats, a metre of neither three nor four beats,
    downbeats so uneven that over a quarter of the beats would be left out, a chord that is not of
    SymMV's vocabulary, or columns that contradict each other.
    """
    try:
        return _song_of(row)
    except ValueError as error:
        raise UnusableRow(f"its columns do not make a song: {error}") from error


def song_in_fours(row: Mapping[str, Any]) -> QuantisedSong:
    """Build the song of a row as `song_of`; `UnusableRow` also where a bar has three beats."""
    song = song_of(row)
    if song.beats_per_bar != 4:
        raise UnusableRow("its bars have three beats, where four are needed")
    return song


def _song_of(row: Mapping[str, Any]) -> QuantisedSong:
    beats_s = np.asarray(row["beats_times_s"], dtype=np.float64)
    positions = np.asarray(row["beats_positions"], dtype=np.int64)
    steps = np.asarray(row["parts_onset_steps"], dtype=np.int64)
    metre = _metre_of(row, steps, beats_s, positions)
    # The beat of each onset, counted as the tracked beats are.
    at = np.floor_divide(steps, STEPS_PER_BEAT) + first_downbeat(positions)
    if int(at.max()) - min(int(at.min()), 0) > MOST_BEATS:
        raise UnusableRow(f"its notes lie more than {MOST_BEATS} beats apart")
    opens = _bars(positions, metre, int(at.min()), int(at.max()))
    bar = np.searchsorted(opens, at, side="right") - 1
    inside = at - opens[bar] < metre
    bar, at, steps = bar[inside], at[inside], steps[inside]
    reach = int(opens[-1]) + metre - int(opens[0])
    if len(opens) * metre < (1 - MOST_LEFT_OUT) * reach:
        raise UnusableRow("its downbeats are too uneven: over a quarter of the beats is in no bar")
    if len(steps) == 0:
        raise UnusableRow("no note begins in a whole bar")
    opens, bar = opens[bar.min() : bar.max() + 1], bar - bar.min()
    beats = (opens[:, None] + np.arange(metre)).ravel()
    in_bar = (at - opens[bar]) * STEPS_PER_BEAT + steps % STEPS_PER_BEAT
    onsets, durations, pitches, is_melody = _distinct(
        bar * metre * STEPS_PER_BEAT + in_bar,
        np.asarray(row["parts_duration_steps"], dtype=np.int64)[inside].clip(1, LONGEST),
        np.asarray(row["parts_pitches"], dtype=np.int64)[inside],
        np.asarray(row["parts_is_melody"], dtype=np.bool_)[inside],
    )
    chord_onsets, roots, qualities = _chords(row, beats_s, beats)
    return QuantisedSong(
        onsets=onsets,
        durations=durations,
        pitches=pitches,
        is_melody=is_melody,
        chord_onsets=chord_onsets,
        chord_roots=roots,
        chord_qualities=qualities,
        steps_per_bar=metre * STEPS_PER_BEAT,
        bars=len(opens),
        tempo_bpm=_tempo(beats_s, beats),
        beats=beats,
    )


def shift_to_white_keys(pitches: Ints) -> int:
    """Find the shift, -5 to 6 semitones, with most notes on white keys; of equals the least."""
    classes = np.bincount(pitches % 12, minlength=12)
    shifts = sorted(range(-5, 7), key=abs)
    return max(shifts, key=lambda shift: int(classes[(_WHITE_KEYS - shift) % 12].sum()))


def song_of_sequences(
    chords: Sequence | None,
    melody: Sequence | None,
    accompaniment: Sequence | None,
    *,
    tempo_bpm: float,
    beats: Ints | None = None,
) -> QuantisedSong:
    """Decode sequences of the same bars into one song; a part that is `None` is empty.

    A note of both parts is the melody's. Without `beats` they are numbered from 0. `ValueError`
    where the bars differ or all are `None`.
    """
    sounded = [events_of(s) for s in (chords, melody, accompaniment) if s is not None]
    if len({(events.bars, events.steps_per_bar) for events in sounded}) != 1:
        raise ValueError("the sequences are not of the same bars")
    bars, spb = sounded[0].bars, sounded[0].steps_per_bar
    parts = [(p, events_of(p)) for p in (melody, accompaniment) if p is not None]
    is_melody = [np.full(len(e.steps), p is melody, dtype=np.bool_) for p, e in parts]
    nothing = np.zeros(0, dtype=np.int64)
    onsets, durations, pitches, melodic = _distinct(
        np.concatenate([nothing, *(e.steps for _, e in parts)]),
        np.concatenate([nothing, *(e.durations for _, e in parts)]),
        np.concatenate([nothing, *(e.pitches for _, e in parts)]),
        np.concatenate([nothing.astype(np.bool_), *is_melody]),
    )
    chord_onsets, roots, qualities = _changes(events_of(chords) if chords is not None else None)
    return QuantisedSong(
        onsets=onsets,
        durations=durations,
        pitches=pitches,
        is_melody=melodic,
        chord_onsets=chord_onsets,
        chord_roots=roots,
        chord_qualities=qualities,
        steps_per_bar=spb,
        bars=bars,
        tempo_bpm=tempo_bpm,
        beats=np.arange(bars * spb // STEPS_PER_BEAT) if beats is None else beats,
    )


def _require(is_so: bool, what: str) -> None:
    if not is_so:
        raise ValueError(f"a song has {what}")


def _within(values: Ints, low: int, high: int) -> bool:
    return bool(((values >= low) & (values < high)).all())


def _distinct(
    onsets: Ints, durations: Ints, pitches: Ints, is_melody: NDArray[np.bool_]
) -> tuple[Ints, Ints, Ints, NDArray[np.bool_]]:
    """Sort notes by onset and pitch; equal ones are joined: the longest, melody if any is."""
    order = np.lexsort((pitches, onsets))
    onsets, durations = onsets[order], durations[order]
    pitches, is_melody = pitches[order], is_melody[order]
    new = np.ones(len(onsets), dtype=np.bool_)
    new[1:] = (np.diff(onsets) != 0) | (np.diff(pitches) != 0)
    first = np.flatnonzero(new)
    if len(first):
        durations = np.maximum.reduceat(durations, first)
        is_melody = np.logical_or.reduceat(is_melody, first)
    return onsets[first], durations, pitches[first], is_melody


def _metre_of(
    row: Mapping[str, Any], steps: Ints, beats_s: NDArray[np.float64], positions: Ints
) -> int:
    """Count beats in a bar; `UnusableRow` where notes and beats make none."""
    if len(steps) == 0:
        raise UnusableRow("it has no notes")
    if len({len(steps), *(len(row[name]) for name in COLUMNS if name.startswith("parts_"))}) > 1:
        raise UnusableRow("its columns of notes are not of one length")
    if len(beats_s) < 2:
        raise UnusableRow(f"it has {len(beats_s)} beats; a bar takes two at least")
    if len(positions) != len(beats_s):
        raise UnusableRow(f"{len(positions)} of its {len(beats_s)} beats have a place in the bar")
    if not (np.isfinite(beats_s).all() and (np.diff(beats_s) > 0).all()):
        raise UnusableRow("the times of its beats do not rise")
    metre = _metre(positions)
    if metre is None:
        raise UnusableRow("its bars have neither three nor four beats")
    return metre


def _metre(positions: Ints) -> int | None:
    """Count beats in a bar: three, four, or `None` for what is neither."""
    downbeats = np.flatnonzero(positions == 1)
    if len(downbeats) < 2:
        return _METRES.get(int(positions.max()))
    gaps, counts = np.unique(np.diff(downbeats), return_counts=True)
    return _METRES.get(int(gaps[counts.argmax()]))


def _bars(positions: Ints, metre: int, first: int, last: int) -> Ints:
    """Find the beats on which whole bars open, from that with beat `first` to that with `last`."""
    downbeats = np.flatnonzero(positions == 1)
    if len(downbeats) == 0:
        downbeats = np.array([first_downbeat(positions)])
    if metre == 4 and len(downbeats) > 1 and np.median(np.diff(downbeats)) == 2:
        downbeats = downbeats[::2]  # two bars of two beats are read as one of four
    # A first bar that is too short, in which the notes begin, is a pickup: the end of a whole bar.
    while len(downbeats) > 1 and first >= downbeats[0] and downbeats[1] - downbeats[0] < metre:
        downbeats = downbeats[1:]
    before = np.arange(downbeats[0], first - metre, -metre)[:0:-1]
    opens = [before]
    for start, end in pairwise(downbeats.tolist()):
        opens.append(start + metre * np.arange((end - start) // metre))
    opens.append(np.arange(downbeats[-1], max(last, int(downbeats[-1])) + 1, metre))
    return np.concatenate(opens)


def _tempo(beats_s: NDArray[np.float64], beats: Ints) -> float:
    """Compute beats a minute from the song's first tracked beat to its last.

    Not the median of the rows: at this tempo the song is as long as it was played.
    """
    first, last = max(int(beats[0]), 0), min(int(beats[-1]), len(beats_s) - 1)
    if last <= first:
        first, last = 0, len(beats_s) - 1
    return float(60.0 * (last - first) / (beats_s[last] - beats_s[first]))


def _chords(row: Mapping[str, Any], beats_s: NDArray[Any], beats: Ints) -> tuple[Ints, Ints, Ints]:
    """Find the chord of each of the song's beats, as runs; beats without one have none."""
    first, last = int(beats[0]), int(beats[-1])
    none = np.array(_CHORD_NUMBERS[NO_CHORD], dtype=np.int64)
    numbers = np.tile(none, (last - first + 1, 1))
    if all(name in row for name in CHORD_COLUMNS):
        if not all(np.isfinite(row[name]).all() for name in CHORD_COLUMNS[:2]):
            raise UnusableRow("the times of its chords are not finite")
        edges = (
            np.rint(_to_beats(np.asarray(row[name]), beats_s)).astype(np.int64) - first
            for name in CHORD_COLUMNS[:2]
        )
        for start, end, label in zip(*edges, row["chords_labels"], strict=True):
            if label not in _CHORD_NUMBERS:
                raise UnusableRow(f"chord {label!r} is not one of SymMV's; V-MusProd learns those")
            numbers[max(start, 0) : max(end, 0)] = _CHORD_NUMBERS[label]
    return _runs(np.arange(len(beats)) * STEPS_PER_BEAT, numbers[beats - first])


def _changes(events: Events | None) -> tuple[Ints, Ints, Ints]:
    if events is None:
        return _runs(np.zeros(1, dtype=np.int64), np.array([[NO_ROOT, NO_QUALITY]]))
    return _runs(events.chord_steps, np.stack((events.roots, events.qualities), axis=1))


def _runs(steps: Ints, numbers: Ints) -> tuple[Ints, Ints, Ints]:
    """Find steps at which the pair of root and quality changes, and the pairs."""
    new = np.ones(len(steps), dtype=np.bool_)
    new[1:] = (np.diff(numbers, axis=0) != 0).any(axis=1)
    return steps[new], numbers[new, 0], numbers[new, 1]


def _to_beats(times_s: NDArray[Any], beats_s: NDArray[Any]) -> NDArray[np.float64]:
    """Place each time on the axis where the tracked beats are 0, 1, 2, ..."""
    before = (np.searchsorted(beats_s, times_s, side="right") - 1).clip(0, len(beats_s) - 2)
    return np.asarray(before + (times_s - beats_s[before]) / np.diff(beats_s)[before])
