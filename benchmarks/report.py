"""How long the report of a large dataset takes, and how much memory: `symmv report`.

    python benchmarks/report.py [--entries 10000] [--dataset symmv] [--against] [--out FOLDER]

Rows are faked through the package's own writer: 200 s of notes, chords and scenes each, in ten
genres of different weight; of the features, which a report reads a sample of, 20 s of CLIP and 2 s
of colour, so that the shards fit on a disk. The report runs in a process of its own. Prints one
JSON line: seconds, the process's greatest memory, the size of page and shards. With `--against`
two such datasets stand side by side.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from symmv_builder.datasets.schemas import columns_of, published_schema
from symmv_builder.schema import Column
from symmv_builder.storage.root import Root
from symmv_builder.storage.shards import ShardWriter, as_plain, write_receipt
from symmv_builder.vocab import MUVISYNC_LABELS, SYMMV_LABELS

SECONDS = 200
CLIP_SECONDS, COLOUR_SECONDS = 20, 2
GENRES = (
    *("Pop", "Rock", "R&B/Soul", "Hip-Hop/Rap", "Alternative", "Dance", "Country", "Soundtrack"),
    *("K-Pop", ""),
)
WEIGHTS = np.array([30, 16, 12, 10, 9, 8, 5, 4, 3, 3]) / 100
TONICS = ("C", "C#", "D", "E-", "E", "F", "F#", "G", "A-", "A", "B-", "B")
POOL = 64


def rows(dataset: str, entries: int, seed: int) -> Iterator[dict[str, Any]]:
    """Rows sorted by split, then entry; the arrays of a pool are shared between rows."""
    rng = np.random.default_rng(seed)
    pool = [arrays(dataset, rng) for _ in range(POOL)]
    counts = {"test": entries // 16, "train": 0, "validation": entries // 16}
    counts["train"] = entries - sum(counts.values())
    number = 0
    for split, count in counts.items():
        for _ in range(count):
            genre = int(rng.choice(len(GENRES), p=WEIGHTS))
            row = dict(pool[number % POOL])
            row |= texts(number, split, genre, rng)
            shift = rng.normal(0, 0.4, row["semantic"].shape[1]) * (genre + 1) / 4
            row["semantic"] = row["semantic"] + shift
            yield {column.name: row[column.name] for column in columns_of(dataset)}
            number += 1


def texts(number: int, split: str, genre: int, rng: np.random.Generator) -> dict[str, Any]:
    name = f"song-{number:06d}"
    return {
        "entry_id": name,
        "song_id": name if number % 50 else "song-000001",
        "split": split,
        "title": f"Title {number % 9000}",
        "artist": "An Artist",
        "genre": GENRES[genre],
        "shazam_id": str(number),
        "music_url": f"file:{name}.cover",
        "video_url": f"file:{name}.video",
        "music_sha256": f"{number - (number % 997 == 1):064x}",
        "video_sha256": f"{number:064x}",
        "music_duration_s": float(np.clip(rng.normal(216, 50), 30, 500)),
        "video_duration_s": float(np.clip(rng.normal(230, 50), 30, 500)),
        "video_width": 1280,
        "video_height": 720,
        "video_frame_rate_hz": 25.0,
        "tempo_bpm": float(np.clip(rng.normal(90 + 4 * genre, 18), 45, 200)),
        "key_tonic": TONICS[int(rng.integers(12))],
        "key_mode": "major" if rng.random() < 0.62 else "minor",
        "key_correlation": 0.9,
        "alignment_confidence": 0.95,
    }


def arrays(dataset: str, rng: np.random.Generator) -> dict[str, Any]:
    """Notes, spans and features of one row of the pool."""
    count = int(rng.integers(600, 2200))
    starts = np.sort(rng.uniform(0, SECONDS, count))
    chords = np.sort(rng.uniform(0, SECONDS, 100))
    labels = SYMMV_LABELS if dataset == "symmv" else MUVISYNC_LABELS
    likely = rng.dirichlet(np.full(len(labels), 0.15))
    arrays: dict[str, Any] = {
        "chords_starts_s": chords,
        "chords_ends_s": np.append(chords[1:], SECONDS),
        "chords_labels": tuple(rng.choice(labels, 100, p=likely).tolist()),
        "beats_times_s": np.arange(0, SECONDS, 0.6),
        "beats_positions": np.arange(len(np.arange(0, SECONDS, 0.6))) % 4 + 1,
        "key_tonics": ("C",),
        "key_modes": ("major",),
    }
    arrays["normalised_chords_labels"] = arrays["chords_labels"]
    cuts = np.sort(rng.uniform(0, SECONDS, int(rng.integers(5, 90))))
    for column in columns_of(dataset):
        if column.name not in arrays:
            arrays[column.name] = values(column, count, starts, cuts, rng)
    return arrays


def values(
    column: Column, count: int, starts: Any, cuts: Any, rng: np.random.Generator
) -> np.ndarray[Any, Any]:
    name = column.name
    if name.startswith(("notes_", "parts_")):
        kinds = {
            "starts_s": starts,
            "ends_s": starts + 0.4,
            "pitches": np.clip(rng.normal(62, 12, count), 21, 108).astype(int),
            "velocities": rng.integers(30, 90, count),
            "is_melody": rng.random(count) < 0.3,
        }
        kind = name.partition("_")[2]
        return np.asarray(kinds[kind] if kind in kinds else np.arange(count))
    if name.startswith("scenes"):
        return np.arange(len(cuts)) if name.endswith("frames") else cuts
    if name == "semantic":
        rate = 6 if column.width == 512 else 1
        return rng.normal(0, 0.3, (rate * CLIP_SECONDS, column.width)).astype(np.float32)
    if name == "colour":
        return rng.random((COLOUR_SECONDS, column.width), dtype=np.float32) ** 8
    if name == "emotion":
        return rng.dirichlet(np.ones(6), SECONDS).astype(np.float32)
    if name.startswith(("pedal", "alignment", "key")):
        return np.arange(0, SECONDS, 5.0)[: 1 if name.startswith("key") else None]
    scale = {"density": 8.0, "loudness": 0.3, "motion": 20.0}.get(name, 4.0)
    return (rng.random(SECONDS) * scale).astype(np.float32)


def fake(root: Root, dataset: str, name: str, entries: int, seed: int) -> None:
    """A dataset of faked rows under a name of its own."""
    schema = published_schema(dataset)
    shards = ShardWriter(root, name, schema).write(rows(dataset, entries, seed))
    counts = dict.fromkeys(("train", "validation", "test"), 0)
    for shard in shards:
        counts[shard.split] += shard.rows
    receipt = {
        "dataset": name,
        "schema": f"{dataset}/v2",
        "splits": counts,
        "models": [],
        "rejections": {},
        "columns": [column.name for column in columns_of(dataset)],
        "shards": as_plain(shards),
    }
    write_receipt(root, name, receipt)


def measured(root: str, out: Path, arguments: list[str]) -> dict[str, float]:
    """Seconds and memory of one report, in a process that does nothing else."""
    code = (
        "import sys, resource; from symmv_builder.cli import main; "
        "sys.argv = ['symmv', *sys.argv[1:]]\n"
        "try:\n    main()\nfinally:\n"
        "    print('peak', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"
    )
    command = [sys.executable, "-c", code, "report", *arguments, "--root", root, "--out", str(out)]
    started = time.perf_counter()
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - started
    if process.returncode:
        raise SystemExit(process.stderr)
    peak = int(process.stderr.rsplit("peak ", 1)[1].split()[0])
    cpu = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "seconds": round(seconds, 1),
        "cpu_seconds": round(cpu.ru_utime + cpu.ru_stime, 1),
        "peak_mb": round(peak / 1024, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--entries", type=int, default=10_000)
    parser.add_argument("--dataset", choices=("symmv", "muvisync"), default="symmv")
    parser.add_argument("--against", action="store_true")
    parser.add_argument("--out", type=Path, help="keep shards and report in this folder")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.out or Path(scratch)
        root = Root(str(folder / "root"))
        names = [arguments.dataset, *(["muvisync" if arguments.dataset == "symmv" else "symmv"])]
        names = names if arguments.against else names[:1]
        for seed, name in enumerate(names):
            if root.read(f"{name}/dataset.json") is None:
                fake(root, name, name, arguments.entries, seed)
        call = [names[0], *(["--against", names[1]] if arguments.against else [])]
        figures = measured(str(folder / "root"), folder / "report", call)
        page = folder / "report" / "report.html"
        size = sum(path.stat().st_size for path in (folder / "root").rglob("*.parquet"))
        line = {"entries": arguments.entries, "datasets": names, **figures}
        line |= {"page_kb": page.stat().st_size // 1024, "shards_mb": size // 2**20}
        print(json.dumps(line))


if __name__ == "__main__":
    main()
