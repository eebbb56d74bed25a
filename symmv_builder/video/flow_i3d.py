"""What happens in a moment of a video: an embedding of some pictures in a row, by I3D.

V2Meow (Su et al. 2024, "Implementation Details") conditions on 1,024 numbers of I3D's flow once a
second. The paper does not say how long its moments are: the default is 16 pictures at 25 a second,
as long as the package of the weights shows it.
"""

from collections import deque
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from symmv_builder import backends
from symmv_builder.backends.pyav import Frame
from symmv_builder.backends.slots import MomentModel
from symmv_builder.errors import WrongSetting
from symmv_builder.pipeline.step import Step, Use
from symmv_builder.records import FeatureTrack
from symmv_builder.schema import Column
from symmv_builder.timeline import TOLERANCE_S, Clock, grid_length
from symmv_builder.video import frames

# The shorter side, of which the middle is cut out (Carreira and Zisserman 2017, section 2.4).
_SHORTER, _CUT = 256, 224


class _MomentWatcher:
    def __init__(self, model: MomentModel, hop_s: float, pictures: int) -> None:
        self.hop_s: float | None = 1.0 / model.rate_hz
        self._model, self._every_s, self._pictures = model, hop_s, pictures
        self._recent: deque[NDArray[np.uint8]] = deque(maxlen=pictures)
        self._index, self._picture_count = -1, 0
        self._values: list[NDArray[np.float32]] = []

    def see(self, time_s: float, frame: Frame, previous: Frame | None) -> None:
        # A frame that stays on screen is scaled once.
        same = frame.index == self._index and self._recent
        self._recent.append(self._recent[-1] if same else self._middle(frame))
        self._index = frame.index
        self._picture_count += 1
        while self._starts() + self._pictures <= self._picture_count:
            self._embed()

    def finish(self, duration_s: float) -> FeatureTrack:
        # The last picture stays for moments that go on beyond the end.
        while len(self._values) < grid_length(duration_s, self._every_s) and self._recent:
            if self._starts() + self._pictures > self._picture_count:
                self._recent.append(self._recent[-1])
                self._picture_count += 1
            else:
                self._embed()
        nothing = np.zeros((0, self._model.width), dtype=np.float32)
        values = np.concatenate([nothing, *(value[None] for value in self._values)])
        return FeatureTrack("flow_i3d", self._every_s, values, Clock.VIDEO)

    def _starts(self) -> int:
        """Find the picture with which the next moment begins: the last not later than its time."""
        return int(len(self._values) * self._every_s * self._model.rate_hz + TOLERANCE_S)

    def _embed(self) -> None:
        first = self._starts() - (self._picture_count - len(self._recent))
        moment = list(self._recent)[first : first + self._pictures]
        self._values.append(self._model.embed(np.stack(moment)))

    def _middle(self, frame: Frame) -> NDArray[np.uint8]:
        side = self._model.side
        factor = side / _CUT * _SHORTER / min(frame.width, frame.height)
        width, height = (max(side, round(factor * each)) for each in (frame.width, frame.height))
        picture = frame.small(width, height)
        top, left = (height - side) // 2, (width - side) // 2
        return picture[top : top + side, left : left + side]


def watch_moments(*, model: MomentModel, hop_s: float = 1.0, pictures: int = 16) -> _MomentWatcher:
    """Embed ``[t, model.width]`` the `pictures` that begin every `hop_s` seconds.

    Pictures are taken at the rate of the model, whatever that of the video is. `StopRun` for
    fewer of them than the model can be given.
    """
    if not model.least_pictures <= pictures <= 1000:
        cause = f"it can be {model.least_pictures} to 1000"
        raise WrongSetting("pictures", pictures, cause, "flow_i3d")
    return _MomentWatcher(model, hop_s, pictures)


def columns(use: Use, uses: Mapping[str, Use]) -> tuple[Column, ...]:
    """Declare a column as wide as the model; the meaning names it and the rate."""
    width = backends.backend_class("moments", str(use.model)).width
    meaning = f"embedding of a moment by {use.model} at {1 / use.parameters['hop_s']:.3g} Hz"
    return (Column("{}", f"list<bytes<float16[{width}]>>", "", meaning, "values"),)


STEP = Step(
    "flow_i3d",
    1,
    ("video",),
    watch_moments,
    slot="moments",
    together=frames.watch,
    columns=columns,
)
