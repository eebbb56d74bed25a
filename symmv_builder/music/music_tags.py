"""Tags of the music, once a second: genres, instruments, voices and moods by their likelihood.

musicnn (Pons and Serra 2019) knows the 50 most frequent tags of MagnaTagATune (Law et al.,
"Evaluation of algorithms using games: the case of music tagging", ISMIR 2009). Its training saw
music alone: what it says of a speech or of applause is an answer to a question that was not asked.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from symmv_builder import backends
from symmv_builder.backends.slots import Tagger
from symmv_builder.music import listening
from symmv_builder.pipeline.step import Step, Use
from symmv_builder.records import Asset, TagTrack
from symmv_builder.schema import Column
from symmv_builder.timeline import window_starts


class _TagListener:
    mono = True
    block_s: float | None = None

    def __init__(self, model: Tagger, hop_s: float) -> None:
        self.rate_hz: int | None = model.rate_hz
        self._model, self._hop_s = model, hop_s
        self._samples: NDArray[np.float32] = np.zeros(0, dtype=np.float32)

    def hear(self, samples: NDArray[np.float32], rate_hz: int) -> None:
        self._samples = samples[:, 0]

    def finish(self, music_asset: Asset) -> TagTrack:
        starts_s = window_starts(music_asset.duration_s, self._hop_s, self._model.segment_s)
        values = self._model.tag_at(self._samples, starts_s)
        return TagTrack(self._model.tags, self._hop_s, values)


def hear_tags(*, model: Tagger, hop_s: float = 1.0) -> _TagListener:
    """Likelihood (0-1) of every tag of the model each `hop_s` seconds, values ``[t, tags]``.

    The segment that is heard lies around its hop: with musicnn at one second, row i is of the
    sound from i - 1 to i + 2 seconds, moved into the recording at both ends.
    """
    return _TagListener(model, hop_s)


def columns(use: Use, uses: Mapping[str, Use]) -> tuple[Column, ...]:
    """Declare a column as wide as the model has tags; the meaning lists them in order."""
    tags = backends.backend_class("tags", str(use.model)).tags
    rate = f"{1 / use.parameters['hop_s']:.3g} Hz"
    meaning = f"likelihood at {rate}, by {use.model}, of: {', '.join(tags)}"
    return (Column("{}", f"list<float16[{len(tags)}]>", "0-1", meaning, "values"),)


STEP = Step(
    "music_tags",
    1,
    ("music_asset", "music"),
    hear_tags,
    slot="tags",
    together=listening.listen,
    columns=columns,
)
