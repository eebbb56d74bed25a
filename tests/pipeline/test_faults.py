"""Whose fault an exception is: what it says, and what it came of."""

import errno
import multiprocessing as mp

import pytest

from symmv_builder.errors import Bug, DiskFull, Reason, RejectEntry, RetryLater, StopRun, WorkerBug
from symmv_builder.pipeline.faults import SameBug, bug_of, in_short, machine_fault


class OutOfMemoryError(RuntimeError):
    """As torch has one."""


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (MemoryError(), RetryLater),
        (OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB"), RetryLater),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), RetryLater),
        (caused(RuntimeError("decoding failed"), MemoryError()), RetryLater),
        (OSError(errno.EMFILE, "Too many open files"), RetryLater),
        (OSError(errno.EIO, "Input/output error"), RetryLater),
        (OSError(errno.ESTALE, "Stale file handle"), RetryLater),
        (OSError(errno.ENOSPC, "No space left on device"), DiskFull),
        (caused(ValueError("no table"), OSError(errno.EDQUOT, "Disk quota exceeded")), DiskFull),
        (caused(RejectEntry(Reason.UNREADABLE, "x"), OSError(errno.EMFILE, "many")), RetryLater),
    ],
)
def test_the_machine_s_faults(error: Exception, kind: type[Exception]) -> None:
    assert type(machine_fault(error)) is kind


@pytest.mark.parametrize(
    "error",
    [
        KeyError("x"),
        FileNotFoundError(errno.ENOENT, "No such file", "settings.toml"),
        RuntimeError("mat1 and mat2 shapes cannot be multiplied"),
        # What a decoder says of a damaged file.
        caused(RejectEntry(Reason.UNREADABLE, "x"), MemoryError()),
        caused(RejectEntry(Reason.UNREADABLE, "x"), OSError(errno.EIO, "Input/output error")),
    ],
)
def test_what_the_machine_has_no_part_in(error: Exception) -> None:
    assert machine_fault(error) is None


def test_an_exception_whose_text_cannot_be_had_is_a_bug_like_any_other() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise ValueError

    assert "Mute" in in_short(Mute())
    assert bug_of(Mute()).kind == "Mute"


def test_a_bug_crosses_a_process() -> None:
    bug = WorkerBug("KeyError: 'x'", Bug("KeyError", "here:1 in f", "Traceback", "1"))
    here, there = mp.Pipe()
    there.send(bug)
    back = here.recv()
    assert (back.last_line, back.bug, str(back)) == (bug.last_line, bug.bug, str(bug))


def test_ten_times_the_same_bug_is_enough() -> None:
    same, bug = SameBug(), Bug("KeyError", "here:1 in f", "")
    for number in range(9):
        same.met(f"e{number}", bug)
    same.met("other", Bug("KeyError", "there:2 in g", ""))
    for number in range(9):
        same.met(f"e{number}", bug)
    same.check()
    same.met("last", bug)
    with pytest.raises(StopRun, match="KeyError at here:1 in f, 10 times running, from e0 to last"):
        same.check()
