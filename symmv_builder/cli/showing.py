"""`symmv show`: what is known of one entry, in words and pictures."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from symmv_builder.api.entry import find_entry
from symmv_builder.cli import options
from symmv_builder.cli.saying import note, say


def register(app: typer.Typer) -> None:
    app.command()(show)


def show(
    entry_id: Annotated[str, typer.Argument(metavar="ENTRY", help=options.ENTRY_HELP)],
    dataset: options.InDataset = None,
    root: options.Root = None,
    out: Annotated[
        Path | None, typer.Option(help="Draw its piano roll and contact sheet into this folder.")
    ] = None,
    overwrite: options.Overwrite = False,
    as_json: options.AsJson = False,
) -> None:
    """Show what was made of an entry; --out draws it, --json prints every record in full."""
    stored = find_entry(options.settings(root), entry_id, dataset)
    entry = stored.entry
    if as_json:
        sys.stdout.write(json.dumps(stored.as_json()) + "\n")
    else:
        say(f"{stored.name} ({entry.dataset}), song {entry.song_id}", style="bold")
        video = f"video {entry.video.url}" if stored.has_video else "no video"
        say(f"music {entry.music.url}, {video}")
        for name, line in stored.lines().items():
            say(f"{name:>18}  {line}")
    if out:
        paths = stored.draw(out, overwrite=overwrite)
        for path in paths:
            note(f"wrote {path}")
        if not paths:
            note(f"nothing to draw: {stored.name} has neither notes nor shots (scenes)")
