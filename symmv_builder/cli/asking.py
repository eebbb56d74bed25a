"""`symmv status | why | schema`: questions that change nothing."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from symmv_builder.api import questions
from symmv_builder.api.texts import taken_down
from symmv_builder.cli import completing, options
from symmv_builder.cli.advice import advised
from symmv_builder.cli.hints import command
from symmv_builder.cli.saying import complain, say
from symmv_builder.garbage import uncollected_at_exit
from symmv_builder.report import tables
from symmv_builder.text import amount, harmless

_NUMBERS = ("made", "rejected", "seconds")


def register(app: typer.Typer) -> None:
    app.command()(status)
    app.command()(why)
    app.command(name="schema")(print_schema)


def status(
    dataset: Annotated[
        str | None,
        typer.Argument(
            help="Which dataset; all of them by default.", autocompletion=completing.datasets
        ),
    ] = None,
    root: options.Root = None,
    as_json: options.AsJson = False,
) -> None:
    """Say how far a dataset is: entries made, rejected and open, stages, shards.

    Exit code 1 where a dataset that is named has no entries, where of one nothing can be said, and
    where one has lost shards.
    """
    uncollected_at_exit()
    answer = questions.statuses(options.settings(root), dataset)
    for fault in answer.faults:
        complain(advised(fault))
    shown = [state for state in answer.datasets if state.entries]
    if as_json:
        sys.stdout.write(json.dumps([asdict(state) for state in answer.datasets]) + "\n")
    else:
        for state in shown:
            _print_status(state, answer.root)
        if not shown:
            what = f"of {dataset} " if dataset else ""
            say(f"nothing was built {what}in {answer.root}")
    for state in shown:
        if state.lost:
            complain(
                f"{state.dataset} lacks {amount(len(state.lost), 'shard')} that a repair put "
                f"aside; run {command('build', state.dataset)}"
            )
    if answer.faults or any(state.lost for state in shown) or (dataset and not shown):
        raise typer.Exit(1)


def _print_status(state: questions.Status, root: str) -> None:
    say(
        f"{state.dataset} in {root}: {amount(state.entries, 'entry')}, {state.made} made, "
        f"{len(state.rejections)} rejected, {len(state.unfinished)} unfinished",
        style="bold",
    )
    if state.untrained:
        say(
            f"NOT TRAINED: {', '.join(state.untrained)} has random weights; its features have the "
            "right shapes and no meaning",
            style="bold red",
        )
    if state.shards:
        size = sum(shard["size_bytes"] for shard in state.shards) / 1e6
        splits = ", ".join(f"{name} {count}" for name, count in state.splits.items())
        say(f"{amount(len(state.shards), 'shard')}, {size:.1f} MB: {splits}")
    if state.clips:
        say(state.clips.text)
    if state.taken_down:
        say(taken_down(state.taken_down))
    if state.corrections:
        by_state = ", ".join(f"{count} {name}" for name, count in state.corrections.items())
        say(f"corrections: {by_state}")
    _print_metadata(state)
    stages = tables.plain_table("stage", "backend", *_NUMBERS, numbers=_NUMBERS)
    for cost in state.stages:
        counts = (cost.made, cost.rejected, f"{cost.seconds:.1f}")
        tables.add_row(stages, cost.artifact, cost.backend, *counts)
    if state.stages:
        tables.show(stages)
    rejections = tables.plain_table("entry", "step", "reason", "detail")
    for result in state.rejections:
        tables.add_row(rejections, result.entry_id, result.step, result.reason, result.detail)
    if state.rejections:
        tables.show(rejections)
    _print_lost_corrections(state)


def _print_metadata(state: questions.Status) -> None:
    table = tables.plain_table("known of entries", "entries", "most frequent", numbers=("entries",))
    for each in state.metadata:
        tables.add_row(table, each.what, each.entries, each.text)
    if state.metadata:
        tables.show(table)
    if state.metadata_fault:
        say(f"what is known of its entries was not counted: {state.metadata_fault}")


def _print_lost_corrections(state: questions.Status) -> None:
    table = tables.plain_table("entry", "correction that is not applicable", "by", "reason")
    for each in state.not_applicable:
        line = each.correction
        tables.add_row(table, line.entry_id, str(line.edit), line.author, each.reason)
    if state.not_applicable:
        tables.show(table)


def why(
    entry_id: Annotated[str, typer.Argument(metavar="ENTRY", help=options.ENTRY_HELP)],
    dataset: options.InDataset = None,
    root: options.Root = None,
    as_json: options.AsJson = False,
) -> None:
    """Say what was done for an entry, by which model and parameters, and where it stopped."""
    story = questions.why(options.settings(root), entry_id, dataset)
    if isinstance(story, questions.NoEntry):
        _why_not(story, as_json=as_json)
        return
    if as_json:
        sys.stdout.write(json.dumps([asdict(step) for step in story]) + "\n")
        return
    table = tables.plain_table(
        "artifact", "made by", "parameters", "seconds", "outcome", numbers=_NUMBERS
    )
    for step in story:
        by, parameters, outcome = step.result.step, "", step.result.reason or "made"
        if step.provenance:
            parameters = ", ".join(
                f"{name}={value}" for name, value in json.loads(step.provenance.parameters).items()
            )
            if step.provenance.backend:
                by += f": {step.provenance.backend} {step.provenance.model_version}"
            if not step.provenance.trained:
                outcome += " (model not trained)"
        else:
            outcome += f": {step.result.detail or 'its sidecar is gone'}"
        seconds = f"{step.result.seconds:.2f}"
        tables.add_row(table, step.result.artifact, by, parameters, seconds, outcome)
    tables.show(table)
    for step in story:
        if step.traceback:
            sys.stdout.write("\nthe program is at fault, not the entry:\n")
            for line in step.traceback.splitlines():
                sys.stdout.write(f"{harmless(line, 1000)}\n")


def _why_not(absent: questions.NoEntry, *, as_json: bool) -> None:
    """Tell what a crawl knows of a recording that is no entry."""

    if as_json:
        sys.stdout.write(json.dumps(absent.as_json()) + "\n")
        return
    item = absent.item
    say(f"{absent.entry_id} is no entry: it is {item.state}")
    say(f"{item.source.url}: {item.listing.title}")
    if item.parsed:
        say(f"read as {item.parsed.artist or 'nobody'} - {item.parsed.title}")
    if item.reason or item.detail:
        say(f"{item.step}: {' '.join(f'{item.reason} {item.detail}'.split())}")
    table = tables.plain_table("score", "verdict", "candidate", "channel", "address")
    for each in absent.candidates:
        cells = (f"{each['score']:.2f}", each["verdict"], each["title"], each["channel"])
        tables.add_row(table, *cells, each["url"])
    if table.row_count:
        tables.show(table)


def print_schema(
    name: Annotated[
        str | None,
        typer.Argument(
            help="A dataset or a recipe file; both schemas by default.",
            autocompletion=completing.datasets,
        ),
    ] = None,
    root: options.Root = None,
    out: Annotated[Path | None, typer.Option(help="Write the files below this folder.")] = None,
    overwrite: options.Overwrite = False,
) -> None:
    """Print what a row holds: every column with its type, unit and meaning, as JSON."""
    from symmv_builder.api import catalogue, recipes

    schemas = recipes.schemas_of(name, root)
    if out:
        catalogue.write_schemas(out, overwrite=overwrite)
        return
    for each in schemas:
        sys.stdout.write(json.dumps(each, indent=2) + "\n")
