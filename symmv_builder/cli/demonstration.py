"""What `symmv demo` does: media made on the spot, both datasets, models, tables and pictures."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from symmv_builder.api.dataset import Dataset
from symmv_builder.api.demo import Demo, compare, prepare
from symmv_builder.api.entry import StoredEntry
from symmv_builder.api.questions import Status
from symmv_builder.cli.building import build_with_progress
from symmv_builder.cli.demonstration_crawl import crawl_demo
from symmv_builder.cli.demonstration_train import train_demo
from symmv_builder.cli.saying import note, say
from symmv_builder.report import tables


def demonstrate(out: Path, workers: int) -> None:
    """Make media, crawl a site of them, build both datasets into ``out/data``, train, show all."""
    started = time.monotonic()
    demo = prepare(out, _say)
    crawl_demo(demo.datasets["symmv"], demo.world, workers, _say)
    for name, dataset in demo.datasets.items():
        _say(f"building {name}")
        build_with_progress(dataset, demo.folder_of(name), workers=workers)
    for dataset in demo.datasets.values():
        _report(dataset, demo, out)
    train_demo(demo.settings, out, _say)
    for notice in demo.notices:
        say(notice)
    sys.stdout.write(
        f"shards: {out}/data/symmv/shards and {out}/data/muvisync/shards\n"
        f"pictures: {out}/pictures\n"
        f"models: {out}/runs; tensorboard --logdir {out}/runs draws their losses\n"
        f"videos with new music: {out}/music/vmusprod/*.mp4 and {out}/music/amt/*.mp4\n"
        f"the whole demo took {time.monotonic() - started:.0f} s\n"
        f"look further: symmv status --root {out}/data; symmv review symmv --root {out}/data\n"
    )


def _say(line: str) -> None:
    note(line)
    sys.stderr.flush()


def _report(dataset: Dataset, demo: Demo, out: Path) -> None:
    name, state = dataset.name, dataset.status()
    rejected = {result.entry_id for result in state.rejections}
    made = [entry for entry in dataset if entry.entry_id not in rejected]
    sys.stdout.write("\n")
    rows = [entry_row(entry) for entry in made]
    tables.show(tables.entries_table(rows, title=f"{name}: what was made"))
    _compare(made, demo)
    if state.rejections:
        tables.show(
            tables.rejections_table(
                [
                    tables.RejectionRow(r.entry_id, r.step, r.reason, r.detail)
                    for r in state.rejections
                ],
                title=f"{name}: what was put aside, and why",
            )
        )
    media_s = sum(row.minutes * 60 for row in rows)
    tables.show(tables.stages_table(stage_rows(state, media_s), title=f"{name}: work per stage"))
    for entry in made:
        _say(f"drawing {entry.entry_id}")
        entry.draw(out / "pictures" / name, overwrite=True)


def entry_row(entry: StoredEntry) -> tables.EntryRow:
    """An entry's line in the table of what was made."""
    known: dict[str, Any] = dict(entry.records)
    labels = known["chords"].labels
    return tables.EntryRow(
        entry_id=entry.entry_id,
        split=entry.split,
        minutes=known["music_asset"].duration_s / 60,
        notes=len(known["notes"].pitches),
        chords=len(labels),
        distinct_chords=len(set(labels)),
        key=str(known["key"]),
        tempo_bpm=known["beats"].tempo_bpm if "beats" in known else None,
        scenes=len(known["scenes"].starts_s),
    )


def stage_rows(state: Status, media_s: float) -> list[tables.StageRow]:
    """A dataset's stages with what they cost for each second of media."""
    return [
        tables.StageRow(
            step=cost.artifact,
            backend=cost.backend,
            entries=cost.made,
            seconds=cost.seconds,
            seconds_per_media_second=cost.seconds / media_s if media_s else 0.0,
            rejected=cost.rejected,
        )
        for cost in state.stages
    ]


def _compare(made: Sequence[StoredEntry], demo: Demo) -> None:
    """Say how near the stages came to what is true of the media that we made ourselves."""
    truths = demo.truths()
    for entry in made:
        parts = compare(entry, truths)
        if parts:
            say(f"  {entry.entry_id}: {'; '.join(parts)}")
    sys.stdout.write("\n")
