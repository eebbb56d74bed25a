"""A recording in pieces of one length."""

import numpy as np
from numpy.typing import NDArray


def cut(
    samples: NDArray[np.float32], rate_hz: int, *, to_hz: int, segment_s: float
) -> NDArray[np.float32]:
    """Cut samples ``[n]`` or ``[n, c]`` into mono segments ``[k, length]`` at the rate `to_hz`.

    Segment i is the sound from i times `segment_s` on; a remainder is left out, but a sound that
    is shorter than a segment is filled up with silence to one.
    """
    mono = as_mono(samples, rate_hz, to_hz)
    length = round(segment_s * to_hz)
    if len(mono) < length:
        mono = np.pad(mono, (0, length - len(mono)))
    return mono[: len(mono) // length * length].reshape(-1, length)


def as_mono(samples: NDArray[np.float32], rate_hz: int, to_hz: int) -> NDArray[np.float32]:
    """Average the channels ``[n]`` at another rate (soxr, high quality)."""
    import soxr

    mono = samples.mean(axis=1, dtype=np.float32) if samples.ndim == 2 else samples
    if rate_hz != to_hz:
        mono = soxr.resample(mono, rate_hz, to_hz, quality="HQ")
    return np.ascontiguousarray(mono, dtype=np.float32)
