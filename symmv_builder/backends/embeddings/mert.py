"""MERT (Li et al., "MERT: Acoustic Music Understanding Model with Large-Scale Self-supervised
Training", ICLR 2024): five seconds of music, the mean of the last layer.

The repository on the hub brings Python code of its own, which is not run. Without its two
additions, a constant-Q transform beside the samples and DeepNorm, the network is HuBERT's, tensor
by tensor, and is loaded as that; a checkpoint that asks for one of them is refused. (A third,
``attention_relax``, shifts the arguments of a softmax by what it does not depend on.)
"""

import json
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends import About, ModelHome, ModelIdentity
from symmv_builder.backends.embeddings.segments import cut
from symmv_builder.backends.pretrained import Published
from symmv_builder.backends.slots import AudioEmbedder
from symmv_builder.errors import WrongWeights

PUBLISHED = Published("mert", "m-a-p/MERT-v1-95M")
RATE_HZ, SEGMENT_S, WIDTH = 24_000, 5.0, 768
BATCH = 8


@final
class Mert(AudioEmbedder):
    """Sound to an embedding of every five seconds."""

    needs = ("torch", "transformers")
    width = WIDTH
    segment_s = SEGMENT_S

    @classmethod
    def identify(cls, home: ModelHome) -> ModelIdentity:
        return PUBLISHED.identify(home)

    @classmethod
    def about(cls) -> About:
        return PUBLISHED.about("MERT", "CC-BY-NC-4.0")

    def __init__(self, home: ModelHome) -> None:
        folder, _ = PUBLISHED.find(home)
        from transformers import HubertConfig, HubertModel, Wav2Vec2FeatureExtractor

        try:
            config = dict(json.loads((folder / "config.json").read_text()))
        except (OSError, ValueError, TypeError) as error:
            problem = f"{folder}/config.json cannot be read: {error}"
            raise WrongWeights(PUBLISHED.name, problem) from error
        for name in ("feature_extractor_cqt", "deepnorm"):
            if config.get(name):
                problem = f"{folder} asks for {name}, which code of its own would have to make"
                raise WrongWeights(PUBLISHED.name, problem)
        PUBLISHED.require(folder, config, {"hidden_size": WIDTH})
        for name in ("model_type", "auto_map", "architectures"):
            config.pop(name, None)
        self._device = home.device
        self._model: Any = PUBLISHED.load(HubertModel, home, config=HubertConfig(**config))
        self._extractor: Any = PUBLISHED.extractor(Wav2Vec2FeatureExtractor, home, RATE_HZ)

    def embed(self, samples: NDArray[np.float32], rate_hz: int) -> NDArray[np.float32]:
        """Average the last layer over time, float32 ``[segments, 768]``; as `Clap.embed`."""
        import torch

        segments = cut(samples, rate_hz, to_hz=RATE_HZ, segment_s=SEGMENT_S)
        parts = []
        with torch.inference_mode():
            for at in range(0, len(segments), BATCH):
                inputs = self._extractor(
                    list(segments[at : at + BATCH]), sampling_rate=RATE_HZ, return_tensors="pt"
                )
                output = self._model(inputs["input_values"].to(self._device))
                parts.append(output.last_hidden_state.mean(dim=1).float().cpu().numpy())
        return np.concatenate(parts)
