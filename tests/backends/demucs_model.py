"""Weights of Hybrid Transformer Demucs: a thin network whose numbers follow from a formula."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SOURCES = ["drums", "bass", "other", "vocals"]
THIN: dict[str, Any] = {
    "channels": 8,
    "segment": {"_type": "fraction", "numerator": 1, "denominator": 4},
    "t_layers": 3,
    "t_heads": 2,
    "dconv_mode": 3,
    "bottom_channels": 16,
    "t_norm_first": True,
}


def wave(length: int) -> NDArray[np.float32]:
    """Stereo sound ``[length, 2]`` of a few waves."""
    times = np.arange(length)[:, None] / 44_100
    waves = np.sin(2 * np.pi * np.array([220.0, 331.0]) * times)
    waves += 0.3 * np.sin(2 * np.pi * np.array([1234.5, 987.0]) * times + times)
    return (0.3 * waves + 0.05).astype(np.float32)


def fill(state: dict[str, Any]) -> dict[str, Any]:
    """The tensors of a network with numbers that need no generator, each as large as is usual."""
    import torch

    filled = {}
    for name, tensor in state.items():
        waves = np.cos(0.37 * np.arange(tensor.numel()) + len(name)).reshape(tuple(tensor.shape))
        is_weight = tensor.ndim > 1
        size = 1.0 / np.sqrt(tensor[0].numel()) if is_weight else 0.2
        base = 1.0 if name.rpartition(".")[2] == "weight" and not is_weight else 0.0
        filled[name] = torch.from_numpy((base + size * waves).astype(np.float32))
    return filled


def make_htdemucs(folder: Path, *, klass: str = "demucs.htdemucs.HTDemucs", **changed: Any) -> Path:
    """A folder as the hub has it, marked as untrained; `changed` are arguments of the network."""
    from safetensors.torch import save_file

    from symmv_builder.backends.htdemucs.network import HTDemucs, Shape

    folder.mkdir(parents=True, exist_ok=True)
    kwargs = {**THIN, **changed}
    names = ("channels", "t_layers", "t_heads", "dconv_mode", "bottom_channels")
    network = HTDemucs(Shape(tuple(SOURCES), 11025, **{name: THIN[name] for name in names}))
    about = {"klass": klass, "args": json.dumps([SOURCES]), "kwargs": json.dumps(kwargs)}
    save_file(fill(network.state_dict()), str(folder / "955717e8.safetensors"), about)
    (folder / "UNTRAINED").touch()
    return folder
