"""Name the options that give arguments of the library, for commands and flows.

Here and not in `options`: a command that ends with an error has to import nothing for this.
"""

import re

from symmv_builder.errors import ReleaseRefused, ServiceRefused, WrongArguments, WrongSetting

# Options that are not called as the argument is that they give.
_OPTIONS = {
    "entries": "--from",
    "folder": "--from",
    "frame_rate_hz": "--frame-rate",
    "models": "--model",
    "shard_bytes": "--shard-mb",
    "sound_rate_hz": "--sound-rate",
    "splits": "--split",
    "way": "--as",
}
# Whose messages name arguments in backquotes.
_NAMING_ARGUMENTS = (WrongArguments, WrongSetting, ReleaseRefused, ServiceRefused)


def in_options_of(error: object, text: str) -> str:
    """Tell an error to whoever types options: its arguments are named as theirs (`in_options`)."""
    return in_options(text) if isinstance(error, _NAMING_ARGUMENTS) else text


def in_options(text: str) -> str:
    """Put the options of commands in the places of arguments that a text names in backquotes.

    The option of an argument is called as it is: `top_k` is ``--top-k``.
    """
    return re.sub(r"`([a-z]\w*)`", lambda match: option_of(match[1]), text)


def option_of(argument: str) -> str:
    """Name the option of commands that gives an argument of the library."""
    return _OPTIONS.get(argument) or "--" + argument.strip("_").replace("_", "-")


def looks_at_pictures(model: str) -> bool:
    """Check whether a model is one that ``--clip`` chooses among."""
    from symmv_builder.backends import all_models

    return ("clip", model) in all_models()


def imported_by(dataset: str) -> str:
    """What `symmv import` is given to import a dataset: its name, or a recipe file of one's own."""
    from symmv_builder.datasets import importable

    return dataset if dataset in importable() else "RECIPE.toml"
