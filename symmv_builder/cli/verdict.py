"""How `symmv evaluate` answers: JSON without what is no number, plain lines, warnings."""

import json
import math
import sys
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import numpy as np
import typer

from symmv_builder.cli.saying import complain, say
from symmv_builder.datasets.evaluate import Refused
from symmv_builder.training.usable import summary

Split = Annotated[
    str, typer.Option("--split", help="Which split of a dataset: train, validation, test or all.")
]


def print_json(answer: Mapping[str, Any]) -> None:
    """One object on one line; a value that is no number is null."""
    sys.stdout.write(json.dumps(_plain(answer), allow_nan=False) + "\n")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def say_untrained(models: Iterable[str]) -> None:
    """Say where models with random weights stand behind what was measured."""
    names = ", ".join(models)
    if names:
        say(f"NOT TRAINED: {names} has random weights; what it made for this has no meaning")


def say_left_out(dataset: str, reasons: Mapping[str, str]) -> None:
    """Say which rows could not be used, and why."""
    line = summary(dataset, reasons)
    if line:
        say(line)


def complain_of(*refused: Iterable[Refused]) -> None:
    """A line on standard error for each file that was left out, and then exit code 1."""
    files = [one for some in refused for one in some]
    for one in files:
        complain(f"{one.file} is left out: {one.reason}")
    if files:
        raise typer.Exit(1)
