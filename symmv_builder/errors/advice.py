"""How the doors of the package (command line, flows) add their own words to an error."""

from collections.abc import Callable, Mapping
from typing import Any

from symmv_builder.errors.reactions import SymMVError

# By situation, the nearest class of an error holding; `None` where there is nothing to add.
Advice = Mapping[type[SymMVError], Callable[[Any], str | None]]


def with_advice(error: SymMVError, advice: Advice) -> str:
    """Add what a door advises to the message of an error."""
    for kind in type(error).__mro__:
        if kind in advice:
            advice_text = advice[kind](error)
            return f"{error}; {advice_text}" if advice_text else str(error)
    return str(error)
