"""The `symmv` command: parse, call one function, print.

Results go to standard output, everything else to standard error. Exit codes: 0 all is
well; 1 a file or an entry was not good enough, or is not finished; 2 nothing could be
done (configuration, weights, disk, a wrong call); 130 interrupted.
"""

import errno
import logging
import os
import sys
from typing import Annotated

import typer

from symmv_builder.cli import logs
from symmv_builder.cli.advice import advised
from symmv_builder.cli.commands import SETTINGS, Commands
from symmv_builder.cli.saying import complain
from symmv_builder.errors import RejectEntry, RetryLater, StopRun
from symmv_builder.packages import missing_package
from symmv_builder.version import __version__

# The extra that brings whatever a command needs, where it is not the one of the command's own name.
_EXTRA_OF = {"generate": "models"}

app = typer.Typer(name="symmv", cls=Commands, **(SETTINGS | {"add_completion": True}))


def _say_version(is_asked: bool) -> None:
    if is_asked:
        sys.stdout.write(f"symmv-builder {__version__}\n")
        raise typer.Exit


@app.callback()
def symmv(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_say_version, is_eager=True, help="Print the version and end."
        ),
    ] = False,
) -> None:
    """Build paired datasets of music and video with symbolic annotation.

    Exit codes: 0 all is well; 1 something was not good enough, or is not finished; 2 nothing could
    be done (a wrong call, settings, weights, disk); 130 interrupted.
    """


def main() -> None:
    """Run the command; an error that was raised on purpose becomes one line and an exit code."""
    # Threads of numpy's BLAS spin while they wait, .05 s of CPU from its import alone; let them
    # sleep after 2 ** 4 cycles.
    os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")
    logs.begin()
    try:
        code = _call()
    except Exception as error:
        logs.keep(error)
        raise
    raise SystemExit(code)


def _call() -> int:
    """Run the command; gives its exit code, and raises what nobody foresaw."""
    try:
        code = app(sys.argv[1:] or ["--help"], standalone_mode=False)
        sys.stdout.flush()
    except typer.TyperException as error:
        # A group without its command has printed its help, and has no message.
        if error.format_message():
            context = getattr(error, "ctx", None)
            words = context.command_path.split()[1:] if context else []
            help_ = " ".join(["symmv", *words, "--help"])
            complain(f"{error.format_message()} ({help_} says more)", logging.ERROR)
        return 2
    except StopRun as error:
        complain(advised(error), logging.ERROR)
        return 2
    except ModuleNotFoundError as error:
        missing = missing_package(error, prefer=_EXTRA_OF.get(sys.argv[1], sys.argv[1]))
        if missing is None:
            raise
        complain(advised(missing), logging.ERROR)
        return 2
    except (RejectEntry, RetryLater) as error:
        complain(advised(error), logging.ERROR)
        return 1
    except PermissionError as error:
        complain(f"permission denied: {error.filename or error}", logging.ERROR)
        return 2
    except OSError as error:
        # What we print goes nowhere: to a full disk, or to a reader that has left.
        if error.errno not in (errno.ENOSPC, errno.EPIPE):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if error.errno == errno.ENOSPC:
            complain("cannot write to standard output: the disk is full", logging.ERROR)
        return 2 if error.errno == errno.ENOSPC else 1
    return int(code or 0)
