"""What a card does: pictures and sound a second, training steps a second, beside its matmul rate.

    python benchmarks/gpu.py [--device cuda] [--precision bf16] [--seconds 5] [--workers 4]
    python benchmarks/gpu.py --device cpu --small

One JSON line. CLIP is ViT-L/14 at 336 pixels with random weights (speed does not depend on them):
pictures a second of the network alone by the pictures of a forward, then of workers that are
given decoded frames, each with a copy of it or all with one. `same_bits_in_any_row` is whether a
picture's embedding depends on its place among the others of a forward. Transkun hears 64 s of a
piece of the demo, by the segments that it hears at once. A training step is AMT's on songs of
300 s. The matmul rate is that of square matrices in the same precision: what of it each job reaches
is the card's use. The second way tries all of it where there is no card, once and thinner.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import clip_workers
import numpy as np
import torch
from amt import stepper

from symmv_builder.backends import ModelHome, load, sampler
from symmv_builder.backends.clip.towers import ClipShape
from symmv_builder.backends.clip_server.server import ROWS
from symmv_builder.backends.transkun import SEGMENTS_ON_A_GPU, Transkun
from symmv_builder.backends.transkun.segments import SegmentDecoder
from symmv_builder.demo.repertoire import PIECES, play
from symmv_builder.training.amt.config import PRESETS

TYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def rate(work: Callable[[], object], units: float, seconds: float, device: torch.device) -> float:
    """Units a second of a job that is repeated for so long, after once to warm up.

    For 0 seconds it is done once, as it is.
    """

    def done() -> None:
        work()
        if device.type == "cuda":
            torch.cuda.synchronize()

    if seconds:
        done()
    began, times = time.perf_counter(), 0
    while times == 0 or time.perf_counter() - began < seconds:
        done()
        times += 1
    return units * times / (time.perf_counter() - began)


def clip_rates(
    device: str, precision: str, shape: ClipShape, *, seconds: float, workers: int
) -> dict[str, Any]:
    """What CLIP of a shape does, alone and for workers of a build."""
    name = "vit-l-14-336" if shape is clip_workers.LARGE else "vit-b-32"
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        clip_workers.write_clip(folder, shape)
        home = ModelHome(device, precision, {name: scratch})
        model: Any = load("clip", name, home)
        random = np.random.default_rng(0)
        pictures = random.integers(0, 256, (ROWS, *model.input_shape)).astype(np.uint8)
        alone = {
            rows: rate(
                lambda rows=rows: model.start_inputs(pictures[:rows])(),  # type: ignore[misc]
                rows,
                seconds,
                torch.device(device),
            )
            for rows in sorted({16, ROWS // 2, ROWS})
        }
        first, moved = (model.start_inputs(shown)() for shown in (pictures, pictures[::-1].copy()))
        return {
            "images_s": alone,
            "same_bits_in_any_row": bool(np.array_equal(first, moved[::-1])),
            "workers": workers,
            "workers_images_s": clip_workers.compare(home, name, seconds=seconds, workers=workers),
        }


def transkun_rates(
    device: str, numbers: Sequence[int], *, sound_s: int, seconds: float
) -> dict[int, float]:
    """Seconds of sound a second, by the segments that are heard at once."""
    model: Any = Transkun(ModelHome(device=device))
    sound = sampler.render(play(PIECES[0], longest_s=90).notes, rate_hz=model.rate_hz)
    samples = torch.from_numpy(np.tile(sound, (3, 1))[: sound_s * model.rate_hz]).to(device)
    rates = {}
    with torch.inference_mode():
        for number in numbers:
            decoder = SegmentDecoder(model._model, number)
            rates[number] = rate(
                lambda decoder=decoder: decoder.transcribe(samples),  # type: ignore[misc]
                sound_s,
                seconds,
                torch.device(device),
            )
    return rates


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--precision", choices=TYPES, default="bf16")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--small", action="store_true")
    arguments = parser.parse_args()
    device, kind = torch.device(arguments.device), TYPES[arguments.precision]
    if device.type == "cuda" and not torch.cuda.is_available():
        sys.stderr.write("no CUDA card is here; --device cpu --small tries the benchmark itself\n")
        return 2
    seconds, workers = arguments.seconds, arguments.workers
    side, shape, config = 8192, clip_workers.LARGE, PRESETS["paper"]
    sound_s, numbers = 64, tuple(sorted({1, 4, SEGMENTS_ON_A_GPU}))
    if arguments.small:
        side, shape, config = 512, clip_workers.THIN, replace(PRESETS["smoke"], length=300)
        sound_s, numbers, seconds, workers = 2, (1, 2), 0.0, min(workers, 2)
    matrix = torch.randn(side, side, device=device, dtype=kind)
    flops = rate(lambda: matrix @ matrix, 2 * side**3, seconds, device)
    step = stepper("ours", config, 2 if arguments.small else 32, device)
    answer = {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "precision": arguments.precision,
        "matmul_tflops": flops / 1e12,
        "clip": clip_rates(
            arguments.device, arguments.precision, shape, seconds=seconds, workers=workers
        ),
        "transkun_audio_s": transkun_rates(
            arguments.device, numbers, sound_s=sound_s, seconds=seconds
        ),
        "amt_steps_s": rate(step, 1, seconds, device),
        "is_small": arguments.small,
    }
    print(json.dumps(rounded(answer)))
    return 0


def rounded(value: Any) -> Any:
    """Floats to three places, in dictionaries, too."""
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    return round(value, 3) if isinstance(value, float) else value


if __name__ == "__main__":
    raise SystemExit(main())
