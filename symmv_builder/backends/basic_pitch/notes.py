"""Notes out of Basic Pitch's activations, by the rules of the package's `note_creation`.

That module brings librosa, resampy and pretty_midi with it, a second of imports in every worker;
a test compares the notes.
"""

import numpy as np
from numpy.typing import NDArray

LOWEST_PITCH = 21
ONSET_THRESHOLD, FRAME_THRESHOLD = 0.5, 0.3
# A note is longer than so many frames (127.7 ms, as the package's command has it).
SHORTEST_FRAMES = 11
# It ends where so many frames in a row are below the threshold.
FADED_FRAMES = 11

# First frame, frame after the last, pitch in MIDI, loudness 0-1.
FoundNote = tuple[int, int, int, float]


def find_notes(frames: NDArray[np.float32], onsets: NDArray[np.float32]) -> list[FoundNote]:
    """Find the notes of activations ``[frames, 88]``, in no order that means anything.

    First those that begin with an onset, the last onset first; then, from the loudest frame down,
    those of what is left.
    """
    energy = frames.astype(np.float64)
    length = len(frames)
    notes: list[FoundNote] = []

    def keep(start: int, end: int, key: int) -> None:
        loudness = float(np.mean(frames[start:end, key]))
        notes.append((start, end, key + LOWEST_PITCH, loudness))

    for start, key in _onsets(frames, onsets):
        length_frames, faded = _follow(energy[start + 1 : length - 1, key])
        end = start + 1 + length_frames - faded
        if end - start > SHORTEST_FRAMES:
            _silence(energy, start, end, key)
            keep(start, end, key)

    loudest = energy.max(axis=1)
    while loudest.max(initial=0.0) > FRAME_THRESHOLD:
        middle = int(np.argmax(loudest))
        key = int(np.argmax(energy[middle]))
        energy[middle, key] = 0
        after, faded_after = _follow(energy[middle + 1 : length - 1, key])
        before, faded_before = _follow(energy[1 : max(1, middle), key][::-1])
        _silence(energy, middle + 1, middle + 1 + after, key)
        _silence(energy, middle - before, middle, key)
        changed = slice(middle - before, middle + 1 + after)
        loudest[changed] = energy[changed].max(axis=1)
        start, end = middle - before + faded_before, middle + after - faded_after
        if end - start > SHORTEST_FRAMES:
            keep(start, end, key)
    return notes


def _onsets(frames: NDArray[np.float32], onsets: NDArray[np.float32]) -> list[tuple[int, int]]:
    """Find frame and key of the peaks of the onsets or of rises of the frames, the last first."""
    rise = np.zeros(frames.shape)
    exact = frames.astype(np.float64)
    rise[2:] = np.minimum(exact[2:] - exact[1:-1], exact[2:] - exact[:-2]).clip(min=0)
    steepest = rise.max(initial=0.0)
    if not steepest:
        return []
    both = np.maximum(onsets, np.max(onsets) * rise / steepest)
    middle = both[1:-1]
    is_peak = (middle > both[:-2]) & (middle > both[2:]) & (middle >= ONSET_THRESHOLD)
    # The last frame but one is the last that a note can begin in.
    at, keys = np.nonzero(is_peak)
    return list(zip((at + 1).tolist()[::-1], keys.tolist()[::-1], strict=True))


def _follow(energy: NDArray[np.float64]) -> tuple[int, int]:
    """Count the frames that a note is followed for, and the last of them below the threshold.

    With those the note has ended, or the sound has.
    """
    length_frames = faded = 0
    for is_weak in (energy < FRAME_THRESHOLD).tolist():
        length_frames, faded = length_frames + 1, faded + 1 if is_weak else 0
        if faded == FADED_FRAMES:
            break
    return length_frames, faded


def _silence(energy: NDArray[np.float64], start: int, end: int, key: int) -> None:
    """Take a note's energy, and that of its neighbours, from what is left."""
    energy[start:end, max(0, key - 1) : key + 2] = 0
