"""A dataset that grows and can shrink: crawl, review, promote, reject, takedown, release."""

import getpass
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from symmv_builder.api.options import HELP, models_of, reasons_of
from symmv_builder.cli import options
from symmv_builder.cli.exporting import words_of
from symmv_builder.cli.hints import command
from symmv_builder.cli.saying import complain, remark, say
from symmv_builder.report import tables
from symmv_builder.report.progress import Progress
from symmv_builder.text import amount


def register(app: typer.Typer) -> None:
    app.command()(crawl)
    app.command()(review)
    app.command()(promote)
    app.command()(reject)
    app.command()(takedown)
    app.command()(release)


def crawl(
    dataset: options.Dataset,
    sources: options.Sources = None,
    full: Annotated[bool, typer.Option("--full", help=HELP["full"])] = False,
    most: Annotated[
        int | None, typer.Option(callback=options.checking("most"), help=HELP["most"])
    ] = None,
    screen: Annotated[bool, typer.Option(help=HELP["screen"])] = True,
    above: Annotated[
        float | None,
        typer.Option(
            "--promote-above",
            callback=options.checking("promote-above"),
            help=HELP["promote-above"],
        ),
    ] = None,
    retry: options.Retry = None,
    root: options.Root = None,
    clip: options.Clip = None,
    model: options.Models = None,
    workers: options.Workers = None,
    wait: options.Wait = False,
    way: options.Way = "",
) -> None:
    """Find new recordings, match, fetch and screen them, and propose them as entries.

    Only what is new since the last crawl is listed and fetched. Can be stopped at any
    moment and run again. Ends with exit code 1 where nothing could be reached.
    """
    from symmv_builder.api.dataset import open_dataset

    opened = open_dataset(dataset, root, way=way, models=models_of(model, clip))
    with Progress(opened.results_of()) as progress:
        end = opened.crawl(
            sources,
            full=full,
            most=most,
            screen=screen,
            promote_above=above,
            retry=reasons_of(retry),
            workers=workers or 0,
            wait=wait,
            tell=progress.on_event,
            expect=lambda total, settled: progress.expect(total, settled=settled),
        )
    say(f"{end.new} new, {amount(end.touched, 'item')} worked on")
    tables.show(funnel(end.funnel, opened.name))
    if end.measured:
        say(end.measured)
    if end.due_s is not None:
        say(f"some items wait; the next is due in {end.due_s:.0f} s")
    if end.away:
        complain(f"nothing could be reached, and no attempt was counted: {end.away}")
        raise typer.Exit(1)


def funnel(rows: Iterable[Mapping[str, Any]], dataset: str) -> Table:
    """Count how many items are in each state, and for what reasons they were put aside."""
    columns = ("state", "step", "reason", "items")
    table = tables.plain_table(*columns, numbers=("items",), title=f"{dataset}: the crawl")
    for row in rows:
        tables.add_row(table, *(row[name] for name in columns))
    return table


def review(
    dataset: options.Dataset,
    as_json: options.AsJson = False,
    root: options.Root = None,
) -> None:
    """List proposals, and matches between the two thresholds, with the evidence for each."""
    from symmv_builder.api.crawl import review as waiting_in
    from symmv_builder.api.reviewing import judged

    waiting = waiting_in(options.settings(root), dataset)
    totals = {
        each.recording.entry_id: each.verdict for each in judged(options.settings(root), dataset)
    }
    if as_json:
        for each in waiting:
            line = each.as_json() | {"reviewed": totals[each.entry_id].state}
            sys.stdout.write(json.dumps(line) + "\n")
        return
    table = tables.plain_table(
        "entry", "state", "score", "cover", "official video", "channel", "reviewers"
    )
    for each in waiting:
        cells = (each.entry_id, each.state, f"{each.score:.2f}", each.title)
        verdict = totals[each.entry_id]
        tables.add_row(table, *cells, each.official_title, each.official_channel, str(verdict))
    tables.show(table)
    promoted = command("promote", dataset)
    say(f"{len(waiting)} wait; {promoted} takes ENTRY... | --above SCORE | --reviewed")


