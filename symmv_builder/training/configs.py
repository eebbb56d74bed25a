"""Configurations of trainers: frozen dataclasses of plain values, to JSON and back."""

import dataclasses
import json
import typing
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from symmv_builder.errors import UnknownName, WrongConfiguration, WrongSetting
from symmv_builder.typed_text import in_words, parse

Config = TypeVar("Config")

# Sizes, counts and rates are above 0; these may be 0. No number is negative or infinite.
_MAY_BE_0 = frozenset(
    {"seed", "buckets", "warmup", "patience", "dropout", "weight_decay", "beta1", "beta2"}
)
_BELOW_1 = frozenset({"dropout", "beta1", "beta2"})
# What torch takes as a seed, and far more than anything that is counted or measured.
_MOST = 2**63 - 1


def as_plain(config: Any) -> dict[str, Any]:
    """Give the fields of a configuration as JSON gives them back: a tuple is a list."""
    return dict(json.loads(json.dumps(dataclasses.asdict(config))))


def from_plain(kind: type[Config], values: Mapping[str, Any]) -> Config:
    """Read a configuration from JSON; `StopRun` where its fields are not those of this version."""
    names = {field.name for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(values) - names)
    if unknown:
        problem = f"{kind.__name__} has no field {', '.join(unknown)}: another version's file"
        raise WrongConfiguration(kind.__name__, problem)
    try:
        return kind(**{name: _tuples(value) for name, value in values.items()})
    except (TypeError, ValueError) as error:
        raise WrongConfiguration(kind.__name__, f"not a {kind.__name__}: {error}") from error


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def require_counts(config: Any, names: Sequence[str]) -> None:
    """Raise `ValueError` where one of these fields of a configuration is below 1."""
    for name in names:
        if getattr(config, name) < 1:
            raise ValueError(f"{name} must be 1 at least")


def with_settings(config: Config, texts: Mapping[str, str]) -> Config:
    """Copy the configuration with fields set from texts, as ``--set name=value`` gives them."""
    hints = typing.get_type_hints(type(config))
    values: dict[str, Any] = {}
    for name, text in texts.items():
        if name not in hints:
            raise UnknownName("setting", name, tuple(hints))
        values[name] = _parse(name, hints[name], text)
        _check_number(name, values[name])
    try:
        return dataclasses.replace(config, **values)  # type: ignore[type-var]
    except ValueError as error:
        raise WrongConfiguration(type(config).__name__, str(error)) from error


def _parse(name: str, hint: Any, text: str) -> Any:
    try:
        return parse(hint, text)
    except ValueError:
        raise WrongSetting(name, text, f"it can be {in_words(hint)}") from None


def _check_number(name: str, value: Any) -> None:
    """Raise `StopRun` where no configuration could mean that number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return
    if value < 0 or (value == 0 and name not in _MAY_BE_0):
        least = "0 or more" if name in _MAY_BE_0 else "above 0"
        raise WrongSetting(name, value, f"it has to be {least}")
    if name in _BELOW_1 and value >= 1:
        raise WrongSetting(name, value, "it has to be below 1")
    if value > _MOST:
        raise WrongSetting(name, value, "that is too large")
