"""Tables that people write: CSV as any spreadsheet program saves it.

One reader for all of them. The delimiter is a comma, a semicolon or a tab, whichever makes
the header name the columns that are asked for. Names of columns are read in any case;
blanks around names and values, empty lines and empty columns at the right do not count.
Encodings are those of `files.decode`.
"""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from symmv_builder.errors import MalformedFile
from symmv_builder.files import decode, read_file

DELIMITERS = (",", ";", "\t")
# What Excel writes above the header to name its delimiter.
_SEPARATOR_LINE = re.compile(r'"?sep=.?"?', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Row:
    """One row: the number of its first line in the file, and its values by column.

    Names of columns are in lower case. A column in which the row says nothing is empty;
    `row["name"]` is empty too where the table has no such column.
    """

    number: int
    values: dict[str, str]

    def __getitem__(self, column: str) -> str:
        return self.values.get(column, "")


def read_table(path: Path, columns: Sequence[str]) -> list[Row]:
    """Read the rows of a table that has these columns at least, in the file's order.

    `StopRun` names file and line of what cannot be read: no such columns, a row with more
    values than there are columns, a quotation mark that is not closed.
    """
    return parse_table(read_file(path), str(path), columns)


def parse_table(data: bytes, where: str, columns: Sequence[str]) -> list[Row]:
    """Parse bytes as `read_table` does; `where` names them in errors."""
    try:
        # Line breaks of all three kinds, and no others: a title may hold U+2028.
        lines = list(io.StringIO(decode(data), newline=None))
    except ValueError as error:
        raise MalformedFile(where, f"this is no table: {error}") from error
    start = next((n for n, line in enumerate(lines) if _says(line)), len(lines))
    if start == len(lines):
        raise MalformedFile(where, f"it is empty: it needs a line that names {_listed(columns)}")
    try:
        headers = {mark: _header(lines[start], mark) for mark in DELIMITERS}
    except csv.Error as error:
        raise MalformedFile(where, str(error), start + 1) from error
    fits = [mark for mark in DELIMITERS if set(columns) <= set(headers[mark])]
    if not any(map(_says, lines[start + 1 :])):
        return []
    if not fits:
        fullest = max(headers.values(), key=len)
        problem = f"the columns are {_listed(fullest)}; it needs {_listed(columns)}"
        raise MalformedFile(where, problem, start + 1)
    header = headers[fits[0]]
    names = [name for name in header if name]
    if len(set(names)) < len(names):
        raise MalformedFile(where, "a column is named twice", start + 1)
    rows = []
    for number, cells in _cells(lines, start + 1, fits[0], where):
        if any(cells[len(header) :]):
            detail = f"{len(cells)} values for {len(header)} columns"
            hint = 'a value that holds the delimiter stands in quotation marks, "..."'
            raise MalformedFile(where, f"{detail}; {hint}", number)
        values = {name: cell for name, cell in zip(header, cells, strict=False) if name}
        rows.append(Row(number, dict.fromkeys(names, "") | values))
    return rows


def _says(line: str) -> bool:
    line = line.strip()
    return bool(line.strip(",;\t \"'")) and not _SEPARATOR_LINE.fullmatch(line)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(name[:40] for name in names[:8])


def _header(line: str, delimiter: str) -> list[str]:
    [cells] = csv.reader([line], delimiter=delimiter, skipinitialspace=True)
    return [cell.strip().casefold() for cell in cells]


def _cells(
    lines: list[str], start: int, delimiter: str, where: str
) -> Iterator[tuple[int, list[str]]]:
    """Iterate over first line number and stripped cells of each row that is not empty."""
    reader = csv.reader(lines[start:], delimiter=delimiter, skipinitialspace=True)
    while True:
        first = start + reader.line_num
        try:
            cells = [cell.strip() for cell in next(reader)]
        except StopIteration:
            return
        except csv.Error as error:
            raise MalformedFile(where, str(error), first + 1) from error
        # A value may go on over a line break, but then its quotation marks are closed.
        raw = "".join(lines[first : start + reader.line_num])
        if raw.count("\n") > 1 and raw.count('"') % 2:
            raise MalformedFile(where, "a quotation mark is not closed", first + 1)
        if any(cells):
            yield first + 1, cells


def last_column(line: str) -> tuple[str, str]:
    """Split a line at its last tab, or else semicolon or comma.

    For lists without a header whose last value holds no delimiter. Both are stripped; the
    second is empty where there is no delimiter.
    """
    for mark in ("\t", ";", ","):
        before, separator, after = line.rpartition(mark)
        if separator:
            return before.strip().strip('"'), after.strip().strip('"')
    return line.strip(), ""
