"""`symmv status | why | schema | models`: questions that change nothing."""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from symmv_builder import backends, datasets, schema
from symmv_builder.cli import options
from symmv_builder.datasets import questions
from symmv_builder.errors import StopRun
from symmv_builder.report import tables
from symmv_builder.storage.items import PROMOTED, Item, entry_id_of
from symmv_builder.storage.outputs import check_outputs


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
    """Say how far a dataset is: entries made, rejected and open, stages, shards."""
    store = options.settings(root).open_store()
    names = [dataset] if dataset else list(datasets.ALL)
    states = [questions.status(store, datasets.recipe(name).name) for name in names]
    if as_json:
        sys.stdout.write(json.dumps([asdict(state) for state in states]) + "\n")
        return
    shown = [state for state in states if state.entries or dataset]
    for state in shown:
        _print_status(Console(soft_wrap=True), state, store.root.url)
    if not shown:
        sys.stdout.write(f"nothing was built in {store.root.url}\n")


def _print_status(console: Console, state: questions.Status, root: str) -> None:
    console.print(
        f"{state.dataset} in {root}: {state.entries} entries, {state.made} made, "
        f"{len(state.rejections)} rejected, {len(state.unfinished)} unfinished",
        style="bold",
        markup=False,
    )
    if state.untrained:
        console.print(
            f"NOT TRAINED: {', '.join(state.untrained)} has random weights; its features have the "
            "right shapes and no meaning",
            style="bold red",
            markup=False,
        )
    if state.shards:
        size = sum(shard["size_bytes"] for shard in state.shards) / 1e6
        splits = ", ".join(f"{name} {count}" for name, count in state.splits.items())
        console.print(f"{len(state.shards)} shards, {size:.1f} MB: {splits}", markup=False)
    stages = _table("stage", "backend", "made", "rejected", "seconds")
    for cost in state.stages:
        _row(stages, cost.artifact, cost.backend, cost.made, cost.rejected, f"{cost.seconds:.1f}")
    if state.stages:
        tables.show(stages)
    rejections = _table("entry", "step", "reason", "detail")
    for result in state.rejections:
        _row(rejections, result.entry_id, result.step, result.reason, result.detail)
    if state.rejections:
        tables.show(rejections)


def why(
    entry_id: Annotated[str, typer.Argument(metavar="ENTRY", help="Identifier of the entry.")],
    dataset: options.InDataset = None,
    root: options.Root = None,
    as_json: options.AsJson = False,
) -> None:
    """Say what was done for an entry, by which model and parameters, and where it stopped."""
    store = options.settings(root).open_store()
    item = questions.find_item(store, entry_id, dataset)
    if item and item.state != PROMOTED:
        _why_not(item, as_json=as_json)
        return
    story = questions.why(store, questions.find_entry(store, entry_id, dataset))
    if as_json:
        sys.stdout.write(json.dumps([asdict(made) for made in story]) + "\n")
        return
    table = _table("artifact", "made by", "parameters", "seconds", "outcome")
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
        _row(table, made.result.artifact, by, parameters, f"{made.result.seconds:.2f}", outcome)
    tables.show(table)


def _why_not(item: Item, *, as_json: bool) -> None:
    """What a crawl knows of a recording that is no entry."""
    if as_json:
        sys.stdout.write(json.dumps({**asdict(item), "evidence": json.loads(item.evidence)}) + "\n")
        return
    console = Console(markup=False, highlight=False, soft_wrap=True)
    console.print(f"{entry_id_of(item.source)} is no entry: it is {item.state}")
    console.print(f"{item.source.url}: {item.listing.title}")
    if item.parsed:
        console.print(f"read as {item.parsed.artist or 'nobody'} - {item.parsed.title}")
    if item.reason or item.detail:
        console.print(f"{item.step}: {' '.join(f'{item.reason} {item.detail}'.split())}")
    table = _table("score", "verdict", "candidate", "channel", "address")
    for found in json.loads(item.evidence):
        cells = (f"{found['score']:.2f}", found["verdict"], found["title"], found["channel"])
        _row(table, *cells, found["url"])
    if table.row_count:
        tables.show(table)


def print_schema(
    name: Annotated[str | None, typer.Argument(help="Which dataset; all by default.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the files below this folder.")] = None,
    overwrite: options.Overwrite = False,
) -> None:
    """Print what a row holds: every column with its type, unit and meaning, as JSON."""
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
    table = _table("slot", "model", "here", "licence", "weights")
    for row in rows:
        answer = ("yes" if row["trained"] else "yes, untrained") if row["here"] else "no"
        weights = row["weights"] if row["here"] else row["problem"]
        _row(table, row["slot"], row["name"], answer, row["licence"], weights)
    tables.show(table)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        numeric = column in ("made", "rejected", "seconds")
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    return table


def _row(table: Table, *cells: object) -> None:
    """Cells as plain text: what a file was called is never markup."""
    table.add_row(*(Text(str(cell)) for cell in cells))
