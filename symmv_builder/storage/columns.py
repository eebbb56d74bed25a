"""Columns of the ledger: strangers' text, and a checksum of each row.

SQLite notices a damaged page only where that breaks its structure; a changed letter inside a
text it hands out as it is. So rows that the program goes by carry a checksum.
"""

import zlib
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import sqlalchemy as sa

from symmv_builder.text import clean_text


class Text(sa.TypeDecorator[str]):
    """A column of untrusted text: characters that some database cannot store are replaced."""

    impl = sa.String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:
        return None if value is None else clean_text(value)


def checksum_column() -> sa.Column[int]:
    """Make the column of a row's checksum; 0 in rows that an earlier version wrote."""
    return sa.Column("checksum", sa.BigInteger, nullable=False, server_default="0")


def checksum_of(table: sa.Table, row: Mapping[str, Any]) -> int:
    """Compute the checksum of a row's other columns; never 0."""
    cells = [stored(row.get(name, default)) for name, stored, default in _cells_of(table)]
    return zlib.crc32("\x1f".join(cells).encode(errors="replace")) or 1


@cache
def _cells_of(table: sa.Table) -> list[tuple[str, Callable[[Any], str], str | None]]:
    """List each column's name, what makes text of its value, what stands for one not given."""
    return [
        (column.name, _text_of(column), "0" if column.server_default else None)
        for column in table.columns
        if column.name != "checksum"
    ]


def _text_of(column: sa.Column[Any]) -> Callable[[Any], str]:
    """Choose what makes text of a value, the same before it is stored and after."""
    if isinstance(column.type, sa.Float):
        return lambda value: repr(float(value))
    return clean_text if isinstance(column.type, Text) else str
