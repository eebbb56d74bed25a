"""A short video with sound that MuVi-Sync's whole recipe accepts: four chords, moving blocks."""

from fractions import Fraction
from pathlib import Path

import numpy as np

from symmv_builder.backends.pyav.encode import write_video

RATE_HZ = 22050
CHORDS = ((60, 64, 67), (65, 69, 72), (67, 71, 74), (60, 64, 67))


def make_clip(path: Path, *, seed: int = 0, chord_s: float = 2.0) -> Path:
    generator = np.random.default_rng(seed)
    times = np.arange(round(chord_s * RATE_HZ)) / RATE_HZ
    sound = np.concatenate([_chord(pitches, times) for pitches in CHORDS])
    frames = (
        np.kron(generator.integers(0, 256, (6, 8, 3)), np.ones((16, 16, 1))).astype(np.uint8)
        for _ in range(round(len(CHORDS) * chord_s * 5))
    )
    write_video(
        path,
        frames,
        frame_rate=Fraction(5),
        sound=sound[:, None].astype(np.float32),
        sound_rate_hz=RATE_HZ,
        preset="ultrafast",
    )
    return path


def _chord(pitches: tuple[int, ...], times: np.ndarray) -> np.ndarray:
    tones = [
        np.sin(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * partial * times) / partial
        for pitch in pitches
        for partial in range(1, 8)
    ]
    return np.asarray(0.1 * np.sum(tones, axis=0) * np.exp(-times))
