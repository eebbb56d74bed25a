"""The `symmv` command: parse, call one function, print.

Results go to standard output, everything else to standard error. Exit codes: 0 all is
well; 1 a file or an entry was not good enough, or is not finished; 2 nothing could be
done (configuration, weights, disk, a wrong call); 130 interrupted.
"""

import errno
import os
import sys

import typer

from symmv_builder.cli.commands import SETTINGS, Commands
from symmv_builder.cli.saying import complain
from symmv_builder.errors import RejectEntry, RetryLater, StopRun

app = typer.Typer(name="symmv", cls=Commands, **SETTINGS)


@app.callback()
def symmv() -> None:
    """Build paired datasets of music and video with symbolic annotation."""


def main() -> None:
    """Run the command; an error that was raised on purpose becomes one line and an exit code."""
    # Threads of numpy's BLAS spin while they wait, .05 s of CPU from its import alone; let them
    # sleep after 2 ** 4 cycles.
    os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")
    try:
        code = app(sys.argv[1:] or ["--help"], standalone_mode=False)
        sys.stdout.flush()
    except typer.TyperException as error:
        # A group without its command has printed its help, and has no message.
        if error.format_message():
            complain(f"{error.format_message()} (symmv --help says more)")
        raise SystemExit(2) from error
    except StopRun as error:
        complain(error)
        raise SystemExit(2) from error
    except (RejectEntry, RetryLater) as error:
        complain(error)
        raise SystemExit(1) from error
    except PermissionError as error:
        complain(f"permission denied: {error.filename or error}")
        raise SystemExit(2) from error
    except OSError as error:
        # What we print goes nowhere: to a full disk, or to a reader that has left.
        if error.errno not in (errno.ENOSPC, errno.EPIPE):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if error.errno == errno.ENOSPC:
            complain("cannot write to standard output: the disk is full")
        raise SystemExit(2 if error.errno == errno.ENOSPC else 1) from error
    raise SystemExit(code or 0)
