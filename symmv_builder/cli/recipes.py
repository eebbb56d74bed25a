"""`symmv recipe`: a recipe as text to start from, and what a recipe would make."""

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from symmv_builder.cli import options
from symmv_builder.cli.advice import get_weights
from symmv_builder.cli.saying import say

if TYPE_CHECKING:
    from symmv_builder.api.recipes import ExplainedStep


def register(app: typer.Typer) -> None:
    app.command(name="recipe")(recipe_command)


def recipe_command(
    dataset: options.Dataset,
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Say what it would make, from what, with which models and licences."
        ),
    ] = False,
    root: options.Root = None,
    as_json: options.AsJson = False,
) -> None:
    """Print a recipe as TOML: a start for one of your own, `symmv recipe symmv > mine.toml`.

    Of a dataset that stands in the root, the recipe that it was made by. With --check the recipe
    is read and explained instead; exit code 2 with line and key where something is wrong in it.
    """
    from symmv_builder.api.recipes import explain, text_of

    if not check and not as_json:
        sys.stdout.write(text_of(dataset, root))
        return
    explanation = explain(dataset, root)
    if as_json:
        answer = asdict(explanation)
        for each, step in zip(answer["steps"], explanation.steps, strict=True):
            del each["can_be_fetched"]
            each["problem"] = problem_of(step)
        sys.stdout.write(json.dumps(answer) + "\n")
        return
    from symmv_builder.report import tables

    say(
        f"{explanation.name}: {explanation.inputs}; rows have {len(explanation.columns)} columns "
        f"of {explanation.schema}"
    )
    table = tables.plain_table("result", "step", "model", "here", "licence", "when", "settings")
    for step in explanation.steps:
        settings = ", ".join(f"{name}={value}" for name, value in step.settings.items())
        is_installed = {True: "yes", False: "no", None: ""}[step.is_here]
        cells = (step.makes, step.step, step.model, is_installed, step.licence, step.when, settings)
        tables.add_row(table, *cells)
    tables.show(table)
    table = tables.plain_table("column", "type", "unit", "meaning")
    for column in explanation.columns:
        tables.add_row(table, column.name, column.type, column.unit, column.meaning)
    tables.show(table)
    for number, line in enumerate(explanation.clips):
        say(f"clips turned away by {line}" if number else line)
    if explanation.columns_not_made:
        say(f"columns that are not made: {', '.join(explanation.columns_not_made)}")
    for step in explanation.steps:
        if step.problem:
            say(f"{step.makes}: {problem_of(step)}")


def problem_of(step: "ExplainedStep") -> str:
    """Say what a step lacks on this machine, with the command that gets it."""
    if not step.can_be_fetched:
        return step.problem
    return f"{step.problem}; {get_weights(step.model)}"
