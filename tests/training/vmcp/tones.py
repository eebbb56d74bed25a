"""An embedding of sound that needs no weights: how strong each of 24 bands is."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from symmv_builder import backends
from symmv_builder.backends import About, ModelHome, ModelIdentity

NAME = "tones"


class Tones:
    """Log energies of bands a third of an octave wide, of every three seconds."""

    width = 24
    segment_s = 3.0
    heard = 0

    @classmethod
    def identify(cls, home: ModelHome) -> ModelIdentity:
        del home
        return ModelIdentity(NAME, "1", "0" * 64)

    @classmethod
    def about(cls) -> About:
        return About(NAME, "none", "none")

    def __init__(self, home: ModelHome) -> None:
        del home

    def embed(self, samples: NDArray[np.float32], rate_hz: int) -> NDArray[np.float32]:
        type(self).heard += 1
        mono = samples.mean(axis=1)
        length = round(self.segment_s * rate_hz)
        mono = np.pad(mono, (0, max(0, length - len(mono))))
        segments = mono[: len(mono) // length * length].reshape(-1, length)
        power = np.abs(np.fft.rfft(segments, axis=1)) ** 2
        edges = (60 * 2 ** (np.arange(self.width + 1) / 3) * self.segment_s).astype(int)
        bands = [power[:, a:b].sum(axis=1) for a, b in pairwise(edges)]
        return np.asarray(np.log(np.stack(bands, axis=1) + 1), np.float32)


def install() -> None:
    """Put it into the table of models, for this process."""
    backends.TABLE["audio_embedding", NAME] = f"{__name__}:Tones"
