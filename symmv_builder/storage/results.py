"""What became of a step, as the ledger keeps it.

Apart from `ledger`, so that a worker, which writes no ledger, does not import SQLAlchemy.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Result:
    """A row of the ledger: a step's last result for an entry; `reason` is empty if it succeeded."""

    entry_id: str
    artifact: str
    step: str
    key: str
    backend: str
    seconds: float
    reason: str = ""
    detail: str = ""
