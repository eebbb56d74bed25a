"""Columns of the ledger: strangers' text, and a checksum of each row.

SQLite notices a damaged page only where that breaks its structure; a changed letter inside a
text it hands out as it is. So rows that the program goes by carry a checksum.
"""

import zlib
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite


class Text(sa.TypeDecorator[str]):
    """Text that strangers had a part in: what no database stores everywhere is replaced."""

    impl = sa.String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:
        if value is None:
            return None
        return value.replace("\0", "\ufffd").encode(errors="replace").decode()


def checksum_column() -> sa.Column[int]:
    """The column that holds a checksum of the rest of its row; 0 where an earlier version wrote."""
    return sa.Column("checksum", sa.BigInteger, nullable=False, server_default="0")


def checksum_of(table: sa.Table, row: Mapping[str, Any]) -> int:
    """A checksum of the columns of a row but for that of the checksum; never 0."""
    text = "\0".join(
        _cell(column, row.get(column.name)) for column in table.columns if column.name != "checksum"
    )
    return zlib.crc32(text.encode(errors="replace")) or 1


def _cell(column: sa.Column[Any], value: Any) -> str:
    if value is None and column.server_default is not None:
        return "0"
    if isinstance(column.type, Text):
        return str(column.type.process_bind_param(value, sqlite.dialect()))
    if isinstance(column.type, sa.Float) and isinstance(value, int | float):
        return repr(float(value))
    return str(value)
