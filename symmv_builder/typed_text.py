"""Texts that give values: the fields of a configuration, the parameters of a step.

The type of a value is its annotation in Python: bool, int, float, str, a ``Literal``, a tuple of
those, or any of them or ``None``.
"""

import math
import types
import typing
from typing import Any, Literal

# ``int | None`` is the one, ``Literal["a"] | None`` the other.
_UNIONS = (types.UnionType, typing.Union)


def parse(hint: Any, text: str) -> Any:
    """Parse a text as a value of a type; `ValueError` where it is none.

    >>> parse(int | None, "3"), parse(int | None, "none"), parse(tuple[int, ...], "1,2")
    (3, None, (1, 2))
    """
    try:
        return _value(hint, text)
    except (KeyError, TypeError) as error:
        raise ValueError(text) from error


def _value(hint: Any, text: str) -> Any:
    inner = typing.get_args(hint)
    if typing.get_origin(hint) is Literal:
        return {str(choice): choice for choice in inner}[text]
    if typing.get_origin(hint) in _UNIONS:
        if types.NoneType in inner and text.lower() == "none":
            return None
        [hint] = [kind for kind in inner if kind is not types.NoneType]
        return _value(hint, text)
    if typing.get_origin(hint) is tuple:
        parts = [part.strip() for part in text.split(",")] if text.strip() else []
        kinds = [inner[0]] * len(parts) if inner[-1] is Ellipsis else inner
        return tuple(_value(kind, part) for kind, part in zip(kinds, parts, strict=True))
    if hint is bool:
        return {"true": True, "false": False}[text.lower()]
    if hint is float and math.isnan(float(text)):
        raise ValueError(text)
    return hint(text)


def in_words(hint: Any) -> str:
    """Say what the texts of a type look like, in words for people."""
    inner = typing.get_args(hint)
    if typing.get_origin(hint) is Literal:
        return ", ".join(map(str, inner))
    if typing.get_origin(hint) in _UNIONS:
        return " or ".join("none" if k is types.NoneType else in_words(k) for k in inner)
    if typing.get_origin(hint) is tuple:
        each = inner[:1] if inner[-1] is Ellipsis else inner
        many = " and so on" if inner[-1] is Ellipsis else ""
        return f"{', '.join(in_words(kind) for kind in each)}{many}, with commas"
    return {bool: "true or false", int: "a whole number", float: "a number"}.get(hint, "a text")
