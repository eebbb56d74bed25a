"""`symmv report` and `symmv gallery`: a dataset, and generated pieces, as a page for a browser."""

from pathlib import Path
from typing import Annotated

import typer

from symmv_builder.api import gallery as galleries
from symmv_builder.api import reporting
from symmv_builder.cli import completing, options
from symmv_builder.cli.saying import remark, say
from symmv_builder.text import amount


def register(app: typer.Typer) -> None:
    app.command()(report)
    app.command()(gallery)


def report(
    dataset: Annotated[
        str,
        typer.Argument(
            help="A dataset of the data root, or a release: NAME@1.0.0, or its folder.",
            show_default=False,
            autocompletion=completing.datasets,
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="Folder to write to; by default DATASET-report.", show_default=False),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(help="Another dataset, or release, to stand beside it, with tests."),
    ] = None,
    samples: Annotated[
        int, typer.Option(min=0, max=50, help="Pairs to show with picture and sound.")
    ] = reporting.SAMPLES,
    overwrite: options.Overwrite = False,
    root: options.Root = None,
) -> None:
    """Write a report of a dataset: one HTML page, its figures as PNG and SVG, its numbers as JSON.

    The page holds everything that it shows and loads nothing: it can be sent as it is. Figures that
    the dataset has no columns for are named with the reason.
    """
    result = reporting.report(
        options.settings(root),
        dataset,
        out or Path(reporting.folder_of(dataset)),
        against=against or "",
        samples=samples,
        overwrite=overwrite,
        note=remark,
    )
    say(
        f"{result.page}: {len(result.files) - 2} files of figures beside it, numbers in report.json"
    )


def gallery(
    folder: Annotated[
        Path, typer.Argument(help="Folder of generated pieces, of any depth.", show_default=False)
    ],
    overwrite: options.Overwrite = False,
) -> None:
    """Write gallery.html into a folder of generated pieces: players, pictures, models, measures.

    Pieces for one video stand together, with a picture of all of them. Links are relative: the
    folder can be moved.
    """
    page = galleries.gallery(folder, overwrite=overwrite, note=remark)
    say(f"{page.page}: {amount(page.pieces, 'piece')} for {amount(page.videos, 'video')}")
