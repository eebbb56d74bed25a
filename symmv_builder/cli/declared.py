"""Commands with options that somebody else declares: those of single trainers and importers.

A declaration (`training.trainer.Option`) becomes an option of typer, with its help, its bounds and
its default.
"""

import inspect
from collections.abc import Callable, Sequence
from enum import StrEnum
from functools import wraps
from typing import Annotated, Any, get_type_hints

import typer

from symmv_builder.api.composers import Option


def with_options(
    command: Callable[..., None], options: Sequence[Option], parameter: str
) -> Callable[..., None]:
    """Give the command these options in the place of a parameter, which gets them by name.

    An option that is called as one of the command's own is left out.
    """
    signature = inspect.signature(command)
    hints = get_type_hints(command, include_extras=True)
    declared = [option for option in options if option.name not in signature.parameters]

    @wraps(command)
    def called(**arguments: Any) -> None:
        values = {option.name: _plain(arguments.pop(option.name)) for option in declared}
        command(**arguments, **{parameter: values})

    parameters: list[inspect.Parameter] = []
    for name, own in signature.parameters.items():
        if name == parameter:
            parameters += [_parameter(option) for option in declared]
        else:
            parameters.append(own.replace(annotation=hints[name]))
    # As typer asks for them.
    called.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    called.__annotations__ = {each.name: each.annotation for each in parameters}
    return called


def _parameter(option: Option) -> inspect.Parameter:
    """Make the option a parameter that typer reads."""
    kind: Any = _choice(option) if option.choices else option.kind
    default = kind(option.default) if option.choices and option.default else option.default
    option_info = typer.Option(
        f"{option.flag}/--{option.off}" if option.off else option.flag,
        help=option.help,
        min=option.least,
        max=option.most,
        metavar=option.metavar,
    )
    if option.default is None:
        kind = kind | None
    return inspect.Parameter(
        option.name,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        default=default,
        annotation=Annotated[kind, option_info],
    )


def _choice(option: Option) -> Any:
    """Make the choices of an option a type by which typer knows them."""
    make: Any = StrEnum
    return make(option.name, [(choice, choice) for choice in option.choices])


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, StrEnum) else value
