"""What `symmv generate` costs: its phases for one video, and the tokens a second of sampling.

    python benchmarks/generating.py [VIDEO] [--model RUN] [--seconds 30] [--pieces 1,16]

Without a video one of 30 s is drawn (640x360, 25 frames a second, a cut every 3 s). Phases are
seconds of CPU and of the clock: on a machine that does other work the first are what counts. Tokens
are sampled in two ways in turn from the same seeds: ``plain`` steps by the modules of the layers
(`models.StageModel.step`), ``fused`` by `stepping.Stepper`, which is what `symmv generate` does;
both read the same encoders. What the two wrote is compared, token by token.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from symmv_builder import starter
from symmv_builder.backends.pyav.encode import write_sound, write_video
from symmv_builder.backends.pyav.soundtrack import replace_sound
from symmv_builder.datasets import composing, piece_files
from symmv_builder.datasets.seen import watch_files
from symmv_builder.settings import read_settings
from symmv_builder.training.composing import Order
from symmv_builder.training.vmusprod import compose, sampling
from symmv_builder.training.vmusprod.piece import Wish
from symmv_builder.training.vmusprod.stepping import FusedStepper

SIZE, RATE, SHOT_S = (360, 640), 25, 3


@contextmanager
def timed(what: str) -> Iterator[None]:
    cpu_s, clock_s = time.process_time(), time.perf_counter()
    yield
    cpu_s, clock_s = time.process_time() - cpu_s, time.perf_counter() - clock_s
    print(f"{what:<34}{cpu_s:8.2f}{clock_s:8.2f}", flush=True)


def draw_video(path: Path, seconds: int) -> Path:
    """Blocks that move, other ones in each shot."""
    rng = np.random.default_rng(0)

    def frames() -> Iterator[Any]:
        for number in range(seconds * RATE):
            if number % (SHOT_S * RATE) == 0:
                shot = np.kron(rng.integers(0, 255, (9, 16, 3)), np.ones((40, 40, 1)))
            yield np.roll(shot, 2 * number, axis=1).astype(np.uint8)

    write_video(path, frames(), frame_rate=Fraction(RATE), preset="ultrafast")
    return path


def phases(video: Path, run: Path, folder: Path) -> None:
    """One video from its file to its music, phase by phase."""
    settings, order = read_settings(), Order()
    with timed("open the model"):
        composer = composing.open_composer(run, {}, settings.home.device)
    with timed("watch the video"):
        videos = watch_files([video], composer, settings.home, {}, _raise)
    with timed("write the music"):
        [piece] = composer.compose(videos, order, lambda done, of, what: None)
    with timed("play it"):
        samples = piece_files.sound_of(piece)
    with timed("WAV and MP4"):
        write_sound(folder / "music.wav", samples, piece_files.RATE_HZ)
        replace_sound(video, samples, piece_files.RATE_HZ, folder / "music.mp4")


def _raise(video: object, error: Exception) -> None:
    raise error


def tokens_a_second(run: Path, seconds: float, count: int) -> None:
    """Both ways of stepping, over all stages of `count` pieces."""
    models = compose.load(run)
    wishes = [Wish(seed=number, seconds=seconds, tempo_bpm=110.0) for number in range(count)]
    steppers: dict[str, Callable[[Any], Any]] = {
        "plain": lambda model: model,
        "fused": FusedStepper,
    }
    rates = {}
    for name, stepper in steppers.items():
        sequences, cost_s = _written_by(stepper, models, wishes)
        total = sum(len(sequence) for sequence in sequences)
        steps = sum(
            max(map(len, sequences[i : i + count])) for i in range(0, len(sequences), count)
        )
        print(
            f"{name}: {count} piece(s), {total} tokens in {steps} steps, {cost_s:.2f} s of CPU, "
            f"{total / cost_s:.0f} tokens/s, {1000 * cost_s / steps:.2f} ms a step",
            flush=True,
        )
        rates[name] = [sequence.tokens.tolist() for sequence in sequences]
    same = sum(a == b for a, b in zip(rates["plain"], rates["fused"], strict=True))
    print(f"equal: {same} of {len(rates['plain'])} sequences")


def _written_by(
    stepper: Callable[[Any], Any], models: compose.Models, wishes: list[Wish]
) -> tuple[list[Any], float]:
    """The sequences of all stages by one way of stepping, and the seconds of CPU it took."""
    results: list[Any] = []
    cost_s = 0.0

    def sample(model: Any, *rest: Any, **named: Any) -> Any:
        nonlocal cost_s
        started = time.process_time()
        sequences = sampling.sample(stepper(model), *rest, **named)
        cost_s += time.process_time() - started
        results.extend(sequences)
        return sequences

    with mock.patch.multiple(compose, Stepper=lambda model: model, sample=sample):
        compose.compose_all(models, wishes)
    return results, cost_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("video", nargs="?", type=Path)
    parser.add_argument("--model", type=Path, default=starter.path())
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--pieces", default="1,16")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        video = arguments.video or draw_video(folder / "drawn.mp4", arguments.seconds)
        print(f"{'':<34}{'CPU s':>8}{'clock s':>8}")
        phases(video, arguments.model, folder)
        for count in map(int, arguments.pieces.split(",")):
            tokens_a_second(arguments.model, float(arguments.seconds), count)
        command = [sys.executable, "-c", "from symmv_builder.cli import main; main()", "generate"]
        started = time.perf_counter()
        model = ["--model", str(arguments.model)]
        subprocess.run([*command, str(video), *model, "--out", str(folder / "out")], check=True)
        print(f"the whole command: {time.perf_counter() - started:.1f} s on the clock")


if __name__ == "__main__":
    main()
