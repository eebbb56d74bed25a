"""Whose fault an exception is, if a step raises what it was not meant to raise.

The machine's: memory, a disk, a file that is gone. Then the entry is left for another run, or
the run stops. The program's: a bug, of which the type, the place and the traceback are kept.
"""

import errno
import traceback
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from symmv_builder.errors import (
    Bug,
    CannotWrite,
    DiskFull,
    Reason,
    RejectEntry,
    RetryLater,
    StopRun,
    SymMVError,
)
from symmv_builder.packages import missing_package
from symmv_builder.storage.assets import has_asset, hash_file
from symmv_builder.storage.root import Root
from symmv_builder.version import __version__

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
_MACHINE = frozenset({errno.EMFILE, errno.ENFILE, errno.ESTALE})
_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "cannot allocate memory")
_LONGEST_SAID = 300


def machine_fault(error: Exception) -> SymMVError | None:
    """Make what to raise where an exception is the machine's fault; `None` where it is not.

    `StopRun` where the disk is full or a package is not installed, `RetryLater` for want of
    memory or of open files, or where a disk does not answer.
    """
    # A decoder that is asked for too much memory says that of a damaged file: what was
    # translated into a rejection was understood.
    was_understood = isinstance(error, RejectEntry)
    for each in _causes(error):
        if missing := missing_package(each):
            return missing
        if _is_out_of_memory(each) and not was_understood:
            return RetryLater(f"out of memory: {in_short(each)}", reason=Reason.MACHINE)
        if not isinstance(each, OSError):
            continue
        if each.errno in _FULL:
            kind = CannotWrite if each.errno == errno.EROFS else DiskFull
            return kind(each.filename or "the disk", in_short(each))
        if each.errno in _MACHINE or (each.errno == errno.EIO and not was_understood):
            return RetryLater(f"the machine is at fault: {in_short(each)}", reason=Reason.MACHINE)
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    chain: list[BaseException] = []
    following: BaseException | None = error
    while following is not None and following not in chain:
        chain.append(following)
        yield following
        following = following.__cause__ or following.__context__


def _is_out_of_memory(error: BaseException) -> bool:
    # torch's errors, by name: nothing here imports torch.
    names = {kind.__name__ for kind in type(error).__mro__}
    if names & {"MemoryError", "OutOfMemoryError"}:
        return True
    return isinstance(error, RuntimeError) and any(
        words in str(error).lower() for words in _OUT_OF_MEMORY
    )


def check_recordings(root: Root, contents: Iterable[str], paths: Mapping[str, Path]) -> None:
    """Make sure that recordings are there and are what was stored, before an entry is blamed.

    `contents` are the sha256 of recordings, `paths` where some of them were read. Raises
    `StopRun` where the data root is gone, `RetryLater` where a recording is gone, cannot be
    read, or no longer has the bytes that it is named after.
    """
    root.check()
    for sha256 in contents:
        if not has_asset(root, sha256):
            # Between two looks the root may have gone.
            root.check()
            reason = "its recordings are gone from the data root"
            raise RetryLater(reason, reason=Reason.MACHINE)
        if sha256 in paths:
            _check_bytes(root, sha256, paths[sha256])


def _check_bytes(root: Root, sha256: str, path: Path) -> None:
    try:
        is_sound = hash_file(path) == sha256
    except OSError as error:
        root.check()
        reason = f"its recording {path} cannot be read: {error.strerror}"
        raise RetryLater(reason, reason=Reason.MACHINE) from error
    if not is_sound:
        reason = f"its recording {path} is damaged"
        raise RetryLater(reason, reason=Reason.MACHINE)


def bug_of(error: BaseException) -> Bug:
    """Keep what matters of an exception that nobody foresaw."""
    frames = traceback.extract_tb(error.__traceback__)
    place = "an unknown place"
    if frames:
        last = frames[-1]
        place = f"{'/'.join(Path(last.filename).parts[-2:])}:{last.lineno} in {last.name}"
    trace = "".join(traceback.format_exception(error))
    return Bug(type(error).__name__, place, trace, __version__)


def in_short(error: BaseException) -> str:
    """Give the last line of an exception's traceback: its type and what it says, as one line."""
    line = " ".join("".join(traceback.format_exception_only(error)).split())
    return line if len(line) <= _LONGEST_SAID else line[:_LONGEST_SAID] + "..."


class SameBug:
    """The entries that met one and the same bug, one after the other: ten are enough to stop.

    A bug is the same where its type and its place are.
    """

    ENOUGH = 10

    def __init__(self) -> None:
        self.names: list[str] = []
        self._bug: Bug | None = None
        self._package = ""

    def met(self, name: str, bug: Bug, package: str = "") -> None:
        """Count a bug; `package` is the other package that it is in, empty for this one."""
        if self._bug is None or self._bug.fault != bug.fault:
            self.clear()
        self._bug, self._package = bug, package
        self.names.append(name)

    def clear(self) -> None:
        """Somebody got past the place of the bug."""
        self.names, self._bug = [], None

    def check(self) -> None:
        """Raise `StopRun` where it was met often enough."""
        if self._bug and len(self.names) >= self.ENOUGH:
            maker = f"the package {self._package}" if self._package else "the program"
            raise StopRun(
                f"{maker} is at fault: {self._bug.kind} at {self._bug.place}, "
                f"{len(self.names)} times running, from {self.names[0]} to {self.names[-1]}"
            )
