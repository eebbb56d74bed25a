"""TOML of a person's own, read strictly: every mistake is named with its line and its key."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

from symmv_builder.errors import MalformedFile
from symmv_builder.text import clean_line, suggestions


def read_toml(
    text: str, where: str, error_kind: type[MalformedFile] = MalformedFile
) -> dict[str, Any]:
    """Read the tables of a text, called `where`; an error with the line where it is no TOML."""
    try:
        return tomllib.loads(text)
    # Beside its own error tomllib raises those of numbers and tables that no machine can hold.
    except (ValueError, RecursionError) as error:
        match = re.fullmatch(r"(.*) \(at line (\d+), (column \d+)\)", str(error), re.DOTALL)
        problem, line = (f"{match[1]} ({match[3]})", int(match[2])) if match else (str(error), 0)
        if problem.endswith("(at end of document)"):
            line = len(text.splitlines())
        raise error_kind(where, f"this is not TOML: {problem}", line) from error


class TomlReader:
    """Takes values out of tables; it knows the text, to say where a mistake stands.

    `what` is what a text of this kind is, as errors call it, `error_kind` their class.
    """

    what = "the file"
    error_kind: type[MalformedFile] = MalformedFile

    def __init__(self, text: str, where: str) -> None:
        self.text, self.where = text, where

    def wrong(self, path: Sequence[str], message: str) -> MalformedFile:
        key = clean_line(".".join(path))[:100]
        return self.error_kind(self.where, message, line_of(self.text, path), key)

    def known(self, table: Mapping[str, Any], names: Sequence[str], path: Sequence[str]) -> None:
        for key in table:
            if key not in names:
                what = ".".join(path) or self.what
                listed = suggestions(key, names) or "; known: it has none"
                raise self.wrong((*path, key), f"{what} has no such key{listed}")

    def typed(
        self,
        table: Mapping[str, Any],
        key: str,
        kind: type,
        default: Any = None,
        path: Sequence[str] = (),
    ) -> Any:
        if key not in table:
            if default is None:
                raise self.wrong(path, f"{key} is missing, {article(kind)}")
            return default
        if type(table[key]) is not kind:
            raise self.wrong((*path, key), f"{table[key]!r} should be {article(kind)}")
        return table[key]

    def choice(
        self,
        table: Mapping[str, Any],
        key: str,
        choices: Sequence[str],
        default: str | None,
        path: Sequence[str] = (),
    ) -> str:
        value: str = self.typed(table, key, str, default, path)
        if value not in choices:
            raise self.wrong((*path, key), f"{value!r} is none of {', '.join(choices)}")
        return value

    def names(self, table: Mapping[str, Any], key: str) -> list[str]:
        names: list[str] = self.typed(table, key, list, [])
        if not all(isinstance(name, str) for name in names):
            raise self.wrong((key,), "this is a list of names")
        return names


def article(kind: type) -> str:
    """Name a kind of value of TOML in words, as an error says what should stand there."""
    return {
        str: "a text in quotes",
        bool: "true or false",
        int: "a whole number",
        float: "a number",
        list: "a list",
        dict: "a table",
    }[kind]


def line_of(text: str, path: Sequence[str]) -> int:
    """Find the line, from 1, on which a key stands, or the nearest table around it; 0 for none."""
    best, depth = 0, 0
    table: tuple[str, ...] = ()
    target = tuple(path)
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*\[\[?([^\]]+)\]", line)
        pair = re.match(r"\s*([^=#\[]+)=", line)
        if header:
            table = full = _parts(header[1])
        elif pair:
            full = (*table, *_parts(pair[1]))
        else:
            continue
        # A header such as [a.b] is the first line of the table a, too.
        shared = full[: len(target)]
        if len(shared) > depth and shared == target[: len(shared)]:
            best, depth = number, len(shared)
    return best


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))
