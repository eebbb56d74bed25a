"""Models, packages and the machine."""

from collections.abc import Sequence
from dataclasses import dataclass

from symmv_builder.errors.reactions import StopRun
from symmv_builder.text import clean_line


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
    name of the model; `how` is of use elsewhere then, and is not said.
    """

    model: str
    problem: str = ""
    how: str = ""
    can_be_fetched: bool = False

    def __str__(self) -> str:
        text = self.problem or f"the weights of {self.model} are not here"
        return f"{text}. {self.how}" if self.how and not self.can_be_fetched else text


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
    """A plug-in of another package cannot be used.

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
class ModelLost(StopRun):
    """The process that runs a `model` for all workers is gone, or stands still: `how` says it.

    No entry is at fault, and what was made until then is stored.
    """

    model: str
    how: str = "ended"

    def __str__(self) -> str:
        what = f"the process that runs {self.model} for all workers {self.how}"
        return f"{what}; what was made is stored, and another run goes on from there"


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
