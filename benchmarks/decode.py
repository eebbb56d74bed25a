"""What each video feature costs, alone and all together in one pass.

    python benchmarks/decode.py [VIDEO] [--clip NAME]

Without a video one is drawn: 30 s of 1280 x 720 at 30 frames a second. Every row runs in
a process of its own. `s/s` is seconds of wall time per second of media, `cpu` seconds of
processor time per second of media, `passes` how often the file was decoded.
"""

import argparse
import multiprocessing
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends import ModelHome, load
from symmv_builder.backends.pyav import probe, read_sound
from symmv_builder.backends.pyav.encode import write_video
from symmv_builder.settings import read_settings
from symmv_builder.video import colour, frames, motion, scenes, semantic

FEATURES = ("semantic 1 Hz", "semantic 6 Hz", "motion 1 Hz", "motion 5 Hz", "colour", "scenes")
ROWS: dict[str, tuple[str, ...]] = {
    "decode alone": (),
    **{name: (name,) for name in FEATURES},
    "transnetv2": ("transnetv2",),
    "SymMV's, one pass": ("semantic 6 Hz", "motion 5 Hz", "colour", "scenes"),
    "MuVi-Sync's, one pass": ("semantic 1 Hz", "motion 1 Hz", "scenes"),
}


def watcher(feature: str, clip: str, home: ModelHome) -> Any:
    """A fresh watcher of one feature."""
    if feature.startswith("semantic"):
        hop_s = 1.0 if feature.endswith("1 Hz") else 1 / 6
        return semantic.watch_semantic(model=load("clip", clip, home), hop_s=hop_s)
    if feature == "motion 1 Hz":
        return motion.watch_motion()
    if feature == "motion 5 Hz":
        return motion.watch_motion(hop_s=0.2, variant="sampled")
    if feature == "colour":
        return colour.watch_colour()
    name = "transnetv2" if feature == "transnetv2" else "adaptive"
    return scenes.watch_scenes(model=load("scenes", name, home))


def measure(features: tuple[str, ...], video: Path, clip: str) -> tuple[float, float, int, float]:
    """Wall and processor seconds, decode passes and peak memory in MB of one row."""
    home = read_settings().home
    watchers = [watcher(feature, clip, home) for feature in features]
    wall, cpu = time.perf_counter(), time.process_time()
    frames.watch(video, watchers)
    spent = time.perf_counter() - wall, time.process_time() - cpu
    return *spent, frames.passes[video], peak_mb()


def measure_sound(video: Path) -> tuple[float, float, int, float]:
    """The same for reading the sound as mono at 22,050 Hz."""
    wall, cpu = time.perf_counter(), time.process_time()
    read_sound(video, rate_hz=22050, mono=True)
    spent = time.perf_counter() - wall, time.process_time() - cpu
    return *spent, 0, peak_mb()


def peak_mb() -> float:
    """Highest memory of this process, by Linux; getrusage would add the parent's."""
    [line] = [x for x in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in x]
    return float(line.split()[1]) / 1024


def draw(path: Path, seconds: int = 30, rate: int = 30) -> None:
    """Shots of five seconds: blocks of colour that drift, under a little noise."""

    def pictures() -> Iterator[NDArray[np.uint8]]:
        random = np.random.default_rng(0)
        grain = random.integers(0, 12, (720, 1280, 1)).astype(np.uint8)
        for number in range(seconds * rate):
            if number % (5 * rate) == 0:
                blocks = random.integers(0, 240, (9, 16, 3)).astype(np.uint8)
                shot = np.kron(blocks, np.ones((80, 80, 1), np.uint8))
            yield np.roll(shot, 3 * number, axis=1) + grain

    times = np.arange(seconds * 44100) / 44100
    sound = (0.3 * np.sin(2 * np.pi * 440 * times)).astype(np.float32)[:, None]
    write_video(path, pictures(), frame_rate=Fraction(rate), sound=sound)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("video", nargs="?", type=Path)
    parser.add_argument("--clip", default="untrained-512", help="CLIP model of the semantic rows")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        video = options.video or Path(folder) / "drawn.mp4"
        if options.video is None:
            draw(video)
        asset = probe(video, "0" * 64)
        seconds = asset.duration_s
        print(f"{video.name}: {asset.width} x {asset.height}, {seconds:.1f} s; clip {options.clip}")
        print(f"{'':24s}{'s/s':>9s}{'cpu':>9s}{'passes':>8s}{'peak MB':>9s}")
        fresh = multiprocessing.get_context("spawn")
        jobs = [(name, measure, (row, video, options.clip)) for name, row in ROWS.items()]
        if asset.audio_codec:
            jobs.append(("sound to 22,050 Hz", measure_sound, (video,)))  # type: ignore[arg-type]
        for name, function, arguments in jobs:
            with fresh.Pool(1) as pool:
                wall, cpu, passes, peak = pool.apply(function, arguments)
            rates = f"{wall / seconds:9.4f}{cpu / seconds:9.4f}"
            print(f"{name:24s}{rates}{passes:8d}{peak:9.0f}", flush=True)


if __name__ == "__main__":
    main()
