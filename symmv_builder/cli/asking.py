"""`symmv status | why | schema | models`: questions that change nothing."""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from symmv_builder import datasets
from symmv_builder.cli import options
from symmv_builder.cli.saying import complain, say
from symmv_builder.datasets import questions
from symmv_builder.datasets.remembered import names_in
from symmv_builder.errors import StopRun
from symmv_builder.report import tables
from symmv_builder.storage.outputs import check_outputs
from symmv_builder.text import harmless

if TYPE_CHECKING:
    from symmv_builder.storage.items import Item

_NUMBERS = ("made", "rejected", "seconds")


def register(app: typer.Typer) -> None:
    app.command()(status)
    app.command()(why)
    app.command(name="schema")(print_schema)
    app.command()(models)


def status(
    dataset: Annotated[
        str | None, typer.Argument(help="Which dataset; all of them by default.")
    ] = None,
    root: options.Root = None,
    as_json: options.AsJson = False,
) -> None:
    """Say how far a dataset is: entries made, rejected and open, stages, shards.

    Exit code 1 where a dataset that is named has no entries.
    """
    store = options.settings(root).open_store(read_only=True)
    names = [dataset] if dataset else names_in(store.manifests)
    states = []
    for name in names:
        try:
            states.append(questions.status(store, name))
        except StopRun as error:
            # One spoilt recipe does not hide the other datasets.
            if dataset:
                raise
            complain(error)
    shown = [state for state in states if state.entries]
    if as_json:
        sys.stdout.write(json.dumps([asdict(state) for state in states]) + "\n")
    else:
        for state in shown:
            _print_status(state, store.root.shown)
        if not shown:
            what = f"of {dataset} " if dataset else ""
            say(f"nothing was built {what}in {store.root.shown}")
    if dataset and not shown:
        raise typer.Exit(1)


def _print_status(state: questions.Status, root: str) -> None:
    say(
        f"{state.dataset} in {root}: {state.entries} entries, {state.made} made, "
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
        say(f"{len(state.shards)} shards, {size:.1f} MB: {splits}")
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


def why(
    entry_id: Annotated[str, typer.Argument(metavar="ENTRY", help="Identifier of the entry.")],
    dataset: options.InDataset = None,
    root: options.Root = None,
    as_json: options.AsJson = False,
) -> None:
    """Say what was done for an entry, by which model and parameters, and where it stopped."""
    from symmv_builder.storage.items import PROMOTED

    store = options.settings(root).open_store(read_only=True)
    item = questions.find_item(store, entry_id, dataset)
    if item and item.state != PROMOTED:
        _why_not(item, as_json=as_json)
        return
    story = questions.why(store, questions.find_entry(store, entry_id, dataset))
    if as_json:
        sys.stdout.write(json.dumps([asdict(made) for made in story]) + "\n")
        return
    table = tables.plain_table(
        "artifact", "made by", "parameters", "seconds", "outcome", numbers=_NUMBERS
    )
    for made in story:
        by, parameters, outcome = made.result.step, "", made.result.reason or "made"
        if made.provenance:
            parameters = ", ".join(
                f"{name}={value}" for name, value in json.loads(made.provenance.parameters).items()
            )
            if made.provenance.backend:
                by += f": {made.provenance.backend} {made.provenance.model_version}"
            if not made.provenance.trained:
                outcome += " (model not trained)"
        else:
            outcome += f": {made.result.detail or 'its sidecar is gone'}"
        seconds = f"{made.result.seconds:.2f}"
        tables.add_row(table, made.result.artifact, by, parameters, seconds, outcome)
    tables.show(table)
    for made in story:
        if made.traceback:
            sys.stdout.write("\nthe program is at fault, not the entry:\n")
            for line in made.traceback.splitlines():
                sys.stdout.write(f"{harmless(line, 1000)}\n")


def _why_not(item: "Item", *, as_json: bool) -> None:
    """What a crawl knows of a recording that is no entry."""
    from symmv_builder.storage.items import entry_id_of

    if as_json:
        sys.stdout.write(json.dumps({**asdict(item), "evidence": json.loads(item.evidence)}) + "\n")
        return
    say(f"{entry_id_of(item.source)} is no entry: it is {item.state}")
    say(f"{item.source.url}: {item.listing.title}")
    if item.parsed:
        say(f"read as {item.parsed.artist or 'nobody'} - {item.parsed.title}")
    if item.reason or item.detail:
        say(f"{item.step}: {' '.join(f'{item.reason} {item.detail}'.split())}")
    table = tables.plain_table("score", "verdict", "candidate", "channel", "address")
    for found in json.loads(item.evidence):
        cells = (f"{found['score']:.2f}", found["verdict"], found["title"], found["channel"])
        tables.add_row(table, *cells, found["url"])
    if table.row_count:
        tables.show(table)


def print_schema(
    name: Annotated[str | None, typer.Argument(help="Which dataset; all by default.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the files below this folder.")] = None,
    overwrite: options.Overwrite = False,
) -> None:
    """Print what a row holds: every column with its type, unit and meaning, as JSON."""
    from symmv_builder import schema

    names = [datasets.recipe(name).schema_name] if name else list(datasets.NAMES)
    if out:
        changed = [
            out / name
            for name, text in schema.render().items()
            if not (out / name).is_file() or (out / name).read_bytes() != text.encode()
        ]
        check_outputs(changed, overwrite=overwrite)
        schema.main([str(out)])
        return
    for each in names:
        sys.stdout.write(json.dumps(schema.describe(each), indent=2) + "\n")


def models(as_json: options.AsJson = False) -> None:
    """List every model: whether its weights are here, its licence, how to get it."""
    from symmv_builder import backends

    # A question downloads nothing: only what is on this machine counts.
    os.environ["HF_HUB_OFFLINE"] = "1"
    home = options.settings(None).home
    rows: list[dict[str, Any]] = []
    for slot, name in backends.TABLE:
        backend = backends.backend_class(slot, name)
        about = backend.about()
        try:
            identity = backend.identify(home)
            here, problem = True, ""
        except StopRun as error:
            identity, here, problem = None, False, str(error)
        rows.append(
            {
                "slot": slot,
                "name": name,
                "default": backends.names(slot)[0] == name,
                "tool": about.tool,
                "licence": about.licence,
                "weights": about.weights,
                "here": here,
                "version": identity.version if identity else "",
                "weights_sha256": identity.weights_sha256 if identity else "",
                "trained": identity.trained if identity else None,
                "problem": problem,
            }
        )
    if as_json:
        sys.stdout.write(json.dumps(rows) + "\n")
        return
    table = tables.plain_table("slot", "model", "here", "licence", "weights")
    for row in rows:
        answer = ("yes" if row["trained"] else "yes, untrained") if row["here"] else "no"
        weights = row["weights"] if row["here"] else row["problem"]
        tables.add_row(table, row["slot"], row["name"], answer, row["licence"], weights)
    tables.show(table)
