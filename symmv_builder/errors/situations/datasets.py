"""What a dataset has."""

from collections.abc import Sequence
from dataclasses import dataclass

from symmv_builder.errors.reactions import StopRun


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
        others = f"; it has {', '.join(self.known)}" if self.known else ""
        where = "" if self.split == "all" else f" in split {self.split!r}"
        return self.problem or f"{self.dataset} has no rows{where}{others}"


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
class MissingParts(StopRun):
    """The results `artifacts` were not made for all entries of `dataset`, and `purpose` needs them.

    They are part of its recipe: a build of all of it makes them.
    """

    dataset: str
    artifacts: Sequence[str]
    purpose: str

    def __str__(self) -> str:
        return f"{self.dataset} has no {', '.join(self.artifacts)}, and {self.purpose}"


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
        noun = "column" if len(self.columns) == 1 else "columns"
        text = f"{where} no {noun} {', '.join(self.columns)}{why}"
        if self.is_unknown:
            return f"{text}; no step of a recipe makes it"
        if self.steps:
            return f"{text}; its recipe lacks {', '.join(self.steps)}, which {self.like} has"
        return text


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

    `next_version` is free. `is_withdrawn` where that release stands no more: whoever has a copy
    knows another content under its number.
    """

    dataset: str
    version: str
    next_version: str = ""
    is_withdrawn: bool = False

    def __str__(self) -> str:
        if self.is_withdrawn:
            released = f"{self.dataset} {self.version} was released and withdrawn"
            return f"{released}, and its number is not used again"
        return f"{self.dataset} {self.version} is released already and never changes"


@dataclass(eq=False)
class CannotMeasure(StopRun):
    """There is nothing to measure or compare in what was given; `problem` says why."""

    problem: str

    def __str__(self) -> str:
        return self.problem
