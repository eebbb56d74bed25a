"""What a long build shows while it runs.

On a terminal: one live table, stages by entries, with rate, time left and rejections by
reason. Elsewhere (a log, a pipe): plain lines, one for each rejected entry and each that took
a second or more, and at most one every few seconds for the whole: a log of thousands stays short.
"""

import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from symmv_builder.pipeline.events import Event
from symmv_builder.report import tables
from symmv_builder.text import harmless

_REFRESHES_A_SECOND = 4.0
# Entries that took less work than this are told of by the count alone.
_WORTH_A_LINE_S = 1.0
# Of the entries that are worked on, so many are named.
_NAMED = 4


@dataclass(slots=True)
class ProgressCounts:
    """Counts of what the events have told; nothing in here is drawn or timed.

    `open` holds the steps that each unfinished entry has behind it, `skipped` how many
    entries were put aside before a step.
    """

    steps: list[str]
    total: int = 0
    settled: int = 0
    done: Counter[str] = field(default_factory=Counter)
    reused: Counter[str] = field(default_factory=Counter)
    seconds: dict[str, float] = field(default_factory=dict)
    skipped: Counter[str] = field(default_factory=Counter)
    running: dict[str, str] = field(default_factory=dict)
    open: dict[str, set[str]] = field(default_factory=dict)
    spent: dict[str, float] = field(default_factory=dict)
    finished: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def rejected(self) -> int:
        return sum(self.reasons.values())

    @property
    def ended(self) -> int:
        """Entries that came to their end in this run."""
        return self.finished + self.rejected

    def take(self, event: Event) -> float:
        """Count an event; the seconds of work that its entry has cost, once that is known."""
        if event.kind == "begin":
            self.running[event.entry_id] = event.step
        elif event.kind == "load":
            self.running[event.entry_id] = f"loading {event.detail}"
        elif event.kind == "step":
            self._take_step(event)
        elif event.kind in ("entry", "rejected"):
            behind = self.open.pop(event.entry_id, set())
            self.running.pop(event.entry_id, None)
            if event.kind == "entry":
                self.finished += 1
            else:
                self.reasons[event.reason] += 1
                self.skipped.update(set(self.steps) - behind)
            return self.spent.pop(event.entry_id, 0.0)
        return 0.0

    def _take_step(self, event: Event) -> None:
        if event.step not in self.steps:
            self.steps.append(event.step)
        behind = self.open.setdefault(event.entry_id, set())
        if event.step in behind:
            return
        behind.add(event.step)
        self.done[event.step] += 1
        self.reused[event.step] += event.reused
        for sums, name in ((self.seconds, event.step), (self.spent, event.entry_id)):
            sums[name] = sums.get(name, 0.0) + event.seconds
        self.running.pop(event.entry_id, None)

    def of(self, step: str) -> int:
        """How many entries of this run a step will have seen in the end."""
        return max(self.done[step], self.total - self.settled - self.skipped[step])

    def left_s(self, elapsed_s: float) -> float | None:
        """Seconds until the end at the rate so far; `None` before the first entry's end."""
        if not self.ended or elapsed_s <= 0:
            return None
        return max(0, self.total - self.settled - self.ended) * elapsed_s / self.ended


