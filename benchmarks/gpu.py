"""What a card does: pictures and sound a second, training steps a second, beside its matmul rate.

    python benchmarks/gpu.py [--device cuda] [--precision bf16] [--seconds 5] [--small]

One JSON line. CLIP is ViT-L/14 at 336 pixels with random weights (speed does not depend on them),
Transkun hears 64 s of a piece of the demo, a training step is AMT's on songs of 300 s. The matmul
rate is that of square matrices in the same precision: what of it each job reaches is the card's
use. With ``--device cpu --small`` everything is tried where there is no card.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from amt import stepper

from symmv_builder.backends import ModelHome, sampler
from symmv_builder.backends.clip.towers import Clip, ClipShape, TowerShape
from symmv_builder.backends.transkun import Transkun
from symmv_builder.demo.repertoire import PIECES, play
from symmv_builder.training.amt.config import PRESETS

TYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def rate(work: Callable[[], object], units: float, seconds: float, device: torch.device) -> float:
    """Units a second of a job that is repeated for so long, after once to warm up."""

    def done() -> None:
        work()
        if device.type == "cuda":
            torch.cuda.synchronize()

    done()
    began, times = time.perf_counter(), 0
    while times == 0 or time.perf_counter() - began < seconds:
        done()
        times += 1
    return units * times / (time.perf_counter() - began)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--precision", choices=TYPES, default="bf16")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--small", action="store_true")
    arguments = parser.parse_args()
    device, kind = torch.device(arguments.device), TYPES[arguments.precision]
    if device.type == "cuda" and not torch.cuda.is_available():
        sys.stderr.write("no CUDA card is here; --device cpu --small tries the benchmark itself\n")
        return 2
    side, batch, config = 8192, 64, PRESETS["paper"]
    if arguments.small:
        side, batch, config = 512, 1, replace(PRESETS["smoke"], length=300)
    matrix = torch.randn(side, side, device=device, dtype=kind)
    flops = rate(lambda: matrix @ matrix, 2 * side**3, arguments.seconds, device)

    tower = TowerShape(1024, 4096, 2 if arguments.small else 24, 16)
    words = TowerShape(768, 3072, 1, 12)
    clip = Clip(
        ClipShape(tower, words, 768, image_size=336, patch_size=14, vocabulary=2, longest=2)
    )
    for weights in clip.parameters():
        torch.nn.init.normal_(weights, std=0.02)
    clip = clip.to(device, kind).eval()
    pictures = torch.randn(batch, 3, 336, 336, device=device, dtype=kind)
    with torch.inference_mode():
        images = rate(lambda: clip.embed_pixels(pictures), batch, arguments.seconds, device)
    model = Transkun(ModelHome(device=arguments.device))
    length = 8 if arguments.small else 64
    sound = sampler.render(play(PIECES[0], longest_s=90).notes, rate_hz=model.rate_hz)
    samples = np.ascontiguousarray(np.tile(sound, (3, 1))[: length * model.rate_hz])
    speed = rate(lambda: model.transcribe(samples), length, arguments.seconds, device)
    step = stepper("ours", config, 2 if arguments.small else 32, device)
    answer = {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "precision": arguments.precision,
        "matmul_tflops": flops / 1e12,
        "clip_images_s": images,
        "transkun_audio_s": speed,
        "amt_steps_s": rate(step, 1, arguments.seconds, device),
        "is_small": arguments.small,
    }
    print(json.dumps({k: round(v, 3) if isinstance(v, float) else v for k, v in answer.items()}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
