"""DINOv2 (Oquab et al., "DINOv2: Learning Robust Visual Features without Supervision", 2023).

Learned from pictures alone, so it embeds no words: steps that compare pictures with words need
another model. Base size, through transformers.
"""

from collections.abc import Sequence
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends import About, ModelHome, ModelIdentity, reading_checkpoint
from symmv_builder.backends.pretrained import Published, prepare_by
from symmv_builder.backends.slots import Later, Prepare, SplitClip
from symmv_builder.errors import WrongSetting

PUBLISHED = Published("dinov2", "facebook/dinov2-base")


@final
class Dinov2(SplitClip):
    """DINOv2 B/14 at 224 pixels, 768 dimensions."""

    needs = ("torch", "transformers")
    title = "DINOv2 B/14"
    dimensions = 768
    knows_words = False
    tokens, token_width = 257, 768
    scale = 1.0
    input_shape, input_type = (3, 224, 224), np.float32

    @classmethod
    def identify(cls, home: ModelHome) -> ModelIdentity:
        return PUBLISHED.identify(home)

    @classmethod
    def about(cls) -> About:
        return PUBLISHED.about("DINOv2", "Apache-2.0")

    def __init__(self, home: ModelHome) -> None:
        folder, _ = PUBLISHED.find(home)
        from transformers import Dinov2Model

        self._device = home.device
        self._model: Any = PUBLISHED.load(Dinov2Model, home)
        expected = {"hidden_size": self.dimensions, "patch_size": 14}
        PUBLISHED.require_fields(folder, self._model.config, expected)
        self._prepare = self.preparation(home)

    def embed_images(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Give the class token after its norm, float32 ``[n, 768]``, of RGB pictures ``[h, w, 3]``.

        The shorter side is scaled (256 as published, bicubic), the middle of 224 pixels is taken.
        """
        return self.start_inputs(self._prepare(pictures))()

    def embed_patches(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Give the last layer, normed, float32 ``[n, 257, 768]``: class token, then patches."""
        return self.start_inputs(self._prepare(pictures), patches=True)()

    @classmethod
    def preparation(cls, home: ModelHome) -> Prepare:
        """Make normalised middles float32 ``[n, 3, 224, 224]`` of pictures."""
        from transformers import BitImageProcessorPil

        folder, _ = PUBLISHED.find(home)
        with reading_checkpoint("dinov2", "DINOv2", folder, PUBLISHED.how):
            processor = BitImageProcessorPil.from_pretrained(folder)
        PUBLISHED.require(folder, dict(processor.crop_size), {"height": 224, "width": 224})
        return prepare_by(processor)

    def start_inputs(self, inputs: NDArray[Any], *, patches: bool = False) -> Later:
        """Begin with normalised middles; a GPU has been given its work when this returns."""
        import torch

        with torch.inference_mode():
            hidden = self._model(torch.from_numpy(inputs).to(self._device)).last_hidden_state
        embedded = hidden if patches else hidden[:, 0]
        return lambda: np.asarray(embedded.float().cpu().numpy(), dtype=np.float32)

    def embed_words(self, words: Sequence[str]) -> NDArray[np.float32]:
        """Raise `StopRun`: the model knows pictures alone."""
        raise WrongSetting("model", "dinov2", "it embeds no words")
