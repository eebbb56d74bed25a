"""What was made, what was put aside and what it cost, as tables for 80 columns and more.

Rows are plain data; whatever comes from users' files goes through `harmless` and is put in
as text, never as rich's markup. On a terminal tables have colour; elsewhere `show` writes
plain characters. Every console is made here, and none reads markup or emoji codes.
"""

import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Literal, TextIO

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from symmv_builder.storage.urls import shown_text
from symmv_builder.text import harmless

# Disabled where a command is to be quiet.
LOG = logging.getLogger(__name__)
_NOTHING = "-"
_PLAIN_WIDTH = 120


@dataclass(frozen=True, slots=True)
class EntryRow:
    """One entry of a dataset; `None` where its recipe makes no such thing."""

    entry_id: str
    split: str
    minutes: float
    notes: int | None = None
    chords: int | None = None
    distinct_chords: int | None = None
    key: str | None = None
    tempo_bpm: float | None = None
    scenes: int | None = None


@dataclass(frozen=True, slots=True)
class RejectionRow:
    """One entry that was put aside."""

    entry_id: str
    step: str
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class StageRow:
    """One stage over all entries: work in seconds, and per second of media."""

    step: str
    backend: str
    entries: int
    seconds: float
    seconds_per_media_second: float
    rejected: int = 0


def shown(line: object) -> str:
    """A line as it may be printed: harmless on a terminal, without passwords in its urls."""
    return harmless(shown_text(str(line)))


def entries_table(rows: Sequence[EntryRow], *, title: str = "Entries") -> Table:
    """A line per entry, with sums below."""
    table = ruled_table(title, footer=True)
    notes = [row.notes for row in rows if row.notes is not None]
    table.add_column(
        "entry", Text(f"{len(rows)} in all"), overflow="ellipsis", ratio=1, min_width=12
    )
    table.add_column("split")
    minutes = sum(row.minutes for row in rows)
    _numbers(table, "min", f"{minutes:.1f}")
    _numbers(table, "notes", _count(sum(notes)) if notes else "")
    _numbers(table, "chords", "")
    _numbers(table, "kinds", "")
    table.add_column("key")
    _numbers(table, "bpm", "")
    _numbers(table, "scenes", "")
    for row in rows:
        table.add_row(
            _text(row.entry_id, "bold"),
            _text(row.split),
            f"{row.minutes:.2f}",
            _count(row.notes),
            _count(row.chords),
            _count(row.distinct_chords),
            _text(row.key or _NOTHING),
            _NOTHING if row.tempo_bpm is None else f"{row.tempo_bpm:.0f}",
            _count(row.scenes),
        )
    return table


def rejections_table(rows: Sequence[RejectionRow], *, title: str = "Put aside") -> Table:
    """A line per rejected entry; the detail is folded, never cut."""
    table = ruled_table(title)
    table.add_column("entry", overflow="fold", max_width=28)
    table.add_column("step", overflow="fold", max_width=16)
    table.add_column("reason", overflow="fold")
    table.add_column("detail", overflow="fold", ratio=1, min_width=20)
    for row in rows:
        table.add_row(
            _text(row.entry_id, "bold"),
            _text(row.step),
            _text(row.reason, "yellow"),
            _text(row.detail, longest=400),
        )
    return table


def stages_table(rows: Sequence[StageRow], *, title: str = "Stages") -> Table:
    """A line per stage: seconds of work, seconds per second of media, times real time."""
    table = ruled_table(title, footer=True)
    total = sum(row.seconds for row in rows)
    table.add_column("stage", Text("all"), overflow="fold", ratio=1, min_width=10)
    table.add_column("backend", overflow="ellipsis", max_width=20)
    _numbers(table, "entries", "")
    _numbers(table, "seconds", f"{total:.1f}")
    _numbers(table, "per media s", f"{sum(row.seconds_per_media_second for row in rows):.3f}")
    _numbers(table, "speed", "")
    _numbers(table, "put aside", str(sum(row.rejected for row in rows)))
    for row in rows:
        cost = row.seconds_per_media_second
        table.add_row(
            _text(row.step, "bold"),
            _text(row.backend or _NOTHING),
            _count(row.entries),
            f"{row.seconds:.1f}",
            f"{cost:.4f}" if cost > 0 else _NOTHING,
            _speed(cost),
            str(row.rejected) if row.rejected else _NOTHING,
        )
    return table


