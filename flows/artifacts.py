"""What a person sees of a run in Prefect: progress, tables, and a page with examples.

Titles and details come from strangers. Tables hold words of our own alone; whatever else is
shown goes through `inert` first. A server that does not take an artifact stops nobody.
"""

import logging
import re
import threading
import time
from collections import Counter, defaultdict
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

from symmv_builder.pipeline.events import Event
from symmv_builder.pipeline.run import Outcome
from symmv_builder.storage import items as states
from symmv_builder.storage.items import Item, Items, entry_id_of
from symmv_builder.storage.ledger import Result
from symmv_builder.text import harmless

_MOST_CHARACTERS = 120
_MOST_EXAMPLES = 50
_TOLD_EVERY_S = 5.0
SAID_EVERY_S = 30.0
_AWAY = (httpx.HTTPError, PrefectException)
# Whatever markup could begin or end with; as entities they are text in Markdown and in HTML.
_MARKUP = re.compile(r"[!-&*+./:-@\[-`{-~]")


def inert(text: str, most: int = _MOST_CHARACTERS) -> str:
    """A stranger's text for Markdown, in which nothing is markup, a link or a cell's end."""
    return _MARKUP.sub(lambda found: f"&#{ord(found[0])};", harmless(text, most))


def log_events(logger: "logging.Logger | logging.LoggerAdapter[Any]") -> Any:
    """A teller of events that writes rejections and notes to a run's log."""

    def tell(event: Event) -> None:
        if event.kind == "rejected":
            name, detail = harmless(event.entry_id), harmless(event.detail, 500)
            logger.info("%s: %s by %s: %s", name, event.reason, event.step, detail)
        elif event.kind == "note":
            logger.info("%s", harmless(f"{event.entry_id} {event.detail}".strip(), 500))

    return tell


class Progress:
    """How far a run is: a progress bar at the server, and a line in the log every half minute.

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
        self._told = 0.0
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
            made = create_progress_artifact(
                self._percent, key=self._key, description=self._description
            )
            self._artifact = made if isinstance(made, UUID) else None

    def advance(self, count: int = 1) -> None:
        self._done += count
        if time.monotonic() - self._told > _TOLD_EVERY_S:
            self._tell()

    def count(self, outcome: Outcome) -> None:
        """One entry more; those that have to wait for another run are not done."""
        self._put_aside += outcome.rejection is not None
        self.advance(not outcome.retry)

    def _say_often(self) -> None:
        while not self._ended.wait(SAID_EVERY_S):
            self._say()

    def _say(self) -> None:
        aside = f", {self._put_aside} of them just put aside" if self._put_aside else ""
        self._logger.info("%s: %d of %d%s", self._description, self._done, self._total, aside)

    def _tell(self) -> None:
        self._told = time.monotonic()
        if self._artifact:
            with suppress(*_AWAY):
                update_progress_artifact(self._artifact, self._percent)

    @property
    def _percent(self) -> float:
        return 100.0 if self._done >= self._total else 100.0 * self._done / self._total


def show_table(key: str, rows: Sequence[Mapping[str, Any]], description: str) -> None:
    """A table; its rows hold words of our own and numbers."""
    with suppress(*_AWAY):
        create_table_artifact([dict(row) for row in rows], key=key, description=description)


def show_page(key: str, markdown: str, description: str) -> None:
    with suppress(*_AWAY):
        create_markdown_artifact(markdown, key=key, description=description)


def throughput(results: Iterable[Result]) -> list[dict[str, Any]]:
    """What each step cost, over the last results of all entries; the dearest first."""
    seconds: dict[str, list[float]] = defaultdict(list)
    for result in results:
        if result.seconds:
            seconds[result.step].append(result.seconds)
    rows = [
        {
            "step": step,
            "entries": len(each),
            "seconds": round(sum(each), 1),
            "entries an hour": round(3600 * len(each) / sum(each), 1),
        }
        for step, each in seconds.items()
    ]
    return sorted(rows, key=lambda row: -float(str(row["seconds"])))


def rejections(results: Iterable[Result]) -> list[dict[str, Any]]:
    """How many entries each step turned away, by reason."""
    counts = Counter((result.step, str(result.reason)) for result in results if result.reason)
    return [
        {"step": step, "reason": reason, "entries": count}
        for (step, reason), count in counts.most_common()
    ]


def funnel(items: Items, dataset: str) -> list[dict[str, Any]]:
    """How many items of a crawl are in each state, and for what reasons they were put aside."""
    order = {state: number for number, state in enumerate(states.STATES)}
    counts = sorted(items.counts(dataset).items(), key=lambda found: (order[found[0][0]], found[0]))
    return [
        {"state": state, "step": step, "reason": reason, "items": count}
        for (state, step, reason), count in counts
    ]


def page(title: str, facts: Mapping[str, Any], parts: Iterable[str]) -> str:
    """A page in Markdown: facts, then parts that are Markdown already."""
    lines = [f"# {inert(title)}", ""]
    lines += [f"- {inert(name)}: {inert(str(value))}" for name, value in facts.items()]
    return "\n".join([*lines, "", *parts]) + "\n"


def rejected_examples(results: Iterable[Result]) -> str:
    """A Markdown table of entries that were turned away, with what was measured."""
    found = [result for result in results if result.reason][:_MOST_EXAMPLES]
    rows = [(r.entry_id, r.step, str(r.reason), r.detail) for r in found]
    return _table("Turned away", ("entry", "step", "reason", "detail"), rows)


def proposals(items: Sequence[Item]) -> str:
    """A Markdown table of what waits for a person: proposals, and matches to be reviewed."""
    rows = [
        (
            entry_id_of(item.source),
            item.state,
            f"{item.score:.2f}",
            item.listing.title,
            item.official.title if item.official else "",
            item.official.channel if item.official else "",
        )
        for item in items[:_MOST_EXAMPLES]
    ]
    columns = ("entry", "state", "score", "cover", "official video", "channel")
    return _table(f"Waiting for a person: {len(items)}", columns, rows)


def put_aside(items: Sequence[Item]) -> str:
    """A Markdown table of what a crawl put aside, with the reasons."""
    rows = [
        (entry_id_of(item.source), item.step, str(item.reason), item.listing.title, item.detail)
        for item in items[:_MOST_EXAMPLES]
    ]
    columns = ("entry", "step", "reason", "title", "detail")
    return _table(f"Put aside: {len(items)}", columns, rows)


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return f"## {title}\n\nNothing.\n"
    lines = [f"## {title}", "", "| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    lines += ["| " + " | ".join(inert(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"
