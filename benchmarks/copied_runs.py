"""The longest run of notes that a piece shares with any song of a corpus.

A note is told from the one before it: how many 16ths later it begins and how many semitones higher
it is, notes that begin together from low to high. So a run is found in whatever key it is copied.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from symmv_builder.training.vmusprod.songs import QuantisedSong

_RANDOM = np.random.default_rng(909)
# A number of 64 bits for each way on (0-255 steps) and each interval (-127 to 127).
_CODES = _RANDOM.integers(1, 2**63, size=(256, 256), dtype=np.uint64)
_BASE = 0x9E3779B97F4A7C15


class Corpus:
    """Songs whose runs are looked for."""

    def __init__(self, songs: Iterable[QuantisedSong], *, melody: bool = False) -> None:
        self.melody = melody
        # Between two songs stands a number that no step has, so that no run leads across.
        parts = [
            part
            for song in songs
            for part in (_steps(song, melody), _RANDOM.integers(2**63, 2**64, 1, np.uint64))
        ]
        self._songs = np.concatenate(parts)
        self._hashes: dict[int, NDArray[np.uint64]] = {}

    def longest_run(self, song: QuantisedSong) -> int:
        """How many notes of the song in a row, at most, stand so in a song of the corpus."""
        steps = _steps(song, self.melody)
        low, high = 0, len(steps)
        while low < high:
            middle = (low + high + 1) // 2
            if _any_in(_windows(steps, middle), self._of(middle)):
                low = middle
            else:
                high = middle - 1
        return low + 1 if len(steps) else 0

    def _of(self, length: int) -> NDArray[np.uint64]:
        if length not in self._hashes:
            self._hashes[length] = np.sort(_windows(self._songs, length))
        return self._hashes[length]


def longest_runs(songs: Sequence[QuantisedSong], corpus: Corpus) -> NDArray[np.int64]:
    """The longest copied run of each song, in notes ``[n]``."""
    return np.array([corpus.longest_run(song) for song in songs])


def _any_in(values: NDArray[np.uint64], ordered: NDArray[np.uint64]) -> bool:
    places = np.searchsorted(ordered, values).clip(max=len(ordered) - 1)
    return len(ordered) > 0 and bool((ordered[places] == values).any())


def _steps(song: QuantisedSong, melody: bool) -> NDArray[np.uint64]:
    mask = song.is_melody if melody else np.ones(len(song.onsets), dtype=np.bool_)
    ways = np.diff(song.onsets[mask]).clip(0, 255)
    intervals = np.diff(song.pitches[mask]) % 256
    return np.asarray(_CODES[ways, intervals])


def _windows(steps: NDArray[np.uint64], length: int) -> NDArray[np.uint64]:
    """A hash of every stretch of so many steps; polynomial, by doubling."""
    if len(steps) < length:
        return np.zeros(0, dtype=np.uint64)
    hashes = np.zeros(len(steps) - length + 1, dtype=np.uint64)
    # Sum of steps[i + k] * base**(length - 1 - k) over k, modulo 2**64.
    block, reach, scale, offset = steps, 1, _BASE, 0
    bits = length
    while bits:
        if bits & 1:
            hashes = hashes * np.uint64(scale) + block[offset : offset + len(hashes)]
            offset += reach
        bits >>= 1
        if bits:
            block = block[:-reach] * np.uint64(scale) + block[reach:]
            scale, reach = scale * scale % 2**64, 2 * reach
    return hashes
