"""Which process made something, and whether it still runs."""

import functools
import hashlib
import os
from contextlib import suppress
from pathlib import Path


@functools.cache
def machine() -> str:
    """Hash what makes a process id mean the same process: host, boot, pid namespace."""
    facts = [os.uname().nodename]
    with suppress(OSError):
        facts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
    with suppress(OSError):
        facts.append(str(Path("/proc/self/ns/pid").stat().st_ino))
    return hashlib.sha256("\0".join(facts).encode()).hexdigest()[:8]


def is_running(process: int) -> bool:
    """Check whether a process of this machine is there."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        pass
    return True


def started(process: int) -> str:
    """Tell when a process of this machine began, in the kernel's clock ticks since the boot.

    Process ids are used again: with this, a new process is not taken for an old one. Empty
    for a process that has ended, and where the system does not say.
    """
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()
    has_ended = fields[0] in ("Z", "X")
    return "" if has_ended else fields[19]
