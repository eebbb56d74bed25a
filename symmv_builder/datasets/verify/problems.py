"""What a look at a data root finds, as plain data."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from symmv_builder.errors import MalformedFile, StopRun
from symmv_builder.storage.ledger_checks import DamagedRow

Kind = Literal[
    "asset", "change", "clips", "ledger", "manifest", "receipt", "recording", "release", "row",
    "shard", "sidecar", "subset",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Problem:
    """A file or a row that is damaged or, where `is_missing`, not there.

    `path` is its name in the data root or among the manifests, `what` is wrong with it. The
    rest is what a repair needs: the dataset, the content that it should have (`sha256` and
    `size_bytes`, as far as known), `entry_id` and `artifact` of a result, `version` of a
    release, a `row` of the ledger.
    """

    kind: Kind
    path: str
    what: str
    is_missing: bool = False
    dataset: str = ""
    sha256: str = ""
    size_bytes: int = 0
    entry_id: str = ""
    artifact: str = ""
    version: str = ""
    row: DamagedRow | None = None


def what_is_wrong(error: StopRun) -> str:
    """Word what is wrong with a file, without its place: a `Problem` has that."""
    if not isinstance(error, MalformedFile):
        return str(error)
    return str(error).removeprefix(str(error.path)).lstrip(":, ")


@dataclass(slots=True)
class CheckCounts:
    """The numbers of files and rows that were looked at, and of those that could not be judged.

    `recordings` are the sha256 of those that were looked at: datasets of a root share them.
    """

    checked: int = 0
    recordings: set[str] = field(default_factory=set)
    notes: Counter[str] = field(default_factory=Counter)
