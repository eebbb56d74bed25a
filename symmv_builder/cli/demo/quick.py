"""What `symmv demo --quick` does: two pairs, both builds, new music, and one page of it all."""

import os
import sys
import webbrowser
from pathlib import Path

from symmv_builder.api.demo import compare, entry_row, stage_rows
from symmv_builder.api.demo_page import write_tour_page
from symmv_builder.api.demo_quick import NOTICES, QuickDemo, prepare
from symmv_builder.cli.building import build_with_progress
from symmv_builder.cli.generating import line_of
from symmv_builder.cli.saying import note, say
from symmv_builder.report import tables
from symmv_builder.report.counting import Counting
from symmv_builder.text import amount


def tour(out: Path, workers: int, *, open_page: bool) -> None:
    """Make the recordings, build both datasets, write music for a video, and write the page."""
    demo = prepare(out, note)
    rows = {}
    for name, dataset in demo.datasets.items():
        note(f"building {name}")
        with demo.timed(f"building {name}"):
            build_with_progress(dataset, demo.folder_of(name), workers=workers)
        with demo.timed(f"reading {name} back"):
            rows[name] = demo.read_back(name)
    note("writing music for a video")
    with demo.timed("writing music"), Counting(percent=True) as counting:
        composition = demo.compose(counting.tell)
    with demo.timed("drawing pictures"):
        for name, dataset in demo.datasets.items():
            for entry in dataset:
                note(f"drawing {name} {entry.entry_id}")
                entry.draw(demo.pictures / name, overwrite=True)
    for name in demo.datasets:
        _report(demo, name, len(rows[name]))
    for notice in NOTICES:
        say(notice)
    say(line_of(composition))
    for what, seconds in demo.phases.items():
        say(f"{what}: {seconds:.1f} s")
    say(f"all of it: {sum(demo.phases.values()):.0f} s")
    page = write_tour_page(demo, composition, rows)
    say(f"everything on one page: {page}")
    if open_page and _on_a_desktop():
        webbrowser.open(page.resolve().as_uri())


def _report(demo: QuickDemo, name: str, rows: int) -> None:
    """Show the tables of a dataset: its entries, how near they are to the truth, its stages."""
    dataset, truths = demo.datasets[name], demo.truths()
    sys.stdout.write("\n")
    entries = list(dataset)
    lines = [entry_row(entry) for entry in entries]
    title = f"{name}: {amount(rows, 'row')}, written as Parquet and read back"
    tables.show(tables.entries_table(lines, title=title))
    for entry in entries:
        say(f"  {entry.entry_id}: {'; '.join(compare(entry, truths))}")
    sys.stdout.write("\n")
    media_s = sum(line.minutes * 60 for line in lines)
    costs = stage_rows(dataset.status(), media_s)
    tables.show(tables.stages_table(costs, title=f"{name}: work per stage"))


def _on_a_desktop() -> bool:
    """Check for a person before a screen.

    A browser that needs none would take the terminal.
    """
    has_screen = sys.platform == "darwin" or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )
    return has_screen and sys.stdout.isatty() and sys.stdin.isatty()
