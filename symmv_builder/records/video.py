"""What is seen in a video: its shots, the beats of its motion, and lines that are read in it."""

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


@dataclass(frozen=True, slots=True, eq=False)
class VisualBeats:
    """The times at which motion in a video stops or turns in time: ``times_s`` rising, ``[n]``.

    ``strengths`` ``[n]`` are 0-1, the strongest of the video 1; `tempo_bpm` is beats a minute, 0
    where there are none. `video.visual_beats` says how they are found.
    """

    times_s: Floats
    strengths: Floats
    tempo_bpm: float
    clock: Clock = Clock.VIDEO

    def __post_init__(self) -> None:
        object.__setattr__(self, "clock", Clock(self.clock))
        times_s = set_array(self, "times_s", np.float64)
        strengths = set_array(self, "strengths", np.float64)
        same_length(self, "times_s", "strengths")
        if (np.diff(times_s) <= 0).any():
            raise ValueError("VisualBeats: the times do not rise")
        if ((strengths < 0) | (strengths > 1)).any():
            raise ValueError("VisualBeats: strengths lie in 0-1")
        if not 0 <= self.tempo_bpm < np.inf:
            raise ValueError(f"VisualBeats: tempo_bpm is {self.tempo_bpm}")


@dataclass(frozen=True, slots=True, eq=False)
class TimedText:
    """Lines of text with the time at which each is shown, ``[n]``; `language` is a code or empty.

    Lines may overlap, as those of two voices do.
    """

    starts_s: Floats
    ends_s: Floats
    texts: tuple[str, ...]
    language: str = ""
    clock: Clock = Clock.VIDEO

    def __post_init__(self) -> None:
        object.__setattr__(self, "clock", Clock(self.clock))
        set_spans(self, "texts")
