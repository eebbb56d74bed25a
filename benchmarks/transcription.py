"""Our transcription by Transkun beside the package's own: the same notes, and how long each takes.

    python benchmarks/transcription.py [--seconds 8 16 30 60] [--midi FILE...] [--threads 1]

The two run in turns on the same sound, pieces of the demo or MIDI files as the sampled piano plays
them. One JSON line a piece: CPU seconds of each, their ratio, and the largest difference in time.
"""

import argparse
import json
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from symmv_builder.backends import ModelHome, midi, sampler
from symmv_builder.backends.transkun import Transkun
from symmv_builder.demo.repertoire import PIECES, play
from symmv_builder.records import Notes


def own_program(model: Transkun, samples: np.ndarray) -> list[tuple[float, float, int, int]]:
    """What the package makes of samples ``[n, channels]``: start, end, pitch, velocity."""
    import torch

    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        events = model._model.transcribe(torch.from_numpy(samples), discardSecondHalf=False)
    return sorted((e.start, max(e.end, e.start), e.pitch, e.velocity) for e in events)


def ours(model: Transkun, samples: np.ndarray) -> list[tuple[float, float, int, int]]:
    notes = model.transcribe(samples)
    columns = (notes.starts_s, notes.ends_s, notes.pitches, notes.velocities)
    return sorted(zip(*(column.tolist() for column in columns), strict=True))


def largest_difference_s(one: Sequence[Any], other: Sequence[Any]) -> float | None:
    """Between times of equal notes; `None` where pitches, velocities or counts differ."""
    audible = [note for note in other if note[2] > 0]
    key = lambda note: (note[2], note[0])  # noqa: E731
    one, audible = sorted(one, key=key), sorted(audible, key=key)
    if [note[2:] for note in one] != [(p, min(max(v, 1), 127)) for *_, p, v in audible]:
        return None
    mine, theirs = (np.array([note[:2] for note in notes]) for notes in (one, audible))
    return float(np.abs(mine - theirs).max(initial=0.0))


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    began = time.process_time()
    result = work()
    return time.process_time() - began, result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, nargs="*", default=[8.0, 16.0, 30.0, 60.0])
    parser.add_argument("--midi", type=Path, nargs="*", default=[])
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    import torch

    torch.set_num_threads(arguments.threads)
    model = Transkun(ModelHome())
    pieces: list[tuple[str, Notes]] = [
        (str(path), midi.read_notes(path)) for path in arguments.midi
    ]
    pieces = pieces or [(piece.name, play(piece, longest_s=90).notes) for piece in PIECES[:2]]
    for name, notes in pieces:
        sound = sampler.render(notes, rate_hz=model.rate_hz)
        for seconds in arguments.seconds:
            samples = np.ascontiguousarray(sound[: round(seconds * model.rate_hz)])
            package_s, theirs = timed(lambda samples=samples: own_program(model, samples))
            ours_s, mine = timed(lambda samples=samples: ours(model, samples))
            line = {
                "piece": name,
                "seconds": len(samples) / model.rate_hz,
                "notes": len(mine),
                "package_cpu_s": round(package_s, 2),
                "ours_cpu_s": round(ours_s, 2),
                "ratio": round(package_s / ours_s, 2),
                "largest_difference_s": largest_difference_s(mine, theirs),
            }
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
