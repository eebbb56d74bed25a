"""`symmv demo`: the quick tour (`quick`) and the full one (`full`)."""

from pathlib import Path
from typing import Annotated

import typer

from symmv_builder.cli import options
from symmv_builder.packages import is_installed, not_installed

# Some are first imported when the recordings have been made, a minute later.
_NEEDS = ("music21", "skvideo", "PIL", "torch", "cv2", "madmom", "onnxruntime", "matplotlib")


def register(app: typer.Typer) -> None:
    app.command()(demo)


def demo(
    out: Annotated[Path, typer.Option(help="Where everything goes.")] = Path("demo-output"),
    quick: Annotated[
        bool,
        typer.Option(
            "--quick", help="Two short pairs and new music for a video, in about two minutes."
        ),
    ] = False,
    workers: options.Workers = None,
    open_page: Annotated[
        bool,
        typer.Option(
            "--open/--no-open",
            help="With --quick: open the page in a browser, where there is a screen.",
        ),
    ] = True,
) -> None:
    """Make media, crawl a loopback site of them, build both datasets, show what was made.

    With --quick only two pairs that lie in a folder, and one HTML page that shows everything. Can
    be stopped at any moment and run again: finished work is found, not repeated.
    """
    for module in _NEEDS:
        if not is_installed(module):
            raise not_installed(module, "demo")
    if quick:
        from symmv_builder.cli.demo.quick import tour

        tour(out, workers or 0, open_page=open_page)
    else:
        from symmv_builder.cli.demo.full import demonstrate

        demonstrate(out, workers or 0)
