"""Options that several commands share, and the settings behind them."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

import typer

from symmv_builder import datasets
from symmv_builder.errors import StopRun
from symmv_builder.settings import Settings, read_settings

Root = Annotated[
    str | None,
    typer.Option(
        "--root",
        help="Data root: a folder or an fsspec url. Default: SYMMV_ROOT, else ./data.",
        show_default=False,
    ),
]
Dataset = Annotated[
    str,
    typer.Argument(
        help=f"Which dataset: {', '.join(datasets.ALL)}, one of your own that stands in the root, "
        "or a recipe file that ends in .toml.",
        show_default=False,
    ),
]
Way = Annotated[
    str,
    typer.Option(
        "--as",
        help="Make it in another way: `paper` as its paper says, `released` as its published "
        "files were made, `default` by the built-in recipe again.",
        show_default=False,
    ),
]
InDataset = Annotated[
    str | None,
    typer.Option("--dataset", help="Look in this dataset only.", show_default=False),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Models = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        help="Use another model: SLOT=NAME, as `symmv models` lists them. May be repeated.",
        show_default=False,
    ),
]
Clip = Annotated[
    str | None,
    typer.Option(
        "--clip",
        help="Short for --model clip=NAME; `untrained` gives the right shapes and no meaning.",
        show_default=False,
    ),
]

LoadPatience = Annotated[
    float,
    typer.Option(
        min=0.001,
        help="Longest that a worker may take to start, or to load or fetch a model, in seconds.",
    ),
]
Strict = Annotated[
    bool,
    typer.Option(
        "--strict", help="Stop at the first error that nobody foresaw, and show its traceback."
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        min=1, help="Worker processes. Default: one a core, as memory allows.", show_default=False
    ),
]

Wait = Annotated[
    bool,
    typer.Option(
        "--wait", help="Wait where another command writes this dataset, instead of ending."
    ),
]
Overwrite = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        help="Replace files of these names that other programs made. Never one that is read.",
    ),
]


class Sounding(StrEnum):
    """How a piece of music is heard: as it was recorded, or as its notes are played."""

    RECORDING = "recording"
    RENDERED = "rendered"


def default_workers() -> int:
    """One worker a core, fewer where memory is short."""
    from symmv_builder.pipeline import pool

    return pool.default_workers()


def settings(root: str | None) -> Settings:
    return read_settings(root=root)


def choices(models: list[str] | None, clip: str | None) -> dict[str, str]:
    """Slot to backend name out of ``--model`` and ``--clip``."""
    chosen = {}
    for text in models or []:
        slot, found, name = text.partition("=")
        if not found or not name:
            raise StopRun(f"--model {text!r} should look like SLOT=NAME, as in piano=transkun")
        chosen[slot] = name
    if clip:
        chosen["clip"] = clip
    return chosen


def assignments(texts: Sequence[str] | None, form: str) -> dict[str, str]:
    """Name to value out of ``--set NAME=VALUE``; `form` is how a complaint writes one."""
    values = {}
    for text in texts or ():
        name, found, value = text.partition("=")
        if not found or not name:
            raise StopRun(f"--set {text!r} should look like {form}")
        values[name] = value
    return values
