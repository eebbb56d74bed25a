"""Chords: named beat by beat from notes, or second by second from sound.

SymMV (Zhuo et al., 2023) names one chord a beat with chorder, 12 roots x 10 qualities.
MuVi-Sync (Kang et al., 2024) has one chord a second out of 157 labels, and finds the key
of a song from notes made of its chords, to write all songs in C major or A minor.
"""

from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends.slots import ChordNamer, ChordRecogniser
from symmv_builder.errors import Reason, RejectEntry
from symmv_builder.music import listening
from symmv_builder.pipeline.step import Step
from symmv_builder.records import Asset, Beats, Chords, Floats, Ints, Key, Notes
from symmv_builder.schema import Column
from symmv_builder.timeline import grid_length, grid_times
from symmv_builder.vocab import (
    MUVISYNC_LABELS,
    NO_CHORD,
    QUALITY_INTERVALS,
    SYMMV_QUALITIES,
    SYMMV_ROOTS,
    muvisync_id,
    muvisync_label,
    muvisync_parts,
)

# Divides by the resolutions that MIDI files use (96, 220, 384, 480, 960, 1024, ...), so
# that the ticks of a file are met exactly.
TICKS_PER_BEAT = 168_960
LOST_ROOTS = (SYMMV_ROOTS.index("Eb"), SYMMV_ROOTS.index("Bb"))


def name_chords(
    notes: Notes,
    beats: Beats,
    *,
    variant: Literal["complete", "released"] = "complete",
    model: ChordNamer,
) -> Chords:
    """Name one chord a beat in SymMV's spelling without bass, equal neighbours joined.

    The notes are laid on the axis on which every beat has one length; it begins on a
    downbeat where there is one, and goes on before the first and after the last beat
    with the nearest gap. Beats with no chord, or with one outside SymMV's ten qualities,
    are left as gaps. ``released`` repeats what was lost in the published files: roots
    Eb and Bb, the first beat, and the last run. `RejectEntry` (no_beats) with fewer
    than two beats.
    """
    if len(beats.times_s) < 2:
        raise RejectEntry(Reason.NO_BEATS, f"{len(beats.times_s)} beats found; two make a tempo")
    starts, ends = (_to_beats(times, beats.times_s) for times in (notes.starts_s, notes.ends_s))
    zero = _origin(starts, beats)
    named = model.name(
        np.rint((starts - zero) * TICKS_PER_BEAT).astype(np.int64),
        np.rint((ends - zero) * TICKS_PER_BEAT).astype(np.int64),
        notes.pitches,
        ticks_per_beat=TICKS_PER_BEAT,
        positions=_positions(zero, ends, beats),
    )
    lost = LOST_ROOTS if variant == "released" else ()
    labels = [
        SYMMV_ROOTS[chord[0]] + chord[1]
        if chord and chord[1] in SYMMV_QUALITIES and chord[0] not in lost
        else ""
        for chord in named
    ]
    runs = _runs(labels)
    if variant == "released":
        runs = [(max(start, 1), end, label) for start, end, label in runs[:-1] if end > 1]
    spans = [(start, end, label) for start, end, label in runs if label]
    edges = np.array([span[:2] for span in spans], dtype=np.float64).reshape(-1, 2) + zero
    # A beat that begins before the recording is cut where the recording starts.
    edges_s = np.maximum(_to_seconds(edges, beats.times_s), 0.0)
    inside = edges_s[:, 1] > 0
    return Chords(
        starts_s=edges_s[inside, 0],
        ends_s=edges_s[inside, 1],
        labels=tuple(span[2] for span, is_in in zip(spans, inside, strict=True) if is_in),
        clock=notes.clock,
    )


def _columns(meaning: str) -> tuple[Column, ...]:
    return (
        Column("{}_starts_s", "list<float64>", "s, music", f"starts of {meaning}", "starts_s"),
        Column("{}_ends_s", "list<float64>", "s, music", f"ends of {meaning}", "ends_s"),
        Column("{}_labels", "list<string>", "", f"labels of {meaning}", "labels"),
    )


SYMBOLIC_COLUMNS = _columns("the chords, 12 roots x 10 qualities")
SYMBOLIC = Step(
    "symbolic_chords",
    2,
    reads=("notes", "beats"),
    run=name_chords,
    slot="symbolic_chords",
    columns=SYMBOLIC_COLUMNS,
)


