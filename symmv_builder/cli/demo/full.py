"""What `symmv demo` does: media made on the spot, both datasets, models, tables and pictures."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from symmv_builder.api.command_line import command_line
from symmv_builder.api.composers import composers
from symmv_builder.api.dataset import Dataset
from symmv_builder.api.demo import Demo, compare, entry_row, prepare, stage_rows
from symmv_builder.api.entry import StoredEntry
from symmv_builder.cli.building import build_with_progress
from symmv_builder.cli.demo.crawl import crawl_demo
from symmv_builder.cli.demo.train import train_demo
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
        _show_dataset(dataset, demo, out)
    train_demo(demo.settings, out, _say)
    for notice in demo.notices:
        say(notice)
    root = f"{out}/data"
    looks = (command_line("status", root=root), command_line("review", "symmv", root=root))
    music = " and ".join(f"{out}/music/{name}/*.mp4" for name in composers())
    sys.stdout.write(
        f"shards: {out}/data/symmv/shards and {out}/data/muvisync/shards\n"
        f"pictures: {out}/pictures\n"
        f"models: {out}/runs; tensorboard --logdir {out}/runs draws their losses\n"
        f"videos with new music: {music}\n"
        f"the whole demo took {time.monotonic() - started:.0f} s\n"
        f"look further: {'; '.join(looks)}\n"
    )


def _say(line: str) -> None:
    note(line)
    sys.stderr.flush()


def _show_dataset(dataset: Dataset, demo: Demo, out: Path) -> None:
    """Show what was made and what was put aside, at which cost, and draw every entry."""
    name, state = dataset.name, dataset.status()
    rejected = {result.entry_id for result in state.rejections}
    entries = [entry for entry in dataset if entry.entry_id not in rejected]
    sys.stdout.write("\n")
    rows = [entry_row(entry) for entry in entries]
    tables.show(tables.entries_table(rows, title=f"{name}: what was made"))
    _compare(entries, demo)
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
    for entry in entries:
        _say(f"drawing {entry.entry_id}")
        entry.draw(out / "pictures" / name, overwrite=True)


def _compare(entries: Sequence[StoredEntry], demo: Demo) -> None:
    """Say how near the stages came to what is true of the media that we made ourselves."""
    truths = demo.truths()
    for entry in entries:
        parts = compare(entry, truths)
        if parts:
            say(f"  {entry.entry_id}: {'; '.join(parts)}")
    sys.stdout.write("\n")
