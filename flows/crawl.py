"""Keep a dataset growing, night after night, with nobody watching.

First what could spoil everything (weights, the downloader's toolchain), then sources, then
what is due, a batch of items a task, then screening, then proposals. Whatever waits, waits in
the ledger and not in a worker: a site that refuses us ends the run well, and a later one goes
on. One task at a time speaks to sites; screening goes where builds go.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from flows import artifacts
from flows.artifacts import Progress
from flows.build import (
    BATCH_SIZE,
    PATIENCE_S,
    chosen_models,
    parser,
    reasons_of,
    runner_of,
)
from flows.edge import Place, tried_again, whole_run
from flows.leaving import accounted, finish, obey_signals
from flows.limits import set_up_limits, slot, take_turn
from symmv_builder.api.dataset import open_dataset
from symmv_builder.backends import Loader
from symmv_builder.crawl.sources import CrawlSource
from symmv_builder.datasets import crawl as crawling
from symmv_builder.datasets import propose
from symmv_builder.datasets.crawl import Crawl
from symmv_builder.datasets.recipe import make_screening_plan
from symmv_builder.errors import Reason
from symmv_builder.storage import items as states

ITEMS_A_TASK = 20
# About 300 videos an hour is what a site bears from a guest, and an item is a pair of them.
ITEMS_AN_HOUR = 150


@tried_again("list a source", "network")
def list_source(job: Crawl, source: CrawlSource, full: bool) -> int:
    """Add what a source has that is new; how many items that were."""
    with slot("network"):
        return crawling.discover_new(replace(job, sources=(source,)), full=full)


@tried_again("fetch a batch", "network")
def fetch_batch(job: Crawl, most: int) -> int:
    """Bring up to so many due items as far as the network takes them; how many there were."""
    touched = 0
    with slot("network"):
        while touched < most and not crawling.network_opens_s(job):
            take_turn()
            if not crawling.work_off(job, most=1):
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
    reasons = reasons_of(retry or [])
    opened = open_dataset(dataset, root, way=way, models=models)
    settings, recipe = opened.settings, opened.recipe
    dataset = recipe.name
    place = Place(runner, address, workers)
    plan = make_screening_plan(recipe, settings.home) if screen else None
    store = settings.open_store()
    found = crawling.find_sources(store, dataset, Path(sources) if sources else None)
    tell = artifacts.log_events(get_run_logger())
    job = crawling.open_crawl(recipe, store, settings.open_site(), found, tell=tell)
    set_up_limits(items_an_hour=items_an_hour)
    crawling.try_again(job.items, store, dataset, reasons)
    new = _discover(job, full=full)
    touched = _fetch(job, most)
    proposed = 0
    if plan is not None:
        run = runner_of(
            plan, store, settings.home, place, batch_size=batch_size, patience_s=PATIENCE_S
        )
        about = f"recordings of {dataset} screened"
        with (
            Progress(f"screen-{dataset}", about, get_run_logger()) as progress,
            accounted(run, plan, store, progress.count) as accounted_run,
        ):
            loader = Loader(settings.home)
            proposed = propose.screen_fetched(
                job, plan, accounted_run, loader, expect=progress.expect
            )
    promoted: list[str] = []
    if promote_above is not None:
        logger = get_run_logger()
        promoted, _ = propose.promote(
            job.items, store, dataset, [], above=promote_above, wait=wait, tell=logger.info
        )
    return _end(job, new=new, touched=touched, proposed=proposed, promoted=len(promoted))


def _discover(job: Crawl, *, full: bool) -> int:
    """One task a source; a breaker that opens leaves the rest for another run."""
    new = 0
    with Progress(f"discover-{job.recipe.name}", "sources listed", get_run_logger()) as progress:
        progress.expect(len(job.sources))
        for source in job.sources:
            if crawling.network_opens_s(job):
                break
            new += list_source(job, source, full)
            progress.advance()
    return new


def _fetch(job: Crawl, most: int | None) -> int:
    """One task a batch of due items, until nothing is due or the breaker is open."""
    waiting = len(job.items.find(job.recipe.name, crawling.NETWORK_STATES))
    touched = 0
    with Progress(f"fetch-{job.recipe.name}", "items taken up", get_run_logger()) as progress:
        progress.expect(waiting if most is None else min(most, waiting))
        while most is None or touched < most:
            batch = ITEMS_A_TASK if most is None else min(ITEMS_A_TASK, most - touched)
            done = fetch_batch(job, batch)
            touched += done
            progress.advance(done)
            if done < batch:
                break
    return touched


def _end(job: Crawl, **counts: int) -> State[dict[str, Any]]:
    """Show what was done, and say when the crawl will go on."""
    dataset = job.recipe.name
    rests_s, due_s = crawling.network_opens_s(job), crawling.due_in_s(job)
    facts: dict[str, Any] = {**counts}
    if due_s is not None:
        facts["next due"] = _clock(job.now() + due_s)
    _show(job, facts)
    said = f"{dataset}: " + ", ".join(f"{count} {name}" for name, count in counts.items())
    plain = {"dataset": dataset, **counts, "rests_s": rests_s, "due_s": due_s}
    away = crawling.outage(job)
    if away:
        said = f"{said}; nothing could be reached, and no attempt was counted: {away}"
        return Failed(name="Unreachable", message=said)
    if rests_s:
        message = (
            f"{said}; a site refuses us: the crawl goes on after {_clock(job.now() + rests_s)}"
        )
        return Completed(name="Resting", message=message, data=plain)
    later = f"; items wait, the next until {facts['next due']}" if due_s else ""
    return Completed(message=said + later, data=plain)


def _clock(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _show(job: Crawl, facts: dict[str, Any]) -> None:
    dataset = job.recipe.name
    rows = artifacts.funnel(job.items, dataset)
    artifacts.show_table(f"crawl-{dataset}-funnel", rows, "items by how far they came, and why")
    waiting = job.items.find(dataset, [states.PROPOSED, states.REVIEW])
    aside = job.items.find(dataset, [states.REJECTED])
    parts = [artifacts.proposals(waiting), artifacts.put_aside(aside)]
    markdown = artifacts.page(f"{dataset}: the crawl", facts, parts)
    artifacts.show_page(f"crawl-{dataset}", markdown, "what the crawl came to")
    results = job.store.ledger.results(dataset)
    artifacts.show_table(
        f"crawl-{dataset}-throughput", artifacts.throughput(results), "what each step cost"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser("flows.crawl", "Crawl for a dataset with Prefect.")
    options.add_argument("--sources", help="the sources.toml to crawl")
    options.add_argument("--full", action="store_true", help="list every source to its end")
    options.add_argument("--most", type=int, help="take up no more items than this")
    options.add_argument("--screen", action=argparse.BooleanOptionalAction, default=True)
    options.add_argument("--promote-above", type=float, help="promote proposals from this score")
    options.add_argument(
        "--retry",
        action="append",
        choices=list(Reason),
        metavar="REASON",
        help="try again what was put aside for this reason; may be repeated",
    )
    options.add_argument("--items-an-hour", type=int, default=ITEMS_AN_HOUR)
    given = options.parse_args(arguments)
    obey_signals()
    state = crawl(
        given.dataset,
        sources=given.sources,
        full=given.full,
        most=given.most,
        screen=given.screen,
        promote_above=given.promote_above,
        retry=given.retry,
        root=given.root,
        runner=given.runner,
        address=given.address,
        workers=given.workers,
        batch_size=given.batch_size,
        items_an_hour=given.items_an_hour,
        models=chosen_models(given),
        wait=given.wait,
        way=given.way,
        return_state=True,
    )
    return finish(state)


if __name__ == "__main__":
    # Workers must find the tasks under the module's own name, not under that of a program.
    from flows.crawl import main as run_main

    sys.exit(run_main())
