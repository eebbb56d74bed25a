"""How much the picture changes: the mean absolute difference of two frames in RGB.

Two pairs of frames are in use. ``sampled`` compares the frame on screen with the one a
hop earlier: what the MuVi-Sync paper describes at one second (Kang et al. 2024, section
3.2.4) and SymMV uses at 0.2 s, that is five frames at 25 a second (Zhuo et al. 2023).
``adjacent`` compares it with the native frame just before it, which is what the released
MuVi-Sync features hold; it depends on the frame rate.
"""

from collections.abc import Mapping
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends.pyav import Frame
from symmv_builder.pipeline.step import Step, Use
from symmv_builder.records import FeatureTrack
from symmv_builder.schema import Column
from symmv_builder.timeline import Clock
from symmv_builder.video import frames

Variant: TypeAlias = Literal["adjacent", "sampled"]


def difference(left: NDArray[np.uint8], right: NDArray[np.uint8]) -> float:
    """Average ``|left - right|`` over pixels and channels, 0-255; both uint8 ``[h, w, 3]``."""
    # The larger minus the smaller cannot wrap around in eight bits.
    return float((np.maximum(left, right) - np.minimum(left, right)).mean(dtype=np.float64))


class _MotionWatcher:
    def __init__(self, hop_s: float, variant: Variant) -> None:
        self.hop_s: float | None = hop_s
        self._hop_s, self._variant = hop_s, variant
        self._last: Frame | None = None
        self._values: list[float] = []

    def see(self, time_s: float, frame: Frame, previous: Frame | None) -> None:
        other = previous if self._variant == "adjacent" else self._last
        if other is None or other.index == frame.index or time_s == 0.0:
            self._values.append(0.0)
        else:
            self._values.append(difference(frame.rgb(), other.rgb()))
        self._last = frame

    def finish(self, duration_s: float) -> FeatureTrack:
        values = np.array(self._values, dtype=np.float32).reshape(-1, 1)
        return FeatureTrack("motion", self._hop_s, values, Clock.VIDEO)


def watch_motion(*, hop_s: float = 1.0, variant: Variant = "adjacent") -> _MotionWatcher:
    """Average the RGB difference, 0-255, of full-size frames every `hop_s` seconds; 0 at time 0.

    Values ``[t, 1]``. `variant` is ``adjacent`` (MuVi-Sync as released) or ``sampled``
    (MuVi-Sync's paper at 1 s, SymMV at 0.2 s).
    """
    return _MotionWatcher(hop_s, variant)


def columns(use: Use, uses: Mapping[str, Use]) -> tuple[Column, ...]:
    """Declare the column; which pictures are compared, and how often, are settings."""
    hop_s = use.parameters["hop_s"]
    which = "of adjacent frames"
    if use.parameters["variant"] == "sampled":
        which = f"over {hop_s:.3g} s"
    rate = "" if hop_s == 1 else f", at {1 / hop_s:.3g} Hz"
    meaning = f"mean absolute RGB difference {which}{rate}"
    return (Column("{}", "list<float32>", "0-255", meaning, "values"),)


STEP = Step("motion", 2, ("video",), watch_motion, together=frames.watch, columns=columns)
