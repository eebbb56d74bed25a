"""A folder of the model hub that holds CLIP: its shape and its weights.

The files are a stranger's: whatever is wrong with them is a `ValueError`, a `KeyError` or an error
of the format's reader, and nothing in them is run.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from symmv_builder.backends.clip.inputs import read_json
from symmv_builder.backends.clip.towers import ACTIVATIONS, Clip, ClipShape, TowerShape

# A description leaves out what is as in ViT-B/32.
_OF_BOTH = {"num_hidden_layers": 12, "hidden_act": "quick_gelu", "layer_norm_eps": 1e-5}
_VISION = _OF_BOTH | {"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12}
_VISION |= {"image_size": 224, "patch_size": 32}
_TEXT = _OF_BOTH | {"hidden_size": 512, "intermediate_size": 2048, "num_attention_heads": 8}
_TEXT |= {"vocab_size": 49408, "max_position_embeddings": 77}


def read_shape(folder: Path) -> ClipShape:
    """Read the sizes in ``config.json``; `ValueError` where they are malformed."""
    config = read_json(folder / "config.json")
    vision, text = _section(config, "vision", _VISION), _section(config, "text", _TEXT)
    return ClipShape(
        vision=_tower(vision),
        text=_tower(text),
        dimensions=_count({"projection_dim": 512, **config}, "projection_dim"),
        image_size=_count(vision, "image_size"),
        patch_size=_count(vision, "patch_size"),
        vocabulary=_count(text, "vocab_size"),
        longest=_count(text, "max_position_embeddings"),
    )


def read_clip(shape: ClipShape, weights: Path, kind: torch.dtype) -> Clip:
    """Load the towers with a file's weights, as numbers of `kind`; `ValueError` where some lack.

    Tensors that the towers do not have are left alone: older files number their places.
    """
    stored = _read_tensors(weights)
    # Each layer has more than one tensor: what a description merely claims is not made.
    if max(shape.vision.layers, shape.text.layers) > len(stored):
        raise ValueError(f"{weights.name} has fewer tensors than config.json tells layers")
    # Without memory of their own, for that of the file takes its place.
    with torch.device("meta"):
        clip = Clip(shape)
    expected = clip.state_dict()
    if missing := expected.keys() - stored.keys():
        raise ValueError(f"{weights.name} lacks {len(missing)} tensors, such as {min(missing)}")
    for name, tensor in expected.items():
        if stored[name].shape != tensor.shape:
            actual, right = tuple(stored[name].shape), tuple(tensor.shape)
            raise ValueError(f"{name} in {weights.name} has the shape {actual} and not {right}")
    clip.load_state_dict({name: stored[name].to(kind) for name in expected}, assign=True)
    return clip.eval()


def _read_tensors(weights: Path) -> dict[str, Tensor]:
    if weights.suffix == ".safetensors":
        return load_file(weights)
    stored: dict[str, Tensor] = torch.load(weights, map_location="cpu", weights_only=True)
    return stored


def _section(
    config: Mapping[str, Any], tower: str, defaults: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Read what is told of a tower; where older files tell it twice, the second holds."""
    for name in (f"{tower}_config_dict", f"{tower}_config"):
        if (section := config.get(name)) is not None:
            return {**defaults, **section}
    return defaults


def _tower(section: Mapping[str, Any]) -> TowerShape:
    if (activation := section["hidden_act"]) not in ACTIVATIONS:
        raise ValueError(f"hidden_act is {activation!r}, not one of {', '.join(ACTIVATIONS)}")
    return TowerShape(
        width=_count(section, "hidden_size"),
        hidden=_count(section, "intermediate_size"),
        layers=_count(section, "num_hidden_layers"),
        heads=_count(section, "num_attention_heads"),
        activation=activation,
        epsilon=float(section["layer_norm_eps"]),
    )


def _count(section: Mapping[str, Any], name: str) -> int:
    value = section[name]
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name} is {value!r} and no whole number above 0")
    return value
