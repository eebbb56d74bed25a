"""`symmv config`: every setting with its value and where that comes from."""

import json
import sys

import typer

from symmv_builder.cli import options
from symmv_builder.cli.saying import complain, say
from symmv_builder.report import tables
from symmv_builder.settings import (
    Setting,
    find_settings,
    read_settings,
    unknown_variables,
    user_file,
)


def register(app: typer.Typer) -> None:
    app.command(name="config")(config)


def config(root: options.Root = None, as_json: options.AsJson = False) -> None:
    """Show every setting: its value, and the flag, variable or file that it comes from.

    What is said first holds: a flag, the environment, symmv.toml in the data root, symmv.toml in
    the current folder, the user's own file, the default. Proxy and cookies are not printed.
    """
    # Errors of values are those of every other command.
    read_settings(root=root)
    values = find_settings(root=root)
    for line in unknown_variables():
        complain(line)
    if as_json:
        rows = [
            {
                "name": each.name,
                "value": _shown(each),
                "source": each.source,
                "variable": each.variable,
                "meaning": each.meaning,
            }
            for each in values.values()
        ]
        sys.stdout.write(json.dumps(rows) + "\n")
        return
    table = tables.plain_table("setting", "value", "from", "variable", "meaning")
    for each in values.values():
        tables.add_row(table, each.name, _shown(each), each.source, each.variable, each.meaning)
    tables.show(table)
    others = user_file() or "no other"
    say(f"files that are read: symmv.toml in the data root, symmv.toml here, {others}")


def _shown(setting: Setting) -> str:
    """Write the value as it may be printed: no secret, and no password within a url."""
    if setting.is_secret:
        return "(set, not shown)" if setting.value else ""
    return tables.shown(setting.value)
