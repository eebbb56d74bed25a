"""What it costs to plan a dataset of many entries of which little or nothing is to be done.

    python benchmarks/planning.py [ENTRIES...]

For each number of entries a SymMV dataset is faked through the package's own functions:
entries, recordings and results in the ledger, shards with small rows, a receipt, and the
sidecars of the entries around the one that will be new. Then a build that finds nothing to do
(`noop`), `status`, and a build in which one entry is new (`one_new`) are measured, each in a
process of its own: seconds of CPU after the imports, and the process's greatest memory. Prints
one JSON line a size.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from symmv_builder import datasets
from symmv_builder.assemble import assemble_row
from symmv_builder.datasets import changes
from symmv_builder.datasets.build import Summary, build
from symmv_builder.datasets.questions import status
from symmv_builder.datasets.rows import draft_dataset, write_dataset
from symmv_builder.datasets.schemas import published_schema
from symmv_builder.datasets.survey import survey
from symmv_builder.pipeline.keys import ModelIdentity, Plan, Work
from symmv_builder.pipeline.run import EntryOutcome
from symmv_builder.records import (
    Asset,
    Beats,
    Chords,
    Entry,
    FeatureTrack,
    Key,
    KeySpans,
    MediaKind,
    Notes,
    Parts,
    Record,
    Scenes,
    Screened,
    SongInfo,
    Source,
)
from symmv_builder.storage import manifests, shards
from symmv_builder.storage.assets import add_asset_bytes
from symmv_builder.storage.ledger import Ledger, Result
from symmv_builder.storage.root import Root
from symmv_builder.storage.sidecars import Sidecars
from symmv_builder.storage.store import Store
from symmv_builder.storage.tables import Row
from symmv_builder.timeline import Clock

DATASET = "symmv"
RECIPE = datasets.recipe(DATASET)
# About fifty of the faked rows.
SHARD_BYTES = 100_000
# How many entries on either side of the new one have sidecars: more than three shards hold.
AROUND = 160
BATCH = 2000


def make_plan() -> Plan:
    """The recipe's plan with identities of models that need not be there."""
    names = {(use.step.slot, use.model) for use in RECIPE.uses if use.step.slot and use.model}
    models = {(slot, name): ModelIdentity(name, "1", "0" * 64) for slot, name in names}
    return Plan(DATASET, RECIPE.uses, models)


def make_entry(number: int) -> Entry:
    name = f"song-{number:07d}"
    song = SongInfo(title=f"Title {number}", artist="An Artist", genre="Pop")
    video, music = (Source("file", f"{name}.{kind}") for kind in ("video", "cover"))
    return Entry(name, DATASET, name, video, music, song)


def content_of(source: Source) -> str:
    return sha256(source.video_id.encode()).hexdigest()


def make_records(work: Work) -> dict[str, Record]:
    """A small record of every artifact, of the type that its columns take."""
    four = np.arange(4.0)
    ones, nothing = np.ones(4, np.int64), np.zeros(0, np.int64)
    records: dict[str, Record] = {
        "notes": Notes(four, four + 1, 60 * ones, 64 * ones),
        "beats": Beats(four, ones),
        "parts": Parts(four, four + 1, 60 * ones, 64 * ones, ones, ones, ones > 0),
        "chords": Chords(four, four + 1, ("N",) * 4),
        "key": Key("C", "major", 0.9),
        "key_spans": KeySpans(four[:1], four[1:2], ("C",), ("major",)),
        "semantic": FeatureTrack("semantic", 1.0, np.full((1, 512), 0.5, np.float32), Clock.VIDEO),
        "motion": FeatureTrack("motion", 1.0, np.ones((4, 1), np.float32), Clock.VIDEO),
        "colour": FeatureTrack("colour", 1.0, np.zeros((0, 12288), np.float32), Clock.VIDEO),
        "scenes": Scenes(four[:0], four[:0], nothing),
    }
    for name in ("music", "video"):
        records[f"{name}_asset"] = Asset(work.source(name), MediaKind.VIDEO, 1, "fake", 1.0)
    for use in RECIPE.uses:
        records.setdefault(use.makes, Screened("faked", 1.0, 0.0))
    return records


def results_of(plan: Plan, work: Work) -> list[Result]:
    return [
        Result(work.entry_id, use.makes, use.step.name, key, use.model or "", 0.5)
        for use, key in zip(plan.uses, plan.keys(work).values(), strict=True)
    ]


def save_sidecars(store: Store, plan: Plan, work: Work) -> None:
    keys, records = plan.keys(work), make_records(work)
    for use in plan.uses:
        by = plan.provenance(use, keys, work)
        Sidecars(store.root, DATASET).save(
            work.entry_id, use.makes, keys[use.makes], records[use.makes], by
        )


