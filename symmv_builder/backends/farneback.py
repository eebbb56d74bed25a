"""Dense optical flow by Farnebäck's method, as OpenCV has it.

Farnebäck, "Two-Frame Motion Estimation Based on Polynomial Expansion" (2003): each neighbourhood is
a quadratic polynomial, and how that moves is the flow.
"""

from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends import About, ModelHome, ModelIdentity, package_version
from symmv_builder.backends.slots import FlowModel

# Scale of the pyramid, its levels, window, iterations, neighbourhood and its sigma, flags: what
# OpenCV's documentation proposes, and the release of CMT takes.
PARAMETERS = (0.5, 3, 15, 3, 5, 1.2, 0)


@final
class Farneback(FlowModel):
    """A rule without weights."""

    backend = "farneback"
    needs = ("cv2",)

    @classmethod
    def identify(cls, home: ModelHome) -> ModelIdentity:
        return ModelIdentity("farneback", package_version("opencv-python-headless"), "")

    @classmethod
    def about(cls) -> About:
        return About("OpenCV calcOpticalFlowFarneback", "Apache-2.0", "none: a rule")

    def __init__(self, home: ModelHome) -> None:
        import cv2

        # Pictures are so small that threads would wait for each other.
        cv2.setNumThreads(1)
        self._flow: Any = cv2.calcOpticalFlowFarneback

    def flow(self, before: NDArray[np.uint8], after: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.asarray(self._flow(before, after, None, *PARAMETERS), dtype=np.float32)
