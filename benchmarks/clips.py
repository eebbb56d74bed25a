"""What it costs to cut a dataset into clips: seconds and memory for so many of them.

    python benchmarks/clips.py [CLIPS...]

For each number of clips a dataset of films of 4,000 s is faked through the package's own
functions: entries, recordings, and the results of every kind of record, with CLIP embeddings (768
wide, 1 Hz) and 4 notes a second. Then a build that cuts them into windows of 10 s and writes the
shards (`first`), one that finds nothing to do (`noop`), and one that cuts them into windows of half
that length (`recut`) are measured, each in a process of its own: seconds of wall clock and of CPU
after the imports, the process's greatest memory, and how many megabytes of shards there are.
Prints one JSON line a size.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np

from symmv_builder import datasets
from symmv_builder.clips import Windows
from symmv_builder.datasets import changes
from symmv_builder.datasets.build import build
from symmv_builder.datasets.recipe import ClipRules, Recipe
from symmv_builder.pipeline.keys import ModelIdentity, Plan, Work
from symmv_builder.records import (
    Asset,
    Chords,
    Entry,
    FeatureTrack,
    Key,
    MediaKind,
    Notes,
    Record,
    Scenes,
    Screened,
    Source,
)
from symmv_builder.storage.assets import add_asset_bytes
from symmv_builder.storage.ledger import Ledger, Result
from symmv_builder.storage.root import Root
from symmv_builder.storage.sidecars import Sidecars
from symmv_builder.storage.store import Store
from symmv_builder.timeline import Clock

SECONDS, LENGTH_S = 4000, 10.0
DATASET = "muvisync"
WAYS = ("first", "noop", "recut")


def recipe(length_s: float = LENGTH_S) -> Recipe:
    """MuVi-Sync, cut into windows."""
    rules = ClipRules(Windows(length_s, length_s, length_s))
    return replace(datasets.recipe(DATASET), clips=rules)


def plan_of(made_by: Recipe) -> Plan:
    """The recipe's plan with identities of models that need not be there."""
    names = {(use.step.slot, use.model) for use in made_by.uses if use.step.slot and use.model}
    models = {(slot, name): ModelIdentity(name, "1", "0" * 64) for slot, name in names}
    return Plan(DATASET, made_by.uses, models)


def track(name: str, hop_s: float, width: int, clock: Clock, rng: np.random.Generator) -> Record:
    values = rng.normal(size=(round(SECONDS / hop_s), width)).astype(np.float32)
    return FeatureTrack(name, hop_s, values, clock)


def records_of(sha256_: str, rng: np.random.Generator) -> dict[str, Record]:
    """A record for every result of the recipe."""
    starts = np.arange(0.0, SECONDS, 0.25)
    seconds = np.arange(0.0, SECONDS)
    labels = tuple(rng.choice(["C", "G", "A:min"], SECONDS).tolist())
    shots = np.arange(0.0, SECONDS, 4.0)
    asset = Asset(sha256_, MediaKind.VIDEO, 1, "mp4", float(SECONDS), frame_rate_hz=25.0)
    pitches = rng.integers(30, 90, len(starts))
    records: dict[str, Record] = {
        "music_asset": asset,
        "video_asset": asset,
        "notes": Notes(starts, starts + 0.4, pitches, np.full(len(starts), 70)),
        "chords": Chords(seconds, seconds + 1, labels),
        "normalised_chords": Chords(seconds, seconds + 1, labels),
        "key": Key("C", "major", 0.9),
        "scenes": Scenes(shots, shots + 4.0, np.round(shots * 25)),
        "semantic": track("semantic", 1.0, 768, Clock.VIDEO, rng),
        "emotion": track("emotion", 1.0, 6, Clock.VIDEO, rng),
        "motion": track("motion", 1.0, 1, Clock.VIDEO, rng),
        "scene_offset": track("scene_offset", 1.0, 1, Clock.VIDEO, rng),
        "loudness": track("loudness", 1.0, 1, Clock.MUSIC, rng),
        "density": track("density", 1.0, 1, Clock.MUSIC, rng),
    }
    return {
        use.makes: records.get(use.makes, Screened("a measure", 1.0, 0.0)) for use in recipe().uses
    }


def fake(folder: Path, clips: int) -> None:
    """A root whose entries are all made, without shards."""
    store = open_store(folder)
    films = max(1, round(clips * LENGTH_S / SECONDS))
    plan = plan_of(recipe())
    entries, assets = [], {}
    for number in range(films):
        name = f"film-{number:05d}"
        data = name.encode()
        source = Source("file", name)
        assets["file", name] = sha256(data).hexdigest()
        add_asset_bytes(store.root, data)
        entries.append(Entry(name, DATASET, name, source, source))
    with changes.writing(store, DATASET):
        changes.take_in(store, DATASET, entries, assets)
        sidecars = Sidecars(store.root, DATASET)
        for number, entry in enumerate(entries):
            content = assets["file", entry.entry_id]
            work = Work(entry.entry_id, content, content)
            keys = plan.keys(work)
            records = records_of(content, np.random.default_rng(number))
            results = []
            for use in plan.uses:
                key = keys[use.makes]
                by = plan.provenance(use, keys, work)
                sidecars.save(entry.entry_id, use.makes, key, records[use.makes], by)
                results.append(Result(entry.entry_id, use.makes, use.step.name, key, "", 1.0))
            store.ledger.record_results(DATASET, results)


def open_store(folder: Path) -> Store:
    root = Root(str(folder))
    return Store(root, root, Ledger(f"sqlite:///{folder}/ledger.sqlite"))


def measure(folder: Path, way: str) -> None:
    """Build in this process and print what it took."""
    made_by = recipe(LENGTH_S / 2 if way == "recut" else LENGTH_S)
    started, worked = time.perf_counter(), time.process_time()
    summary = build(made_by, plan_of(made_by), open_store(folder), lambda works: iter(()))
    took = {
        "clips": summary.clips.rows if summary.clips else 0,
        "wall_s": round(time.perf_counter() - started, 2),
        "cpu_s": round(time.process_time() - worked, 2),
        "memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "shards_mb": round(sum(shard.size_bytes for shard in summary.shards) / 1e6),
    }
    print(json.dumps(took))


def main(sizes: list[int]) -> None:
    for clips in sizes:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            fake(folder, clips)
            times = {}
            for way in WAYS:
                command = [sys.executable, __file__, way, place]
                process = subprocess.run(command, check=True, capture_output=True, text=True)
                times[way] = json.loads(process.stdout)
            print(json.dumps(times))


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in WAYS:
        measure(Path(sys.argv[2]), sys.argv[1])
    else:
        main([int(size) for size in sys.argv[1:]] or [10_000])
