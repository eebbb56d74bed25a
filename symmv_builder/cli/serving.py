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
            help="What whoever comes has to know, 16 characters at least. Several, with commas "
            "between them, are one a person: nobody sees what another one composes.",
            show_default=False,
        ),
    ] = "",
    runs: Annotated[Path, typer.Option(help="Folder in which folders of trainings lie.")] = Path(
        "runs"
    ),
    takes: Annotated[
        Path, typer.Option(help="Folder to keep in what people compose: their videos and takes.")
    ] = Path("takes"),
    takes_gb: Annotated[
        float, typer.Option(min=0.1, help="How many gigabytes all takes may use.")
    ] = 20.0,
    study: Annotated[
        list[Path] | None,
        typer.Option(
            help="Folder of a listening study to serve to raters, who need no token and see "
            "nothing else; may be repeated.",
            show_default=False,
        ),
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option(
            help="Name by which others call this server, behind a proxy that speaks TLS; may be "
            "repeated.",
            show_default=False,
        ),
    ] = None,
    soundfonts: Annotated[
        Path | None, typer.Option(help="Folder of .sf2 files that takes can be played with.")
    ] = None,
) -> None:
    """Serve pages to browse datasets, review, compose and watch runs, on this machine.

    Nothing leaves it: the pages load nothing from elsewhere. Ctrl+C ends it.
    """
    from symmv_builder.api.study import open_store
    from symmv_builder.api.take_writer import Studio, TakeWriter
    from symmv_builder.api.takes import Takes
    from symmv_builder.web import raters
    from symmv_builder.web.guard import Access
    from symmv_builder.web.server import answer, make_app

    access = Access(host, port, token, tuple(name or ()))
    access.check()
    settings = options.settings(root)
    studio = Studio(settings, runs, soundfonts)
    writer = TakeWriter(Takes(takes, round(takes_gb * 2**30)), studio)
    studies = [open_store(each) for each in study or ()]

    def tell(where: str) -> None:
        say(f"open {where}")
        for each in studies:
            say(f"raters of {each.folder} open {where.rstrip('/')}{raters.address(each)}")

    answer(make_app(settings, access, runs, writer, studies), access, tell=tell)
