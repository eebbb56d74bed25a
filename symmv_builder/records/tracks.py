"""What lies along the time of any recording: sampled features, and the map between two clocks."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from symmv_builder.records.arrays import Floats, same_length, set_array
from symmv_builder.timeline import Clock, grid_times


@dataclass(frozen=True, slots=True, eq=False)
class FeatureTrack:
    """A feature sampled every ``hop_s`` seconds from time 0: ``values`` float32 ``[t, d]``."""

    name: str
    hop_s: float
    values: NDArray[np.float32]
    clock: Clock

    def __post_init__(self) -> None:
        object.__setattr__(self, "clock", Clock(self.clock))
        set_array(self, "values", np.float32, ndim=2)
        if not self.hop_s > 0:
            raise ValueError(f"FeatureTrack {self.name}: hop_s is {self.hop_s}")

    @property
    def times_s(self) -> Floats:
        return grid_times(len(self.values), self.hop_s)

    @property
    def duration_s(self) -> float:
        """Seconds from time 0 to one hop behind the last sample."""
        return len(self.values) * self.hop_s


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """The map between the clocks: ``music_s[i]`` sounds at ``video_s[i]``, both rising, ``[n]``.

    `confidence` is 0-1; `shift_semitones` says how far the music stands above the video.
    """

    music_s: Floats
    video_s: Floats
    confidence: float
    shift_semitones: int = 0

    def __post_init__(self) -> None:
        for name in ("music_s", "video_s"):
            set_array(self, name, np.float64)
            if (np.diff(getattr(self, name)) < 0).any():
                raise ValueError(f"Alignment: {name} goes back in time")
        same_length(self, "music_s", "video_s")
