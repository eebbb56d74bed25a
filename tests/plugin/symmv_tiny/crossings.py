"""How often the sound crosses zero in each second: a step on sound, and the model that counts."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends import About, ModelHome, ModelIdentity
from symmv_builder.backends.pyav import read_sound
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


def count_crossings(music: Path, *, model: Counter) -> FeatureTrack:
    """Crossings of zero in each second, values ``[t, 1]``."""
    samples = read_sound(music, rate_hz=model.rate_hz, mono=True).samples[:, 0]
    seconds = [samples[at : at + model.rate_hz] for at in range(0, len(samples), model.rate_hz)]
    values = np.array([[model.count(second)] for second in seconds], dtype=np.float32)
    return FeatureTrack("crossings", 1.0, values, Clock.MUSIC)


COLUMNS = (Column("{}", "list<float32>", "1/s", "crossings of zero in each second", "values"),)
STEP = Step("crossings", 1, ("music",), count_crossings, slot="crossings", columns=COLUMNS)
