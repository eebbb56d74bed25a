"""What commands cost from start to end: seconds of CPU, children included, and of the clock.

    python benchmarks/building.py [--clip FOLDER] [--other CHECKOUT] [--rounds N]

Six clips of 20 s with pictures and sound are made, and a MuVi-Sync dataset is built of them with
as many workers as a build takes by itself and an untrained CLIP, or that of a folder with weights
of ViT-L/14@336px; `status` is asked of an empty root and of that dataset. All models of the recipe
are loaded once by themselves, which is how a worker starts. With `--other` the same is done with
the code of another checkout, in turns. The least of all rounds is printed, for other programs on
the machine only add to it.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

from symmv_builder.backends.pyav.encode import write_video
from symmv_builder.backends.sampler import render
from symmv_builder.demo.drawings import Drawing, draw
from symmv_builder.demo.repertoire import PIECES, play

RUN = "from symmv_builder.cli import main; main()"
# As a worker does before its first entry.
START = """
import sys
from symmv_builder.backends import load
from symmv_builder.datasets import recipe
from symmv_builder.settings import read_settings

for use in recipe(sys.argv[1]).uses:
    if use.model:
        model = sys.argv[2] if use.step.slot == "clip" else use.model
        load(use.step.slot, model, read_settings().home)
"""
HERE = Path(__file__).resolve().parents[1]


def make_clips(folder: Path) -> None:
    folder.mkdir()
    for number in range(6):
        notes = play(PIECES[number % len(PIECES)], longest_s=20.0, seed=number or None).notes
        drawing = Drawing(640, 360, Fraction(25), 20.0, number)
        write_video(
            folder / f"clip{number}.mp4",
            draw(drawing),
            frame_rate=drawing.frame_rate,
            sound=render(notes, rate_hz=44100),
            sound_rate_hz=44100,
        )


def cost(checkout: Path, *words: str | Path, program: str = RUN) -> tuple[float, float]:
    """Seconds of CPU and of the clock of one command, or of another program."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", program, *map(str, words)],
        env={**os.environ, "PYTHONPATH": str(checkout)},
        cwd=checkout,
        capture_output=True,
        check=True,
    )
    after, seconds = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - started
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, seconds


def measure(checkout: Path, clips: Path, folder: Path, clip: str) -> dict[str, tuple[float, float]]:
    root, empty = folder / "root", folder / "empty"
    shutil.rmtree(root, ignore_errors=True)
    empty.mkdir(exist_ok=True)
    build = (
        "build",
        "muvisync",
        "--from",
        clips,
        "--root",
        root,
        "--model",
        f"clip={clip or 'untrained'}",
    )
    return {
        "help": cost(checkout, "--help"),
        "status, empty root": cost(checkout, "status", "--root", empty),
        "a worker's models": cost(checkout, "muvisync", clip or "untrained-768", program=START),
        "build muvisync": cost(checkout, *build),
        "status, six entries": cost(checkout, "status", "--root", root),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clip", type=Path, help="folder of CLIP's weights; else it is untrained")
    parser.add_argument("--other", type=Path, help="checkout to compare with")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    checkouts = {"here": HERE} | ({"other": arguments.other.resolve()} if arguments.other else {})
    clip = ""
    if arguments.clip:
        clip = "vit-l-14-336"
        os.environ["SYMMV_MODEL_VIT_L_14_336"] = str(arguments.clip.resolve())
    best: dict[tuple[str, str], tuple[float, float]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        make_clips(folder / "clips")
        for _ in range(arguments.rounds):
            for name, checkout in checkouts.items():
                for what, pair in measure(checkout, folder / "clips", folder, clip).items():
                    before = best.get((what, name), pair)
                    best[what, name] = min(before[0], pair[0]), min(before[1], pair[1])
    print(f"{'command':<22}{'code':<8}{'CPU s':>8}{'clock s':>9}")
    for (what, name), (cpu_s, clock_s) in sorted(best.items()):
        print(f"{what:<22}{name:<8}{cpu_s:>8.2f}{clock_s:>9.2f}")


if __name__ == "__main__":
    main()
