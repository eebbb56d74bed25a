"""How a training goes, on standard error: a moving line on a terminal, else one now and then."""

import sys
import time
from collections.abc import Callable, Mapping

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.text import Text

from symmv_builder.pipeline.events import Tick
from symmv_builder.report import tables
from symmv_builder.text import harmless


class Learning:
    """Shows the ticks of a training: ``with Learning() as learning: train(tell=learning.on_tick)``.

    Validation is always said; steps are said every `every_s` seconds where there is no terminal.
    """

    def __init__(
        self,
        *,
        console: Console | None = None,
        every_s: float = 10.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console = console or tables.console(stderr=True)
        self._every_s, self._now = every_s, now
        self._said = now()
        self._bars = Bars(
            TextColumn("{task.fields[part]}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.completed:.0f}/{task.total:.0f}", markup=False),
            TextColumn("{task.fields[losses]}", style="cyan", markup=False),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
            redirect_stdout=sys.stdout.isatty(),
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> "Learning":
        self._bars.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bars.stop()

    def on_tick(self, tick: Tick) -> None:
        """Take one tick; cheap enough for every step."""
        if self._console.is_terminal and not tick.is_validation:
            part, losses = harmless(tick.part), losses_in_words(tick.losses)
            if part not in self._tasks:
                self._tasks[part] = self._bars.add_task("", part=part, losses="")
            self._bars.update(
                self._tasks[part], completed=tick.step, total=tick.steps, losses=losses
            )
        elif tick.is_validation or self._is_time():
            self._console.print(Text(line_of(tick)), soft_wrap=True)

    def _is_time(self) -> bool:
        if self._now() - self._said < self._every_s:
            return False
        self._said = self._now()
        return True


def line_of(tick: Tick) -> str:
    """A tick in one line; work before the first step has no losses and is counted alone."""
    if not tick.losses:
        return f"{harmless(tick.part)} {tick.step}/{tick.steps}"
    what = "validation" if tick.is_validation else "training"
    speed = f", {tick.examples_per_s:.1f} examples/s" if tick.examples_per_s else ""
    return (
        f"{harmless(tick.part)} step {tick.step}/{tick.steps}, epoch {tick.epoch}: "
        f"{what} {losses_in_words(tick.losses)}{speed}"
    )


def losses_in_words(losses: Mapping[str, float]) -> str:
    """``loss 1.234, hits1 0.51``."""
    return ", ".join(f"{name} {value:.4g}" for name, value in losses.items())
