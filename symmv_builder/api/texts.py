"""Texts that commands, flows and notebooks share: values of settings, and what is left out."""

from collections.abc import Mapping
from typing import Any

from symmv_builder.text import amount


def setting_text(value: Any) -> str:
    """Write a setting as the command line does: ``true``, ``none``, ``1,2``."""
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, tuple | list) else str(value)


def taken_down(count: int) -> str:
    """Count how many entries a build leaves alone because their recordings were taken down."""
    entries = f"{amount(count, 'entry')} {'is' if count == 1 else 'are'}"
    return f"{entries} left out: a recording was taken down through another dataset of the root"


def left_out(dataset: str, reasons: Mapping[str, str]) -> str:
    """Say in one line which rows could not be used, and why; nothing where all could."""
    # Imported here: of a question whose answer is a text, trainers are no part.
    from symmv_builder.training.usable import summary

    return summary(dataset, reasons)
