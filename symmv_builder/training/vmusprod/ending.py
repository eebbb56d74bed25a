"""The end of a piece: the tonic chord, struck once and held until the music is over.

A model that writes as many bars as a video lasts does not know that the last one is the last. So
the bar in which a piece is to end gets the tonic chord of the key that is heard in its chords,
before melody and accompaniment are written to them, and both end on it.
"""

from dataclasses import replace

import numpy as np

from symmv_builder.records import Key, Notes
from symmv_builder.training.vmusprod.embedding import INTERVALS
from symmv_builder.training.vmusprod.songs import QuantisedSong
from symmv_builder.training.vmusprod.tokens import (
    LONGEST,
    NO_ROOT,
    Ints,
    Sequence,
    events_of,
    sequence_of,
)
from symmv_builder.vocab import SYMMV_QUALITIES

_MIDDLE_C = 60
# Where the left hand's root lies, and below what its chord does not begin.
_LOWEST_ROOT, _LOWEST_CHORD = 33, 50


def resolved(chords: Sequence, bar: int, key: Key) -> Sequence:
    """Replace the chords from the start of `bar` on by the tonic of `key`."""
    events = events_of(chords)
    is_before = events.chord_steps < bar * events.steps_per_bar
    quality = SYMMV_QUALITIES.index("m" if key.mode == "minor" else "M")
    bars = np.arange(bar, events.bars) * events.steps_per_bar
    return sequence_of(
        replace(
            events,
            chord_steps=np.concatenate((events.chord_steps[is_before], bars)),
            roots=np.concatenate((events.roots[is_before], np.full_like(bars, key.tonic_class))),
            qualities=np.concatenate((events.qualities[is_before], np.full_like(bars, quality))),
        )
    )


def sounding_chords(chords: Sequence, bar: int) -> Notes:
    """Give the chords of the 16 bars before `bar` as notes around middle C, a second each 16th.

    The notes are for estimating a key: that in which a long piece ends may be another one
    than that in which it began.
    """
    events = events_of(chords)
    first, last = (b * events.steps_per_bar for b in (max(0, bar - 16), bar))
    ends = np.append(events.chord_steps[1:], events.bars * events.steps_per_bar)
    notes = [
        (start, end, _MIDDLE_C + (root + interval) % 12)
        for start, end, root, quality in zip(
            events.chord_steps, ends, events.roots, events.qualities, strict=True
        )
        if root != NO_ROOT and first <= start < last
        for interval in INTERVALS[SYMMV_QUALITIES[quality]]
    ]
    table = np.array(sorted(notes), dtype=np.int64).reshape(-1, 3)
    starts_s, ends_s = table[:, :2].T.astype(np.float64)
    return Notes(starts_s, ends_s, table[:, 2], np.full(len(table), 64))


def ended(song: QuantisedSong, bar: int, key: Key) -> QuantisedSong:
    """End the song where `bar` begins: its last notes are one chord, the tonic of `key`.

    Whatever sounds then is released, nothing follows. The melody ends on the note of the chord that
    is next to the one it would have gone to; the other hand has the root and the chord above it.
    """
    start = bar * song.steps_per_bar
    before = song.onsets < start
    durations = np.minimum(song.durations, np.maximum(start - song.onsets, 1))
    classes = (key.tonic_class + np.array([0, 3 if key.mode == "minor" else 4, 7])) % 12
    last = _hands(song, start, classes)
    length = min(LONGEST, max(song.bars * song.steps_per_bar - start, 2 * song.steps_per_bar))
    earlier = song.chord_onsets < start
    quality = SYMMV_QUALITIES.index("m" if key.mode == "minor" else "M")
    chords = [
        np.append(array[earlier], value)
        for array, value in (
            (song.chord_onsets, start),
            (song.chord_roots, key.tonic_class),
            (song.chord_qualities, quality),
        )
    ]
    if len(chords[0]) > 1 and (chords[1][-2], chords[2][-2]) == (key.tonic_class, quality):
        chords = [array[:-1] for array in chords]
    pitches = np.array([pitch for pitch, _ in last], dtype=np.int64)
    return replace(
        song,
        onsets=np.concatenate((song.onsets[before], np.full(len(last), start))),
        durations=np.concatenate((durations[before], np.full(len(last), length))),
        pitches=np.concatenate((song.pitches[before], pitches)),
        is_melody=np.concatenate((song.is_melody[before], np.array([is_in for _, is_in in last]))),
        chord_onsets=chords[0],
        chord_roots=chords[1],
        chord_qualities=chords[2],
    )


def _hands(song: QuantisedSong, start: int, classes: Ints) -> list[tuple[int, bool]]:
    """List pitches of the last chord, from low to high, each with whether it is the melody's."""
    low = song.pitches[~song.is_melody & (song.onsets < start)]
    around = float(np.median(low[low <= np.quantile(low, 0.25)])) if len(low) else 43.0
    roots = np.arange(_LOWEST_ROOT, _LOWEST_CHORD)
    roots = roots[roots % 12 == classes[0]]
    root = int(roots[np.abs(roots - around).argmin()])
    chord = [_LOWEST_CHORD + int((c - _LOWEST_CHORD) % 12) for c in classes]
    hands = dict.fromkeys((root, *chord), False)
    melody = song.is_melody
    if melody.any():
        places = np.flatnonzero(melody & (song.onsets >= start))
        aim = song.pitches[places[0] if len(places) else np.flatnonzero(melody)[-1]]
        pitches = np.arange(max(chord) + 1, max(chord) + 49)
        pitches = pitches[np.isin(pitches % 12, classes)]
        hands[int(pitches[np.abs(pitches - aim).argmin()])] = True
    return sorted(hands.items())
