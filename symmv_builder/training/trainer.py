"""What a trainer is: one object behind which everything stands that belongs to it.

A trainer's package has a module with its `Trainer`, which the table of `symmv_builder.training` or
an entry point names. Command line, flows and notebooks know no trainer by its name: they ask for
presets, train, open a composer and measure through this class, and show the options that it
declares. Importing that module costs no torch; its methods import what they need.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from symmv_builder.errors import StopRun, WrongSetting
from symmv_builder.evaluation.metric import Metric
from symmv_builder.evaluation.published_figures import Figures
from symmv_builder.records import Key, Notes
from symmv_builder.storage.root import Root
from symmv_builder.training.composing import ORDERED

if TYPE_CHECKING:
    from symmv_builder.training.composing import Composer
    from symmv_builder.training.runs import Outcome, Request

# The callback for progress: how many are done, of how many.
Tell: TypeAlias = Callable[[int, int], None]
# Columns that a row must have, and columns that are used where a row has them.
Columns: TypeAlias = tuple[tuple[str, ...], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Option:
    """A choice that one trainer or importer offers: a flag of the command line, or an argument.

    `name` is written with underscores. Without a `default` it is `None` until it is given. `kind`
    is bool, int, float, str or Path; of texts only those of `choices` are taken, where there are
    any. Numbers lie between `least` and `most`, both included. `off` names the flag that turns a
    bool off which is on by default, `metavar` the value in the help, `label` the field of a form.
    `run_of` names the trainer of which the path of a run is meant.
    """

    name: str
    kind: type
    help: str
    default: Any = None
    choices: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None
    metavar: str | None = None
    off: str = ""
    label: str = ""
    run_of: str = ""

    @property
    def flag(self) -> str:
        """The option as the command line writes it."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def words(self) -> str:
        """The option as a form calls it."""
        return self.label or self.name.replace("_", " ").capitalize()

    def checked(self, value: Any) -> Any:
        """Check a value and convert it to its kind.

        `StopRun` where it is none that the option takes.
        """
        if value is None or value == self.default:
            return self.default
        expected = " or ".join(self.choices) or f"a {self.kind.__name__.lower()}"
        if self.kind in (int, float):
            low, high = self.least, self.most
            bounds = " to ".join(f"{bound:g}" for bound in (low, high) if bound is not None)
            expected = bounds or "a number"
            is_number = isinstance(value, int) or (self.kind is float and isinstance(value, float))
            fits = is_number and not isinstance(value, bool) and math.isfinite(value)
            fits = fits and (low is None or value >= low) and (high is None or value <= high)
        elif self.kind is bool:
            fits = isinstance(value, bool)
        else:
            fits = isinstance(value, str | Path) and (not self.choices or value in self.choices)
        if not fits:
            raise WrongSetting(self.name, value, f"it can be {expected}")
        return self.kind(value)


TEMPO = Option(
    "tempo",
    float,
    "Beats a minute, kept throughout; by default what the model takes from the video (V-MusProd: "
    "its motion, bent so that bar lines fall on cuts; CMT: its visual beats) or from its songs.",
    least=20.0,
    most=400.0,
    metavar="BPM",
    label="Tempo, beats a minute",
)
DENSITY = Option(
    "density",
    float,
    "How many notes beside what the model would write by itself: 0.5 is sparser, 2 is busier.",
    default=1.0,
    least=0.5,
    most=4.0,
    metavar="FACTOR",
    label="Density (1 is the model's own)",
)


@dataclass(frozen=True, slots=True)
class ComposeRequest:
    """The arguments that a composer is opened with.

    `run` is the folder of a training, `options` hold a value for each of the trainer's options, and
    `find_key` hears the key of notes.
    """

    run: Path
    device: str
    options: Mapping[str, Any]
    find_key: Callable[[Notes], Key]


