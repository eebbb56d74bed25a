"""Rows that cannot be used: they are counted and named, and the others go on.

Trainers, evaluation and export all ask `LeftOut.use` for what they make of a row.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from symmv_builder.errors import NoRows, StopRun
from symmv_builder.schema import row_name
from symmv_builder.text import amount

Result = TypeVar("Result")

# How many rows the summary names.
NAMED = 10


class UnusableRow(StopRun):
    """This row cannot be used, and why; who has several rows goes on without it."""


class LeftOut:
    """The rows that one command could not use: reason by row. Threads may share one object."""

    def __init__(self) -> None:
        self.reasons: dict[str, str] = {}

    def use(self, row: Mapping[str, Any], make: Callable[[Any], Result]) -> Result | None:
        """Give what `make` makes of a row, or `None` where it raises `UnusableRow`."""
        try:
            return make(row)
        except UnusableRow as error:
            name = row_name(row) or f"an unnamed row, the {len(self.reasons) + 1}th"
            self.reasons.setdefault(name, " ".join(str(error).split()))
            return None

    def no_rows(self, dataset: str, split: str) -> NoRows:
        """Make the error for who has no row left."""
        return NoRows(dataset, split, self.none_left(dataset, split))

    def none_left(self, dataset: str, split: str) -> str:
        """Write the line for who has no row left."""
        if not self.reasons:
            return f"{dataset} has no row of the split {split}"
        return f"no row of {dataset}, split {split}, can be used: {summary(dataset, self.reasons)}"

    def __len__(self) -> int:
        return len(self.reasons)

    def summary(self, dataset: str) -> str:
        """Write one line for people; empty where every row could be used."""
        return summary(dataset, self.reasons)


def summary(dataset: str, reasons: Mapping[str, str]) -> str:
    """Write one line that counts the rows that were left out and names the first of them."""
    if not reasons:
        return ""
    names = [f"{name} ({reason})" for name, reason in sorted(reasons.items())[:NAMED]]
    more = f"; and {len(reasons) - NAMED} more" if len(reasons) > NAMED else ""
    return f"{amount(len(reasons), 'row')} of {dataset} left out: {'; '.join(names)}{more}"
