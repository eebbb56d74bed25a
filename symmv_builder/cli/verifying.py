"""`symmv verify`: is everything in a data root what was written, and what to do if not."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from symmv_builder.api.option_names import in_options
from symmv_builder.cli import completing, options
from symmv_builder.cli.saying import complain, remark, say

if TYPE_CHECKING:
    from symmv_builder.api.upkeep import VerifyReport


def register(app: typer.Typer) -> None:
    app.command()(verify)


def verify(
    dataset: Annotated[
        str | None,
        typer.Argument(
            help="This dataset alone; all of the data root by default.",
            autocompletion=completing.datasets,
        ),
    ] = None,
    release: Annotated[
        str | None,
        typer.Option(help="Look at this release of the dataset alone.", show_default=False),
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option(
            help="Look at the checkpoints in this folder of a `symmv train` run instead.",
            show_default=False,
        ),
    ] = None,
    deep: Annotated[
        bool, typer.Option("--deep", help="Read the bytes of recordings too, not only their size.")
    ] = False,
    repair: Annotated[
        bool,
        typer.Option(
            "--repair",
            help="Put aside what is damaged (into damaged/ of the data root), take good copies "
            "where there are any, and let the next build make the rest anew.",
        ),
    ] = False,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="With --repair: a folder with good copies, found by their content: recordings, "
            "or a backup of the data root.",
            show_default=False,
        ),
    ] = None,
    root: options.Root = None,
    wait: options.Wait = False,
    as_json: options.AsJson = False,
) -> None:
    """Compare everything in a data root with its checksums; exit code 1 where it is not sound.

    Recordings, results, shards, manifests, the ledger and releases. Nothing is written
    without --repair, and nothing is ever deleted.
    """
    from symmv_builder.api import upkeep

    report = upkeep.verify(
        options.settings(root),
        dataset,
        release=release or "",
        run=run,
        deep=deep,
        repair=repair,
        folder=folder,
        wait=wait,
        tell=remark,
    )
    _print(report, as_json=as_json)
    if not report.is_sound:
        raise typer.Exit(1)


def _print(report: "VerifyReport", *, as_json: bool) -> None:
    notes = [in_options(note) for note in report.notes]
    repairs = [{**each, "what": in_options(each["what"])} for each in report.repairs]
    if as_json:
        answer = {
            "checked": report.checked,
            "damaged": list(report.damaged),
            "missing": list(report.missing),
            "notes": notes,
            "repaired": repairs,
        }
        sys.stdout.write(json.dumps(answer) + "\n")
        return
    for each in (*report.damaged, *report.missing):
        say(f"{each['path']}: {each['what']}")
    for repaired in repairs:
        say(f"{'repaired' if repaired['done'] else 'left'}: {repaired['path']} {repaired['what']}")
    for note in notes:
        complain(note)
    counts = f"{len(report.damaged)} damaged, {len(report.missing)} missing"
    checked = "1 file" if report.checked == 1 else f"{report.checked:,} files and rows"
    say(f"{checked} looked at: {counts}")
