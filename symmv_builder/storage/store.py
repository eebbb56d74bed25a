"""The three places of a data root that belong together."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from symmv_builder.storage.root import Root

if TYPE_CHECKING:
    from symmv_builder.storage.ledger import Ledger
    from symmv_builder.storage.outcomes import Outcomes


@dataclass(frozen=True)
class Store:
    """Bytes in `root`, what a person reviews in `manifests`, the index over both in `ledger`.

    `manifests` is the root itself unless a person keeps it elsewhere, in a git checkout
    for example. `index` is the ledger, or opens it when it is first asked for: the database is
    half of the start of a small command, and not every question needs it. `ledger_file`,
    where there is one, answers questions about outcomes as long as the ledger is not open.
    """

    root: Root
    manifests: Root
    index: "Ledger | Callable[[], Ledger]"
    ledger_file: "Outcomes | None" = None

    @cached_property
    def ledger(self) -> "Ledger":
        return self.index() if callable(self.index) else self.index

    @property
    def outcomes(self) -> "Outcomes":
        """Choose what says with the least effort what became of the steps."""
        return self.ledger_file if self.ledger_file and callable(self.index) else self.ledger
