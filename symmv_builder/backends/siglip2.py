"""SigLIP 2 (Tschannen et al., 2025): pictures and words in one space, learned with a sigmoid.

"SigLIP 2: Multilingual Vision-Language Encoders with Improved Semantic Understanding,
Localization, and Dense Features". The model of one resolution, base size, through transformers.
A picture is scaled to a square, its shape is not kept; words are put in small letters, as in
training.
"""

from collections.abc import Sequence
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends import About, ModelHome, ModelIdentity, reading_checkpoint
from symmv_builder.backends.pretrained import Published, prepare_by
from symmv_builder.backends.slots import Later, Prepare, SplitClip
from symmv_builder.errors import MissingWeights

TOKENIZER = "tokenizer.json"
PUBLISHED = Published(
    "siglip2",
    "google/siglip2-base-patch16-224",
    more=(TOKENIZER, "tokenizer_config.json", "special_tokens_map.json"),
)
# Every sentence was padded to this many tokens in training.
MAX_TOKENS = 64


@final
class Siglip2(SplitClip):
    """SigLIP 2 B/16 at 224 pixels, 768 dimensions."""

    needs = ("torch", "transformers")
    title = "SigLIP 2 B/16"
    dimensions = 768
    tokens, token_width = 196, 768
    input_shape, input_type = (3, 224, 224), np.float32

    @classmethod
    def identify(cls, home: ModelHome) -> ModelIdentity:
        return PUBLISHED.identify(home)

    @classmethod
    def about(cls) -> About:
        return PUBLISHED.about("SigLIP 2", "Apache-2.0")

    def __init__(self, home: ModelHome) -> None:
        folder, _ = PUBLISHED.find(home)
        if not (folder / TOKENIZER).is_file():
            problem = f"siglip2: {folder} lacks {TOKENIZER}"
            raise MissingWeights("siglip2", problem, PUBLISHED.how)
        from transformers import AutoTokenizer, SiglipModel

        self._device = home.device
        self._model: Any = PUBLISHED.load(SiglipModel, home)
        expected = {"hidden_size": self.dimensions, "image_size": 224, "patch_size": 16}
        PUBLISHED.require_fields(folder, self._model.config.vision_config, expected)
        self._prepare = self.preparation(home)
        with reading_checkpoint("siglip2", "SigLIP 2", folder, PUBLISHED.how):
            self._tokenizer: Any = AutoTokenizer.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
        self.scale = float(self._model.logit_scale.detach().float().exp())

    def embed_images(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Embed RGB pictures uint8 ``[h, w, 3]`` as float32 ``[n, 768]``, not normalised."""
        return self.start_inputs(self._prepare(pictures))()

    def embed_patches(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Give the last layer after its norm, float32 ``[n, 196, 768]``: patches, row by row."""
        return self.start_inputs(self._prepare(pictures), patches=True)()

    def embed_words(self, words: Sequence[str]) -> NDArray[np.float32]:
        """Embed words or sentences as float32 ``[n, 768]``, not normalised."""
        import torch

        lower_case = [text.lower() for text in words]
        inputs = self._tokenizer(
            lower_case,
            padding="max_length",
            max_length=MAX_TOKENS,
            truncation=True,
            return_tensors="pt",
        )
        with torch.inference_mode():
            output = self._model.text_model(input_ids=inputs["input_ids"].to(self._device))
            return np.asarray(output.pooler_output.float().cpu().numpy(), dtype=np.float32)

    @classmethod
    def preparation(cls, home: ModelHome) -> Prepare:
        """Make normalised squares float32 ``[n, 3, 224, 224]`` of pictures."""
        from transformers import SiglipImageProcessorPil

        folder, _ = PUBLISHED.find(home)
        with reading_checkpoint("siglip2", "SigLIP 2", folder, PUBLISHED.how):
            return prepare_by(SiglipImageProcessorPil.from_pretrained(folder))

    def start_inputs(self, inputs: NDArray[Any], *, patches: bool = False) -> Later:
        """Begin with normalised squares; a GPU has been given its work when this returns."""
        import torch

        with torch.inference_mode():
            output = self._model.vision_model(torch.from_numpy(inputs).to(self._device))
        embedded = output.last_hidden_state if patches else output.pooler_output
        return lambda: np.asarray(embedded.float().cpu().numpy(), dtype=np.float32)
