"""CLAP (Wu et al., "Large-scale Contrastive Language-Audio Pretraining with Feature Fusion and
Keyword-to-Caption Augmentation", ICASSP 2023): ten seconds of sound in a space that words share.

The checkpoint trained on music is the one that is published for it. Its tower for words is loaded
when words are asked for.
"""

from collections.abc import Sequence
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends import About, ModelHome, ModelIdentity, reading_checkpoint
from symmv_builder.backends.embeddings.segments import cut
from symmv_builder.backends.pretrained import Published
from symmv_builder.backends.slots import AudioEmbedder
from symmv_builder.errors import MissingWeights

TOKENIZERS = (("tokenizer.json",), ("vocab.json", "merges.txt"))
PUBLISHED = Published(
    "clap",
    "laion/larger_clap_music",
    more=("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", *TOKENIZERS[1]),
)
RATE_HZ, SEGMENT_S, WIDTH = 48_000, 10.0, 512
BATCH = 4


@final
class Clap(AudioEmbedder):
    """Sound to an embedding of every ten seconds."""

    needs = ("torch", "transformers")
    width = WIDTH
    segment_s = SEGMENT_S

    @classmethod
    def identify(cls, home: ModelHome) -> ModelIdentity:
        return PUBLISHED.identify(home)

    @classmethod
    def about(cls) -> About:
        return PUBLISHED.about("CLAP", "Apache-2.0")

    def __init__(self, home: ModelHome) -> None:
        folder, _ = PUBLISHED.find(home)
        from transformers import ClapAudioModelWithProjection, ClapFeatureExtractor

        self._home, self._device = home, home.device
        self._words: tuple[Any, Any] | None = None
        self._model: Any = PUBLISHED.load(ClapAudioModelWithProjection, home)
        config = self._model.config
        PUBLISHED.require(folder, config.to_dict(), {"projection_dim": WIDTH})
        self._extractor: Any = PUBLISHED.extractor(ClapFeatureExtractor, home, RATE_HZ)

    def embed(self, samples: NDArray[np.float32], rate_hz: int) -> NDArray[np.float32]:
        """Projected embeddings float32 ``[segments, 512]`` of samples ``[n]`` or ``[n, c]``.

        Segment i is the sound from 10 i to 10 i + 10 seconds; a remainder is left out, but a
        sound shorter than that is filled up with silence to one segment.
        """
        import torch

        segments = cut(samples, rate_hz, to_hz=RATE_HZ, segment_s=SEGMENT_S)
        parts = []
        with torch.inference_mode():
            for at in range(0, len(segments), BATCH):
                inputs = self._extractor(
                    list(segments[at : at + BATCH]), sampling_rate=RATE_HZ, return_tensors="pt"
                )
                output = self._model(
                    **{name: value.to(self._device) for name, value in inputs.items()}
                )
                parts.append(output.audio_embeds.float().cpu().numpy())
        return np.concatenate(parts)

    def embed_words(self, words: Sequence[str]) -> NDArray[np.float32]:
        """Projected embeddings float32 ``[n, 512]`` of words or sentences, in the space of sounds.

        The cosine of a sound's embedding and a sentence's says how well they fit. `StopRun` where
        the tower for words or its tokenizer is not with the weights.
        """
        import torch

        tokenizer, model = self._tower_of_words()
        inputs = tokenizer(list(words), padding=True, truncation=True, return_tensors="pt")
        with torch.inference_mode():
            output = model(
                input_ids=inputs["input_ids"].to(self._device),
                attention_mask=inputs["attention_mask"].to(self._device),
            )
            return np.asarray(output.text_embeds.float().cpu().numpy(), dtype=np.float32)

    def _tower_of_words(self) -> tuple[Any, Any]:
        if self._words is None:
            folder, _ = PUBLISHED.find(self._home)
            if not any(all((folder / name).is_file() for name in names) for names in TOKENIZERS):
                problem = f"clap: {folder} lacks tokenizer.json, so it cannot embed words"
                raise MissingWeights("clap", problem, PUBLISHED.how)
            from transformers import AutoTokenizer, ClapTextModelWithProjection

            with reading_checkpoint("clap", "CLAP's tokenizer", folder, PUBLISHED.how):
                tokenizer = AutoTokenizer.from_pretrained(
                    folder, local_files_only=True, trust_remote_code=False
                )
            self._words = (tokenizer, PUBLISHED.load(ClapTextModelWithProjection, self._home))
        return self._words
