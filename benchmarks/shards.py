"""How big a shard's features get and how long they take, by encoding.

    python benchmarks/shards.py [VIDEO...]

Two features that decide the size of a dataset: CLIP embeddings (768 wide, 1 Hz) and
colour histograms (12,288 wide, 1 Hz). Histograms are those of the given videos, or else
of drawn pictures; embeddings are simulated: unit-scale dimensions, a few large ones,
scenes that last, and slow change within a scene. Prints megabytes, seconds to write and
to read, and what half precision costs in accuracy. Splitting byte streams makes half
floats smaller still, but DuckDB 2.0 refuses to read them so; the shards do without.
"""

import io
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from symmv_builder.storage.tables import build_array
from symmv_builder.video import colour, frames

SONGS, SECONDS = 12, 200
Tracks = list[NDArray[np.float32]]


def simulate_embeddings(rng: np.random.Generator) -> Tracks:
    """Embeddings ``[200, 768]`` of songs: shots of 4 s on average, drifting within a shot."""
    tracks = []
    scale = np.ones(768)
    scale[rng.choice(768, 6, replace=False)] = 12.0
    mean = rng.normal(0, 0.3, 768) * scale
    for _ in range(SONGS):
        shots = np.cumsum(rng.random(SECONDS) < 0.25)
        centres = rng.normal(0, 0.35, (shots[-1] + 1, 768))[shots]
        drift = rng.normal(0, 0.12, (SECONDS, 768))
        tracks.append((mean + centres + drift).astype(np.float32))
    return tracks


def draw_histograms(rng: np.random.Generator) -> Tracks:
    """Histograms ``[30, 12288]`` of drawn pictures: a gradient, discs, sensor noise."""
    y, x = np.mgrid[:84, :150] / 150.0
    tracks = []
    for _ in range(2):
        sky, ground = rng.uniform(0, 255, (2, 3))
        rows = []
        for second in range(30):
            picture = sky + (ground - sky) * y[..., None]
            for place in rng.random((4, 2)):
                disc = (x - place[0]) ** 2 + (y - place[1] * 0.5 - second / 200) ** 2 < 0.01
                picture[disc] = rng.uniform(0, 255, 3)
            noisy = picture + rng.normal(0, 3, picture.shape)
            rows.append(colour.histogram(noisy.clip(0, 255).astype(np.uint8)).ravel())
        tracks.append(np.array(rows))
    return tracks


def watch_histograms(videos: list[Path]) -> Tracks:
    """Histograms of real videos, once a second."""
    return [frames.watch(video, [colour.watch_colour()])[0].values for video in videos]


def time_best(work: Callable[[], Any], repeats: int = 2) -> tuple[Any, float]:
    """A function's result and the shortest of some runs, in seconds."""
    best = float("inf")
    for _ in range(repeats):
        started = time.perf_counter()
        result = work()
        best = min(best, time.perf_counter() - started)
    return result, best


def write(kind: pa.DataType, array: Callable[[], pa.Array], **settings: Any) -> bytes:
    table = pa.table([array()], schema=pa.schema([pa.field("f", kind, nullable=False)]))
    sink = io.BytesIO()
    pq.write_table(table, sink, **settings)
    return sink.getvalue()


def read(data: bytes) -> float:
    """Read every value as numpy does it, from a flat buffer."""
    column = pq.read_table(io.BytesIO(data)).column(0).combine_chunks()
    if pa.types.is_binary(column.type):
        return float(sum(np.frombuffer(value.as_buffer(), np.float16)[0] for value in column))
    flat = column.flatten().flatten().to_numpy(zero_copy_only=False)
    return float(flat[0])


def encodings(tracks: Tracks) -> Iterator[tuple[str, bytes, float]]:
    """Name, file and seconds to write of each encoding."""
    width = tracks[0].shape[1]

    def lists(scalar: pa.DataType) -> pa.DataType:
        return pa.list_(pa.list_(scalar, width))

    def from_numpy(scalar: pa.DataType) -> Callable[[], pa.Array]:
        return lambda: build_array(pa.field("f", lists(scalar)), tracks)

    half, single = pa.float16(), pa.float32()
    leaf = ["f.list.element.list.element"]
    plain = {"compression": "zstd", "compression_level": 3, "use_dictionary": False}

    def timed(scalar: pa.DataType, **settings: Any) -> tuple[bytes, float]:
        return time_best(lambda: write(lists(scalar), from_numpy(scalar), **plain | settings))

    for level in (1, 3, 9):
        for scalar in (half, single):
            name = f"{scalar!s:9} zstd {level}"
            yield name, *timed(scalar, compression_level=level)
            settings = {"compression_level": level, "use_byte_stream_split": leaf}
            yield f"{name}, byte stream split", *timed(scalar, **settings)
    yield "halffloat zstd 3, dictionary", *timed(half, use_dictionary=True)
    yield "halffloat uncompressed", *timed(half, compression="none", compression_level=None)

    def binary() -> pa.Array:
        return pa.array([track.astype(np.float16).tobytes() for track in tracks], pa.binary())

    yield "binary halffloat zstd 3", *time_best(lambda: write(pa.binary(), binary, **plain))

    def nested() -> pa.Array:
        return pa.array([track.tolist() for track in tracks], lists(single))

    yield (
        "nested Python lists, float zstd 3",
        *time_best(lambda: write(lists(single), nested, **plain), repeats=1),
    )


def report(title: str, tracks: Tracks) -> None:
    values = sum(track.size for track in tracks)
    print(f"\n{title}: {len(tracks)} tracks, {values * 4 / 2**20:.1f} MiB as float32")
    print(f"{'encoding':38} {'MiB':>7} {'of f32':>7} {'write s':>8} {'read s':>8}")
    for name, data, write_s in encodings(tracks):
        _, read_s = time_best(partial(read, data))
        size = len(data)
        share = size / (values * 4)
        print(f"{name:38} {size / 2**20:7.2f} {share:7.1%} {write_s:8.3f} {read_s:8.3f}")
    flat = np.concatenate([track.ravel() for track in tracks])
    half = flat.astype(np.float16).astype(np.float32)
    error = np.abs(half - flat)
    relative = error / np.maximum(np.abs(flat), 1e-30)
    print(
        f"half precision: largest error {error.max():.2g}, relative error median "
        f"{np.median(relative):.2g}, 99 % {np.quantile(relative, 0.99):.2g}, "
        f"lost to zero {np.mean((half == 0) & (flat != 0)):.1%}"
    )


def main(arguments: list[str]) -> None:
    rng = np.random.default_rng(1)
    report("semantic (simulated)", simulate_embeddings(rng))
    videos = [Path(argument) for argument in arguments]
    histograms = watch_histograms(videos) if videos else draw_histograms(rng)
    report("colour" if videos else "colour (drawn)", histograms)


if __name__ == "__main__":
    main(sys.argv[1:])
