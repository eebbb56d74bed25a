"""Files and places."""

from dataclasses import dataclass
from datetime import datetime
from os import PathLike

from symmv_builder.errors.reactions import StopRun
from symmv_builder.text import clean_line


@dataclass(eq=False)
class CannotRead(StopRun):
    """The file or folder `path` cannot be read, for a `cause` such as its permissions."""

    path: str | PathLike[str]
    cause: str

    def __str__(self) -> str:
        return f"cannot read {clean_line(str(self.path))}: {self.cause}"


@dataclass(eq=False)
class CannotWrite(StopRun):
    """Nothing can be written to `path`, for a `cause` such as its permissions."""

    path: str | PathLike[str]
    cause: str

    def __str__(self) -> str:
        return f"cannot write to {clean_line(str(self.path))}: {self.cause}"


class DiskFull(CannotWrite):
    """No space or quota is left where `path` lies (`cause`); what stood there is as it was."""


@dataclass(eq=False)
class MalformedFile(StopRun):
    """The contents of a file or folder are not what is read there.

    `problem` is what is wrong with `path`; it stands at `line`, counted from 1 (0: the whole
    file), and `key` (empty: none).
    """

    path: str | PathLike[str]
    problem: str
    line: int = 0
    key: str = ""

    def __str__(self) -> str:
        line = f", line {self.line}" if self.line else ""
        key = f"{self.key}: " if self.key else ""
        return f"{self.path}{line}: {key}{self.problem}"


@dataclass(eq=False)
class RecipeError(MalformedFile):
    """A recipe says what no recipe can say; fields as those of `MalformedFile`.

    `is_remembered` where it is the copy that a data root keeps of the recipe of a dataset,
    `is_installed` where a recipe of that dataset is installed, too.
    """

    is_remembered: bool = False
    is_installed: bool = False


@dataclass(eq=False)
class Damaged(StopRun):
    """A stored file is not what was written; who works on many entries leaves that one alone.

    `problem` is what is wrong with `path`, such as ``is gone``, and `remedy` what sets it right.
    """

    path: str | PathLike[str]
    problem: str
    remedy: str = ""

    def __str__(self) -> str:
        text = f"{self.path} {self.problem}"
        return f"{text}; {self.remedy}" if self.remedy else text


@dataclass(eq=False)
class OutputExists(StopRun):
    """A file stands at `path`, where something is to be written, and may not be replaced.

    `problem` says more of it; `remedy` is what helps where it may not be replaced on demand.
    """

    path: str | PathLike[str]
    problem: str = ""
    remedy: str = ""

    def __str__(self) -> str:
        problem = f"and {self.problem}" if self.problem else "already"
        remedy = f"; {self.remedy}" if self.remedy else ""
        return f"{self.path} is there {problem}{remedy}"


@dataclass(eq=False)
class StoreUnusable(StopRun):
    """A data root or a ledger cannot be used, for a `cause`; `place` is its address, no secrets."""

    place: str
    cause: str

    def __str__(self) -> str:
        return f"cannot use {self.place}: {self.cause}"


class OldLedger(StoreUnusable):
    """The ledger is of an earlier version of the program, and a reader may not change it."""


@dataclass(eq=False)
class Locked(StopRun):
    """Another process writes the dataset `name`.

    `holder` says which process of which machine, `since_s` when it began, in seconds since the
    epoch.
    """

    name: str
    holder: str
    since_s: float

    def __str__(self) -> str:
        since = datetime.fromtimestamp(self.since_s).astimezone()
        at = since.isoformat(" ", timespec="seconds")
        return f"{self.name} is being written by {self.holder} since {at}"


@dataclass(eq=False)
class LockLost(StopRun):
    """This process stood still for longer than its lease on the dataset `name`, `lease_s` seconds.

    Nothing was overwritten.
    """

    name: str
    lease_s: float

    def __str__(self) -> str:
        return (
            f"this process lost its lock on {self.name}, because it stood still for more than "
            f"{self.lease_s:g} s; nothing was overwritten"
        )
