"""Values of Python as the texts that settings are read from."""

from collections.abc import Mapping
from typing import Any

from symmv_builder.training.usable import summary


def setting_text(value: Any) -> str:
    """A setting as the command line writes it: ``true``, ``none``, ``1,2``."""
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, tuple | list) else str(value)


def left_out(dataset: str, reasons: Mapping[str, str]) -> str:
    """Which rows could not be used, and why, in one line; nothing where all could."""
    return summary(dataset, reasons)
