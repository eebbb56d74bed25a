"""A film whose motion is known: a texture that jumps ahead on each beat and comes to rest there."""

from pathlib import Path

import numpy as np

from tests.media import Pictures, steady, write_media

HEIGHT, WIDTH = 72, 128
SHARE = 0.3


def shift_at(time_s: float, beat_s: float, pixels: float) -> float:
    """How far the texture has come: it moves before each beat, the longer the faster, and stops."""
    beat, inside = divmod(time_s, beat_s)
    moved = max(0.0, (inside / beat_s - (1 - SHARE)) / SHARE)
    return pixels * (beat + moved)


def texture(shift: float) -> "np.ndarray":
    """A smooth pattern, moved to the right by `shift` pixels."""
    down, across = np.mgrid[0:HEIGHT, 0:WIDTH]
    wave = np.sin(2 * np.pi * (across - shift) / 32) + np.sin(2 * np.pi * down / 24)
    grey = (127 + 60 * wave).clip(0, 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def film(path: Path, seconds: float, beat_s: float, pixels: float = 9.0, rate: int = 25) -> Path:
    """Moves on each beat; rests in between."""
    times = steady(round(seconds * rate), rate)
    frames = [texture(shift_at(time, beat_s, pixels)) for time in times]
    return write_media(path, Pictures(frames, times))


def sliding(path: Path, seconds: float, speed: float, rate: int = 25) -> Path:
    """Moves to the right by `speed` pixels a second, without rest."""
    times = steady(round(seconds * rate), rate)
    return write_media(path, Pictures([texture(time * speed) for time in times], times))
