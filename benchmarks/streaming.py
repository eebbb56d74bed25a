"""How quickly samples with sound are read from an export: our reader, and the package webdataset.

It writes clips as `symmv export --format webdataset` does (FLAC of a drawn melody with noise, a
video's worth of random bytes, a feature), then reads them in turns by `training.exported` and by
`webdataset`, both in the order of the shards: as bytes, and with the sound decoded by the same
function. The first epoch reads from the disk, as far as the system forgets files when it is told
to; later ones from memory. `--workers` is that of the `DataLoader`. Samples of a second of all
processes' CPU time, in later epochs, are comparable where other work shares the machine.

    python benchmarks/streaming.py --clips 200 --seconds 10
"""

import argparse
import json
import os
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from torch.utils.data import DataLoader

from symmv_builder.backends.pyav.encode import write_sound
from symmv_builder.datasets.media_export.formats import Layout, webdataset
from symmv_builder.datasets.media_export.samples import Sample
from symmv_builder.training.exported import ExportedSamples, decode_sound

RATE_HZ = 44_100
VIDEO_BYTES_A_SECOND = 150_000
PER_SHARD = 50
Epochs = Callable[[int], Iterator[Any]]


def clips(folder: Path, count: int, seconds: float) -> Iterator[Sample]:
    """Clips that differ: a tone with harmonics and noise, stereo, and bytes for the video."""
    times = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    for number in range(count):
        rng = np.random.default_rng(number)
        pitch = 110 * 2 ** (rng.integers(0, 36) / 12)
        parts = [np.sin(2 * np.pi * pitch * k * times) / k for k in (1, 2, 3, 4)]
        wave = 0.2 * np.sum(parts, axis=0)
        stereo = wave[:, None] + rng.normal(scale=0.01, size=(len(times), 2))
        sound, video = folder / "clip.flac", folder / "clip.mp4"
        write_sound(sound, stereo.astype(np.float32), RATE_HZ)
        video.write_bytes(rng.bytes(round(seconds * VIDEO_BYTES_A_SECOND)))
        row = {"entry_id": f"clip-{number:06d}", "feature": rng.normal(size=(10, 768))}
        yield Sample(f"clip-{number:06d}", row, sound, video)


def write(folder: Path, count: int, seconds: float) -> int:
    """The export, with its receipt; how many bytes its tar files have."""
    layout, parts, size = Layout("clips", pa.schema([]), True, True, False), [], 0
    with tempfile.TemporaryDirectory() as work:
        samples = clips(Path(work), count, seconds)
        for shard, first in enumerate(range(0, count, PER_SHARD)):
            count_in_shard = min(PER_SHARD, count - first)
            name = f"train-{shard:05d}.tar"
            webdataset.write(folder / name, layout, (next(samples) for _ in range(count_in_shard)))
            parts.append({"shard": {"path": name}, "samples": count_in_shard})
            size += (folder / name).stat().st_size
    receipt = {"dataset": "clips", "format": "webdataset", "complete": True, "parts": parts}
    (folder / "export.json").write_text(json.dumps(receipt))
    return size


def ours(folder: Path, *, decoded: bool, workers: int) -> Iterable[Any]:
    samples = Undecoded(folder) if not decoded else ExportedSamples(folder)
    return DataLoader(samples, batch_size=None, num_workers=workers)


class Undecoded(ExportedSamples):
    """The same, with sound, arrays and JSON as the bytes that they are."""

    def _sample(self, file: Any, held: Any, start: Any) -> dict[str, Any]:
        return {name: os.pread(file, size, at) for name, (at, size) in held.members.items()}


def theirs(folder: Path, *, decoded: bool, workers: int) -> Iterable[Any]:
    import webdataset as package

    tars = [str(path) for path in sorted(folder.glob("*.tar"))]
    samples = package.WebDataset(tars, shardshuffle=False, empty_check=False)
    if decoded:
        samples = samples.decode().map_dict(**{"music.flac": decode_sound})
    return DataLoader(samples, batch_size=None, num_workers=workers)


def forget(folder: Path) -> None:
    """Tell the system to forget the files of a folder."""
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def measure(samples: Iterable[Any], count: int) -> tuple[float, float]:
    """Samples a second of one epoch, and a second of CPU time; each has to come once."""
    started, cpu, total = time.perf_counter(), sum(os.times()[:4]), 0
    for _ in samples:
        total += 1
    if total != count:
        raise SystemExit(f"{total} samples came, and there are {count}")
    spent = sum(os.times()[:4]) - cpu
    return count / (time.perf_counter() - started), count / max(spent, 1e-9)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 2])
    parser.add_argument("--rounds", type=int, default=4)
    arguments = parser.parse_args()
    readers: dict[str, Callable[..., Iterable[Any]]] = {"ours": ours}
    if find_spec("webdataset"):
        readers["webdataset"] = theirs
    else:
        print("the package webdataset is not installed: ours alone (pip install webdataset)")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        size = write(folder, arguments.clips, arguments.seconds)
        print(
            f"{arguments.clips} clips of {arguments.seconds:g} s, {size / 2**20:.0f} MiB; "
            "best of rounds"
        )
        heads = (("first/s", 9), ("GB/s", 7), ("later/s", 9), ("GB/s", 7), ("CPU s", 9))
        print(f"{'':12}{'workers':>8}{'':>9}" + "".join(f"{h:>{w}}" for h, w in heads))
        for decoded in (False, True):
            for workers in arguments.workers:
                best = {reader: [0.0, 0.0, 0.0] for reader in readers}
                # In turns, so that what else the machine does meets both; the other one begins each
                # round, as the first finds a disk that nobody has warmed.
                turns = deque(readers.items())
                for _ in range(arguments.rounds):
                    turns.rotate()
                    for reader, make in turns:
                        for epoch in (0, 1):
                            if not epoch:
                                forget(folder)
                            samples = make(folder, decoded=decoded, workers=workers)
                            wall, cpu = measure(samples, arguments.clips)
                            best[reader][epoch] = max(best[reader][epoch], wall)
                            best[reader][2] = max(best[reader][2], cpu)
                for reader, rates in best.items():
                    what = "decoded" if decoded else "bytes"
                    cells = "".join(
                        f"{rate:9.0f}{rate * size / arguments.clips / 1e9:7.2f}"
                        for rate in rates[:2]
                    )
                    print(f"{reader:12}{workers:8}{what:>9}{cells}{rates[2]:9.0f}", flush=True)


if __name__ == "__main__":
    main()
