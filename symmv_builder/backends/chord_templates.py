"""Chords of MIDI by templates: pitch classes of each beat against 12 roots x 10 qualities.

Each beat is a chroma vector: for every note the share of the beat that it sounds, summed by
pitch class, as in Fujishima, "Realtime Chord Recognition of Musical Sound", ICMC 1999. Its
cosine with the tones of each chord, a bonus where the root is the lowest note, and a small
penalty on rare qualities say how well a chord fits the beat. Viterbi decoding finds the
sequence that fits best when a change costs something: little on a downbeat, more on the
middle of a bar, most elsewhere, because that is where harmony changes.

The ten qualities are SymMV's. The constants were chosen on half of POP909's songs
(`benchmarks/chords.py` measures the other half).
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends import About, ModelHome, ModelIdentity, hash_files
from symmv_builder.records import Floats, Ints

# Semitones above the root, and what a quality pays for being rare in music.
QUALITIES: dict[str, tuple[tuple[int, ...], float]] = {
    "M": ((0, 4, 7), 0.0),
    "m": ((0, 3, 7), 0.0),
    "o": ((0, 3, 6), 0.1),
    "+": ((0, 4, 8), 0.12),
    "7": ((0, 4, 7, 10), 0.05),
    "M7": ((0, 4, 7, 11), 0.05),
    "m7": ((0, 3, 7, 10), 0.05),
    "o7": ((0, 3, 6, 9), 0.1),
    "sus2": ((0, 2, 7), 0.05),
    "sus4": ((0, 5, 7), 0.05),
}
ROOT_IN_BASS = 0.2
# A note that sounds less of a beat than this is no bass: it ends in it, or passes.
LEAST_BASS_SHARE = 0.0
CHANGE, CHANGE_ON_DOWNBEAT, CHANGE_IN_MIDDLE = 0.4, 0.1, 0.25


class Templates:
    """Template matching with Viterbi decoding as a model of the slot ``symbolic_chords``."""

    @classmethod
    def identify(cls, home: ModelHome) -> ModelIdentity:
        return ModelIdentity("templates", "1", hash_files([Path(__file__)]))

    @classmethod
    def about(cls) -> About:
        return About("templates, of this package", "Apache-2.0", "none: rules, in the package")

    def __init__(self, home: ModelHome) -> None:
        self._names = [(root, quality) for quality in QUALITIES for root in range(12)]
        self._roots = np.array([root for root, _ in self._names])
        self._tones = np.zeros((len(self._names), 12))
        for row, (root, quality) in enumerate(self._names):
            intervals = np.array(QUALITIES[quality][0])
            self._tones[row, (root + intervals) % 12] = 1 / np.sqrt(len(intervals))
        self._penalties = np.array([QUALITIES[quality][1] for _, quality in self._names])

    def name(
        self,
        starts: Ints,
        ends: Ints,
        pitches: Ints,
        *,
        ticks_per_beat: int,
        positions: Ints | None = None,
    ) -> Sequence[tuple[int, str] | None]:
        """Root (0-11) and quality of each beat up to the last end; `None` for a silent beat.

        Starts and ends are ticks from the first beat. `positions` are the beats' places in
        the bar, 1 for a downbeat; without them bars of four begin at the first beat.
        """
        if not len(starts):
            return []
        roll = piano_roll(starts / ticks_per_beat, ends / ticks_per_beat, pitches)
        if positions is None:
            positions = np.arange(len(roll)) % 4 + 1
        is_silent = ~roll.any(axis=1)
        path = self._decode(self._fit(roll), change_costs(positions[: len(roll)]))
        return [
            None if silent else self._names[state]
            for state, silent in zip(path.tolist(), is_silent.tolist(), strict=True)
        ]

    def _fit(self, roll: Floats) -> Floats:
        """How well each chord fits each beat, ``[beats, chords]``; all alike in silence."""
        chroma = np.zeros((len(roll), 12))
        for low in range(0, 128, 12):
            octave = roll[:, low : low + 12]
            chroma[:, : octave.shape[1]] += octave
        lengths = np.linalg.norm(chroma, axis=1, keepdims=True)
        fit = chroma / np.maximum(lengths, 1e-9) @ self._tones.T - self._penalties
        sounding = roll > LEAST_BASS_SHARE
        bass = np.where(sounding.any(axis=1), sounding.argmax(axis=1) % 12, -1)
        fit += ROOT_IN_BASS * (bass[:, None] == self._roots)
        return np.where(lengths > 0, fit, 0.0)

    def _decode(self, fit: Floats, costs: Floats) -> Ints:
        """The best path of states; all changes into a beat cost the same."""
        came_from = np.zeros(fit.shape, dtype=np.int64)
        stay = np.arange(fit.shape[1])
        score = fit[0]
        for beat in range(1, len(fit)):
            best = int(score.argmax())
            changed = score[best] - costs[beat]
            came_from[beat] = np.where(score >= changed, stay, best)
            score = np.maximum(score, changed) + fit[beat]
        path = np.zeros(len(fit), dtype=np.int64)
        path[-1] = score.argmax()
        for beat in range(len(fit) - 1, 0, -1):
            path[beat - 1] = came_from[beat, path[beat]]
        return path


def piano_roll(starts: Floats, ends: Floats, pitches: Ints) -> NDArray[np.float64]:
    """Share of each beat that each pitch sounds, ``[beats, 128]``, at most 1; times in beats."""
    count = max(1, int(np.ceil(ends.max())))
    # The time that a pitch has sounded up to each beat is a sum of ramps, one a start and one an
    # end; its differences are the shares.
    slopes, offsets = np.zeros((count + 1, 128)), np.zeros((count + 1, 128))
    for times, sign in ((starts, 1.0), (ends, -1.0)):
        beats = np.floor(times).astype(np.int64)
        np.add.at(slopes, (beats, pitches), sign)
        np.add.at(offsets, (beats, pitches), -sign * (times - beats))
    sounding = slopes.cumsum(axis=0)
    shares = sounding + offsets
    return np.asarray(shares[:count].clip(0.0, 1.0), dtype=np.float64)


def change_costs(positions: Ints) -> Floats:
    """What a change into each beat costs, by the beat's place in its bar."""
    downbeats = np.flatnonzero(positions == 1)
    # The length of the bar that each beat stands in: of an open one, of its neighbour.
    length = np.diff(downbeats)
    bars = (np.searchsorted(downbeats, np.arange(len(positions)), side="right") - 1).clip(
        0, max(len(length) - 1, 0)
    )
    lengths = length[bars] if len(length) else np.full(len(positions), 4)
    costs = np.full(len(positions), CHANGE)
    costs[(lengths % 2 == 0) & (positions == lengths // 2 + 1)] = CHANGE_IN_MIDDLE
    costs[positions == 1] = CHANGE_ON_DOWNBEAT
    return costs
