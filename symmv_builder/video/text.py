"""How much of the picture is writing, every few seconds: what lyric videos are made of.

SymMV's authors sorted lyric videos out by hand (Zhuo et al. 2023, section 3.1). A text
detector finds the lines; the share of the picture that they cover is the feature, and
what is too much is for a screen to say.
"""

from collections.abc import Mapping

import numpy as np

from symmv_builder.backends.pyav import Frame
from symmv_builder.backends.slots import TextModel
from symmv_builder.pipeline.step import Step, Use
from symmv_builder.records import FeatureTrack
from symmv_builder.schema import Column
from symmv_builder.timeline import Clock
from symmv_builder.video import frames


class _TextWatcher:
    def __init__(self, model: TextModel, hop_s: float) -> None:
        self.hop_s: float | None = hop_s
        self._hop_s, self._model = hop_s, model
        self._values: list[float] = []
        self._index = -1

    def see(self, time_s: float, frame: Frame, previous: Frame | None) -> None:
        # A frame that stays on screen is not looked at again.
        if frame.index == self._index:
            self._values.append(self._values[-1])
            return
        self._index = frame.index
        width, height = self._model.size(frame.width, frame.height)
        mask = self._model.text_mask(frame.small(width, height, self._model.layout))
        self._values.append(float(mask.mean()))

    def finish(self, duration_s: float) -> FeatureTrack:
        values = np.array(self._values, dtype=np.float32).reshape(-1, 1)
        return FeatureTrack("text_area", self._hop_s, values, Clock.VIDEO)


def watch_text(*, model: TextModel, hop_s: float = 5.0) -> _TextWatcher:
    """Share the picture (0-1) in lines of text every `hop_s` seconds, values ``[t, 1]``."""
    return _TextWatcher(model, hop_s)


def columns(use: Use, uses: Mapping[str, Use]) -> tuple[Column, ...]:
    """Declare the column; the rate is a setting."""
    meaning = f"share of the picture in lines of text, every {use.parameters['hop_s']:.3g} s"
    return (Column("{}", "list<float32>", "0-1", meaning, "values"),)


STEP = Step(
    "text_area",
    2,
    ("video",),
    watch_text,
    slot="text",
    together=frames.watch,
    columns=columns,
)