def open_store(folder: str) -> Store:
    root = Root(folder)
    return Store(root, root, Ledger(f"sqlite:///{folder}/ledger.sqlite"))


def fake(folder: str, count: int) -> None:
    """A finished dataset of `count` entries, with even numbers."""
    store, plan = open_store(folder), make_plan()
    entries = [make_entry(2 * number) for number in range(count)]
    manifests.write_entries(store.manifests, DATASET, entries)
    works: dict[str, Work] = {}
    for start in range(0, count, BATCH):
        some = entries[start : start + BATCH]
        recordings = [source for entry in some for source in (entry.music, entry.video)]
        store.ledger.record_assets({(s.site, s.video_id): content_of(s) for s in recordings})
        mine = [Work(e.entry_id, content_of(e.music), content_of(e.video)) for e in some]
        store.ledger.record_results(DATASET, [r for work in mine for r in results_of(plan, work)])
        works |= {work.entry_id: work for work in mine}
    for entry in entries[max(0, count // 2 - AROUND) : count // 2 + AROUND]:
        save_sidecars(store, plan, works[entry.entry_id])
    store.ledger.ask(DATASET, [use.makes for use in plan.uses])
    state = survey(plan, store, entries)
    draft = draft_dataset(RECIPE, store, state, SHARD_BYTES)
    by_id = {entry.entry_id: entry for entry in entries}
    records = make_records(works[entries[0].entry_id])

    def load(outline: shards.Outline) -> Row:
        entry, work = by_id[outline.entry_id], works[outline.entry_id]
        assets = {
            f"{name}_asset": Asset(work.source(name), MediaKind.VIDEO, 1, "fake", 1.0)
            for name in ("music", "video")
        }
        return assemble_row(draft.columns, entry, outline.split, {**records, **assets})

    schema = published_schema(DATASET, [column.name for column in draft.columns])
    writer = shards.ShardWriter(store.root, DATASET, schema, SHARD_BYTES)
    shard_files = shards.as_plain(writer.update(draft.outlines, load, []))
    shards.write_receipt(store.root, DATASET, {"shards": shard_files})
    # With all shards standing this writes the receipt alone.
    with changes.writing(store, DATASET):
        write_dataset(RECIPE, plan, store, state, draft)


def run_build(store: Store) -> Summary:
    plan = make_plan()

    def run(works: Sequence[Work]) -> Iterator[EntryOutcome]:
        for work in works:
            save_sidecars(store, plan, work)
            yield EntryOutcome(work.entry_id, tuple(results_of(plan, work)))

    return build(RECIPE, plan, store, run)


def add_one(store: Store) -> None:
    """An entry in the middle that was not there, with its recordings."""
    entries = manifests.read_entries(store.manifests, DATASET)
    new = make_entry(len(entries) // 2 * 2 + 1)
    manifests.write_entries(store.manifests, DATASET, [*entries, new])
    for source in (new.music, new.video):
        sha = add_asset_bytes(store.root, source.video_id.encode())
        store.ledger.record_assets({(source.site, source.video_id): sha})


def measure(kind: str, folder: str) -> dict[str, float]:
    """Do one of the three and say what it cost; an error where it came out wrong."""
    store = open_store(folder)
    started = time.process_time()
    if kind == "status":
        state = status(store, DATASET)
        is_right = state.made == state.entries
    else:
        summary = run_build(store)
        is_right = summary.up_to_date == (kind == "noop") and not summary.unfinished
    if not is_right:
        raise SystemExit(f"{kind} came out wrong")
    cpu_s = time.process_time() - started
    # Linux counts in kibibytes.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"cpu_s": round(cpu_s, 3), "rss_mb": round(peak, 1)}


def in_process(*arguments: str) -> str:
    """This program with some arguments, in a process of its own: its output."""
    command = [sys.executable, __file__, *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def measure_all(count: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="symmv-planning-") as folder:
        in_process("fake", folder, str(count))
        costs = {kind: json.loads(in_process(kind, folder)) for kind in ("noop", "status")}
        in_process("add", folder)
        costs["one_new"] = json.loads(in_process("one_new", folder))
        return {"entries": count, **costs}


def main(arguments: Sequence[str]) -> None:
    match arguments:
        case ["fake", folder, count]:
            Path(folder).mkdir(exist_ok=True)
            fake(folder, int(count))
        case ["add", folder]:
            add_one(open_store(folder))
        case ["noop" | "status" | "one_new" as kind, folder]:
            print(json.dumps(measure(kind, folder)))
        case _:
            for size in arguments or ("1000", "10000", "100000"):
                print(json.dumps(measure_all(int(size))), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
