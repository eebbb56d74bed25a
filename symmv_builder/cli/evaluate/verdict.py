"""How `symmv evaluate` answers: JSON without what is no number, plain lines, warnings."""

import json
import sys
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer

from symmv_builder.api.evaluation import plain
from symmv_builder.api.evaluation.music import Refused
from symmv_builder.api.texts import left_out
from symmv_builder.cli.saying import complain, say

Split = Annotated[
    str, typer.Option("--split", help="Which split of a dataset: train, validation, test or all.")
]


def print_json(answer: Mapping[str, Any]) -> None:
    """Print one object on one line; a value that is no number is null."""
    sys.stdout.write(json.dumps(plain(answer), allow_nan=False) + "\n")


def say_untrained(models: Iterable[str]) -> None:
    """Say where models with random weights stand behind what was measured."""
    names = ", ".join(models)
    if names:
        say(f"NOT TRAINED: {names} has random weights; what it made for this has no meaning")


def say_left_out(dataset: str, reasons: Mapping[str, str]) -> None:
    """Say which rows could not be used, and why."""
    line = left_out(dataset, reasons)
    if line:
        say(line)


def complain_of(*refused: Iterable[Refused]) -> None:
    """Print a line on standard error for each file that was left out, and then exit with code 1."""
    # One that stands on both sides is told once.
    files = list(dict.fromkeys(one for some in refused for one in some))
    for one in files:
        complain(f"{one.file} is left out: {one.reason}")
    if files:
        raise typer.Exit(1)
