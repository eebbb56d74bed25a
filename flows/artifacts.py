"""What a person sees of a run in Prefect: progress, tables, and a page with examples.

Titles and details come from strangers. Tables hold words of our own alone; whatever else is
shown goes through `inert` first. A server that does not take an artifact stops nobody.
"""

import logging
import re
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from contextvars import copy_context
from typing import Any
from uuid import UUID

import httpx
from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.exceptions import PrefectException

from symmv_builder.api.crawl import Recording
from symmv_builder.api.questions import Result
from symmv_builder.api.works import EntryOutcome, Event
from symmv_builder.text import harmless

_MOST_CHARACTERS = 120
_MOST_EXAMPLES = 50
_TOLD_EVERY_S = 5.0
SAID_EVERY_S = 30.0
_AWAY = (httpx.HTTPError, PrefectException)
# Whatever markup could begin or end with; as entities they are text in Markdown and in HTML.
_MARKUP = re.compile(r"[!-&*+./:-@\[-`{-~]")


def inert(text: str, most: int = _MOST_CHARACTERS) -> str:
    """Escape a stranger's text for Markdown: nothing in it is markup, a link or a cell's end."""
    return _MARKUP.sub(lambda match: f"&#{ord(match[0])};", harmless(text, most))


def log_events(logger: "logging.Logger | logging.LoggerAdapter[Any]") -> Any:
    """Make a teller of events that writes rejections and notes to a run's log."""

    def tell(event: Event) -> None:
        if event.kind == "rejected":
            name, detail = harmless(event.entry_id), harmless(event.detail, 500)
            logger.info("%s: %s by %s: %s", name, event.reason, event.step, detail)
        elif event.kind == "note":
            logger.info("%s", harmless(f"{event.entry_id} {event.detail}".strip(), 500))

    return tell


class Progress:
    """The progress of a run: a bar at the server, and a line in the log every half minute.

    `description` is a noun in the plural, as in "entries of symmv".
    """

    def __init__(
        self, key: str, description: str, logger: "logging.Logger | logging.LoggerAdapter[Any]"
    ) -> None:
        self._key = key
        self._description = description
        self._logger = logger
        self._total = 0
        self._done = 0
        self._put_aside = 0
        self._told_at_s = 0.0
        self._artifact: UUID | None = None
        self._ended = threading.Event()

    def __enter__(self) -> "Progress":
        threading.Thread(target=copy_context().run, args=(self._say_often,), daemon=True).start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._ended.set()
        if self._total:
            self._say()
        if kind is None:
            self._tell()

    def expect(self, total: int, done: int = 0) -> None:
        self._total, self._done = total, done
        self._say()
        with suppress(*_AWAY):
            artifact = create_progress_artifact(
                self._percent, key=self._key, description=self._description
            )
            self._artifact = artifact if isinstance(artifact, UUID) else None

    def advance(self, count: int = 1) -> None:
        self._done += count
        if time.monotonic() - self._told_at_s > _TOLD_EVERY_S:
            self._tell()

    def count(self, outcome: EntryOutcome) -> None:
        """Count one entry more; those that have to wait for another run are not done."""
        self._put_aside += outcome.rejection is not None
        self.advance(not outcome.retry)

    def _say_often(self) -> None:
        while not self._ended.wait(SAID_EVERY_S):
            self._say()

    def _say(self) -> None:
        aside = f", {self._put_aside} of them just put aside" if self._put_aside else ""
        self._logger.info("%s: %d of %d%s", self._description, self._done, self._total, aside)

    def _tell(self) -> None:
        self._told_at_s = time.monotonic()
        if self._artifact:
            with suppress(*_AWAY):
                update_progress_artifact(self._artifact, self._percent)

    @property
    def _percent(self) -> float:
        return 100.0 if self._done >= self._total else 100.0 * self._done / self._total


def show_table(key: str, rows: Sequence[Mapping[str, Any]], description: str) -> None:
    """Show a table; its rows hold words of our own and numbers."""
    with suppress(*_AWAY):
        create_table_artifact([dict(row) for row in rows], key=key, description=description)


def show_page(key: str, markdown: str, description: str) -> None:
    """Show a page of Markdown at the run; a server that is away shows none."""
    with suppress(*_AWAY):
        create_markdown_artifact(markdown, key=key, description=description)


def page(title: str, facts: Mapping[str, Any], parts: Iterable[str]) -> str:
    """Make a page in Markdown: facts, then parts that are Markdown already."""
    lines = [f"# {inert(title)}", ""]
    lines += [f"- {inert(name)}: {inert(str(value))}" for name, value in facts.items()]
    return "\n".join([*lines, "", *parts]) + "\n"


def rejected_examples(results: Iterable[Result]) -> str:
    """Make a Markdown table of entries that were turned away, with what was measured."""
    examples = [result for result in results if result.reason][:_MOST_EXAMPLES]
    rows = [(r.entry_id, r.step, str(r.reason), r.detail) for r in examples]
    return _table("Turned away", ("entry", "step", "reason", "detail"), rows)


def proposals(waiting: Sequence[Recording]) -> str:
    """Make a Markdown table of what waits for a person: proposals, and matches to be reviewed."""
    rows = [
        (
            each.entry_id,
            each.state,
            f"{each.score:.2f}",
            each.title,
            each.official_title,
            each.official_channel,
        )
        for each in waiting[:_MOST_EXAMPLES]
    ]
    columns = ("entry", "state", "score", "cover", "official video", "channel")
    return _table(f"Waiting for a person: {len(waiting)}", columns, rows)


def put_aside(rejected: Sequence[Recording]) -> str:
    """Make a Markdown table of what a crawl put aside, with the reasons."""
    rows = [
        (each.entry_id, each.step, each.reason, each.title, each.detail)
        for each in rejected[:_MOST_EXAMPLES]
    ]
    columns = ("entry", "step", "reason", "title", "detail")
    return _table(f"Put aside: {len(rejected)}", columns, rows)


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return f"## {title}\n\nNothing.\n"
    lines = [f"## {title}", "", "| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    lines += ["| " + " | ".join(inert(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"
