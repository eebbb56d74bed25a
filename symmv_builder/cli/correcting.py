"""`symmv correct`: what a person corrects of an entry, one thing a call, or out of JAMS files."""

import getpass
import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from symmv_builder.api import correcting
from symmv_builder.cli import options
from symmv_builder.cli.saying import say
from symmv_builder.errors import WrongArguments
from symmv_builder.report import tables
from symmv_builder.settings import Settings

_WHAT = "; ".join(f"{what} {values}" for what, values in correcting.WHAT.items())


def register(app: typer.Typer) -> None:
    app.command()(correct)


def correct(
    dataset: options.Dataset,
    entry: Annotated[
        str | None, typer.Argument(help="Identifier of the entry; without it, all are listed.")
    ] = None,
    what: Annotated[
        str | None,
        typer.Argument(help=f"What is corrected, and its values, times in seconds: {_WHAT}."),
    ] = None,
    values: Annotated[
        list[str] | None,
        typer.Argument(metavar="[VALUE]...", help="The values that WHAT takes."),
    ] = None,
    by: Annotated[str, typer.Option(help="Who corrects. Default: your name on this machine.")] = "",
    undo: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Undo the correction of this id.", show_default=False),
    ] = None,
    jams: Annotated[
        Path | None,
        typer.Option(
            help="Take in what a JAMS file, or each of a folder, says otherwise than its entry.",
            show_default=False,
        ),
    ] = None,
    root: options.Root = None,
    as_json: options.AsJson = False,
) -> None:
    """Correct what the machine found of an entry: a beat, cut, chord, key or note, or trim it.

    A correction is a line of corrections.jsonl beside the entries, with its author; the next build
    makes the entry so, and undoing makes it as it was. Without WHAT the corrections are listed.
    """
    settings, who = options.settings(root), by or getpass.getuser()
    if sum(each is not None for each in (what, undo, jams)) > 1:
        raise WrongArguments("a correction, `undo` and `jams` exclude each other")
    if jams is not None:
        _take_in(settings, dataset, jams, who)
    elif undo is not None:
        line = correcting.undo(settings, dataset, undo, by=who)
        say(f"undone: {line.entry_id}: {line.edit}, by {line.author}")
    elif entry is not None and what is not None:
        line = correcting.correct(settings, dataset, entry, what, *(values or ()), by=who)
        say(f"{line.id}: {line.entry_id}: {line.edit}, by {line.author}")
    else:
        _list(settings, dataset, entry or "", as_json=as_json)


def _take_in(settings: Settings, dataset: str, path: Path, by: str) -> None:
    from symmv_builder.api import jams

    new = jams.take_in(settings, dataset, [path], by=by)
    for mine in new.values():
        for line in mine:
            say(f"{line.id}: {line.entry_id}: {line.edit}, by {line.author}")
    say(f"{sum(map(len, new.values()))} corrections of {len(new)} entries")


def _list(settings: Settings, dataset: str, entry: str, *, as_json: bool) -> None:
    every = correcting.corrections(settings, dataset, entry)
    if as_json:
        for each in every:
            plain = each.correction.fields() | {"state": each.state, "reason": each.reason}
            sys.stdout.write(json.dumps(plain) + "\n")
        return
    table = tables.plain_table("id", "entry", "correction", "by", "when (UTC)", "state")
    for each in every:
        line = each.correction
        state = f"{each.state}: {each.reason}" if each.reason else each.state
        tables.add_row(table, line.id, line.entry_id, str(line.edit), line.author, line.time, state)
    if every:
        tables.show(table)
    say(f"{len(every)} corrections stand")
