"""What a flow adds to an error: the parameter, or the flow, that helps."""

import re

from symmv_builder.api.command_line import command_line
from symmv_builder.api.option_names import imported_by, in_options_of, option_of
from symmv_builder.errors import (
    Locked,
    LockLost,
    MissingColumns,
    MissingResult,
    NoEntries,
    NoShards,
    OldLedger,
    RecipeError,
    ReleaseExists,
    SymMVError,
    WorkersLost,
)
from symmv_builder.errors.advice import Advice, with_advice


def import_first(error: NoEntries | NoShards) -> str:
    """Name the command that imports a dataset: no flow does."""
    words = ("import", imported_by(error.dataset), "PATH")
    return f"run `{command_line(*words, root=error.root)}` first"


def add_recordings(error: NoEntries) -> str:
    """Advise how a dataset gets entries, or recordings for those that it has.

    Several flows build, and one of them takes in a folder.
    """
    if error.taken_down:
        return "give the flow `build` a `folder` of other recordings"
    if error.is_imported and not error.problem:
        return import_first(error)
    return f"give the flow `build` of {error.dataset} the parameter `folder`"


def build_first(error: NoShards) -> str:
    """Advise how a dataset gets shards."""
    if error.is_imported and not error.problem:
        return import_first(error)
    return f"run the flow `build` of {error.dataset} first"


def make_columns(error: MissingColumns) -> str | None:
    """Advise how shards get columns that they lack."""
    if error.is_unknown:
        return None
    first = "add them to the recipe and " if error.steps else ""
    return f"{first}run the flow `build` of {error.dataset}"


def replace_recipe(error: RecipeError) -> str | None:
    """Advise how a recipe that a root remembers is replaced."""
    if not error.is_remembered:
        return None
    by_default = ", or by `way` default," if error.is_installed else ""
    return f"a build by a recipe file{by_default} replaces it"


ADVICE: Advice = {
    RecipeError: replace_recipe,
    OldLedger: lambda _: "the flow `build` or `crawl` brings it up to date",
    Locked: lambda _: "try again when it has ended, or set the parameter `wait`",
    LockLost: lambda _: "run the same flow again",
    NoEntries: add_recordings,
    NoShards: build_first,
    MissingResult: lambda error: f"run the flow `build` of {error.dataset}",
    MissingColumns: make_columns,
    ReleaseExists: lambda e: f"the next is {e.next_version}" if e.next_version else None,
    WorkersLost: lambda error: "try fewer `workers`" if error.is_killed else None,
}


# Flows are named in backquotes, too.
_PARAMETER = re.compile(r"(?:the parameter )?`(folder|wait|way|workers)`")


def advised(error: SymMVError) -> str:
    """Word an error as a flow says it, with its advice."""
    return with_advice(error, ADVICE)


def as_typed(error: object, message: str) -> str:
    """Word a message for whoever runs a flow as a program: its parameters are options there.

    A deployment has parameters.
    """
    message = _PARAMETER.sub(lambda match: option_of(match[1]), message)
    return in_options_of(error, message)