def promote(
    dataset: options.Dataset,
    entries: Annotated[
        list[str] | None, typer.Argument(metavar="[ENTRY]...", help="Ids as in `symmv review`.")
    ] = None,
    above: Annotated[
        float | None,
        typer.Option(
            callback=options.checking("above"),
            help="Promote every proposal that scores at least this.",
        ),
    ] = None,
    reviewed: Annotated[
        bool, typer.Option("--reviewed", help="Promote whatever reviewers accepted.")
    ] = False,
    root: options.Root = None,
    wait: options.Wait = False,
) -> None:
    """Turn proposals into entries of the manifest; matches under review are let through."""
    from symmv_builder.api.crawl import promote as turn_into_entries

    done, through = turn_into_entries(
        options.settings(root),
        dataset,
        entries or [],
        above=above,
        reviewed=reviewed,
        wait=wait,
        tell=remark,
    )
    say(f"{len(done)} promoted to entries; {len(through)} let through to be fetched")


def reject(
    dataset: options.Dataset,
    entries: Annotated[
        list[str], typer.Argument(metavar="ENTRY...", help="Ids as in `symmv review`.")
    ],
    reason: Annotated[str, typer.Option(help="Why; it is kept with the decision.")] = "",
    by: Annotated[str, typer.Option(help="Who decides. Default: your name on this machine.")] = "",
    undo: Annotated[
        bool, typer.Option("--undo", help="Take your own decisions about these entries back.")
    ] = False,
    root: options.Root = None,
) -> None:
    """Turn proposals away: a line of decisions.jsonl each, which a further line can undo."""
    from symmv_builder.api import reviewing

    verdict = reviewing.UNDO if undo else reviewing.REJECT
    lines = reviewing.decide(
        options.settings(root), dataset, entries, verdict, by=by or getpass.getuser(), reason=reason
    )
    what = "taken back" if undo else "turned away"
    say(f"{what} by {lines[0].reviewer}: {', '.join(line.entry_id for line in lines)}")


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
    from symmv_builder.api.publishing import (
        exports_of,
        others_that_use,
        outdated_copies,
        take_down,
    )

    store = options.settings(root).open_standing()
    takedown = take_down(store, dataset, name, reason, whole=whole, wait=wait, tell=remark)
    if takedown.is_repeated:
        say(f"{name} was taken down already")
    else:
        say(f"removed: {', '.join(takedown.entries) or 'no entry'}")
    say(f"never taken again: {', '.join(takedown.sources)}")
    for other, entries in others_that_use(store, dataset, takedown).items():
        for entry in entries:
            its_takedown = command("takedown", other, entry, "--reason", reason)
            say(f"{other} uses the same recording for {entry}; it goes with {its_takedown}")
    for path in takedown.shards:
        say(f"rewrote {path}")
    for version in takedown.withdrawn:
        say(f"withdrew release {version}")
    for version in takedown.released:
        say(f"released {version} without it")
    for exported in exports_of(store, dataset):
        where = "" if exported.is_here else f" on {exported.machine}"
        say(
            f"{exported.folder}{where} was exported before; export to it again, or delete it: "
            f"{command('export', dataset, exported.folder, *words_of(exported))}"
        )
    for copy in outdated_copies(store, dataset):
        option = "--push" if copy.to.startswith("hf://") else "--to"
        remainder = f"{copy.to} still holds {', '.join(copy.versions)}"
        if copy.successor:
            say(
                f"{remainder}; replace it: "
                f"{command('release', dataset, copy.successor, option, copy.to)}"
            )
        else:
            say(f"{remainder}; delete it there: no release stands that could replace it")


def release(
    dataset: options.Dataset,
    version: Annotated[str, typer.Argument(help="Three numbers, as in 1.0.0.")],
    about: Annotated[Path | None, typer.Option(help=HELP["about"], show_default=False)] = None,
    commercial: Annotated[bool, typer.Option("--commercial", help=HELP["commercial"])] = False,
    push: Annotated[
        str, typer.Option(help=HELP["push"], metavar="hf://OWNER/NAME", show_default=False)
    ] = "",
    public: Annotated[bool, typer.Option("--public", help=HELP["public"])] = False,
    to: Annotated[
        list[str] | None, typer.Option(help=HELP["to"], metavar="URL", show_default=False)
    ] = None,
    root: options.Root = None,
    wait: options.Wait = False,
) -> None:
    """Freeze the shards as a release: copies, checksums, card, and the receipt last."""
    from symmv_builder.api.publishing import Terms
    from symmv_builder.api.publishing import release as freeze

    terms = Terms(about, commercial, push, public, tuple(to or ()))
    store = options.settings(root).open_standing()
    release = freeze(store, dataset, version, terms=terms, wait=wait, tell=remark)
    how = "" if release.is_new else "as it stands, "
    say(f"{dataset} {version}: {how}{amount(release.entries, 'entry')} in {release.where}")