def _untold(done: int, of: int) -> None:
    del done, of


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """The place to measure: the best model of the run in `run`, on a split of a dataset.

    `tell` is given rows done and in all; `options` hold a value for each option of the score.
    """

    run: Path
    root: Root
    dataset: str
    split: str = "test"
    device: str = "cpu"
    options: Mapping[str, Any] = field(default_factory=dict)
    tell: Tell = _untold


@dataclass(frozen=True, slots=True)
class Baseline:
    """The score of knowing nothing, as a line below the model's own.

    `values` finds it by metric among all that was measured.
    """

    label: str
    values: Callable[[Mapping[str, Any]], Mapping[str, float | None]]


@dataclass(frozen=True, slots=True)
class Confusion:
    """A confusion matrix: the names of its rows and columns, and what a row is called."""

    labels: Sequence[str]
    rows: str = "true"


def _no_remarks(measured: Mapping[str, Any]) -> list[str]:
    del measured
    return []


@dataclass(frozen=True, slots=True)
class ModelScore:
    """A score of models on a split: a command of `symmv evaluate`, by its name.

    `measure` gives a mapping: ``metrics`` (numbers by name), what was counted (``songs``,
    ``seconds``, ``videos``), ``left_out`` (why a row could not be used, by entry), ``confusion``
    (matrices of counts by name, as `confusions` describes them), and whatever else a reader of the
    JSON should know; an ``embedding`` (identity of a model) without trained weights is reported.
    `metrics` are the columns of the table below `title`, `published` the papers' own figures above
    ours, `remarks` lines below it. `kind` is that of the checkpoints that are measured.
    """

    name: str
    kind: str
    help: str
    title: str
    metrics: tuple[Metric, ...]
    measure: Callable[[ScoreRequest], Mapping[str, Any]]
    published: Sequence[Figures] = ()
    options: tuple[Option, ...] = ()
    beside: Baseline | None = None
    remarks: Callable[[Mapping[str, Any]], Sequence[str]] = _no_remarks
    confusions: Mapping[str, Confusion] = field(default_factory=dict)


class Trainer(ABC):
    """Presets, training, music and measures of one kind of model.

    `title` is what people call the model, `dataset` the recipe whose columns it reads. `presets`
    are frozen dataclasses ``paper``, ``small`` and ``smoke``; `ways` are changes of their fields
    that make the training that of its ``paper`` or of its ``released`` code. A checkpoint of the
    trainer is of the kind ``NAME`` or ``NAME.PART``, by which it is found again
    (`run_folders.trainer_of`). `options` are those of its composer, `scores` what its models are
    measured by.
    """

    title: ClassVar[str]
    dataset: ClassVar[str] = ""
    presets: ClassVar[Mapping[str, Any]]
    ways: ClassVar[Mapping[str, Mapping[str, str]]] = {}
    options: ClassVar[tuple[Option, ...]] = ()
    scores: ClassVar[tuple[ModelScore, ...]] = ()

    @property
    def composes(self) -> bool:
        """Whether its models write music."""
        return type(self).composer is not Trainer.composer

    @abstractmethod
    def columns(self, config: Any) -> Columns:
        """List the columns that a training reads: those it needs, and those it may use."""

    @abstractmethod
    def train(self, config: Any, request: "Request") -> "Outcome":
        """Train to the end, or go on with the run that stands in ``request.out``.

        `StopRun` where data, device or checkpoint do not fit, or a loss is no number any more.
        """

    def heeds(self, config: Mapping[str, Any]) -> frozenset[str]:
        """List what of `ORDERED` and of its own `options` a model of this configuration can heed.

        `config` has the fields of one of `presets`, as a checkpoint holds them. A passage is left
        out unless a trainer says that its models write it.
        """
        del config
        return frozenset(ORDERED) - {"passage"} | {option.name for option in self.options}

    def composer(self, request: ComposeRequest) -> "Composer":
        """Open the model of a run, to write music with; `StopRun` where it cannot be opened."""
        raise StopRun(f"{request.run} holds a {self.title}, which writes no music")
