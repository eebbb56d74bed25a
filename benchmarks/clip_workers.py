"""Workers of a build that embed pictures: each with a copy of CLIP, or all with one.

`benchmarks/gpu.py` calls this. Each worker has frames of 1280 x 720 pixels in memory and shows them
to the watcher of a build, which prepares them, has them embedded and collects late answers.
"""

import json
import multiprocessing as mp
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file

from symmv_builder.backends import ModelHome, ModelLoader
from symmv_builder.backends.clip.inputs import END, START
from symmv_builder.backends.clip.towers import Clip, ClipShape, TowerShape
from symmv_builder.backends.clip_server import one_copy
from symmv_builder.backends.pyav import Frame
from symmv_builder.pipeline.run import LoadModel
from symmv_builder.video.semantic import watch_semantic

TEXT = TowerShape(64, 64, 1, 2)
# ViT-L/14 at 336 pixels, and something thin in the shape of ViT-B/32.
LARGE = ClipShape(TowerShape(1024, 4096, 24, 16), TEXT, 768, 336, 14, 2, 77)
THIN = ClipShape(TowerShape(64, 64, 1, 2), TEXT, 512, 224, 32, 2, 77)
_FRAMES = 48


@dataclass
class Shown:
    """A frame that was decoded before."""

    index: int
    picture: NDArray[np.uint8]

    def rgb(self) -> NDArray[np.uint8]:
        return self.picture


def write_clip(folder: Path, shape: ClipShape) -> None:
    """A folder as the hub gives it, with random weights, in half precision, and no words."""
    names = {"layers": "num_hidden_layers", "heads": "num_attention_heads"}
    names |= {"width": "hidden_size", "hidden": "intermediate_size"}

    def section(tower: TowerShape, **more: int) -> dict[str, Any]:
        told = asdict(tower)
        return {theirs: told[ours] for ours, theirs in names.items()} | more

    config = {
        "projection_dim": shape.dimensions,
        "vision_config": section(
            shape.vision, image_size=shape.image_size, patch_size=shape.patch_size
        ),
        "text_config": section(shape.text, vocab_size=shape.vocabulary),
    }
    size = {"size": shape.image_size, "crop_size": shape.image_size}
    files = {"config.json": config, "preprocessor_config.json": size}
    files["vocab.json"] = {START: 0, END: 1}
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    tensors = {
        name: 0.02 * torch.randn(tensor.shape, dtype=torch.float16)
        for name, tensor in Clip(shape).state_dict().items()
    }
    save_file(tensors, folder / "model.safetensors")


def _work(load: LoadModel, name: str, seconds: float, ready: Any, rates: Any) -> None:
    random = np.random.default_rng(0)
    pictures = random.integers(0, 256, (_FRAMES, 720, 1280, 3), np.uint8)
    model = load("clip", name)
    # Once to warm up.
    model.embed_images(pictures[:16])
    ready.wait()
    watcher, began, seen = watch_semantic(model=model), time.perf_counter(), 0
    while seen < _FRAMES or time.perf_counter() - began < seconds:
        frame = cast("Frame", Shown(seen, pictures[seen % _FRAMES]))
        watcher.see(float(seen), frame, None)
        seen += 1
    watcher.finish(float(seen))
    rates.put(seen / (time.perf_counter() - began))


def _images_s(load: LoadModel, name: str, seconds: float, workers: int) -> float:
    context = mp.get_context("spawn")
    ready, rates = context.Barrier(workers), context.SimpleQueue()
    arguments = (load, name, seconds, ready, rates)
    processes = [context.Process(target=_work, args=arguments) for _ in range(workers)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    if any(process.exitcode for process in processes):
        raise SystemExit("a worker has failed")
    return sum(rates.get() for _ in processes)


def compare(home: ModelHome, name: str, *, seconds: float, workers: int) -> dict[str, float]:
    """Pictures a second of all workers together, with their own copies and with one."""
    own = _images_s(ModelLoader(home), name, seconds, workers)
    with one_copy([name], home) as load:
        return {"own_copies": own, "one_copy": _images_s(load, name, seconds, workers)}
