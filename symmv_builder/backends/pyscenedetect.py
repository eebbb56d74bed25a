"""PySceneDetect's adaptive detector, fed frame by frame from our own pass over a video."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends import About, ModelHome, ModelIdentity, package_version

# PySceneDetect compares pictures whose longer side is about this many pixels.
LONGER_SIDE = 256
THRESHOLD = 3.0
MIN_SCENE_FRAMES = 15
# Frames are numbered, not timed, in the detector; the rate changes nothing but its texts.
NOMINAL_RATE = 25.0


class Adaptive:
    """A rolling average of the change in hue, saturation and lightness, and its peaks."""

    def __init__(self, home: ModelHome) -> None:
        package_version("scenedetect-headless")

    @classmethod
    def identify(cls, home: ModelHome) -> ModelIdentity:
        return ModelIdentity("adaptive", package_version("scenedetect-headless"), "")

    @classmethod
    def about(cls) -> About:
        return About("PySceneDetect AdaptiveDetector", "BSD-3-Clause", "none: a rule")

    def finder(
        self, *, threshold: float | None = None, min_scene_frames: int | None = None
    ) -> "AdaptiveFinder":
        """Cuts of one video; defaults are PySceneDetect's (ratio 3.0, 15 frames)."""
        return AdaptiveFinder(
            THRESHOLD if threshold is None else threshold,
            MIN_SCENE_FRAMES if min_scene_frames is None else min_scene_frames,
        )


class AdaptiveFinder:
    """One video; the picture is scaled as PySceneDetect scales it, straight from YUV.

    swscale's fast bilinear takes two pixels a direction, as OpenCV's linear does: the
    smoothing of its other filters would lower the scores and move cuts.
    """

    layout = "bgr24"
    interpolation = "FAST_BILINEAR"

    def __init__(self, threshold: float, min_scene_frames: int) -> None:
        from scenedetect import AdaptiveDetector, FrameTimecode

        self._detector: Any = AdaptiveDetector(
            adaptive_threshold=threshold, min_scene_len=min_scene_frames
        )
        self._timecode: Any = FrameTimecode
        self._number = 0
        self._cuts: set[int] = set()

    def size(self, width: int, height: int) -> tuple[int, int]:
        factor = max(1.0, max(width, height) / LONGER_SIDE)
        return max(1, round(width / factor)), max(1, round(height / factor))

    def see(self, picture: NDArray[np.uint8]) -> None:
        timecode = self._timecode(self._number, fps=NOMINAL_RATE)
        self._cuts.update(cut.frame_num for cut in self._detector.process_frame(timecode, picture))
        self._number += 1

    def cuts(self) -> list[int]:
        if self._number:
            last = self._timecode(self._number - 1, fps=NOMINAL_RATE)
            self._cuts.update(cut.frame_num for cut in self._detector.post_process(last))
        return sorted(self._cuts - {0})