def be_quiet(quiet: bool) -> None:
    """Let consoles on standard error, which show how far something is, print nothing from now."""
    LOG.disabled = quiet


def is_quiet() -> bool:
    """Whether nobody wants to read how far something is."""
    return LOG.disabled


def console(
    stream: TextIO | None = None, *, stderr: bool = False, width: int | None = None
) -> Console:
    """A console that prints texts as they are: ``[red]`` and ``:watch:`` mean nothing to it.

    With a `width` it writes plain characters, whatever the stream is.
    """
    return Console(
        file=stream, stderr=stderr, width=width, color_system=None if width else "auto",
        quiet=stderr and is_quiet(), markup=False, highlight=False, emoji=False,
    )  # fmt: skip


def plain_table(*columns: str, numbers: Sequence[str] = (), title: str = "") -> Table:
    """An empty table without rules; columns of numbers stand to the right."""
    table = Table(
        title=cell(title) if title else None, title_justify="left", box=None, pad_edge=False,
        header_style="bold",
    )  # fmt: skip
    for column in columns:
        justify: Literal["left", "right"] = "right" if column in numbers else "left"
        table.add_column(column, justify=justify, overflow="fold")
    return table


def ruled_table(title: str, *, footer: bool = False) -> Table:
    """An empty table with a title and a rule below its head."""
    heading = cell(title, "bold")
    # The title of a narrow table is no narrower for it.
    heading.no_wrap, heading.overflow = True, "ignore"
    return Table(
        title=heading, title_justify="left", box=box.SIMPLE_HEAD, show_footer=footer,
        header_style="dim", footer_style="dim", padding=(0, 1, 0, 0), pad_edge=False, expand=False,
    )  # fmt: skip


def cell(value: object, style: str = "", *, most: int | None = None) -> Text:
    """Anything as a cell or a line: plain text, harmless, cut where it is too long."""
    return Text(harmless(value, most), style=style)


def span(low: float, high: float, form: str) -> str:
    """Show an interval, its ends as the format `form` says; a dash where it has none (``nan``)."""
    return f"{low:{form}} to {high:{form}}" if low == low and high == high else "-"


def add_row(table: Table, *cells: object) -> None:
    """Add a row of anything."""
    table.add_row(*(cell(value) for value in cells))


def show(table: Table, stream: TextIO | None = None) -> None:
    """Write a table: coloured and as wide as the terminal, or plain and up to 120 wide."""
    stream = sys.stdout if stream is None else stream
    terminal = console(stream)
    if terminal.is_terminal:
        terminal.print(table)
    else:
        stream.write(plain_text(table))


def plain_text(table: Table, *, width: int = _PLAIN_WIDTH) -> str:
    """A table as lines of plain characters without colour and trailing blanks."""
    buffer = StringIO()
    console(buffer, width=width).print(table)
    lines = buffer.getvalue().replace("\u2500", "-").splitlines()
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _numbers(table: Table, header: str, footer: str) -> None:
    table.add_column(header, Text(footer), justify="right", no_wrap=True)


def _text(value: str, style: str = "", *, longest: int = 120) -> Text:
    return cell(value, style, most=longest)


def _count(value: int | None) -> str:
    return _NOTHING if value is None else f"{value:,}"


def _speed(cost: float) -> str:
    if cost <= 0:
        return _NOTHING
    speed = 1 / cost
    return f"{speed:,.0f}x" if speed >= 10 else f"{speed:.2g}x"