class Progress:
    """Shows the events of a build: ``with Progress(steps) as progress: build(progress.on_event)``.

    Writes to standard error, so that results on standard output can be piped.
    """

    def __init__(
        self,
        steps: Sequence[str],
        *,
        console: Console | None = None,
        every_s: float = 5.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console = console or tables.console(stderr=True)
        self._tally = ProgressCounts(list(dict.fromkeys(steps)))
        self._every_s, self._now = every_s, now
        self._started = self._said = now()
        # The live table is drawn by a thread of rich's.
        self._lock = threading.Lock()
        self._live: Live | None = None

    def expect(self, total: int, *, settled: int = 0) -> None:
        """How many entries there are, and how many of them need nothing in this run."""
        with self._lock:
            self._tally.total, self._tally.settled = total, settled

    def __enter__(self) -> "Progress":
        self._started = self._said = self._now()
        if self._console.is_terminal:
            self._live = Live(
                console=self._console,
                get_renderable=self._draw,
                refresh_per_second=_REFRESHES_A_SECOND,
                vertical_overflow="crop",
                redirect_stdout=sys.stdout.isatty(),
            )
            self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def on_event(self, event: Event) -> None:
        """Take one event; cheap enough to be called thousands of times a second."""
        with self._lock:
            spent = self._tally.take(event)
            line = self._line(event, spent)
            summary = self._summary() if self._live is None and self._is_time() else None
        for text in (line, summary):
            if text is not None:
                self._say(text)

    def _say(self, line: str) -> None:
        self._console.print(Text(line), soft_wrap=True)

    def _is_time(self) -> bool:
        if self._now() - self._said < self._every_s:
            return False
        self._said = self._now()
        return True

    def _line(self, event: Event, spent_s: float) -> str | None:
        """What is said of an event at once; the live table shows the rest."""
        name, detail = harmless(event.entry_id, 80), harmless(event.detail, 300)
        if event.kind == "rejected":
            where = f"{harmless(event.reason)} at {harmless(event.step)}"
            return f"put aside  {name}: {where}: {detail}"
        if event.kind == "note":
            return f"{name}: {detail}" if name else detail
        if event.kind == "entry" and self._live is None and spent_s >= _WORTH_A_LINE_S:
            return f"done       {name} ({self._counted()}, {spent_s:.1f} s of work)"
        return None

    def _counted(self) -> str:
        ended = self._tally.settled + self._tally.ended
        return f"{ended} of {self._tally.total}" if self._tally.total else str(ended)

    def _summary(self) -> str:
        tally, elapsed_s = self._tally, self._now() - self._started
        parts = [f"{self._counted()} entries", f"{span(elapsed_s)} so far"]
        if tally.rejected:
            parts.append(f"{tally.rejected} put aside")
        left_s = tally.left_s(elapsed_s)
        if left_s is not None:
            parts.append(f"{60 * tally.ended / elapsed_s:.1f} entries a minute")
            parts.append(f"about {span(left_s)} left")
        if tally.running:
            parts.append("now " + self._at_work())
        return "; ".join(parts)

    def _at_work(self) -> str:
        """Which entries are worked on, each with its step; of many the first and how many more."""
        running = list(self._tally.running.items())
        named = [f"{harmless(entry, 40)}: {harmless(step)}" for entry, step in running[:_NAMED]]
        more = len(running) - len(named)
        return ", ".join([*named, *([f"{more} more"] if more else [])])

    def _draw(self) -> RenderableType:
        with self._lock:
            at_work = [Text(self._at_work(), style="dim")] if self._tally.running else []
            return Group(self._overall(), self._stages(), *at_work, *self._rejections())

    def _overall(self) -> RenderableType:
        tally, elapsed_s = self._tally, self._now() - self._started
        ended = tally.settled + tally.ended
        left_s = tally.left_s(elapsed_s)
        rate = f"{60 * tally.ended / elapsed_s:.1f} a minute" if left_s is not None else ""
        estimate = f"about {span(left_s)} left" if left_s is not None else "estimating"
        if tally.total and ended >= tally.total:
            estimate = "finished"
        row = Table.grid(padding=(0, 2))
        row.add_row(
            Text(f"{self._counted()} entries", style="bold"),
            ProgressBar(total=max(1, tally.total), completed=ended, width=24),
            Text(span(elapsed_s)),
            Text(rate),
            Text(estimate, style="cyan"),
        )
        return row

    def _stages(self) -> RenderableType:
        tally = self._tally
        busy = Counter(step for steps in tally.running.values() for step in steps.split("+"))
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
        table.add_column("step", no_wrap=True, max_width=22)
        table.add_column("", width=16)
        for name in ("done", "now", "reused", "s each"):
            table.add_column(name, justify="right", no_wrap=True)
        for step in tally.steps:
            done, of = tally.done[step], tally.of(step)
            new = done - tally.reused[step]
            table.add_row(
                Text(harmless(step), style="bold" if busy[step] else ""),
                ProgressBar(total=max(1, of), completed=done, width=16),
                f"{done}/{of}" if of else str(done),
                Text(str(busy[step]), style="green") if busy[step] else "",
                str(tally.reused[step]) if tally.reused[step] else "",
                f"{tally.seconds[step] / new:.2f}" if new else "",
            )
        return table

    def _rejections(self) -> list[RenderableType]:
        if not self._tally.reasons:
            return []
        counts = self._tally.reasons.most_common()
        named = ", ".join(f"{harmless(reason)} {count}" for reason, count in counts)
        return [Text(f"put aside: {named}", style="yellow")]


def span(seconds: float) -> str:
    """A length of time as people say it: ``42 s``, ``3 min 05 s``, ``2 h 10 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
