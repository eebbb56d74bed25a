"""What the sound says at any time: how much rises there, and which harmony it has."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from symmv_builder.records import Floats

# Frames of the analysis: 50 a second, each over 0.19 s, in bands of a semitone from A1 on.
HOP_S = 0.02
WINDOW_S = 0.186
LOWEST_PITCH, HIGHEST_PITCH = 33, 96
BASS_BELOW = 52
TREBLE_FROM = 72
# Where the registers begin whose rises are kept apart: A1, A2, E3, C4, C5.
REGISTERS = (33, 45, 52, 60, 72)
_FRAMES_AT_ONCE = 512
# A rise counts for a beat within so many frames of it.
_NEAR = 2
_SAME_S = 0.03


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the sound says at any time: how much rises there, and its harmony up to there.

    ``rises`` ``[frames, 2]``: sum of the rises of log magnitude over all bands and over the bass,
    the largest near each frame. ``registers`` ``[frames, 5]``: the same in each of `REGISTERS`.
    ``chroma`` ``[frames + 1, 36]``: running sums over frames of the log magnitudes by pitch class,
    of all bands, of the bass and of the treble.
    """

    rises: Floats
    registers: Floats
    chroma: Floats


def magnitudes(samples: NDArray[np.float32], rate_hz: int) -> NDArray[np.float32]:
    """Magnitudes ``[frames, 64]`` of mono samples ``[n]`` in bands of a semitone."""
    window = 2 ** round(np.log2(WINDOW_S * rate_hz))
    hz = np.fft.rfftfreq(window, 1 / rate_hz)
    pitch = np.full(len(hz), -1.0)
    pitch[1:] = 69 + 12 * np.log2(hz[1:] / 440)
    band = np.rint(pitch).astype(np.int64)
    used = np.flatnonzero((band >= LOWEST_PITCH) & (band <= HIGHEST_PITCH))
    bank = np.zeros((len(used), HIGHEST_PITCH - LOWEST_PITCH + 1), dtype=np.float32)
    bank[np.arange(len(used)), band[used] - LOWEST_PITCH] = 1
    shape = np.hanning(window).astype(np.float32)
    padded = np.pad(np.asarray(samples, dtype=np.float32), (window // 2, window))
    count = int(len(samples) / (HOP_S * rate_hz)) + 1
    out = np.empty((count, bank.shape[1]), dtype=np.float32)
    for first in range(0, count, _FRAMES_AT_ONCE):
        frames = np.arange(first, min(first + _FRAMES_AT_ONCE, count))
        starts = np.rint(frames * HOP_S * rate_hz).astype(np.int64)
        spectrum = np.fft.rfft(padded[starts[:, None] + np.arange(window)] * shape, axis=1)
        power = np.abs(spectrum[:, used]).astype(np.float32) ** 2
        out[frames] = np.sqrt(power @ bank)
    return out


def listen(bands: NDArray[np.float32]) -> Evidence:
    """`Evidence` out of `magnitudes`; the level of the recording does not matter."""
    loud = float(np.percentile(bands.max(axis=1), 95)) + 1e-9
    level = np.log1p(100 * bands.astype(np.float32) / loud)
    rises = np.zeros_like(level)
    rises[1:-1] = np.maximum(level[2:] - level[:-2], 0)
    bass, treble = slice(0, BASS_BELOW - LOWEST_PITCH), slice(TREBLE_FROM - LOWEST_PITCH, None)
    summed = np.stack([rises.sum(axis=1), rises[:, bass].sum(axis=1)], axis=1)
    registers = np.add.reduceat(rises, np.array(REGISTERS) - LOWEST_PITCH, axis=1)
    classes = np.eye(12, dtype=np.float32)[np.arange(LOWEST_PITCH, HIGHEST_PITCH + 1) % 12]
    chroma = np.concatenate(
        [level[:, part] @ classes[part] for part in (slice(None), bass, treble)], axis=1
    )
    sums = np.cumsum(chroma, axis=0, dtype=np.float64)
    return Evidence(
        rises=_largest_near(summed),
        registers=_largest_near(registers),
        chroma=np.concatenate([np.zeros((1, chroma.shape[1])), sums]),
    )


def _largest_near(rises: NDArray[np.float32]) -> Floats:
    largest = rises.copy()
    for shift in range(1, _NEAR + 1):
        largest[shift:] = np.maximum(largest[shift:], rises[:-shift])
        largest[:-shift] = np.maximum(largest[:-shift], rises[shift:])
    return largest.astype(np.float64)


def frames_at(evidence: Evidence, times_s: Floats) -> NDArray[np.int64]:
    """Index of the frame at each time, or of the nearest that there is."""
    return np.rint(times_s / HOP_S).astype(np.int64).clip(0, len(evidence.rises) - 1)


def harmony(evidence: Evidence, starts_s: Floats, ends_s: Floats) -> Floats:
    """Mean chroma ``[t, 36]`` of all bands, bass and treble in spans; one frame at least."""
    frames = len(evidence.rises)
    first = np.rint(starts_s / HOP_S).astype(np.int64).clip(0, frames - 1)
    last = np.maximum(np.rint(ends_s / HOP_S).astype(np.int64).clip(0, frames), first + 1)
    sums = evidence.chroma
    return np.asarray((sums[last] - sums[first]) / (last - first)[:, None])


def likeness(one: Floats, other: Floats) -> Floats:
    """Cosines ``[t, 3]`` of two `harmony`, in all bands, in the bass and in the treble."""
    a, b = one.reshape(len(one), 3, 12), other.reshape(len(other), 3, 12)
    norms = np.linalg.norm(a, axis=2) * np.linalg.norm(b, axis=2)
    return np.asarray((a * b).sum(axis=2) / (norms + 1e-6))


def change_of_harmony(evidence: Evidence, times_s: Floats, span_s: float) -> Floats:
    """1 minus the `likeness` of the spans before and after each time, ``[t, 3]``."""
    before = harmony(evidence, times_s - span_s, times_s)
    after = harmony(evidence, times_s, times_s + span_s)
    return 1 - likeness(before, after)


def are_among(times_s: Floats, others_s: Floats) -> NDArray[np.bool_]:
    """Which times are, within a rounding, among the others."""
    if not len(others_s):
        return np.zeros(len(times_s), dtype=np.bool_)
    place = np.searchsorted(others_s, times_s).clip(1, max(1, len(others_s) - 1))
    near = [np.abs(others_s[(place - k).clip(0, len(others_s) - 1)] - times_s) for k in (0, 1)]
    return np.asarray(np.minimum(*near) < _SAME_S)
