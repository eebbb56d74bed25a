"""What ends a run, by situation: subclasses of `StopRun` with fields, and a message built of them.

A message says what is wrong, in words that are true for a notebook, a flow and a command alike. It
names no option and no command: what to type is added by whoever asked (`cli/advice.py`).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from os import PathLike

from symmv_builder.errors.reactions import StopRun
from symmv_builder.text import clean_line

# What was asked for


@dataclass(eq=False)
class UnknownName(StopRun):
    """No `kind` (of dataset, model, step, option) is called `name`; `known` are the right ones.

    `where` is what was asked for it, such as a recipe, if that is not the whole package.
    """

    kind: str
    name: str
    known: Sequence[str] = ()
    where: str = ""

    def __str__(self) -> str:
        known = ", ".join(self.known)
        if self.where:
            said = f"{self.where} has no {self.kind} {self.name!r}"
            return f"{said}; it has: {known}" if known else said
        said = f"no {self.kind} is called {self.name!r}"
        return f"{said}; known: {known}" if known else said


@dataclass(eq=False)
class NotFound(StopRun):
    """No `kind` (of entry, release, row) of this `name` is stored in `where`."""

    kind: str
    name: str
    where: str

    def __str__(self) -> str:
        return f"no {self.kind} is called {self.name!r} in {self.where}"


@dataclass(eq=False)
class NoSuchPath(StopRun):
    """There is no file or folder at `path`; `kind` says which of the two is needed."""

    path: str | PathLike[str]
    kind: str = "file"

    def __str__(self) -> str:
        return f"{clean_line(str(self.path))} is not a {self.kind}"


@dataclass(eq=False)
class WrongSetting(StopRun):
    """The setting, parameter or option `name` cannot be `value`; `wanted` says what it can be.

    `where` is the place that the value comes from: a file with its line, or a step.
    """

    name: str
    value: object
    wanted: str
    where: str = ""

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        return f"{place}{self.name} is {self.value!r}; {self.wanted}"


@dataclass(eq=False)
class WrongArguments(StopRun):
    """Arguments of a call are missing or exclude each other.

    `problem` names them in backquotes as Python does, for example ```from_` or `split```, so that
    a command line can put its options in their places (`arguments` lists them).
    """

    problem: str

    @property
    def arguments(self) -> tuple[str, ...]:
        return tuple(re.findall(r"`(\w+)`", self.problem))

    def __str__(self) -> str:
        return self.problem


# Files and places


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

    `is_remembered` where it is the copy that a data root keeps of the recipe of a dataset.
    """

    is_remembered: bool = False


@dataclass(eq=False)
class Damaged(StopRun):
    """A stored file is not what was written; who works on many entries leaves that one alone.

    `problem` is what is wrong with `path`, such as ``is gone``, and `remedy` what sets it right.
    """

    path: str | PathLike[str]
    problem: str
    remedy: str = ""

    def __str__(self) -> str:
        said = f"{self.path} {self.problem}"
        return f"{said}; {self.remedy}" if self.remedy else said


@dataclass(eq=False)
class OutputExists(StopRun):
    """A file that is not ours stands at `path`, where something is to be written.

    `problem` says more of it; `remedy` is what helps where it may not be replaced on demand.
    """

    path: str | PathLike[str]
    problem: str = "was not made by this command, or was changed since"
    remedy: str = ""

    def __str__(self) -> str:
        remedy = f"; {self.remedy}" if self.remedy else ""
        return f"{self.path} is there and {self.problem}{remedy}"


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


# What a dataset has


@dataclass(eq=False)
class NoEntries(StopRun):
    """The `dataset` has no entries in the data root `root`, so nothing can be made of it.

    `problem` is said instead where it has entries and lacks their recordings. `is_imported` where
    the entries come by an import. `taken_down` is how many it has whose recordings were taken
    down.
    """

    dataset: str
    root: str
    problem: str = ""
    is_imported: bool = False
    taken_down: int = 0

    def __str__(self) -> str:
        if self.taken_down:
            counted = f"all {self.taken_down} entries of {self.dataset} in {self.root}"
            return f"nothing can be made of {counted}: a recording of each was taken down"
        return self.problem or f"{self.dataset} has no entries in {self.root}"


@dataclass(eq=False)
class NoShards(StopRun):
    """The `dataset` was not built in the data root `root`: it has no shards, or lacks some.

    `problem` says which it lacks. `is_imported` where its entries come by an import.
    """

    dataset: str
    root: str
    problem: str = ""
    is_imported: bool = False

    def __str__(self) -> str:
        return self.problem or f"{self.dataset} has no shards in {self.root}"


@dataclass(eq=False)
class NoRows(StopRun):
    """No row of a `split` of the `dataset` can be used.

    `problem` says why; where there is none at all, `known` are the splits that have rows.
    """

    dataset: str
    split: str
    problem: str = ""
    known: Sequence[str] = ()

    def __str__(self) -> str:
        known = f"; it has {', '.join(self.known)}" if self.known else ""
        return self.problem or f"{self.dataset} has no rows in split {self.split!r}{known}"


