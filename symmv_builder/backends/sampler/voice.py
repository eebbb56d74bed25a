"""One note of a soundfont's region as samples: pitch, loop, filter, envelope."""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends.sampler.soundfont_file import Envelope, Region

# The decay of a volume falls by 80 dB in its time.
_FALL = -9.226
_SHORTEST_RELEASE_S = 0.01
_HOP, _WINDOW, _SPECTRUM = 512, 1024, 2048
_LOWEST_HZ = 8.175799
# Cutoffs are rounded to so much, a fifth of what can be heard.
_CENTS = 5
_NEVER_OPEN = 0.499


def play(
    samples: NDArray[np.float32],
    region: Region,
    *,
    key: int,
    velocity: int,
    held: int,
    longest: int,
    rate_hz: int,
) -> NDArray[np.float32]:
    """Mono samples ``[n]`` at `rate_hz` of a key that is held for `held` of them.

    They end when the sound does, and are not more than `longest`. Vibrato and tremolo, which no
    generator of a piano asks for, are not played.
    """
    loudness = region.loudness(key)
    release = round(max(loudness.release_s, _SHORTEST_RELEASE_S) * rate_hz)
    count = min(held + release, longest)
    sound = _resampled(samples, region, key, held, count, rate_hz)
    if region.cutoff_cents < 13500 or region.sweep_cents < 0:
        sweep = region.sweep(key)
        # A key that is struck harder opens the filter sooner.
        attack_s = sweep.attack_s * (145 - velocity) / 144
        frames = np.arange(0, len(sound) + _HOP, _HOP)
        moved = region.sweep_cents * _linear(sweep, attack_s, frames / rate_hz, held / rate_hz)
        sound = _filtered(sound, region.cutoff_cents + moved, region.resonance_db, rate_hz)
    gain = 10 ** (-region.attenuation_db / 20) * velocity / 127
    return sound * (gain * _volume(loudness, len(sound), held, release, rate_hz))


def _resampled(
    samples: NDArray[np.float32],
    region: Region,
    key: int,
    held_samples: int,
    count: int,
    rate_hz: int,
) -> NDArray[np.float32]:
    """Resample the region's recording at the pitch of a key, interpolated on a line."""
    pitch = (key + region.tune - region.root) * region.key_tracking
    step = 2 ** (pitch / 12) * region.rate_hz / rate_hz
    places = region.start + step * np.arange(count)
    if region.loop is None:
        places = places[places < region.end]
        whole = places.astype(np.int64)
        following = whole + 1
    else:
        first, last = region.loop
        length = last - first + 1
        around = np.where(places < last + 1, places, first + (places - first) % length)
        if not region.loops_after_release and count > held_samples:
            around[held_samples:] = around[held_samples] + step * np.arange(count - held_samples)
            around = around[: held_samples + np.searchsorted(around[held_samples:], region.end)]
        places = around
        whole = places.astype(np.int64)
        following = np.where(whole == last, first, whole + 1)
        if not region.loops_after_release:
            following[held_samples:] = whole[held_samples:] + 1
    share = (places - whole).astype(np.float32)
    frames = samples[whole]
    return frames + share * (samples[following] - frames)


def _volume(
    envelope: Envelope, count: int, held_samples: int, release: int, rate_hz: int
) -> NDArray[np.float32]:
    """Compute the gain of every sample ``[count]``: straight rise, exponential fall and release."""
    times_s = np.arange(min(held_samples, count) + 1) / rate_hz
    rise_s, top_s = envelope.delay_s + envelope.attack_s, envelope.delay_s + envelope.attack_s
    top_s += envelope.hold_s
    gains = np.ones(len(times_s))
    if envelope.decay_s > 0:
        gains = np.exp(_FALL / envelope.decay_s * np.maximum(times_s - top_s, 0))
    gains = np.where(times_s > top_s, np.maximum(gains, envelope.sustain), 1.0)
    if envelope.decay_s <= 0:
        gains[times_s > top_s] = envelope.sustain
    if envelope.attack_s > 0:
        gains *= ((times_s - envelope.delay_s) / envelope.attack_s).clip(0, 1)
    else:
        gains[times_s < rise_s] = 0
    if count <= held_samples:
        return gains[:count].astype(np.float32)
    fall = gains[held_samples] * np.exp(_FALL / release * np.arange(count - held_samples))
    return np.concatenate((gains[:held_samples], fall)).astype(np.float32)


