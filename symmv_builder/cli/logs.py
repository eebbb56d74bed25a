"""How much a command says and what it writes down: the options that every command has.

`begin` is called once a process; the options then change what it set up. Lines that a command
prints by itself (`saying`) are written to the log file too, and not printed twice.
"""

import itertools
import logging
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from symmv_builder.cli.saying import PRINTED, note
from symmv_builder.errors import CannotWrite, WrongArguments
from symmv_builder.report import tables

_PACKAGE = logging.getLogger("symmv_builder")
_LINE = "%(asctime)s %(levelname)s %(name)s [%(process)d] %(message)s"
_DATE = "%Y-%m-%dT%H:%M:%S%z"


@dataclass(frozen=True, slots=True)
class Choice:
    """A call's choice of its log: levels as those of `logging` are derived from it."""

    verbose: int = 0
    quiet: bool = False
    file: Path | None = None

    @property
    def terminal_level(self) -> int:
        """The lowest level of records that are printed."""
        if self.quiet:
            return logging.ERROR
        return (logging.WARNING, logging.INFO, logging.DEBUG)[min(self.verbose, 2)]

    @property
    def file_level(self) -> int:
        """The lowest level of records that are written to the file."""
        return logging.DEBUG if self.verbose else logging.INFO


class _Lines(logging.Formatter):
    """Records as lines that change nothing on a terminal, whatever is in them."""

    def format(self, record: logging.LogRecord) -> str:
        first, *rest = super().format(record).split("\n")
        return "\n".join([tables.shown(first), *(f"  {tables.shown(line)}" for line in rest)])


class _Terminal(logging.Handler):
    """Prints records as a command prints its own lines, on what standard error is at the moment."""

    def emit(self, record: logging.LogRecord) -> None:
        if not getattr(record, "is_printed", False):
            note(f"symmv: {self.format(record)}")


class _File(logging.FileHandler):
    """Appends records to a file; a disk that is full takes the log and not the work."""

    is_broken = False

    def handleError(self, record: logging.LogRecord) -> None:
        if not self.is_broken:
            self.is_broken = True
            note(f"symmv: cannot write to {self.baseFilename}: {sys.exc_info()[1]}")


_choice = Choice()


def begin() -> None:
    """Print warnings, and nothing else, as long as no option says more."""
    choose(Choice())


def choose(choice: Choice) -> None:
    """Set up logging for a choice, in the place of what was set up before.

    `WrongArguments` for options that exclude each other, `CannotWrite` for the file.
    """
    if choice.quiet and choice.verbose:
        raise WrongArguments("give `verbose` or `quiet`, not both")
    for handler in [h for h in _PACKAGE.handlers if isinstance(h, _Terminal | _File)]:
        _PACKAGE.removeHandler(handler)
        handler.close()
    terminal = _Terminal(choice.terminal_level)
    terminal.setFormatter(_Lines())
    _PACKAGE.addHandler(terminal)
    levels = [choice.terminal_level]
    if choice.file is not None:
        _PACKAGE.addHandler(_open(choice.file, choice.file_level))
        levels.append(choice.file_level)
    _PACKAGE.setLevel(min(levels))
    tables.be_quiet(choice.quiet)
    globals()["_choice"] = choice


def _open(path: Path, level: int) -> logging.Handler:
    try:
        handler = _File(path, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise CannotWrite(path, error.strerror or str(error)) from error
    handler.setLevel(level)
    handler.setFormatter(_Lines(_LINE, _DATE))
    return handler


def keep(error: BaseException) -> None:
    """Write the traceback of a bug to the log file; Python prints it."""
    _PACKAGE.critical("the program is at fault", exc_info=error, extra=PRINTED)


def _set_verbose(value: int) -> None:
    if value:
        choose(replace(_choice, verbose=value))


def _set_quiet(value: bool) -> None:
    if value:
        choose(replace(_choice, quiet=True))


def _set_file(value: Path | None) -> None:
    if value is not None:
        choose(replace(_choice, file=value))
        # One file serves many commands, and some have nothing to do.
        logging.getLogger(__name__).info("begins: %s", _first_words(), extra=PRINTED)


def _first_words() -> str:
    """Name this call as a person recognises it; options, among them urls, are left out."""
    words = itertools.takewhile(lambda word: not word.startswith("-"), sys.argv[1:3])
    return " ".join(["symmv", *words])


def _command(
    verbose: Annotated[
        int,
        typer.Option(
            "--verbose", "-v", count=True, callback=_set_verbose, show_default=False,
            help="Say more of what is done; twice, everything.",
        ),
    ] = 0,
    quiet: Annotated[
        bool,
        typer.Option(
            "--quiet", "-q", callback=_set_quiet,
            help="Say nothing but results and what is wrong.",
        ),
    ] = False,
    log_file: Annotated[
        Path | None,
        typer.Option(
            callback=_set_file, show_default=False,
            help="Append what is done, and what is said, to this file, with the time.",
        ),
    ] = None,
) -> None:  # fmt: skip
    """Declare the options, as a command has them."""


def options() -> list[Any]:
    """List the parameters that every command gets.

    They act by themselves and are given to nobody.
    """
    app = typer.Typer(add_completion=False)
    app.command()(_command)
    parameters = [each for each in typer.main.get_command(app).params if each.name != "help"]
    for parameter in parameters:
        parameter.expose_value = False
    return parameters