@dataclass(eq=False)
class MissingResult(StopRun):
    """The result `artifact` of the entry `entry_id` of `dataset` is gone from the data root `root`.

    A build of it makes it again.
    """

    dataset: str
    entry_id: str
    artifact: str
    root: str

    def __str__(self) -> str:
        return f"the {self.artifact} of {self.entry_id} is gone from {self.root}"


@dataclass(eq=False)
class MissingColumns(StopRun):
    """The shards of `dataset`, or the one at `path`, lack `columns`: those were not made.

    `needed_for` is what they are needed for. Where the recipe of the dataset does not make them,
    `steps` are those that do and `like` a recipe that has them, or `is_unknown`: none has.
    """

    dataset: str
    columns: Sequence[str]
    path: str = ""
    needed_for: str = ""
    steps: Sequence[str] = ()
    like: str = ""
    is_unknown: bool = False

    def __str__(self) -> str:
        where = f"{self.path} has" if self.path else f"the shards of {self.dataset} hold"
        why = f", {self.needed_for}" if self.needed_for else ": it was not made"
        said = f"{where} no column {', '.join(self.columns)}{why}"
        if self.is_unknown:
            return f"{said}; no step of a recipe makes it"
        if self.steps:
            return f"{said}; its recipe lacks {', '.join(self.steps)}, which {self.like} has"
        return said


@dataclass(eq=False)
class ReleaseRefused(StopRun):
    """The `dataset` cannot be released as it is, for `problem`; `remedy` is what would help."""

    dataset: str
    problem: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.problem}; {self.remedy}" if self.remedy else self.problem


@dataclass(eq=False)
class ReleaseExists(StopRun):
    """The `dataset` was released as `version` already, and a release never changes.

    `next_version` is free.
    """

    dataset: str
    version: str
    next_version: str = ""

    def __str__(self) -> str:
        return f"{self.dataset} {self.version} is released already and never changes"


@dataclass(eq=False)
class CannotMeasure(StopRun):
    """There is nothing to measure or compare in what was given; `problem` says why."""

    problem: str

    def __str__(self) -> str:
        return self.problem


# Models, packages and the machine


@dataclass(eq=False)
class MissingPackage(StopRun):
    """The Python package or program `package` is not installed; `install` is how that is done.

    `problem` says what it is needed for.
    """

    package: str
    install: str
    problem: str = ""

    def __str__(self) -> str:
        return f"{self.problem or f'{self.package} is not installed'}; run: {self.install}"


@dataclass(eq=False)
class MissingWeights(StopRun):
    """The weights of `model` are not here; `how` says where they come from.

    `problem` is what was looked for. `can_be_fetched` where this package gets them itself, by the
    name of the model.
    """

    model: str
    problem: str = ""
    how: str = ""
    can_be_fetched: bool = False

    def __str__(self) -> str:
        said = self.problem or f"the weights of {self.model} are not here"
        return f"{said}. {self.how}" if self.how else said


@dataclass(eq=False)
class WrongWeights(StopRun):
    """The `model` cannot be loaded: its weights are damaged, of another model, or do not fit.

    `problem` says which it is, `how` where the right ones come from. `can_be_fetched` where this
    package gets them itself, by the name of the model.
    """

    model: str
    problem: str
    how: str = ""
    can_be_fetched: bool = False

    def __str__(self) -> str:
        return f"{self.problem}. {self.how}" if self.how else self.problem


@dataclass(eq=False)
class PluginBroken(StopRun):
    """What another package adds cannot be used.

    It is a `kind` of extension (a step, a model, an importer) called `name`, in the `package`;
    `problem` is what is wrong with it.
    """

    kind: str
    name: str
    package: str
    problem: str

    def __str__(self) -> str:
        what = f"the {self.kind} {self.name} of the package {self.package}"
        return clean_line(f"{what} cannot be used: {self.problem}")


@dataclass(eq=False)
class NoDevice(StopRun):
    """The `device` that was asked for cannot be used here, for `problem`."""

    device: str
    problem: str

    def __str__(self) -> str:
        return self.problem


@dataclass(eq=False)
class ServiceRefused(StopRun):
    """An outside `service` (model hub, package index) does not do what was asked, for a `cause`."""

    service: str
    cause: str

    def __str__(self) -> str:
        return f"{self.service}: {self.cause}"


@dataclass(eq=False)
class SiteNotCrawled(StopRun):
    """The `link` leads to a site that is none of `sites`, the ones that settings name."""

    link: str
    sites: Sequence[str] = ()

    def __str__(self) -> str:
        names = ", ".join(self.sites) or "none"
        return f"{self.link} is of a site that is not crawled; SYMMV_SITES names {names}"


@dataclass(eq=False)
class WorkersLost(StopRun):
    """Worker processes are lost again and again in `doing`, for which no entry is at fault.

    `problem` says how; `is_killed` where something from outside kills them, mostly for want of
    memory.
    """

    doing: str
    problem: str
    is_killed: bool = False

    def __str__(self) -> str:
        return self.problem
