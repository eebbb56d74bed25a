"""How far a count has come: a moving line on a terminal, else a line now and then on stderr."""

import sys
import time
from collections.abc import Callable

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from symmv_builder.report import tables
from symmv_builder.text import harmless


class Counting:
    """Shows ``(done, of, what)``: ``with Counting() as counting: work(tell=counting.tell)``.

    With `percent` the count is shown as a share. What has no count (`of` is 0) is named alone.
    Nothing is said of work that ends within `every_s` seconds.
    """

    def __init__(
        self,
        *,
        percent: bool = False,
        console: Console | None = None,
        every_s: float = 2.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._percent = percent
        self._console = console or tables.console(stderr=True)
        self._every_s, self._now = every_s, now
        self._said = now()
        self._spinner = Spinner("dots")
        # What is printed meanwhile goes above the moving line only if both are on the terminal:
        # results that are piped must stay in the pipe.
        self._live = Live(
            self._spinner,
            console=self._console,
            transient=True,
            redirect_stdout=sys.stdout.isatty(),
        )

    def __enter__(self) -> "Counting":
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._live.stop()

    def tell(self, done: int, of: int, what: str) -> None:
        """Take one count; cheap enough to be called for every file."""
        share = f"{100 * done // of} %" if of and self._percent else f"{done} of {of}"
        line = Text(f"{share}: {harmless(what, 90)}" if of else harmless(what, 90))
        if self._console.is_terminal:
            self._spinner.update(text=line)
        elif self._now() - self._said >= self._every_s:
            self._said = self._now()
            self._console.print(line, soft_wrap=True)
