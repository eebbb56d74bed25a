"""`symmv correct`: what a person corrects of an entry, one thing a call, or out of JAMS files."""

import getpass
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from symmv_builder.api import correcting
from symmv_builder.api.correcting import Correction
from symmv_builder.cli import options
from symmv_builder.cli.saying import say
from symmv_builder.errors import WrongArguments
from symmv_builder.report import tables
from symmv_builder.settings import Settings
from symmv_builder.text import amount

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
    label_studio: Annotated[
        Path | None,
        typer.Option(
            help="Take in the answers in a JSON export of Label Studio.", show_default=False
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
    if sum(each is not None for each in (what, undo, jams, label_studio)) > 1:
        raise WrongArguments("a correction, `undo`, `jams` and `label_studio` exclude each other")
    if jams is not None:
        from symmv_builder.api.jams import take_in

        _tell(take_in(settings, dataset, [jams], by=who))
    elif label_studio is not None:
        from symmv_builder.api.label_studio import take_in as take_in_answers

        _tell(take_in_answers(settings, dataset, label_studio, by=who))
    elif undo is not None:
        line = correcting.undo(settings, dataset, undo, by=who)
        say(f"undone: {line.entry_id}: {line.edit}, by {line.author}")
    elif entry is not None and what is not None:
        line = correcting.correct(settings, dataset, entry, what, *(values or ()), by=who)
        say(f"{line.id}: {line.entry_id}: {line.edit}, by {line.author}")
    else:
        _list(settings, dataset, entry or "", as_json=as_json)


def _tell(new: Mapping[str, list[Correction]]) -> None:
    for mine in new.values():
        for line in mine:
            say(f"{line.id}: {line.entry_id}: {line.edit}, by {line.author}")
    corrections = amount(sum(map(len, new.values())), "correction")
    say(f"{corrections} of {amount(len(new), 'entry')}")


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
    say(f"{amount(len(every), 'correction')} {'stands' if len(every) == 1 else 'stand'}")
