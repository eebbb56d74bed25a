"""Keep a dataset growing, night after night, with nobody watching.

First what could spoil everything (weights, the downloader's toolchain), then sources, then
what is due, a batch of items a task, then screening, then proposals. Whatever waits, waits in
the ledger and not in a worker: a site that refuses us ends the run well, and a later one goes
on. One task at a time speaks to sites; screening goes where builds go.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from symmv_builder.api import questions
from symmv_builder.api.crawl import CrawlRun, CrawlSource, open_crawl
from symmv_builder.api.dataset import Dataset, open_dataset
from symmv_builder.api.options import HELP, PATIENCE_S, checked, reasons_of
from symmv_builder.api.works import Plan, Run, Store

from . import artifacts
from .artifacts import Progress
from .build import (
    BATCH_SIZE,
    parser,
    read_options,
    runner_of,
)
from .edge import Place, tried_again, whole_run
from .leaving import accounted, run_program
from .limits import set_up_limits, slot, take_turn
from .notify import say_breaker_opened

ITEMS_A_TASK = 20
# About 300 videos an hour is what a site bears from a guest, and an item is a pair of them.
ITEMS_AN_HOUR = 150


@tried_again("list a source", "network")
def list_source(job: CrawlRun, source: CrawlSource, full: bool) -> int:
    """Add what a source has that is new; how many items that were."""
    with slot("network"):
        return job.discover(source, full=full)


@tried_again("fetch a batch", "network")
def fetch_batch(job: CrawlRun, most: int) -> int:
    """Bring up to so many due items as far as the network takes them; how many there were."""
    touched = 0
    with slot("network"):
        while touched < most and not job.rests_s:
            take_turn()
            if not job.work_off(1):
                break
            touched += 1
    return touched


@flow(name="crawl", persist_result=False)
@whole_run
def crawl(
    dataset: str,
    sources: str | None = None,
    full: bool = False,
    most: int | None = None,
    screen: bool = True,
    promote_above: float | None = None,
    retry: list[str] | None = None,
    root: str | None = None,
    runner: str = "threads",
    address: str | None = None,
    workers: int | None = None,
    batch_size: int = BATCH_SIZE,
    items_an_hour: int = ITEMS_AN_HOUR,
    models: dict[str, str] | None = None,
    wait: bool = False,
    way: str = "",
) -> State[dict[str, Any]]:
    """Find what is new, match, fetch, screen and propose it; promote from a score, if given.

    `most` bounds the items that are taken up; what was put aside for a reason in `retry` is
    tried again. Ends as `Resting` where a site refused us, and as `Unreachable`, which failed,
    where nothing answered.
    """
    reasons = reasons_of(retry)
    checked("most", most)
    checked("promote-above", promote_above)
    checked("items-an-hour", items_an_hour)
    opened = open_dataset(dataset, root, way=way, models=models)
    place = Place(runner, address, workers)
    logger = get_run_logger()
    tell = artifacts.log_events(logger)
    path = Path(sources) if sources else None
    job = open_crawl(opened.recipe, opened.settings, path, screen=screen, retry=reasons, tell=tell)
    set_up_limits(items_an_hour=items_an_hour)
    counts = {"new": _discover(job, full=full), "touched": _fetch(job, most), "proposed": 0}
    if screen:
        work = runner_of(opened.settings, place, batch_size=batch_size, patience_s=PATIENCE_S)
        about = f"recordings of {job.dataset} screened"
        with ExitStack() as stack:
            progress = stack.enter_context(Progress(f"screen-{job.dataset}", about, logger))

            def running(plan: Plan, store: Store) -> Run:
                run = work(plan, store)
                return stack.enter_context(accounted(run, plan, store, progress.count))

            counts["proposed"] = job.screen(running, expect=progress.expect)
    promoted = job.promote(promote_above, wait=wait, tell=logger.info)
    return _end(job, **counts, promoted=len(promoted))


def _discover(job: CrawlRun, *, full: bool) -> int:
    """Discover by one task a source; a breaker that opens leaves the rest for another run."""
    new = 0
    with Progress(f"discover-{job.dataset}", "sources listed", get_run_logger()) as progress:
        progress.expect(len(job.sources))
        for source in job.sources:
            if job.rests_s:
                break
            new += list_source(job, source, full)
            progress.advance()
    return new


def _fetch(job: CrawlRun, most: int | None) -> int:
    """Fetch by one task a batch of due items, until nothing is due or the breaker is open."""
    waiting = job.waiting
    touched = 0
    with Progress(f"fetch-{job.dataset}", "items taken up", get_run_logger()) as progress:
        progress.expect(waiting if most is None else min(most, waiting))
        while most is None or touched < most:
            batch = ITEMS_A_TASK if most is None else min(ITEMS_A_TASK, most - touched)
            done = fetch_batch(job, batch)
            touched += done
            progress.advance(done)
            if done < batch:
                break
    return touched


def _end(job: CrawlRun, **counts: int) -> State[dict[str, Any]]:
    """Show what was done, and say when the crawl will go on."""
    dataset, end = job.dataset, job.end(**counts)
    rests_s, due_s = end.rests_s, end.due_s
    facts: dict[str, Any] = {**counts}
    if due_s is not None:
        facts["next due"] = _clock(job.now_s() + due_s)
    _show(job, end.funnel, facts)
    line = f"{dataset}: " + ", ".join(f"{count} {name}" for name, count in counts.items())
    plain = {"dataset": dataset, **counts, "rests_s": rests_s, "due_s": due_s}
    if end.away:
        line = f"{line}; nothing could be reached, and no attempt was counted: {end.away}"
        return Failed(name="Unreachable", message=line)
    if rests_s:
        message = (
            f"{line}; a site refuses us: the crawl goes on after {_clock(job.now_s() + rests_s)}"
        )
        say_breaker_opened(dataset, message)
        return Completed(name="Resting", message=message, data=plain)
    later = f"; items wait, the next until {facts['next due']}" if due_s else ""
    return Completed(message=line + later, data=plain)


def _clock(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _show(job: CrawlRun, funnel: Sequence[Mapping[str, Any]], facts: dict[str, Any]) -> None:
    dataset = job.dataset
    artifacts.show_table(f"crawl-{dataset}-funnel", funnel, "items by how far they came, and why")
    parts = [artifacts.proposals(job.proposals()), artifacts.put_aside(job.put_aside())]
    markdown = artifacts.page(f"{dataset}: the crawl", facts, parts)
    artifacts.show_page(f"crawl-{dataset}", markdown, "what the crawl came to")
    rows = questions.throughput(job.results())
    artifacts.show_table(f"crawl-{dataset}-throughput", rows, "what each step cost")


def crawl_options() -> argparse.ArgumentParser:
    """Make the options that `python -m flows.crawl` takes."""
    options = parser(__name__, "Crawl for a dataset with Prefect.")
    options.add_argument("--sources", help=HELP["sources"])
    options.add_argument("--full", action="store_true", help=HELP["full"])
    options.add_argument("--most", type=int, help=HELP["most"])
    options.add_argument(
        "--screen", action=argparse.BooleanOptionalAction, default=True, help=HELP["screen"]
    )
    options.add_argument("--promote-above", type=float, help=HELP["promote-above"])
    options.add_argument("--retry", action="append", metavar="REASON", help=HELP["retry"])
    options.add_argument("--items-an-hour", type=int, default=ITEMS_AN_HOUR)
    return options


def _check(values: argparse.Namespace, _: Dataset) -> None:
    checked("most", values.most)
    checked("promote-above", values.promote_above)
    checked("items-an-hour", values.items_an_hour)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a crawl by the options of the command line; gives the exit code."""
    options = crawl_options()
    values, models = read_options(options, arguments, _check)
    return run_program(
        crawl,
        values.dataset,
        sources=values.sources,
        full=values.full,
        most=values.most,
        screen=values.screen,
        promote_above=values.promote_above,
        retry=values.retry,
        root=values.root,
        runner=values.runner,
        address=values.address,
        workers=values.workers,
        batch_size=values.batch_size,
        items_an_hour=values.items_an_hour,
        models=models,
        wait=values.wait,
        way=values.way,
    )


if __name__ == "__main__":
    # Workers must find the tasks under the module's own name, not under that of a program.
    from .crawl import main as run_main

    sys.exit(run_main())
