"""Trainings and their models."""

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike

from symmv_builder.errors.reactions import StopRun


@dataclass(eq=False)
class RunLocked(StopRun):
    """Another process trains into the `folder`; `holder` says which, and since when."""

    folder: str | PathLike[str]
    holder: str

    def __str__(self) -> str:
        return f"{self.folder} is being trained by {self.holder}"


@dataclass(eq=False)
class FolderTaken(StopRun):
    """A run cannot be written to the `folder`, because that `holds` something else."""

    folder: str | PathLike[str]
    holds: str

    def __str__(self) -> str:
        return f"{self.folder} holds {self.holds}; give a folder that is empty or new"


@dataclass(eq=False)
class OtherConfiguration(StopRun):
    """The run in the `folder` was begun with other values of `fields`, and cannot be resumed."""

    folder: str | PathLike[str]
    fields: Sequence[str]

    def __str__(self) -> str:
        return (
            f"{self.folder} holds a run with another configuration ({', '.join(self.fields)}); "
            "give another folder, or the settings that it began with"
        )


@dataclass(eq=False)
class WrongConfiguration(StopRun):
    """The fields of a configuration contradict each other, or are those of another version.

    `kind` is the class of the configuration, `problem` what is wrong with it.
    """

    kind: str
    problem: str

    def __str__(self) -> str:
        return self.problem


@dataclass(eq=False)
class DataChanged(StopRun):
    """The `dataset` is no longer what a run learned from, so the run is not resumed unasked.

    `checkpoint` is the newest one of the run, `changes` say what is otherwise since then.
    """

    dataset: str
    checkpoint: str | PathLike[str]
    changes: str

    def __str__(self) -> str:
        return f"{self.dataset} has changed since {self.checkpoint} was written ({self.changes})"


@dataclass(eq=False)
class NoCheckpoint(StopRun):
    """The `folder` holds no checkpoint; `kind` says of which model one was looked for, if any."""

    folder: str | PathLike[str]
    kind: str = ""

    def __str__(self) -> str:
        return f"{self.folder} holds no checkpoint{f' of {self.kind}' if self.kind else ''}"


@dataclass(eq=False)
class Untrained(NoCheckpoint):
    """The `folder` is that of a training that was ended before it, or its `stage`, was trained.

    `only` is the one stage that the training was asked for, if not for all.
    """

    stage: str = ""
    only: str = ""

    def __str__(self) -> str:
        if self.stage:
            return f"the stage {self.stage} of {self.folder} is not trained yet"
        return f"the training in {self.folder} has no checkpoint yet"


@dataclass(eq=False)
class OtherCheckpoint(StopRun):
    """The checkpoint in the `folder` is one of `kind`, and one of the kind `wanted` is read."""

    folder: str | PathLike[str]
    kind: str
    wanted: str

    def __str__(self) -> str:
        return f"{self.folder} is a checkpoint of {self.kind}, not of {self.wanted}"


@dataclass(eq=False)
class OtherFeatures(StopRun):
    """The features of a video or its music are not of the kind that a model learned from.

    `source` has the features `given`; the model in the folder `run` learned from `learned`.
    `can_begin` where a new training on the source can begin from that model.
    """

    source: str
    given: str
    run: str | PathLike[str]
    learned: str
    can_begin: bool = False

    def __str__(self) -> str:
        what = f"{self.source} has {self.given}, but {self.run} learned from {self.learned}"
        return what if self.can_begin else f"{what}; both have to be made by the same model"


@dataclass(eq=False)
class MissingFeatures(StopRun):
    """The row or video `source` lacks `columns`; `needed_for` says what reads them."""

    source: str
    columns: Sequence[str]
    needed_for: str

    def __str__(self) -> str:
        return f"{self.source} has no column {', '.join(self.columns)}, {self.needed_for}"


@dataclass(eq=False)
class MalformedColumn(StopRun):
    """The `column` of a row or video `source` has another shape than its schema: the `problem`."""

    column: str
    source: str
    problem: str

    def __str__(self) -> str:
        return f"column {self.column} of {self.source} {self.problem}"


@dataclass(eq=False)
class LossNotFinite(StopRun):
    """A training diverged: `loss`, which is called `what`, is no number behind the step `step`."""

    what: str
    loss: float
    step: int

    def __str__(self) -> str:
        return f"{self.what} is {self.loss} behind step {self.step}; lower lr or raise warmup"


@dataclass(eq=False)
class TooLittleMemory(StopRun):
    """The `device` has too little memory for a model and batches of `batch_size` rows."""

    device: str
    batch_size: int

    def __str__(self) -> str:
        return (
            f"{self.device} has too little memory; a batch_size below {self.batch_size}, or a "
            "smaller model, takes less"
        )
