"""What was asked for."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike

from symmv_builder.errors.reactions import StopRun
from symmv_builder.text import clean_line, nearest, suggestions


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
        if self.where:
            names = suggestions(self.name, self.known, "it has: ")
            return f"{self.where} has no {self.kind} {self.name!r}{names}"
        return f"no {self.kind} is called {self.name!r}{suggestions(self.name, self.known)}"


@dataclass(eq=False)
class NotFound(StopRun):
    """No `kind` (of entry, release, row) of this `name` is stored in `where`.

    Of those that are `known` the nearest is named: there may be many.
    """

    kind: str
    name: str
    where: str
    known: Sequence[str] = ()

    def __str__(self) -> str:
        near = nearest(self.name, self.known)
        hint = f" (did you mean {' or '.join(near)}?)" if near else ""
        return f"no {self.kind} is called {self.name!r} in {self.where}{hint}"


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

    `where` is the place that the value comes from: a file with its line, or a step. An argument
    whose option has another name stands in backquotes, as those of `WrongArguments` do.
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
