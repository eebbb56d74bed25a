"""A build whose entries have everything that a person corrects; as quick as `toy_clips`."""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import toy_clips as toy

from symmv_builder.datasets import questions
from symmv_builder.datasets.build import Summary
from symmv_builder.datasets.recipe import Recipe
from symmv_builder.datasets.step_table import STEPS
from symmv_builder.pipeline.events import Event
from symmv_builder.pipeline.step import Step, use
from symmv_builder.records import Beats, Chords, GridNotes, Key, KeySpans, Notes, Parts
from symmv_builder.schema import Column
from symmv_builder.settings import Settings, read_settings
from symmv_builder.storage.receipts import read_receipt
from symmv_builder.storage.shard_rows import ShardRows


def name_chords(beats: Beats, *, first: str = "CM") -> Chords:
    """A chord every four beats."""
    times = beats.times_s[::4]
    labels = [first, "Am", "FM", "GM"]
    names = tuple(labels[number % 4] for number in range(len(times)))
    return Chords(times, np.append(times[1:], beats.times_s[-1] + 0.5), names)


def mark_melody(grid: GridNotes) -> Parts:
    """Whatever is higher than 66."""
    notes = (grid.starts_s, grid.ends_s, grid.pitches, grid.velocities)
    return Parts(*notes, grid.onset_steps, grid.duration_steps, grid.pitches > 66)


def find_key(notes: Notes) -> Key:
    return Key("C", "major", 0.75)


def find_spans(notes: Notes) -> KeySpans:
    return KeySpans(np.array([0.0, 5.0]), np.array([5.0, 10.0]), ("C", "G"), ("major", "major"))


_LABELS = Column("{}_labels", "list<string>", "", "labels", "labels")
CHORDS = Step("toy_chords", 1, ("beats",), name_chords, columns=(_LABELS,))
PARTS = Step(
    *("toy_parts", 1, ("grid",), mark_melody),
    columns=(Column("is_melody", "list<bool>", "", "marks", "is_melody"),),
)
KEY = Step("toy_key", 1, ("notes",), find_key, columns=(Column("{}", "string", "", "", "tonic"),))
SPANS = Step(
    *("toy_spans", 1, ("notes",), find_spans),
    columns=(Column("key_tonics", "list<string>", "", "", "tonics"),),
)
for _name, _step in (("CHORDS", CHORDS), ("PARTS", PARTS), ("KEY", KEY), ("SPANS", SPANS)):
    STEPS[_step.name] = f"toy_corrections:{_name}"


def recipe(*, pairs: bool = False, first: str = "CM") -> Recipe:
    """Rows that are whole entries; `first` is a setting of the chords."""
    clips = toy.recipe(pairs=pairs)
    more = (
        use(CHORDS, makes="chords", first=first),
        use(PARTS, makes="parts"),
        use(KEY, makes="key"),
        use(SPANS, makes="key_spans"),
    )
    results = (*clips.results, *(each.makes for each in more))
    whole: Recipe = replace(clips, uses=(*clips.uses, *more), results=results, clips=None)
    return whole


def make_root(folder: Path, *, pairs: bool = False, **seconds: float) -> Path:
    """A root with an entry of each name and length in seconds, built."""
    media = toy.write_media(folder / "media", **(seconds or {"film": 10.0, "short": 8.0}))
    toy.run(folder / "root", recipe(pairs=pairs), media)
    return folder / "root"


def settings_of(root: Path) -> Settings:
    return read_settings({"HOME": str(root.parent)}, root=str(root))


def copy_of(built: Path, to: Path) -> Settings:
    """The settings of a copy of a root, which a test may change."""
    shutil.copytree(built, to)
    return settings_of(to)


def rebuild(settings: Settings, other: Recipe | None = None) -> tuple[Summary, list[str]]:
    """Build again; which artifacts were made, with their entries."""
    steps: list[str] = []

    def tell(event: Event) -> None:
        if event.kind == "step" and not event.reused:
            steps.append(f"{event.entry_id}.{event.step}")

    summary = toy.run(Path(settings.root), other or recipe(), tell=tell)
    return summary, sorted(steps)


def row(settings: Settings, entry_id: str) -> Mapping[str, Any]:
    root = settings.open_store(read_only=True).root
    receipt = read_receipt(root, "toy")
    assert receipt is not None
    for split in receipt["splits"]:
        rows = ShardRows(root, "toy", split, receipt["columns"])
        for number in range(len(rows)):
            if rows.row(number)["entry_id"] == entry_id:
                return rows.row(number)
    raise LookupError(entry_id)


def states(settings: Settings) -> dict[str, int]:
    return questions.status(settings.open_store(read_only=True), "toy").corrections
