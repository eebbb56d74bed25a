"""`symmv crawl | review | promote | takedown | release`: a dataset that grows and can shrink."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from symmv_builder import datasets
from symmv_builder.api.dataset import open_dataset
from symmv_builder.backends import Loader
from symmv_builder.cli import options
from symmv_builder.cli.saying import complain, say
from symmv_builder.crawl.match import MEASURED
from symmv_builder.datasets.build import in_processes
from symmv_builder.datasets.recipe import make_screening_plan
from symmv_builder.errors import Reason, StopRun
from symmv_builder.pipeline.pool import Effort
from symmv_builder.report import tables
from symmv_builder.report.progress import Progress
from symmv_builder.storage import items as states
from symmv_builder.storage.items import Item, Items, entry_id_of


def register(app: typer.Typer) -> None:
    app.command()(crawl)
    app.command()(review)
    app.command()(promote)
    app.command()(takedown)
    app.command()(release)


def crawl(
    dataset: options.Dataset,
    sources: Annotated[
        Path | None,
        typer.Option(
            help="The sources.toml to crawl. Default: DATASET/sources.toml among the manifests, "
            "else manifests/DATASET/sources.toml.",
            show_default=False,
        ),
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="List every source to its end.")] = False,
    most: Annotated[int | None, typer.Option(help="Fetch no more items than this.")] = None,
    screen: Annotated[
        bool, typer.Option(help="Screen what was fetched; needs the recipe's models.")
    ] = True,
    above: Annotated[
        float | None,
        typer.Option("--promote-above", help="Promote proposals that score at least this."),
    ] = None,
    retry: Annotated[
        list[Reason] | None,
        typer.Option(help="Try again what was put aside for this reason. May be repeated."),
    ] = None,
    root: options.Root = None,
    clip: options.Clip = None,
    model: options.Models = None,
    workers: options.Workers = None,
) -> None:
    """Find new recordings, match, fetch and screen them, and propose them as entries.

    Only what is new since the last crawl is listed and fetched. Can be stopped at any
    moment and run again. Ends with exit code 1 where nothing could be reached.
    """
    from symmv_builder.datasets import crawl as crawling
    from symmv_builder.datasets import propose

    if datasets.is_imported(dataset):
        raise StopRun(f"{dataset} is imported: its songs are those of the release, not crawled")
    found = open_dataset(dataset, root, models=options.choices(model, clip))
    recipe, settings, dataset = found.recipe, found.settings, found.name
    effort = Effort(workers or options.default_workers())
    store = settings.open_store()
    # Read before the site is opened, which may wait for the network.
    listed = crawling.find_sources(store, dataset, sources)
    try:
        with Progress([use.makes for use in recipe.uses]) as progress:
            job = crawling.open_crawl(
                recipe,
                store,
                settings.open_site(),
                listed,
                tell=progress.on_event,
            )
            if retry:
                again = crawling.try_again(job.items, job.store, dataset, retry)
                sys.stderr.write(f"symmv: {again} items are tried again\n")
            new = crawling.discover_new(job, full=full)
            touched = crawling.work_off(job, most=most)
            if screen:
                plan = make_screening_plan(recipe, settings.home)
                loader = Loader(settings.home)
                run = in_processes(plan, job.store, loader, effort=effort, tell=job.tell)
                propose.screen_fetched(
                    job,
                    plan,
                    run,
                    loader,
                    expect=lambda total, settled: progress.expect(total, settled=settled),
                )
    except KeyboardInterrupt:
        sys.stderr.write("\nsymmv: interrupted; run the same command to go on\n")
        raise typer.Exit(130) from None
    if above is not None:
        propose.promote(job.items, job.store, dataset, [], above=above)
    say(f"{new} new, {touched} items worked on")
    tables.show(funnel(job.items, dataset))
    if recipe.pairs:
        say(str(MEASURED))
    waiting = (*crawling.NETWORK_STATES, states.FETCHED) if screen else crawling.NETWORK_STATES
    waits_s = crawling.due_in_s(job, waiting)
    if waits_s is not None:
        say(f"some items wait; the next is due in {waits_s:.0f} s")
    away = crawling.outage(job)
    if away:
        complain(f"nothing could be reached, and no attempt was counted: {away}")
        raise typer.Exit(1)


def funnel(items: Items, dataset: str) -> Table:
    """How many items are in each state, and for what reasons they were put aside."""
    table = tables.plain_table(
        "state", "step", "reason", "items", numbers=("items",), title=f"{dataset}: the crawl"
    )
    counts = items.counts(dataset)
    order = {state: number for number, state in enumerate(states.STATES)}
    for (state, step, reason), count in sorted(
        counts.items(), key=lambda item: (order[item[0][0]], item[0])
    ):
        tables.add_row(table, state, step, reason, count)
    return table


def review(
    dataset: options.Dataset,
    as_json: options.AsJson = False,
    root: options.Root = None,
) -> None:
    """List proposals, and matches between the two thresholds, with the evidence for each."""
    items = Items(options.settings(root).open_store(read_only=True).ledger)
    waiting = items.find(dataset, [states.PROPOSED, states.REVIEW])
    if as_json:
        for item in waiting:
            sys.stdout.write(json.dumps(_evidence(item)) + "\n")
        return
    table = tables.plain_table("entry", "state", "score", "cover", "official video", "channel")
    for item in waiting:
        official = item.official
        cells = (
            entry_id_of(item.source),
            item.state,
            f"{item.score:.2f}",
            item.listing.title,
            official.title if official else "",
            official.channel if official else "",
        )
        tables.add_row(table, *cells)
    tables.show(table)
    say(f"{len(waiting)} wait; symmv promote {dataset} ENTRY... | --above SCORE")


def _evidence(item: Item) -> dict[str, Any]:
    return {
        "entry_id": entry_id_of(item.source),
        "state": item.state,
        "score": item.score,
        "cover": {"url": item.source.url, "title": item.listing.title},
        "parsed": asdict(item.parsed) if item.parsed else None,
        "song": asdict(item.song),
        "candidates": json.loads(item.evidence),
    }


def promote(
    dataset: options.Dataset,
    entries: Annotated[
        list[str] | None, typer.Argument(metavar="[ENTRY]...", help="Ids as in `symmv review`.")
    ] = None,
    above: Annotated[
        float | None, typer.Option(help="Promote every proposal that scores at least this.")
    ] = None,
    root: options.Root = None,
    wait: options.Wait = False,
) -> None:
    """Turn proposals into entries of the manifest; matches under review are let through."""
    from symmv_builder.datasets import propose

    if not entries and above is None:
        raise StopRun("say which entries to promote, or --above SCORE")
    store = options.settings(root).open_store()
    done, through = propose.promote(
        Items(store.ledger), store, dataset, entries or [], above=above, wait=wait, tell=complain
    )
    say(f"{len(done)} promoted to entries; {len(through)} let through to be fetched")


def takedown(
    dataset: options.Dataset,
    name: Annotated[
        str, typer.Argument(metavar="ENTRY|SITE:ID", help="An entry, or a recording of a site.")
    ],
    reason: Annotated[str, typer.Option(help="Why; it is kept with the tombstone.")],
    whole: Annotated[
        bool, typer.Option("--whole", help="Bar the entry's video too, not its music alone.")
    ] = False,
    root: options.Root = None,
    wait: options.Wait = False,
) -> None:
    """Remove an entry from manifest, recordings, results, shards and releases, for good."""
    from symmv_builder.datasets.takedown import others_that_use, take_down

    store = options.settings(root).open_store()
    done = take_down(store, dataset, name, reason, whole=whole, wait=wait, tell=complain)
    say(f"removed: {', '.join(done.entries) or 'no entry'}")
    say(f"never taken again: {', '.join(done.sources)}")
    for other, entries in others_that_use(store, dataset, done.sources).items():
        say(
            f"{other} uses the same recording for {', '.join(entries)}; they go with "
            f"`symmv takedown {other} ENTRY`"
        )
    for path in done.shards:
        say(f"rewrote {path}")
    for version in done.withdrawn:
        say(f"withdrew release {version}")
    for version in done.released:
        say(f"released {version} without it")


def release(
    dataset: options.Dataset,
    version: Annotated[str, typer.Argument(help="Three numbers, as in 1.0.0.")],
    root: options.Root = None,
    wait: options.Wait = False,
) -> None:
    """Freeze the shards as a release: copies, checksums, card, and the receipt last."""
    from symmv_builder.datasets.release import release as freeze
    from symmv_builder.storage.releases import folder_of

    store = options.settings(root).open_store()
    receipt = freeze(store, dataset, version, wait=wait, tell=complain)
    where = f"{store.root.shown.rstrip('/')}/{folder_of(dataset, version)}"
    say(f"{dataset} {version}: {receipt['entries']} entries in {where}")
