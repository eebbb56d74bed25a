"""Texts of others inside YAML and Markdown: they stand there as they are, and change nothing."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from symmv_builder.text import clean_line, harmless

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./*-]*")
# What YAML reads as something else than a text.
_WORDS = frozenset(("y", "yes", "n", "no", "true", "false", "on", "off", "null"))
# What means something in a line of Markdown, `<` and `&` of its HTML among it.
_MARKS = re.compile(r"([\\`*_{}\[\]<>()#+!|~$&])")


def yaml_text(text: str) -> str:
    """Write a text as a scalar of YAML: plain where it is a simple word, else in double quotes."""
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(c if c.isprintable() else _escaped(c) for c in quoted)


def _escaped(character: str) -> str:
    number = ord(character)
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def yaml_lines(value: Mapping[str, Any], indent: str = "") -> list[str]:
    """Write a mapping as lines of YAML.

    Values are texts, whole numbers, mappings and lists of these.
    """
    lines = []
    for key, item in value.items():
        if isinstance(item, Mapping):
            lines += [f"{indent}{key}:", *yaml_lines(item, f"{indent}  ")]
        elif isinstance(item, str | int):
            lines.append(f"{indent}{key}: {_scalar(item)}")
        else:
            lines += [f"{indent}{key}:", *_items(item, indent)]
    return lines


def _items(values: Sequence[Any], indent: str) -> list[str]:
    lines = []
    for item in values:
        if isinstance(item, Mapping):
            first, *rest = yaml_lines(item, f"{indent}  ")
            lines += [f"{indent}- {first.strip()}", *rest]
        else:
            lines.append(f"{indent}- {_scalar(item)}")
    return lines


def _scalar(value: str | int) -> str:
    return yaml_text(value) if isinstance(value, str) else str(value)


def markdown(text: object) -> str:
    """Write a text as a line or a cell of Markdown: one line, and no mark-up of its own."""
    return _MARKS.sub(r"\\\1", harmless(clean_line(str(text))))


def fenced(text: str, kind: str = "") -> list[str]:
    """Write a text as a block of code whose fence is longer than any in it."""
    longest = max((len(ticks) for ticks in re.findall(r"`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return [f"{fence}{kind}", *text.rstrip("\n").split("\n"), fence]


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """Write a table in Markdown; every cell is escaped."""
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return lines + [f"| {' | '.join(markdown(cell) for cell in row)} |" for row in rows]
