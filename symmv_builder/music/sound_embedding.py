"""What the sound is like, as vectors: the embedding of each segment by a model that hears.

CLAP's space is shared with words (`Clap.embed_words`), so that a recording can be looked for by a
sentence, or ranked by one. MERT, VGGish and musicnn are the other models of the slot.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from symmv_builder import backends
from symmv_builder.backends.slots import AudioEmbedder
from symmv_builder.music import listening
from symmv_builder.pipeline.step import Step, Use
from symmv_builder.records import FeatureTrack
from symmv_builder.schema import Column
from symmv_builder.timeline import Clock


class _EmbeddingListener:
    rate_hz: int | None = None
    mono = True
    block_s: float | None = None

    def __init__(self, model: AudioEmbedder) -> None:
        self._model = model

    def hear(self, samples: NDArray[np.float32], rate_hz: int) -> None:
        self._values = self._model.embed(samples, rate_hz)

    def finish(self) -> FeatureTrack:
        return FeatureTrack("sound_embedding", self._model.segment_s, self._values, Clock.MUSIC)


def hear_embedding(*, model: AudioEmbedder) -> _EmbeddingListener:
    """Embed each segment as the model does, values ``[t, width]``.

    A remainder that is shorter than a segment is left out; a shorter recording is filled up with
    silence to one.
    """
    return _EmbeddingListener(model)


def columns(use: Use, uses: Mapping[str, Use]) -> tuple[Column, ...]:
    """Declare a column as wide as the model; the meaning names it and its segments."""
    model = backends.backend_class("audio_embedding", str(use.model))
    meaning = f"embedding by {use.model} of every {model.segment_s:g} s"
    return (Column("{}", f"list<float16[{model.width}]>", "", meaning, "values"),)


STEP = Step(
    "sound_embedding",
    1,
    ("music",),
    hear_embedding,
    slot="audio_embedding",
    together=listening.listen,
    columns=columns,
)
