"""Is the ledger what was written? Its structure as a database, and row by row."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from symmv_builder.errors import StoreUnusable
from symmv_builder.storage.columns import checksum_of
from symmv_builder.storage.ledger import CHECKED, Ledger, with_driver
from symmv_builder.storage.urls import shown_url, without_secrets


@dataclass(frozen=True, slots=True)
class DamagedRow:
    """A row of the ledger that is not as it was written: its table and its primary key."""

    table: str
    key: Mapping[str, Any]


def damaged_rows(ledger: Ledger) -> Iterator[DamagedRow]:
    """Find the rows that are not as they were written, by their checksums.

    `StopRun` where the database cannot be read.
    """
    for table in CHECKED:
        for row in ledger.stream(sa.select(table)):
            fields = dict(row._mapping)
            if fields["checksum"] and not _fits(table, fields):
                key = {column.name: fields[column.name] for column in table.primary_key}
                yield DamagedRow(table.name, key)


def _fits(table: sa.Table, fields: Mapping[str, Any]) -> bool:
    try:
        return bool(fields["checksum"] == checksum_of(table, fields))
    except (ValueError, TypeError):
        # A number that is none any more.
        return False


def forget_row(ledger: Ledger, row: DamagedRow) -> None:
    """Remove a row by its key."""
    [table] = [table for table in CHECKED if table.name == row.table]
    is_row = [table.c[name] == value for name, value in row.key.items()]
    with ledger.engine.begin() as connection:
        connection.execute(sa.delete(table).where(*is_row))


def faults(ledger: Ledger) -> list[str]:
    """List structural faults that SQLite's integrity check finds; a server checks itself."""
    if ledger.engine.dialect.name != "sqlite":
        return []
    with ledger.engine.connect() as connection:
        messages = connection.exec_driver_sql("PRAGMA integrity_check(10)").scalars()
        return [str(line) for line in messages if line != "ok"]


def server_version(url: str) -> str:
    """Give the database behind a ledger's url and its version, as in ``postgresql 17.6``.

    Nothing is made in it. `StopRun` where it cannot be opened and read.
    """
    try:
        is_file = sa.make_url(url).get_backend_name() == "sqlite"
        ledger = Ledger(url, read_only=True) if is_file else None
        engine = ledger.engine if ledger else sa.create_engine(with_driver(url))
        with engine.connect() as connection:
            version = ".".join(map(str, connection.dialect.server_version_info or ()))
            name = connection.dialect.name
        engine.dispose()
    # The driver of a database that is named may raise anything for a url that it cannot read.
    except (sa.exc.SQLAlchemyError, ImportError, ValueError, TypeError) as error:
        lines = str(getattr(error, "orig", error)).splitlines() or [type(error).__name__]
        raise StoreUnusable(
            f"the ledger {shown_url(url)}", without_secrets(lines[0], url)
        ) from error
    return f"{name} {version}"
