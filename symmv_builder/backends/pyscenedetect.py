"""PySceneDetect's adaptive detector, fed frame by frame from our own pass over a video."""

from collections import deque
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends import About, ModelHome, ModelIdentity, package_version
from symmv_builder.backends.slots import CutFinder, SceneModel
from symmv_builder.timeline import TOLERANCE_S

# PySceneDetect compares pictures whose longer side is about this many pixels.
LONGER_SIDE = 256
THRESHOLD = 3.0
MIN_SCENE_FRAMES = 15
# Fifteen frames are half a second of an ordinary video, and fifteen seconds where there is one
# frame a second: unless frames are asked for, no scene has to be longer than this.
LONGEST_MINIMUM_S = 1.0
# Frames are numbered, not timed, in the detector; the rate changes nothing but its texts.
NOMINAL_RATE = 25.0


@final
class Adaptive(SceneModel):
    """A rolling average of the change in hue, saturation and lightness, and its peaks."""

    needs = ("scenedetect", "cv2")

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
        """Make a finder of one video's cuts; defaults are PySceneDetect's (ratio 3.0, 15 frames).

        Where fifteen frames last longer than a second, a second is the default: below 15 Hz.
        """
        return AdaptiveFinder(THRESHOLD if threshold is None else threshold, min_scene_frames)


@final
class AdaptiveFinder(CutFinder):
    """One video; the picture is scaled as PySceneDetect scales it, straight from YUV.

    swscale's fast bilinear takes two pixels a direction, as OpenCV's linear does: the
    smoothing of its other filters would lower the scores and move cuts.
    """

    layout = "bgr24"
    interpolation = "FAST_BILINEAR"

    def __init__(self, threshold: float, min_scene_frames: int | None) -> None:
        from scenedetect import AdaptiveDetector, FrameTimecode

        self._is_default = min_scene_frames is None
        self._detector: Any = AdaptiveDetector(
            adaptive_threshold=threshold, min_scene_len=min_scene_frames or MIN_SCENE_FRAMES
        )
        self._timecode: Any = FrameTimecode
        self._number = 0
        self._cuts: set[int] = set()
        # Times of as many frames as the detector may compare, the latest last.
        self._times_s: deque[float] = deque(
            maxlen=MIN_SCENE_FRAMES + 1 + self._detector.event_buffer_length
        )

    def size(self, width: int, height: int) -> tuple[int, int]:
        factor = max(1.0, max(width, height) / LONGER_SIDE)
        return max(1, round(width / factor)), max(1, round(height / factor))

    def see(self, picture: NDArray[np.uint8], time_s: float) -> None:
        self._times_s.append(time_s)
        if self._is_default:
            self._detector.min_scene_len = self._fewest_frames()
        timecode = self._timecode(self._number, fps=NOMINAL_RATE)
        self._cuts.update(cut.frame_num for cut in self._detector.process_frame(timecode, picture))
        self._number += 1

    def _fewest_frames(self) -> int:
        """Count how many frames a scene needs that ends where the detector looks next."""
        before = list(self._times_s)[: -self._detector.event_buffer_length][::-1]
        for count, time_s in enumerate(before):
            if before[0] - time_s >= LONGEST_MINIMUM_S - TOLERANCE_S:
                return min(count, MIN_SCENE_FRAMES)
        return MIN_SCENE_FRAMES

    def cuts(self) -> list[int]:
        if self._number:
            last = self._timecode(self._number - 1, fps=NOMINAL_RATE)
            self._cuts.update(cut.frame_num for cut in self._detector.post_process(last))
        return sorted(self._cuts - {0})
