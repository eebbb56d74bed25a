"""DAC at 44.1 kHz (Kumar et al., "High-Fidelity Audio Compression with Improved RVQGAN", 2023).

Mono, a step each 512 samples (86.13 a second), nine codebooks of 1,024. A decoded sound ends up to
some milliseconds before the last step, by the strides of the network; silence stands there.
"""

from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends import About, ModelHome, ModelIdentity
from symmv_builder.backends.codecs import filled
from symmv_builder.backends.pretrained import Published
from symmv_builder.backends.slots import AudioCodec
from symmv_builder.records import Ints

PUBLISHED = Published("dac", "descript/dac_44khz")


@final
class Dac(AudioCodec):
    """9 codes of 1,024 at 86.13 Hz."""

    needs = ("torch", "transformers")
    rate_hz, hop = 44_100, 512
    codebooks, codebook_size = 9, 1024

    @classmethod
    def identify(cls, home: ModelHome) -> ModelIdentity:
        return PUBLISHED.identify(home)

    @classmethod
    def about(cls) -> About:
        return PUBLISHED.about("Descript Audio Codec", "MIT")

    def __init__(self, home: ModelHome) -> None:
        folder, _ = PUBLISHED.find(home)
        from transformers import DacModel

        self._device = home.device
        self._model: Any = PUBLISHED.load(DacModel, home)
        expected = {
            "sampling_rate": self.rate_hz,
            "hop_length": self.hop,
            "n_codebooks": self.codebooks,
            "codebook_size": self.codebook_size,
        }
        PUBLISHED.require_fields(folder, self._model.config, expected)

    def encode(self, samples: NDArray[np.float32]) -> Ints:
        """Encode 44.1 kHz samples ``[n]`` to codes int64 ``[t, 9]``, a row each 512 of them."""
        if not len(samples):
            return np.zeros((0, self.codebooks), dtype=np.int64)
        import torch

        with torch.inference_mode():
            output = self._model.encode(filled(samples, self.hop).to(self._device))
            return np.asarray(output.audio_codes[0].T.cpu().numpy(), dtype=np.int64)

    def decode(self, codes: Ints) -> NDArray[np.float32]:
        """Decode codes ``[t, 9]`` to samples float32 ``[512 t]`` at 44.1 kHz."""
        if not len(codes):
            return np.zeros(0, dtype=np.float32)
        import torch

        with torch.inference_mode():
            inputs = torch.from_numpy(np.array(codes.T, dtype=np.int64))[None]
            sound = self._model.decode(audio_codes=inputs.to(self._device)).audio_values[0]
            samples = sound.float().cpu().numpy()[: len(codes) * self.hop]
            return np.pad(samples, (0, len(codes) * self.hop - len(samples)))
