"""Chords of MIDI by templates: pitch classes of each beat against 12 roots x 10 qualities.

Each beat is a chroma vector (Fujishima, "Realtime Chord Recognition of Musical Sound", ICMC
1999): the share of the beat that each pitch class sounds, at most 1, compressed by a power so
that short tones of a broken chord count. How well a chord fits the beat is the cosine of that
vector with the chord's tones, plus a bonus where the lowest note is the root (or, smaller,
another tone), less a penalty on qualities that are rare in music. Viterbi decoding (Sheh and
Ellis, "Chord Segmentation and Recognition using EM-Trained Hidden Markov Models", ISMIR 2003)
finds the sequence that fits best when a change costs something: little on a downbeat, more in
the middle of a bar, most elsewhere, because harmony changes with the bar.

The ten qualities are SymMV's. The constants were chosen on half of POP909's songs;
`benchmarks/chords.py` measures the other half.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends import About, ModelHome, ModelIdentity, hash_files
from symmv_builder.records import Floats, Ints

# Semitones above the root, and what a quality pays for being rare. A suspension has the tones of
# another one a fifth away and of many a passing note: it must be clearly there.
QUALITIES: dict[str, tuple[tuple[int, ...], float]] = {
    "M": ((0, 4, 7), 0.0),
    "m": ((0, 3, 7), 0.0),
    "o": ((0, 3, 6), 0.1),
    "+": ((0, 4, 8), 0.12),
    "7": ((0, 4, 7, 10), 0.05),
    "M7": ((0, 4, 7, 11), 0.05),
    "m7": ((0, 3, 7, 10), 0.05),
    "o7": ((0, 3, 6, 9), 0.13),
    "sus2": ((0, 2, 7), 0.16),
    "sus4": ((0, 5, 7), 0.16),
}
CHROMA_POWER = 0.7
# The lowest note is the root, or another tone of the chord.
ROOT_IN_BASS, TONE_IN_BASS = 0.25, 0.17
# A note that sounds less of a beat than this is no bass: it was released late.
LEAST_BASS_SHARE = 0.1
CHANGE, CHANGE_ON_DOWNBEAT, CHANGE_IN_MIDDLE = 0.4, 0.1, 0.25


class TemplateDecoder:
    """Template matching with Viterbi decoding as a model of the slot ``symbolic_chords``."""

    @classmethod
    def identify(cls, home: ModelHome) -> ModelIdentity:
        return ModelIdentity("templates", "1", hash_files([Path(__file__)]))

    @classmethod
    def about(cls) -> About:
        return About("templates, of this package", "Apache-2.0", "none: rules, in the package")

    def __init__(self, home: ModelHome) -> None:
        self._names = [(root, quality) for quality in QUALITIES for root in range(12)]
        self._tones = np.zeros((len(self._names), 12))
        for row, (root, quality) in enumerate(self._names):
            intervals = np.array(QUALITIES[quality][0])
            self._tones[row, (root + intervals) % 12] = 1 / np.sqrt(len(intervals))
        self._bass = np.where(self._tones > 0, TONE_IN_BASS, 0.0)
        self._bass[np.arange(len(self._names)), [root for root, _ in self._names]] = ROOT_IN_BASS
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
        is_silent = np.logical_not(roll.any(axis=1)).tolist()
        path = self._decode(self._fit(roll), change_costs(positions[: len(roll)]))
        return [
            None if silent else self._names[state]
            for state, silent in zip(path.tolist(), is_silent, strict=True)
        ]

    def _fit(self, roll: Floats) -> Floats:
        """How well each chord fits each beat, ``[beats, chords]``; all alike in silence."""
        shares = np.zeros((len(roll), 12))
        for octave in range(0, roll.shape[1], 12):
            classes = roll[:, octave : octave + 12]
            shares[:, : classes.shape[1]] += classes
        chroma = np.minimum(shares, 1.0) ** CHROMA_POWER
        lengths = np.linalg.norm(chroma, axis=1, keepdims=True)
        is_sounding = lengths > 0
        fit = chroma / np.where(is_sounding, lengths, 1.0) @ self._tones.T - self._penalties
        is_bass = np.asarray(roll >= LEAST_BASS_SHARE)
        lowest = is_bass.argmax(axis=1) % 12
        fit += np.where(is_bass.any(axis=1, keepdims=True), self._bass.T[lowest], 0.0)
        return np.where(is_sounding, fit, 0.0)

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
    # A start raises the share of its own beat by what is left of it, and that of all later
    # beats by one; an end takes the same away.
    own, later = np.zeros((count + 1, 128)), np.zeros((count + 1, 128))
    for times, sign in ((starts, 1.0), (ends, -1.0)):
        beats = np.floor(times).astype(np.int64)
        np.add.at(later, (beats, pitches), sign)
        np.add.at(own, (beats, pitches), -sign * (times - beats))
    shares = (later.cumsum(axis=0) + own)[:count]
    # What rounding leaves of a note that has ended is no sound.
    return np.asarray(np.where(shares > 1e-6, shares, 0.0).clip(max=1.0), dtype=np.float64)


def change_costs(positions: Ints) -> Floats:
    """What a change into each beat costs, by the beat's place in its bar.

    The middle is that of bars of 4, 6, 8 ... beats; a bar that does not end is as long as the
    one before it, or has four beats.
    """
    places = np.arange(len(positions))
    downbeats = np.flatnonzero(positions == 1)
    lengths = np.append(np.diff(downbeats), 4)
    if len(lengths) > 1:
        lengths[-1] = lengths[-2]
    length = lengths[(np.searchsorted(downbeats, places, side="right") - 1).clip(0)]
    is_middle = (length % 2 == 0) & (length > 2) & (positions == length // 2 + 1)
    costs = np.where(is_middle, CHANGE_IN_MIDDLE, CHANGE)
    return np.where(positions == 1, CHANGE_ON_DOWNBEAT, costs)
