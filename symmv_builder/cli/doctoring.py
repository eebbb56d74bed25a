"""`symmv doctor`: what works on this machine, and one line of advice for what does not."""

import json
import sys
from dataclasses import asdict, replace

import typer

from symmv_builder.api import doctor as examination
from symmv_builder.cli import options
from symmv_builder.cli.advice import get_weights
from symmv_builder.cli.saying import say
from symmv_builder.report import tables

_STYLES = {examination.WORKS: "green", examination.ABSENT: "yellow", examination.BROKEN: "bold red"}


def register(app: typer.Typer) -> None:
    app.command()(doctor)


def doctor(root: options.Root = None, as_json: options.AsJson = False) -> None:
    """Say what works on this machine, with one line of advice for what does not.

    "absent" is what a build of the built-in datasets does without. Exit code 1 where something
    is broken: a build would stop, or what the environment names cannot be used.
    """
    findings = [with_command(each) for each in examination.examine(root)]
    broken = any(each.state == examination.BROKEN for each in findings)
    if as_json:
        sys.stdout.write(json.dumps([plain(each) for each in findings]) + "\n")
        raise typer.Exit(int(broken))
    table = tables.plain_table("what", "state", "found")
    for each in findings:
        tables.add_row(table, each.what, each.state, each.found)
    tables.show(table)
    for each in findings:
        if each.advice:
            say(f"{each.what}: {each.advice}", style=_STYLES[each.state])
    raise typer.Exit(int(broken))


def with_command(finding: examination.Finding) -> examination.Finding:
    """Add to the advice of a finding the command that gets its weights."""
    if not finding.fetch:
        return finding
    return replace(finding, advice=f"{finding.advice}; {get_weights(finding.fetch)}")


def plain(finding: examination.Finding) -> dict[str, str]:
    """Convert a finding to what JSON has."""
    return {name: value for name, value in asdict(finding).items() if name != "fetch"}