def _linear(
    envelope: Envelope, attack_s: float, times_s: NDArray[np.float64], held_s: float
) -> NDArray[np.float64]:
    """Compute a modulation's level at times: all of it in straight lines."""
    top_s = envelope.delay_s + attack_s + envelope.hold_s

    def level_at(times_s: NDArray[np.float64]) -> NDArray[np.float64]:
        rise = ((times_s - envelope.delay_s) / max(attack_s, 1e-6)).clip(0, 1)
        fall = 1 - ((times_s - top_s) / max(envelope.decay_s, 1e-6)).clip(0, None)
        level: NDArray[np.float64] = np.minimum(rise, np.maximum(fall, envelope.sustain))
        return level

    let_go = level_at(np.array([held_s]))[0]
    released = 1 - (times_s - held_s) / max(envelope.release_s, _SHORTEST_RELEASE_S)
    return np.where(times_s < held_s, level_at(times_s), let_go * released.clip(0, 1))


def _filtered(
    sound: NDArray[np.float32],
    cutoffs_cents: NDArray[np.float64],
    resonance_db: float,
    rate_hz: int,
) -> NDArray[np.float32]:
    """Sound through a resonant low-pass of two poles whose cutoff moves, ``[n]``.

    The sound is cut into windows that add up to one; each is filtered by its own cutoff in the
    spectrum, which is exact for what does not move, and the parts are added.
    """
    count = len(sound)
    frames = -(-count // _HOP) + 1
    padded: NDArray[np.float32] = np.zeros((frames + 1) * _HOP, np.float32)
    padded[_HOP : _HOP + count] = sound
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_WINDOW) / _WINDOW)).astype(np.float32)
    parts = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP] * window
    steps = np.rint(cutoffs_cents[:frames] / _CENTS).astype(np.int64)
    distinct, which = np.unique(steps, return_inverse=True)
    response = np.stack([_response(int(step), resonance_db, rate_hz) for step in distinct])[which]
    filtered = np.fft.irfft(np.fft.rfft(parts, _SPECTRUM) * response, _SPECTRUM)
    out: NDArray[np.float32] = np.zeros((frames + _SPECTRUM // _HOP - 1, _HOP), np.float32)
    for number in range(_SPECTRUM // _HOP):
        out[number : number + frames] += filtered[:, number * _HOP : (number + 1) * _HOP]
    return out.reshape(-1)[_HOP : _HOP + count]


@lru_cache(maxsize=4096)
def _response(step: int, resonance_db: float, rate_hz: int) -> NDArray[np.complex64]:
    """Compute what a two-pole low-pass does to each bin of a spectrum; `step` counts `_CENTS`."""
    share = _LOWEST_HZ * 2 ** (step * _CENTS / 1200) / rate_hz
    if share >= _NEVER_OPEN:
        return np.ones(_SPECTRUM // 2 + 1, np.complex64)
    delay = np.exp(-2j * np.pi * np.arange(_SPECTRUM // 2 + 1) / _SPECTRUM)
    tangent = math.tan(math.pi * share)
    loss, square = tangent * 10 ** (-resonance_db / 20), tangent * tangent
    poles = (1 + loss + square) + 2 * (square - 1) * delay + (1 - loss + square) * delay**2
    response: NDArray[np.complex64] = (square * (1 + delay) ** 2 / poles).astype(np.complex64)
    return response
