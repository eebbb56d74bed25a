"""How often the sound crosses zero: a listener that joins the pass, and the model that counts."""

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends import About, ModelHome, ModelIdentity
from symmv_builder.music import listening
from symmv_builder.pipeline.step import Step
from symmv_builder.records import FeatureTrack
from symmv_builder.schema import Column
from symmv_builder.timeline import Clock


class Counter:
    rate_hz = 8000

    def __init__(self, home: ModelHome) -> None:
        self.device = home.device

    @classmethod
    def identify(cls, home: ModelHome) -> ModelIdentity:
        return ModelIdentity("counter", "1", "")

    @classmethod
    def about(cls) -> About:
        return About("symmv-tiny", "MIT", "none: a rule")

    def count(self, second: NDArray[np.float32]) -> int:
        return int((np.diff(np.signbit(second)) != 0).sum())


class Listener:
    mono = True
    block_s = 1.0

    def __init__(self, model: Counter) -> None:
        self.rate_hz = model.rate_hz
        self._model, self._counts = model, list[int]()

    def hear(self, samples: NDArray[np.float32], rate_hz: int) -> None:
        self._counts.append(self._model.count(samples[:, 0]))

    def finish(self) -> FeatureTrack:
        values = np.array(self._counts, dtype=np.float32).reshape(-1, 1)
        return FeatureTrack("crossings", 1.0, values, Clock.MUSIC)


def hear_crossings(*, model: Counter) -> Listener:
    """Crossings of zero in each second, values ``[t, 1]``."""
    return Listener(model)


COLUMNS = (Column("{}", "list<float32>", "1/s", "crossings of zero in each second", "values"),)
STEP = Step(
    "crossings",
    1,
    ("music",),
    hear_crossings,
    slot="crossings",
    together=listening.listen,
    columns=COLUMNS,
)
