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
    make_media(folder, wanted=wanted, progress=lambda _: None)
    return folder / "takes"


def _drawing(seed: int) -> Drawing:
    return Drawing(160, 96, Fraction(12), SECONDS, seed)


def make_clip_folder(folder: Path, *, dimensions: int, image_size: int, patch_size: int) -> Path:
    """A folder as `hf download` fills it, with towers of one thin layer and random weights."""
    import torch
    import transformers

    folder.mkdir(parents=True)
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>"]
    tokens.append("<|endoftext|>")
    (folder / "vocab.json").write_text(json.dumps({t: i for i, t in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    thin: dict[str, Any] = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1}
    thin["num_attention_heads"] = 2
    words = {"vocab_size": len(tokens), "bos_token_id": len(tokens) - 2}
    words["eos_token_id"] = len(tokens) - 1
    config = transformers.CLIPConfig(
        text_config={**thin, **words},
        vision_config={**thin, "image_size": image_size, "patch_size": patch_size},
        projection_dim=dimensions,
    )
    torch.manual_seed(0)
    transformers.CLIPModel(config).eval().save_pretrained(folder)
    processor = transformers.CLIPImageProcessorPil(
        size={"shortest_edge": image_size},
        crop_size={"height": image_size, "width": image_size},
    )
    processor.save_pretrained(folder)
    return folder
