"""Tells what became of the steps of a dataset: the questions that a ledger is asked most often.

They are plain SQL, so that one text serves both that answer: `storage.ledger.Ledger`, through
SQLAlchemy, for every database, and `LedgerFile`, through Python's own sqlite3, for a file that is
only read. To import SQLAlchemy alone takes longer than all else that `symmv status` does.
"""

import shutil
import sqlite3
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import closing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from symmv_builder.errors import OldLedger, StoreUnusable
from symmv_builder.storage.results import Result

# The columns that the questions read, by table.
_COLUMNS = {"asked": ("dataset", "artifacts"), "results": ("dataset", *Result.__slots__)}


class Outcomes(ABC):
    """The questions about the steps of a dataset, for whatever answers a SELECT."""

    @abstractmethod
    def rows(self, statement: str, dataset: str) -> Iterator[Any]:
        """Iterate over the rows of a SELECT that has one parameter, ``:dataset``."""

    def requested_artifacts(self, dataset: str) -> tuple[str, ...]:
        """Read what the last build was asked for, finished or not; empty where there was none."""
        statement = "SELECT artifacts FROM asked WHERE dataset = :dataset"
        return tuple(name for [names] in self.rows(statement, dataset) for name in names.split())

    def artifacts(self, dataset: str) -> set[str]:
        """Name everything that was made, or tried, for any entry of a dataset."""
        statement = "SELECT DISTINCT artifact FROM results WHERE dataset = :dataset"
        return {name for [name] in self.rows(statement, dataset)}

    def costs(self, dataset: str) -> Iterator[tuple[str, str, str, str, float, str]]:
        """Iterate over every last result: entry id, artifact, step, backend, seconds and reason,
        entry by entry."""
        yield from self.rows(
            "SELECT entry_id, artifact, step, backend, seconds, reason FROM results "
            "WHERE dataset = :dataset ORDER BY entry_id",
            dataset,
        )

    def rejections(self, dataset: str) -> list[Result]:
        """List the results of a dataset that rejected their entry."""
        columns = ", ".join(Result.__slots__)
        statement = f"SELECT {columns} FROM results WHERE dataset = :dataset AND reason <> ''"
        return [Result(*row) for row in self.rows(statement, dataset)]


@dataclass(frozen=True, slots=True)
class LedgerFile(Outcomes):
    """A ledger in SQLite as it lies; a file that is not there knows nothing.

    It is opened for each question, and never written to. Raises `StoreUnusable` where it cannot be
    read, `OldLedger` where it lacks columns.
    """

    path: Path

    def rows(self, statement: str, dataset: str) -> Iterator[Any]:
        try:
            connection, copy = open_to_read(self.path)
            with copy or nullcontext(), closing(connection):
                _complete(connection)
                yield from connection.execute(statement, {"dataset": dataset})
        except sqlite3.Error as error:
            raise StoreUnusable(f"the ledger sqlite:///{self.path}", str(error)) from error


def _complete(connection: sqlite3.Connection) -> None:
    """Put an empty table, beside the file, in the place of each one that the file lacks."""
    for table, needed in _COLUMNS.items():
        present = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
        if not present:
            connection.execute(f"CREATE TEMP TABLE {table} ({', '.join(needed)})")
        elif not present.issuperset(needed):
            raise OldLedger("the ledger", "it is of an earlier version of this program")


def open_to_read(
    path: Path | None,
) -> tuple[sqlite3.Connection, "tempfile.TemporaryDirectory[str] | None"]:
    """Open an SQLite file without ever writing to it, nor to its folder if refused.

    SQLite wants to write beside a database even to read it: the index of its write-ahead
    log. Where it cannot (a read-only file system, a full disk), a file without a log is
    read as one that does not change, and one with a log is read as a copy, whose folder is the
    second value. A file that is not there is an empty one, and so is `None`.
    """
    if path is None or not path.exists():
        return _connected(":memory:"), None
    place = f"file:{quote(str(path.resolve()))}"
    try:
        return _connected(f"{place}?mode=ro"), None
    except sqlite3.OperationalError:
        log = path.with_name(f"{path.name}-wal")
        if not log.exists() or not log.stat().st_size:
            return _connected(f"{place}?immutable=1"), None
    copy = tempfile.TemporaryDirectory(prefix="symmv-ledger-")
    try:
        for part in (path, log):
            shutil.copyfile(part, Path(copy.name, part.name))
    except OSError as error:
        raise StoreUnusable(f"the ledger {path}", error.strerror or str(error)) from error
    return _connected(f"file:{quote(str(Path(copy.name, path.name)))}"), copy


def _connected(place: str) -> sqlite3.Connection:
    """Connect to a place, and try at once whether it can be read."""
    connection = sqlite3.connect(place, uri=True, check_same_thread=False, timeout=30)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error:
        connection.close()
        raise
    return connection
