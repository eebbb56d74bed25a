"""A person's own recordings, as the README speaks of them: short takes made on the spot.

Also CLIP folders as the model hub gives them, with tiny seeded towers, so that the real
loading of CLIP is gone through without its weights.
"""

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

from symmv_builder.demo.drawings import Drawing
from symmv_builder.demo.media import MediaPlan, make_media

SECONDS = 8.0


def make_recordings(folder: Path) -> Path:
    """A piano take, three short videos (drawn, drawn with music, still); their folder."""
    wanted = (
        MediaPlan("takes/piano.flac", piece="sonata-k545", longest_s=SECONDS),
        MediaPlan("takes/drawn.mp4", drawing=_drawing(11)),
        MediaPlan("takes/still.mp4", drawing=_drawing(12), is_still=True),
        MediaPlan(
            "takes/musical.mp4", piece="sonata-k545", longest_s=SECONDS, drawing=_drawing(13)
        ),
    )
    make_media(folder, selection=wanted, progress=lambda _: None)
    return folder / "takes"


def _drawing(seed: int) -> Drawing:
    return Drawing(160, 96, Fraction(12), SECONDS, seed)


def make_clip_folder(
    folder: Path,
    *,
    dimensions: int = 512,
    image_size: int = 224,
    patch_size: int = 32,
    width: int = 32,
    weights: str = "model.safetensors",
) -> Path:
    """A folder as `hf download` fills it, with towers of one thin layer and random weights.

    Its tokens are single letters. `weights` may be ``pytorch_model.bin``, too.
    """
    import torch
    from safetensors.torch import save_file

    from symmv_builder.backends.clip import checkpoint
    from symmv_builder.backends.clip.towers import Clip

    folder.mkdir(parents=True)
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>"]
    tokens.append("<|endoftext|>")
    write_json(folder / "vocab.json", {token: number for number, token in enumerate(tokens)})
    (folder / "merges.txt").write_text("#version: 0.2\n")
    thin = {"hidden_size": width, "intermediate_size": 32, "num_hidden_layers": 1}
    thin["num_attention_heads"] = 2
    config = {
        "text_config": {**thin, "vocab_size": len(tokens)},
        "vision_config": {**thin, "image_size": image_size, "patch_size": patch_size},
        "projection_dim": dimensions,
    }
    write_json(folder / "config.json", config)
    size = {"size": image_size, "crop_size": image_size}
    write_json(folder / "preprocessor_config.json", size)
    torch.manual_seed(0)
    told = Clip(checkpoint.read_shape(folder)).state_dict()
    tensors = {name: 0.1 * torch.randn(tensor.shape) for name, tensor in told.items()}
    if weights == "model.safetensors":
        save_file(tensors, folder / weights)
    else:
        torch.save(tensors, folder / weights)
    return folder


def write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content))
