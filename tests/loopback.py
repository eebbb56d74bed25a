"""A loopback site for tests: small media, a channel, and a downloader that knows no sleep."""

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from symmv_builder.backends.pyav.encode import write_sound, write_video
from symmv_builder.demo.answers import serve
from symmv_builder.demo.catalogue import Channel, Description, Upload
from symmv_builder.demo.site import VARIABLE, Site

CHANNEL = Channel("piano", "Piano <b>& Co</b>", verified=True)
HOSTILE = "<script>alert(1)</script>/../../etc/passwd\r\n=cmd()\u202e💥" + "x" * 200
RATE_HZ = 22050


def video_id(number: int) -> str:
    """An id that is easy to read in a failing test."""
    return f"vid{number:08d}"


def make_sound(path: Path, *, seconds: float = 1.0, seed: int = 0) -> Path:
    """Noise, so that the file is not small: about 40 kB a second."""
    samples = np.random.default_rng(seed).uniform(-0.5, 0.5, (round(seconds * RATE_HZ), 1))
    write_sound(path, samples.astype(np.float32), RATE_HZ)
    return path


def make_video(path: Path, *, with_sound: bool = True, seed: int = 0) -> Path:
    """Two seconds of moving blocks, with noise or silent."""
    generator = np.random.default_rng(seed)
    frames = (
        np.kron(generator.integers(0, 256, (6, 8, 3)), np.ones((16, 16, 1))).astype(np.uint8)
        for _ in range(10)
    )
    sound = generator.uniform(-0.5, 0.5, (2 * RATE_HZ, 1)).astype(np.float32)
    write_video(
        path,
        frames,
        frame_rate=Fraction(5),
        sound=sound if with_sound else None,
        sound_rate_hz=RATE_HZ,
        preset="ultrafast",
    )
    return path


@contextmanager
def running(
    monkeypatch: pytest.MonkeyPatch, *uploads: Upload, description: Description | None = None
) -> Iterator[Site]:
    """A site with one channel of these uploads (or another description), made known."""
    with serve(description or Description((CHANNEL,), uploads)) as site:
        monkeypatch.setenv(VARIABLE, site.url)
        yield site