def _origin(starts: Floats, beats: Beats) -> int:
    """Find the downbeat for counting beats in pairs, an even number before the first note."""
    downbeats = np.flatnonzero(beats.positions == 1)
    zero = int(downbeats[0]) if len(downbeats) else 0
    first = int(np.floor(starts.min())) if len(starts) else 0
    return zero - 2 * max(0, -(-(zero - min(first, 0)) // 2))


def _positions(zero: int, ends: Floats, beats: Beats) -> Ints:
    """Places in the bar of the beats from `zero` to behind the last end.

    Outside the tracked beats bars go on with the commonest length.
    """
    positions = beats.positions
    count = max(len(positions), int(np.ceil(ends.max())) + 1 if len(ends) else 0)
    lengths, votes = np.unique(positions[:-1][positions[1:] == 1], return_counts=True)
    bar = int(lengths[votes.argmax()]) if len(lengths) else max(4, int(positions.max()))
    before = (positions[0] - 1 + np.arange(min(zero, 0), 0)) % bar + 1
    after = (positions[-1] + np.arange(count - len(positions))) % bar + 1
    return np.concatenate([before, positions, after])[max(zero, 0) :]


def _runs(labels: list[str]) -> list[tuple[int, int, str]]:
    """Stretches of equal labels: first beat, beat behind the last, label."""
    edges = [i for i in range(1, len(labels)) if labels[i] != labels[i - 1]]
    bounds = [0, *edges, len(labels)] if labels else []
    return [(a, b, labels[a]) for a, b in pairwise(bounds)]


def _to_beats(times_s: Floats, beats_s: Floats) -> Floats:
    before = (np.searchsorted(beats_s, times_s, side="right") - 1).clip(0, len(beats_s) - 2)
    gaps = np.diff(beats_s)
    return np.asarray(before + (times_s - beats_s[before]) / gaps[before], dtype=np.float64)


def _to_seconds(places: Floats, beats_s: Floats) -> Floats:
    before = np.floor(places).astype(np.int64).clip(0, len(beats_s) - 2)
    return np.asarray(
        beats_s[before] + (places - before) * np.diff(beats_s)[before], dtype=np.float64
    )


class _ChordListener:
    block_s: float | None = None

    def __init__(self, model: ChordRecogniser, hop_s: float) -> None:
        self.rate_hz, self.mono = model.rate_hz, model.mono
        self._model, self._hop_s = model, hop_s

    def hear(self, samples: NDArray[np.float32], rate_hz: int) -> None:
        self._intervals = self._model.recognise(samples)

    def finish(self, music_asset: Asset) -> Chords:
        return chords_on_grid(self._intervals, music_asset.duration_s, self._hop_s)


def hear_chords(*, hop_s: float = 1.0, model: ChordRecogniser) -> _ChordListener:
    """Recognise one of MuVi-Sync's 157 labels for each ``hop_s`` seconds of the recording.

    Of the labels that the model finds within a span, the one that covers most of it; of
    equals, the first in the vocabulary. What the model leaves open is ``N``.
    """
    return _ChordListener(model, hop_s)


def chords_on_grid(chords: Chords, duration_s: float, hop_s: float) -> Chords:
    """Sample labels that were found on the grid of `hear_chords`, for a recording of a duration."""
    length = grid_length(duration_s, hop_s)
    starts_s = grid_times(length, hop_s)
    ends_s = np.minimum(starts_s + hop_s, duration_s)
    cover = np.zeros((length, len(MUVISYNC_LABELS)))
    for start, end, label in zip(chords.starts_s, chords.ends_s, chords.labels, strict=True):
        first, last = int(start // hop_s), min(int(end // hop_s) + 1, length)
        shared = np.minimum(end, ends_s[first:last]) - np.maximum(start, starts_s[first:last])
        cover[first:last, muvisync_id(label)] += shared.clip(0)
    open_s = (ends_s - starts_s) - cover.sum(axis=1)
    cover[:, muvisync_id(NO_CHORD)] += open_s.clip(0)
    labels = tuple(MUVISYNC_LABELS[number] for number in cover.argmax(axis=1))
    return Chords(starts_s=starts_s, ends_s=ends_s, labels=labels)


COLUMNS = _columns("the chord of each second, 157 labels")
STEP = Step(
    "chords",
    2,
    reads=("music_asset", "music"),
    run=hear_chords,
    slot="chords",
    together=listening.listen,
    columns=COLUMNS,
)


def voice_chords(chords: Chords) -> Notes:
    """Voice each chord of MuVi-Sync's vocabulary as block notes from its root above middle C.

    For finding the key as Video2Music does; its code sounds ``dim7`` half-diminished and
    ``hdim7`` as a dominant seventh, here every quality has its own intervals.
    `RejectEntry` (no_chords) where no chord was found: there is no key of nothing.
    """
    rows: list[tuple[float, float, int]] = []
    for start, end, label in zip(chords.starts_s, chords.ends_s, chords.labels, strict=True):
        if parts := muvisync_parts(label):
            rows += [(start, end, 60 + parts[0] + step) for step in QUALITY_INTERVALS[parts[1]]]
    if not rows:
        raise RejectEntry(Reason.NO_CHORDS, "no chord was found in the music, so it has no key")
    table = np.array(rows, dtype=np.float64)
    return Notes(
        starts_s=table[:, 0],
        ends_s=table[:, 1],
        pitches=table[:, 2].astype(np.int64),
        velocities=np.full(len(table), 64),
        clock=chords.clock,
    )


VOICE = Step("voice_chords", 2, reads=("chords",), run=voice_chords)


def normalise_chords(chords: Chords, key: Key) -> Chords:
    """MuVi-Sync's chords transposed from their key to C major or A minor."""
    shift = (0 if key.mode == "major" else 9) - key.tonic_class
    labels = []
    for label in chords.labels:
        parts = muvisync_parts(label)
        labels.append(muvisync_label((parts[0] + shift) % 12, parts[1]) if parts else label)
    return Chords(
        starts_s=chords.starts_s, ends_s=chords.ends_s, labels=tuple(labels), clock=chords.clock
    )


# They stand at the times of the chords that were transposed.
NORMALISED_COLUMNS = (
    Column("{}_labels", "list<string>", "", "labels of the same in C major or A minor", "labels"),
)
NORMALISE = Step(
    "normalise_chords",
    1,
    reads=("chords", "key"),
    run=normalise_chords,
    columns=NORMALISED_COLUMNS,
)
