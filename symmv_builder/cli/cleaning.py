"""`symmv clean`: what could be freed in a data root, and freeing it."""

import json
import sys
from dataclasses import asdict
from typing import Annotated

import typer

from symmv_builder.cli import options
from symmv_builder.cli.hints import command
from symmv_builder.cli.saying import remark, say
from symmv_builder.report import tables
from symmv_builder.text import amount

_MEANINGS = {
    "orphans": "recordings that no entry and no item of a crawl uses",
    "rejected": "recordings of entries that were put aside",
    "gone": "results of entries that are gone",
    "old_results": "results that newer ones have taken the place of",
    "partial": "files that killed writers left",
    "empty_folders": "folders that hold nothing",
}


def register(app: typer.Typer) -> None:
    app.command()(clean)


def clean(
    dataset: Annotated[
        str | None,
        typer.Argument(help="Results of this dataset alone; all, and recordings, by default."),
    ] = None,
    rejected: Annotated[
        bool,
        typer.Option(
            "--rejected",
            help="Also recordings of entries that were put aside; to try such an entry again, "
            "its recordings must be taken in again.",
        ),
    ] = False,
    old_results: Annotated[
        bool,
        typer.Option(
            "--old-results", help="Also results of earlier settings, models and versions."
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Free it; else it is counted.")] = False,
    root: options.Root = None,
    wait: options.Wait = False,
    as_json: options.AsJson = False,
) -> None:
    """Count what nothing needs any more, by kind; --yes frees it.

    Never touched: what an entry, a release or an item on its way through a crawl needs.
    While it frees, no other command writes a dataset of the same data root.
    """
    from symmv_builder.api.upkeep import clean as clean_up

    waste = clean_up(
        options.settings(root),
        dataset,
        rejected=rejected,
        old_results=old_results,
        free=yes,
        wait=wait,
        tell=remark,
    )
    if as_json:
        kinds = {kind: asdict(freed) for kind, freed in waste.kinds.items()}
        answer = {"freed": yes, "files": waste.files, "size_bytes": waste.size_bytes}
        sys.stdout.write(json.dumps({**answer, "kinds": kinds}) + "\n")
        return
    table = tables.plain_table("kind", "files", "MB", "what", numbers=("files", "MB"))
    for kind, freed in waste.kinds.items():
        size_mb = f"{freed.size_bytes / 1e6:.1f}"
        tables.add_row(table, kind, freed.files, size_mb, _MEANINGS[kind])
    tables.show(table)
    done = "freed" if yes else "could be freed; --yes frees it"
    say(f"{amount(waste.files, 'file')}, {waste.size_bytes / 1e6:.1f} MB in {waste.root} {done}")
    if rejected:
        words = (waste.dataset or "DATASET", "--from", "FOLDER", "--retry", "REASON")
        say(
            f"to try an entry again whose recordings are freed: {command('build', *words)}, with "
            "its recordings in FOLDER"
        )
