"""How much memory a takedown and a release take: it must not grow with the dataset.

    python benchmarks/memory.py [ENTRIES...]

For each number of entries a SymMV dataset with rows of about 200 kB is faked through the
package's own functions, and released once. Then an entry in the middle is taken down, which
rewrites shards and replaces the release, and what is left is released; each in a process of
its own. Prints one JSON line a size: seconds, and the process's greatest memory.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from symmv_builder.assemble import assemble_row
from symmv_builder.datasets.release import release
from symmv_builder.datasets.schemas import columns_of, published_schema
from symmv_builder.datasets.takedown import take_down
from symmv_builder.records import (
    Alignment,
    Asset,
    Beats,
    Chords,
    Entry,
    FeatureTrack,
    Key,
    MediaKind,
    Notes,
    Parts,
    Record,
    Scenes,
    SongInfo,
    Source,
)
from symmv_builder.storage import manifests, shards
from symmv_builder.storage.ledger import Ledger
from symmv_builder.storage.root import Root
from symmv_builder.storage.store import Store
from symmv_builder.storage.tables import Row
from symmv_builder.timeline import Clock

DATASET = "symmv"
# 200 s of CLIP embeddings: random, so that compression does not make them small.
SEMANTIC_SHAPE = (200, 512)


def make_entry(number: int) -> Entry:
    name = f"song-{number:07d}"
    song = SongInfo(title=f"Title {number}", artist="An Artist", genre="Pop")
    video, music = (Source("file", f"{name}.{kind}") for kind in ("video", "cover"))
    return Entry(name, DATASET, name, video, music, song)


def make_records(number: int) -> dict[str, Record]:
    four, ones = np.arange(4.0), np.ones(4, np.int64)
    values = np.random.default_rng(number).random(SEMANTIC_SHAPE, np.float32)
    asset = Asset(f"{number:064x}", MediaKind.VIDEO, 1, "fake", 200.0)
    return {
        "music_asset": asset,
        "video_asset": asset,
        "notes": Notes(four, four + 1, 60 * ones, 64 * ones),
        "beats": Beats(four, ones),
        "parts": Parts(four, four + 1, 60 * ones, 64 * ones, ones, ones, ones > 0),
        "chords": Chords(four, four + 1, ("N",) * 4),
        "key": Key("C", "major", 0.9),
        "semantic": FeatureTrack("semantic", 1.0, values, Clock.VIDEO),
        "motion": FeatureTrack("motion", 1.0, np.ones((4, 1), np.float32), Clock.VIDEO),
        "colour": FeatureTrack("colour", 1.0, np.zeros((0, 12288), np.float32), Clock.VIDEO),
        "alignment": Alignment(four, four, 0.9),
        "scenes": Scenes(four[:0], four[:0], ones[:0]),
    }


def open_store(folder: str) -> Store:
    root = Root(folder)
    return Store(root, root, Ledger(f"sqlite:///{folder}/ledger.sqlite"))


def fake(folder: str, count: int) -> None:
    """A finished dataset of `count` entries in one split, and its first release."""
    store = open_store(folder)
    entries = [make_entry(number) for number in range(count)]
    manifests.write_entries(store.manifests, DATASET, entries)

    def rows() -> Iterator[Row]:
        for number, entry in enumerate(entries):
            yield assemble_row(columns_of(DATASET), entry, "train", make_records(number))

    shard_files = shards.ShardWriter(store.root, DATASET, published_schema(DATASET)).write(rows())
    receipt = {
        "dataset": DATASET,
        "schema": f"{DATASET}/v2",
        "entries": count,
        "splits": {"train": count},
        "models": [],
        "rejections": {},
        "state": "",
        "shards": shards.as_plain(shard_files),
    }
    shards.write_receipt(store.root, DATASET, receipt)
    release(store, DATASET, "1.0.0")


def measure(kind: str, folder: str, count: int) -> dict[str, float]:
    store = open_store(folder)
    started = time.monotonic()
    if kind == "takedown":
        entry = make_entry(count // 2)
        takedown = take_down(store, DATASET, entry.entry_id, "a measurement")
        is_right = takedown.entries == (entry.entry_id,) and len(takedown.shards) == 1
    else:
        is_right = release(store, DATASET, "2.0.0")["entries"] == count - 1
    if not is_right:
        raise SystemExit(f"{kind} came out wrong")
    # Linux counts in kibibytes.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"wall_s": round(time.monotonic() - started, 1), "rss_mb": round(peak, 1)}


def in_process(*arguments: str) -> str:
    """This program with some arguments, in a process of its own: its output."""
    command = [sys.executable, __file__, *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def measure_all(count: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="symmv-memory-") as folder:
        in_process("fake", folder, str(count))
        shards_mb = sum(path.stat().st_size for path in Path(folder, DATASET).rglob("*")) / 1e6
        costs = {
            kind: json.loads(in_process(kind, folder, str(count)))
            for kind in ("takedown", "release")
        }
        return {"entries": count, "shards_mb": round(shards_mb, 1), **costs}


def main(arguments: Sequence[str]) -> None:
    match arguments:
        case ["fake", folder, count]:
            fake(folder, int(count))
        case ["takedown" | "release" as kind, folder, count]:
            print(json.dumps(measure(kind, folder, int(count))))
        case _:
            for size in arguments or ("1000", "10000"):
                print(json.dumps(measure_all(int(size))), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
