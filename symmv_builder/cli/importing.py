"""`symmv import`: published datasets become entries, annotations and shards of ours."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from symmv_builder.api.importing import Release, import_options, open_release
from symmv_builder.api.options import HELP, PATIENCE_S, models_of, reasons_of
from symmv_builder.api.works import LOADING_PATIENCE_S
from symmv_builder.cli import options
from symmv_builder.cli.building import print_summary
from symmv_builder.cli.declared import with_options
from symmv_builder.cli.saying import complain
from symmv_builder.report.progress import Progress

_MOST_LINES = 20


def register(app: typer.Typer) -> None:
    app.command(name="import")(with_options(import_command, import_options(), "choices"))


def import_command(
    dataset: Annotated[
        str,
        typer.Argument(help=HELP["import"], show_default=False),
    ],
    path: Annotated[Path, typer.Argument(help="Folder of the release.", show_default=False)],
    root: options.Root = None,
    choices: Any = None,
    model: options.Models = None,
    workers: options.Workers = None,
    patience: options.Patience = PATIENCE_S,
    load_patience: options.LoadPatience = LOADING_PATIENCE_S,
    retry: options.Retry = None,
    strict: options.Strict = False,
    wait: options.Wait = False,
) -> None:
    """Import a published dataset: its annotation in our rows, as shards.

    What the release lacks and what can be made without its recordings is made (beats,
    quantised notes); columns of recordings are absent until `symmv build DATASET --only ...`.
    Can be stopped at any moment and run again.
    """
    release = open_release(dataset, path, root, models=models_of(model), choices=choices)
    take_in(
        release,
        workers=workers or 0,
        patience_s=patience,
        load_patience_s=load_patience,
        retry=reasons_of(retry),
        strict=strict,
        wait=wait,
    )


def take_in(release: Release, **how: Any) -> None:
    """Import a release, show how far it is, and say what did not become a row.

    `how` are arguments of `Release.take_in`. Exit code 1 where entries are not finished.
    """
    with Progress(release.makes) as progress:
        summary = release.take_in(
            **how,
            tell=progress.on_event,
            expect=lambda total, settled: progress.expect(total, settled=settled),
        )
    _list(release.left_out, "left out")
    rejections = release.dataset.status().rejections
    _list([f"{r.entry_id}: {r.step}: {r.reason}: {r.detail}" for r in rejections], "put aside")
    print_summary(summary, release.dataset.settings.root)
    if summary.unfinished or summary.failed:
        raise typer.Exit(1)


def _list(lines: Sequence[str], what: str) -> None:
    """Print a few lines of what did not become a row; `symmv status` has all rejections."""
    for line in lines[:_MOST_LINES]:
        complain(f"{what}: {line}")
    if len(lines) > _MOST_LINES:
        complain(f"{what}: and {len(lines) - _MOST_LINES} more")
