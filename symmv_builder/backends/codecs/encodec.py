"""EnCodec at 32 kHz (Defossez et al., "High Fidelity Neural Audio Compression", 2022), for music.

The model that MusicGen was built on (Copet et al., "Simple and Controllable Music Generation",
NeurIPS 2023): mono, 50 steps a second, four codebooks of 2,048. Its weights are CC-BY-NC 4.0, so
codes made with them are not for commercial use.
"""

from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends import About, ModelHome, ModelIdentity
from symmv_builder.backends.codecs import filled
from symmv_builder.backends.pretrained import Published
from symmv_builder.backends.slots import AudioCodec
from symmv_builder.records import Ints

PUBLISHED = Published("encodec", "facebook/encodec_32khz")


@final
class Encodec(AudioCodec):
    """4 codes of 2,048 at 50 Hz."""

    needs = ("torch", "transformers")
    rate_hz, hop = 32_000, 640
    codebooks, codebook_size = 4, 2048

    @classmethod
    def identify(cls, home: ModelHome) -> ModelIdentity:
        return PUBLISHED.identify(home)

    @classmethod
    def about(cls) -> About:
        return PUBLISHED.about("EnCodec", "CC-BY-NC-4.0")

    def __init__(self, home: ModelHome) -> None:
        folder, _ = PUBLISHED.find(home)
        from transformers import EncodecModel

        self._device = home.device
        self._model: Any = PUBLISHED.load(EncodecModel, home)
        config = self._model.config
        actual = {
            "sampling_rate": config.sampling_rate,
            "audio_channels": config.audio_channels,
            "normalize": config.normalize,
            "chunk_length_s": config.chunk_length_s,
            "samples a step": config.hop_length,
            "codebooks": config.num_quantizers,
            "codebook_size": config.codebook_size,
        }
        expected = {
            "sampling_rate": self.rate_hz,
            "audio_channels": 1,
            "normalize": False,
            "chunk_length_s": None,
            "samples a step": self.hop,
            "codebooks": self.codebooks,
            "codebook_size": self.codebook_size,
        }
        PUBLISHED.require(folder, actual, expected)

    def encode(self, samples: NDArray[np.float32]) -> Ints:
        """Encode 32 kHz samples ``[n]`` to codes int64 ``[t, 4]``, a row each 20 ms."""
        if not len(samples):
            return np.zeros((0, self.codebooks), dtype=np.int64)
        import torch

        with torch.inference_mode():
            output = self._model.encode(filled(samples, self.hop).to(self._device))
            return np.asarray(output.audio_codes[0, 0].T.cpu().numpy(), dtype=np.int64)

    def decode(self, codes: Ints) -> NDArray[np.float32]:
        """Decode codes ``[t, 4]`` to samples float32 ``[640 t]`` at 32 kHz."""
        if not len(codes):
            return np.zeros(0, dtype=np.float32)
        import torch

        with torch.inference_mode():
            inputs = torch.from_numpy(np.array(codes.T, dtype=np.int64))[None, None]
            output = self._model.decode(inputs.to(self._device), [None])
            samples = output.audio_values[0, 0, : len(codes) * self.hop]
            return np.asarray(samples.float().cpu().numpy(), dtype=np.float32)
