"""Columns of the ledger: strangers' text, and a checksum of each row.

SQLite notices a damaged page only where that breaks its structure; a changed letter inside a
text it hands out as it is. So rows that the program goes by carry a checksum.
"""

import zlib
from collections.abc import Mapping
from functools import cache
from typing import Any

import sqlalchemy as sa


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
    cells = []
    for name, is_float, default in _cells_of(table):
        value = row.get(name, default)
        cells.append(repr(float(value)) if is_float and value is not None else str(value))
    # Strangers' text is stored without NUL, and with a ? for what UTF-8 cannot hold.
    text = "\x1f".join(cells).replace("\0", "\ufffd")
    return zlib.crc32(text.encode(errors="replace")) or 1


@cache
def _cells_of(table: sa.Table) -> list[tuple[str, bool, str | None]]:
    """Name of each column, whether it holds floats, and what stands for one that is not given."""
    return [
        (column.name, isinstance(column.type, sa.Float), "0" if column.server_default else None)
        for column in table.columns
        if column.name != "checksum"
    ]
