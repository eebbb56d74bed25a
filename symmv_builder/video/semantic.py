"""What is to be seen: the embedding of each picture by a CLIP model, or that of each patch of it.

Radford et al., "Learning transferable visual models from natural language supervision"
(2021). SymMV samples six frames a second with ViT-B/32 (Zhuo et al. 2023), MuVi-Sync one
a second with ViT-L/14@336px (Kang et al. 2024); neither normalises the embedding. GVMGen learns
from the tokens of patches: 1.2 MB a second of video, where a JPEG of the picture has 25 kB.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from symmv_builder import backends
from symmv_builder.backends.pyav import Frame
from symmv_builder.backends.slots import ClipModel, Later
from symmv_builder.errors import WrongSetting
from symmv_builder.pipeline.step import Step, Use
from symmv_builder.records import FeatureTrack
from symmv_builder.schema import Column
from symmv_builder.timeline import Clock
from symmv_builder.video import frames

BATCH = 16
BATCH_BYTES = 1 << 26
# Batches that may still be computed elsewhere while a video is decoded on. Tokens of patches of
# more would fill a GPU's memory: each batch of ViT-L/14@336px has 38 MB of them in fp32.
AHEAD = 3
Start: TypeAlias = Callable[[Sequence[NDArray[np.uint8]]], Later]


class _SemanticWatcher:
    def __init__(self, name: str, start: Start, width: int, hop_s: float) -> None:
        self.hop_s: float | None = hop_s
        self._name, self._start, self._width, self._hop_s = name, start, width, hop_s
        self._batch: list[NDArray[np.uint8]] = []
        self._unfinished: deque[Later] = deque()
        self._embeddings: list[NDArray[np.float32]] = []
        self._pictures: list[int] = []
        self._index = -1

    def see(self, time_s: float, frame: Frame, previous: Frame | None) -> None:
        if frame.index != self._index:
            self._index = frame.index
            self._batch.append(frame.rgb())
            self._pictures.append(self._pictures[-1] + 1 if self._pictures else 0)
        else:
            self._pictures.append(self._pictures[-1])
        size_bytes = sum(picture.nbytes for picture in self._batch)
        if len(self._batch) >= BATCH or size_bytes >= BATCH_BYTES:
            self._embed()

    def finish(self, duration_s: float) -> FeatureTrack:
        self._embed()
        self._collect(0)
        nothing = np.zeros((0, self._width), dtype=np.float32)
        values = np.concatenate([nothing, *self._embeddings])[self._pictures]
        return FeatureTrack(self._name, self._hop_s, values, Clock.VIDEO)

    def _embed(self) -> None:
        if self._batch:
            self._unfinished.append(self._start(self._batch))
            self._batch = []
            self._collect(AHEAD)

    def _collect(self, left: int) -> None:
        """Wait for batches, the first ones first, until so many are unfinished."""
        while len(self._unfinished) > left:
            vectors = self._unfinished.popleft()()
            self._embeddings.append(vectors.reshape(len(vectors), -1))


def watch_semantic(*, model: ClipModel, hop_s: float = 1.0) -> _SemanticWatcher:
    """CLIP image embeddings every `hop_s` seconds, values ``[t, model.dimensions]``."""
    return _SemanticWatcher("semantic", model.start_images, model.dimensions, hop_s)


def watch_patches(*, model: ClipModel, hop_s: float = 1.0) -> _SemanticWatcher:
    """Give tokens of the last layer every `hop_s` seconds, values ``[t, tokens * token_width]``.

    Token after token, that of the whole picture first where the model has one. A minute takes
    140 MB of memory with ViT-L/14@336px. `StopRun` for a model that has none.
    """
    return _SemanticWatcher(
        "patch_tokens", model.start_patches, model.tokens * model.token_width, hop_s
    )


def columns(use: Use, uses: Mapping[str, Use]) -> tuple[Column, ...]:
    """Declare a column as wide as the model; the meaning names it and the rate."""
    model = backends.backend_class("clip", str(use.model))
    meaning = f"{model.title} image embedding at {1 / use.parameters['hop_s']:.3g} Hz"
    return (Column("{}", f"list<float16[{model.dimensions}]>", "", meaning, "values"),)


def patch_columns(use: Use, uses: Mapping[str, Use]) -> tuple[Column, ...]:
    """Declare a column as wide as a picture's tokens; `StopRun` for a model that has none."""
    model = backends.backend_class("clip", str(use.model))
    if not model.tokens:
        raise WrongSetting("model", str(use.model), "it has no tokens of patches")
    rate = f"{1 / use.parameters['hop_s']:.3g} Hz"
    meaning = f"{model.tokens} tokens of {model.token_width} by {model.title} at {rate}"
    width = model.tokens * model.token_width
    return (Column("{}", f"list<bytes<float16[{width}]>>", "", meaning, "values"),)


PATCHES = Step(
    "patch_tokens",
    1,
    ("video",),
    watch_patches,
    slot="clip",
    together=frames.watch,
    columns=patch_columns,
)
STEP = Step(
    "semantic",
    2,
    ("video",),
    watch_semantic,
    slot="clip",
    together=frames.watch,
    columns=columns,
)
