"""One writer for each run's folder.

Whoever trains holds a lock on the file ``.lock`` of the folder. The lock is the system's and goes
with its process, so the dead hold nothing; what the file says is for people.
"""

import fcntl
import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from symmv_builder.errors import RunLocked
from symmv_builder.storage.root import disk_errors

LOCK = ".lock"
_LONGEST = 1000


@contextmanager
def hold_run(folder: Path, *, wait: bool = False) -> Iterator[None]:
    """Hold a run's folder, which is made where it is not there.

    `RunLocked` where another process holds it, with who and since when; with `wait` its end is
    waited for. Folders that were made for this and in which nothing was written go again.
    """
    with disk_errors(folder):
        new_folders = [each for each in (folder, *folder.parents) if not each.exists()]
        lock = _locked(folder, wait)
    try:
        yield
    finally:
        if new_folders and os.listdir(folder) == [LOCK]:
            (folder / LOCK).unlink()
            # Up to the first one that holds something by now.
            with suppress(OSError):
                for each in new_folders:
                    each.rmdir()
        os.close(lock)


def _locked(folder: Path, wait: bool) -> int:
    """Open the lock's file and lock it; gives the descriptor, open until the run ends."""
    path = folder / LOCK
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        # Not inherited by what is started from here: a child that stays would go on holding it.
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            lock = os.open(path, flags, 0o666)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            if _is_still(path, lock):
                _say_who(lock)
                return lock
        except BlockingIOError:
            os.close(lock)
            raise RunLocked(folder, _who(path)) from None
        except BaseException:
            os.close(lock)
            raise
        os.close(lock)


def _is_still(path: Path, lock: int) -> bool:
    """Check that the locked file is the one that stands there.

    Its last holder may have removed it.
    """
    with suppress(FileNotFoundError):
        return os.path.samestat(os.stat(path, follow_symlinks=False), os.fstat(lock))
    return False


def _say_who(lock: int) -> None:
    holder = {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": " ".join(sys.argv)[:_LONGEST],
    }
    os.ftruncate(lock, 0)
    os.pwrite(lock, json.dumps(holder).encode(), 0)


def _who(path: Path) -> str:
    """Tell in words who holds a lock; a holder who has only just come may not have said it yet."""
    for _ in range(10):
        with suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
            holder = json.loads(path.read_text())
            # As JSON, so that nothing that a command line holds reaches a terminal.
            command, host = json.dumps(holder["command"]), json.dumps(holder["host"])
            since = json.dumps(holder["since"]).strip('"')
            return f"process {int(holder['pid'])} on {host} since {since} ({command})"
        time.sleep(0.05)
    return "another process"
