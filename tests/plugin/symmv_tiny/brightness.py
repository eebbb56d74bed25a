"""How bright the picture is: a watcher that joins the pass over a video."""

import numpy as np

from symmv_builder.backends.pyav import Frame
from symmv_builder.pipeline.step import Step
from symmv_builder.records import FeatureTrack
from symmv_builder.schema import Column
from symmv_builder.timeline import Clock
from symmv_builder.video import frames


class Watcher:
    def __init__(self, hop_s: float) -> None:
        self.hop_s: float | None = hop_s
        self._hop_s, self._values = hop_s, list[float]()

    def see(self, time_s: float, frame: Frame, previous: Frame | None) -> None:
        self._values.append(float(frame.rgb().mean()))

    def finish(self, duration_s: float) -> FeatureTrack:
        values = np.array(self._values, dtype=np.float32).reshape(-1, 1)
        return FeatureTrack("brightness", self._hop_s, values, Clock.VIDEO)


def watch_brightness(*, hop_s: float = 1.0) -> Watcher:
    """Mean of all pixels every `hop_s` seconds, 0-255, values ``[t, 1]``."""
    return Watcher(hop_s)


COLUMNS = (Column("{}", "list<float32>", "0-255", "mean of all pixels, at 1 Hz", "values"),)
STEP = Step("brightness", 1, ("video",), watch_brightness, together=frames.watch, columns=COLUMNS)
