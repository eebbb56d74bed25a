"""`symmv web`: pages of the data root for a browser on this machine."""

from pathlib import Path
from typing import Annotated

import typer

from symmv_builder.cli import options
from symmv_builder.cli.saying import say


def register(app: typer.Typer) -> None:
    app.command()(web)


def web(
    root: options.Root = None,
    host: Annotated[
        str,
        typer.Option(help="Address to listen at; any but this machine's own needs --token."),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen at.")] = 8765,
    token: Annotated[
        str,
        typer.Option(
            envvar="SYMMV_WEB_TOKEN",
            help="What whoever comes has to know, 16 characters at least.",
            show_default=False,
        ),
    ] = "",
    runs: Annotated[Path, typer.Option(help="Folder in which folders of trainings lie.")] = Path(
        "runs"
    ),
) -> None:
    """Serve pages to browse datasets, review proposals and watch runs, on this machine.

    Nothing leaves it: the pages load nothing from elsewhere. Ctrl+C ends it.
    """
    from symmv_builder.web.guard import Access
    from symmv_builder.web.server import serve

    access = Access(host, port, token)
    serve(options.settings(root), access, runs_in=runs, tell=lambda where: say(f"open {where}"))
