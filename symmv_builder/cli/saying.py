"""Lines of the command line: whatever is in them, they change nothing on a terminal.

Titles, file names and messages of libraries are strangers' text, and urls may hold
passwords. A command prints through `say`, `remark` and `complain`, or through `report.tables`.
What goes to standard error is written to the log, too.
"""

import logging
import sys

from rich.text import Text

from symmv_builder.report import tables

LOG = logging.getLogger(__name__)
# Of records that are on the terminal already.
PRINTED = {"is_printed": True}


def say(line: object, style: str = "") -> None:
    """Print one line on standard output, where results go; styled on a terminal alone."""
    text = tables.shown(line)
    if style:
        tables.console().print(Text(text, style), soft_wrap=True)
    else:
        sys.stdout.write(f"{text}\n")


def note(line: object) -> None:
    """Print one line on standard error as it is."""
    sys.stderr.write(f"{tables.shown(line)}\n")


def remark(line: object) -> None:
    """Print one line on standard error of what goes on, unless the command is to be quiet."""
    text = " ".join(str(line).split())
    LOG.info("%s", text, extra=PRINTED)
    if not tables.is_quiet():
        note(f"symmv: {text}")


def complain(line: object, level: int = logging.WARNING) -> None:
    """Print one line on standard error that names the program, its blanks drawn together."""
    text = " ".join(str(line).split())
    LOG.log(level, "%s", text, extra=PRINTED)
    note(f"symmv: {text}")
