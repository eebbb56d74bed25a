"""Options that several commands share, and the settings behind them."""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from symmv_builder.api.options import HELP, checked, reasons_of
from symmv_builder.cli import completing, hints
from symmv_builder.settings import Settings, read_settings


def checking(option: str) -> Callable[[float | None], float | None]:
    """Make a callback for Typer that refuses a number that is too small for an option."""

    def check(value: float | None) -> float | None:
        return checked(option, value)

    return check


def _known_reasons(names: list[str] | None) -> list[str] | None:
    """Refuse a reason that nothing is put aside for, before anything is opened."""
    reasons_of(names)
    return names


Root = Annotated[
    str | None,
    typer.Option(
        "--root",
        callback=hints.remember_root,
        help=HELP["root"],
        show_default=False,
    ),
]
Dataset = Annotated[
    str,
    typer.Argument(
        help=HELP["dataset"],
        show_default=False,
        autocompletion=completing.datasets,
    ),
]
Way = Annotated[
    str,
    typer.Option(
        "--as",
        help=HELP["as"],
        show_default=False,
    ),
]
# What names an entry in questions about it.
ENTRY_HELP = "Identifier of the entry; of one of its clips ENTRY@SECONDS, or the clip's own."
InDataset = Annotated[
    str | None,
    typer.Option(
        "--dataset",
        help="Look in this dataset only.",
        show_default=False,
        autocompletion=completing.datasets,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Models = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        help=HELP["model"],
        show_default=False,
        autocompletion=completing.models,
    ),
]
Clip = Annotated[
    str | None,
    typer.Option(
        "--clip",
        help=HELP["clip"],
        show_default=False,
        autocompletion=completing.clips,
    ),
]
# Of a command that writes music: its `--model` is a training.
WatchingClip = Annotated[
    str | None,
    typer.Option(
        "--clip",
        help=HELP["watching-clip"],
        show_default=False,
        autocompletion=completing.clips,
    ),
]

LoadPatience = Annotated[
    float,
    typer.Option(
        callback=checking("load-patience"),
        help=HELP["load-patience"],
    ),
]
Patience = Annotated[float, typer.Option(callback=checking("patience"), help=HELP["patience"])]
Retry = Annotated[
    list[str] | None,
    typer.Option(
        help=HELP["retry"],
        metavar="REASON",
        callback=_known_reasons,
        autocompletion=completing.reasons,
    ),
]
Folder = Annotated[Path | None, typer.Option("--from", help=HELP["from"], show_default=False)]
Only = Annotated[list[str] | None, typer.Option(help=HELP["only"], show_default=False)]
ShardMb = Annotated[
    int | None,
    typer.Option(callback=checking("shard-mb"), help=HELP["shard-mb"], show_default=False),
]
Sources = Annotated[Path | None, typer.Option(help=HELP["sources"], show_default=False)]
Strict = Annotated[
    bool,
    typer.Option("--strict", help=HELP["strict"]),
]
Workers = Annotated[
    int | None,
    typer.Option(
        callback=checking("workers"),
        help="Worker processes. Default: one a core, as memory allows.",
        show_default=False,
    ),
]

Wait = Annotated[
    bool,
    typer.Option("--wait", help=HELP["wait"]),
]
Overwrite = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        help="Replace files that stand there under these names. Never one that is read.",
    ),
]


class Sounding(StrEnum):
    """The way a piece of music is heard: as it was recorded, or as its notes are played."""

    RECORDING = "recording"
    RENDERED = "rendered"


def settings(root: str | None) -> Settings:
    """Read the settings of a command; `root` stands in for the configured data root."""
    return read_settings(root=root)
