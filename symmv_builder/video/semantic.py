"""What is to be seen: the embedding of each picture by a CLIP model.

Radford et al., "Learning transferable visual models from natural language supervision"
(2021). SymMV samples six frames a second with ViT-B/32 (Zhuo et al. 2023), MuVi-Sync one
a second with ViT-L/14@336px (Kang et al. 2024); neither normalises the embedding.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from symmv_builder import backends
from symmv_builder.backends.pyav import Frame
from symmv_builder.backends.slots import ClipModel
from symmv_builder.pipeline.step import Step, Use
from symmv_builder.records import FeatureTrack
from symmv_builder.schema import Column
from symmv_builder.timeline import Clock
from symmv_builder.video import frames

BATCH = 16
BATCH_BYTES = 1 << 26


class _SemanticWatcher:
    def __init__(self, model: ClipModel, hop_s: float) -> None:
        self.hop_s: float | None = hop_s
        self._hop_s, self._model = hop_s, model
        self._waiting: list[NDArray[np.uint8]] = []
        self._made: list[NDArray[np.float32]] = []
        self._pictures: list[int] = []
        self._index = -1

    def see(self, time_s: float, frame: Frame, previous: Frame | None) -> None:
        if frame.index != self._index:
            self._index = frame.index
            self._waiting.append(frame.rgb())
            self._pictures.append(self._pictures[-1] + 1 if self._pictures else 0)
        else:
            self._pictures.append(self._pictures[-1])
        size_bytes = sum(picture.nbytes for picture in self._waiting)
        if len(self._waiting) >= BATCH or size_bytes >= BATCH_BYTES:
            self._embed()

    def finish(self, duration_s: float) -> FeatureTrack:
        self._embed()
        nothing = np.zeros((0, self._model.dimensions), dtype=np.float32)
        values = np.concatenate([nothing, *self._made])[self._pictures]
        return FeatureTrack("semantic", self._hop_s, values, Clock.VIDEO)

    def _embed(self) -> None:
        if self._waiting:
            self._made.append(self._model.embed_images(self._waiting))
            self._waiting = []


def watch_semantic(*, model: ClipModel, hop_s: float = 1.0) -> _SemanticWatcher:
    """CLIP image embeddings every `hop_s` seconds, values ``[t, model.dimensions]``."""
    return _SemanticWatcher(model, hop_s)


def columns(use: Use, uses: Mapping[str, Use]) -> tuple[Column, ...]:
    """As wide as the model; the meaning names it and the rate."""
    model = backends.backend_class("clip", str(use.model))
    meaning = f"{model.title} image embedding at {1 / use.parameters['hop_s']:.3g} Hz"
    return (Column("{}", f"list<float16[{model.dimensions}]>", "", meaning, "values"),)


STEP = Step(
    "semantic",
    2,
    ("video",),
    watch_semantic,
    slot="clip",
    together=frames.watch,
    columns=columns,
)
