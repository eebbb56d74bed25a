"""What is seen in a video: its shots."""

from dataclasses import dataclass

import numpy as np

from symmv_builder.records.arrays import Floats, Ints, same_length, set_array, set_spans
from symmv_builder.timeline import Clock


@dataclass(frozen=True, slots=True, eq=False)
class Scenes:
    """Shots in order, shape ``[s]``: time and presentation number of each one's first frame."""

    starts_s: Floats
    ends_s: Floats
    start_frames: Ints
    clock: Clock = Clock.VIDEO

    def __post_init__(self) -> None:
        object.__setattr__(self, "clock", Clock(self.clock))
        set_spans(self)
        set_array(self, "start_frames", np.int64)
        same_length(self, "starts_s", "start_frames")
