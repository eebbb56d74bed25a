"""A whole build of many small entries with quick stages: `python toy_build.py ROOT FOLDER`.

Run as a program so that a test can kill it at any moment.
"""

import sys
import time
from pathlib import Path

import numpy as np

from symmv_builder.crawl.folder import find_entries
from symmv_builder.datasets.build import Summary, Tell, build, in_processes, take_in
from symmv_builder.datasets.recipe import Recipe
from symmv_builder.datasets.step_table import STEPS
from symmv_builder.errors import Reason, RejectEntry
from symmv_builder.pipeline.keys import Plan
from symmv_builder.pipeline.pool import Effort
from symmv_builder.pipeline.step import Step, use
from symmv_builder.records import Asset, FeatureTrack, MediaKind
from symmv_builder.schema import ENTRY, Column
from symmv_builder.storage.assets import hash_file
from symmv_builder.storage.ledger import Ledger
from symmv_builder.storage.root import Root
from symmv_builder.storage.store import Store
from symmv_builder.timeline import Clock

FEATURE = (Column("{}", "list<float16[4]>", "", "a feature", "values"),)
# What a toy's row says of its entry.
KEPT = ("entry_id", "split", "music_sha256")
ABSENT = frozenset(column.name for column in ENTRY if column.name not in KEPT)


def read_facts(music: Path) -> Asset:
    if b"reject" in music.read_bytes():
        raise RejectEntry(Reason.SILENT, "it says so")
    if b"bug" in music.read_bytes():
        raise KeyError(music.read_text())
    return Asset(hash_file(music), MediaKind.VIDEO, music.stat().st_size, "toy", 1.0)


def make_wave(music_asset: Asset, *, rows: int = 50, pause_s: float = 0.02) -> FeatureTrack:
    time.sleep(pause_s)
    seed = int(music_asset.sha256[:8], 16)
    values = np.random.default_rng(seed).normal(size=(rows, 4))
    return FeatureTrack("wave", 1.0, values.astype(np.float32), Clock.VIDEO)


FACTS = Step("read_facts", 1, ("music",), read_facts)
WAVE = Step("make_wave", 1, ("music_asset",), make_wave, columns=FEATURE)
STEPS["read_facts"], STEPS["make_wave"] = "toy_build:FACTS", "toy_build:WAVE"

RECIPE = Recipe(
    name="toy",
    uses=(use(FACTS, makes="music_asset"), use(WAVE, makes="wave")),
    shares={"train": 8, "validation": 1, "test": 1},
    pairs=False,
    results=("wave",),
    absent=ABSENT,
)


def no_model(slot: str, name: str) -> object:
    raise KeyError((slot, name))


def run(
    root_url: str,
    folder: Path | None,
    *,
    ledger_url: str,
    workers: int = 2,
    strict: bool = False,
    tell: Tell = lambda _: None,
    manifests_url: str = "",
) -> Summary:
    root = Root(root_url)
    store = Store(root, Root(manifests_url or root_url), Ledger(ledger_url))
    if folder:
        take_in(store, find_entries(folder, "toy", pairs=False), "toy", lambda _: None)
    plan = Plan("toy", RECIPE.uses)
    effort = Effort(workers)
    run = in_processes(plan, store, no_model, effort=effort, tell=tell)
    return build(RECIPE, plan, store, run, strict=strict)


if __name__ == "__main__":
    place, media = sys.argv[1:3]
    Path(place).mkdir(parents=True, exist_ok=True)
    print(run(place, Path(media), ledger_url=f"sqlite:///{place}/ledger.sqlite"))
