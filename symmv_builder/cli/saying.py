"""Lines of the command line: whatever is in them, they change nothing on a terminal.

Titles, file names and messages of libraries are strangers' text, and urls may hold
passwords. A command prints through `say` and `complain`, or through `report.tables`.
"""

import sys

from rich.text import Text

from symmv_builder.report import tables


def say(line: object, style: str = "") -> None:
    """One line on standard output, where results go; styled on a terminal alone."""
    text = tables.shown(line)
    if style:
        tables.console().print(Text(text, style), soft_wrap=True)
    else:
        sys.stdout.write(f"{text}\n")


def note(line: object) -> None:
    """One line on standard error as it is."""
    sys.stderr.write(f"{tables.shown(line)}\n")


def complain(line: object) -> None:
    """One line on standard error that names the program, its blanks drawn together."""
    note(f"symmv: {' '.join(str(line).split())}")
