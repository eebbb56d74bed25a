"""A step: one pure function with a name and a version, and how a recipe uses it.

A step's function says everything that the pipeline needs to know: its positional
parameters are the artifacts that it reads (`music` and `video` are the paths of the
two recordings, `published` that of what others published of the song), its keyword-only
parameters are its settings, and the one called `model` is filled with the backend of the
step's slot. A step also says which columns of a row its record fills.
"""

import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from symmv_builder.schema import Column

RECORDINGS = ("music", "video", "published")


@dataclass(frozen=True, slots=True)
class Step:
    """One stage: `run(*reads, **parameters)` gives a record or raises `RejectEntry`.

    `version` rises whenever the same input would give another result. Steps that share
    one pass over a file name it in `together`: their `run` takes parameters alone and
    gives a watcher, and `together(path, watchers)` gives one record a watcher; or a function that
    makes it out of what the step reads besides, once the step's turn in the recipe has come. The
    file is the first recording that the step reads.
    A step that can do without its model for some inputs says so by `needs_model(*reads)`: where
    it is false, no model is loaded and `model` is `None`.
    `columns` are those that its record fills. Where settings or model decide on type or meaning it
    is a function that gives them for a use, among the uses of its recipe by what these make.
    """

    name: str
    version: int
    reads: tuple[str, ...]
    run: Callable[..., Any]
    slot: str | None = None
    together: Callable[[Path, Sequence[Any]], list[Any]] | None = None
    needs_model: Callable[..., bool] | None = None
    columns: "tuple[Column, ...] | Callable[[Use, Mapping[str, Use]], tuple[Column, ...]]" = ()

    def __post_init__(self) -> None:
        parameters = inspect.signature(self.run).parameters.values()
        positional = tuple(p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD)
        if positional != (() if self.together else self.reads):
            raise TypeError(f"step {self.name} declares {self.reads} but its function {positional}")
        if self.together:
            self._check_watcher()
        if ("model" in (p.name for p in parameters)) != (self.slot is not None):
            raise TypeError(f"step {self.name}: a slot and a parameter `model` go together")
        if type(self.version) is not int:
            raise TypeError(f"step {self.name}: the version {self.version!r} is no whole number")
        if undefaulted := [
            name for name, value in self.defaults.items() if value is inspect.Parameter.empty
        ]:
            raise TypeError(f"step {self.name}: no default for {', '.join(undefaulted)}")
        if not callable(self.columns):
            check_columns(self.columns)

    def _check_watcher(self) -> None:
        """Raise `TypeError` where a step of a pass, or its watcher, reads the wrong thing.

        The step has to read a recording, and its watcher's `finish` whatever else the step reads.
        """
        if not any(name in RECORDINGS for name in self.reads):
            raise TypeError(f"step {self.name} joins a pass, but reads no recording")
        others = tuple(name for name in self.reads if name != self.watched)
        if not others:
            return
        if self.needs_model:
            raise TypeError(f"step {self.name}: its model is loaded before {others} are made")
        parameters = tuple(inspect.signature(self._maker).parameters)[1:] if self._maker else ()
        if parameters != others:
            raise TypeError(
                f"step {self.name} reads {others} besides, but its `finish` {parameters}"
            )

    @property
    def watched(self) -> str:
        """The recording that a step of a pass is shown: the first that it reads."""
        return next(name for name in self.reads if name in RECORDINGS)

    @property
    def _maker(self) -> Callable[..., Any] | None:
        """What takes records and gives one: `run`, or how its watcher ends (`None` if unsaid)."""
        if self.together is None:
            return self.run
        return getattr(typing.get_type_hints(self.run).get("return"), "finish", None)

    def takes_model(self, inputs: Sequence[Any]) -> bool:
        """Check whether a model has to be loaded for these inputs."""
        return self.slot is not None and (self.needs_model is None or self.needs_model(*inputs))

    def record_read(self, name: str) -> type | None:
        """Give the kind of record, or `Path`, an input is annotated with; `None` where unsaid."""
        if self.together and name == self.watched:
            return Path
        return self._class_of(name)

    @property
    def record_made(self) -> type | None:
        """The kind of record that comes out, of a watcher too; `None` where it is not annotated."""
        return self._class_of("return")

    def _class_of(self, name: str) -> type | None:
        hint = typing.get_type_hints(self._maker).get(name) if self._maker else None
        return hint if isinstance(hint, type) and hint is not object else None

    @property
    def defaults(self) -> dict[str, Any]:
        """The settings of the step's function and their default values."""
        return {
            p.name: p.default
            for p in inspect.signature(self.run).parameters.values()
            if p.kind is p.KEYWORD_ONLY and p.name != "model"
        }


def check_columns(columns: object) -> None:
    """Raise `TypeError` where the columns of a step are no tuple of `Column`."""
    if not (isinstance(columns, tuple) and all(isinstance(each, Column) for each in columns)):
        raise TypeError("columns are to be a tuple of Column")


@dataclass(frozen=True, slots=True)
class Use:
    """A step in a recipe: which model and parameters, and under which name its result goes.

    `renamed` maps fields of its record to names of their columns other than the step's own.
    """

    step: Step
    makes: str
    inputs: tuple[str, ...]
    model: str | None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)

    @property
    def watched(self) -> str:
        """The recording that is shown to the watcher of its step."""
        return self.inputs[self.step.reads.index(self.step.watched)]

    @property
    def besides(self) -> tuple[str, ...]:
        """What the watcher of its step takes besides, to finish."""
        at = self.step.reads.index(self.step.watched)
        return self.inputs[:at] + self.inputs[at + 1 :]

    def columns(self, uses: Mapping[str, "Use"]) -> tuple[Column, ...]:
        """List the columns that its record fills, by the names that they have in this recipe.

        `uses` are those of the recipe, by what they make.
        """
        declared = self.step.columns
        columns = declared(self, uses) if callable(declared) else declared
        check_columns(columns)
        return tuple(
            replace(
                column,
                name=self.renamed.get(column.take, column.name.replace("{}", self.makes)),
                take=f"{self.makes}.{column.take}",
            )
            for column in columns
        )


def use(
    step: Step,
    *,
    makes: str | None = None,
    inputs: Mapping[str, str] | None = None,
    model: str | None = None,
    **parameters: Any,
) -> Use:
    """Place a step in a recipe: `inputs` renames what it reads, `parameters` change defaults."""
    renamed = inputs or {}
    unknown = set(renamed) - set(step.reads) | set(parameters) - set(step.defaults)
    if unknown:
        raise TypeError(f"step {step.name} has no {', '.join(sorted(unknown))}")
    if (model is None) != (step.slot is None):
        raise TypeError(f"step {step.name}: slot {step.slot}, but model {model}")
    return Use(
        step=step,
        makes=makes or step.name,
        inputs=tuple(renamed.get(name, name) for name in step.reads),
        model=model,
        parameters={**step.defaults, **parameters},
    )
