"""What only the makers of a dataset can say of it: `about.toml`, read strictly.

```toml
title = "My covers"
description = "Piano covers of songs by our choir, with their videos."
authors = ["A. Person", "B. Person"]
contact = "music@example.org"          # who takes an entry down on request
homepage = "https://example.org/covers"
date = "2026-12-01"                    # when it was published
citation = "@misc{covers, title={My covers}}"
licence = "cc-by-4.0"                  # of the release, by the hub's name for it
recordings = "CC BY 4.0"               # of the recordings that the rows were made from
```
"""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from symmv_builder.datasets.card.licences import KNOWN
from symmv_builder.errors import CannotRead, MalformedFile
from symmv_builder.text import clean_line, clean_text, suggestions

KEYS = (
    "title", "description", "authors", "contact", "homepage", "date", "citation",
    "licence", "recordings",
)  # fmt: skip
_IN_LINES = ("description", "citation")
_DATE = re.compile(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])")
_MOST_BYTES = 1 << 16
_SCHEMES = ("https://", "http://")


def read_about(path: Path) -> dict[str, Any]:
    """Read what a file says of a dataset; `StopRun` with the key of a mistake."""
    try:
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        raise CannotRead(path, _cause(error)) from error
    if len(data) > _MOST_BYTES:
        raise MalformedFile(path, "it is too large to be about a dataset")
    try:
        table = tomllib.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise MalformedFile(path, f"this is not TOML in UTF-8: {error}") from error
    return check_about(table, str(path))


def _cause(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def check_about(table: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Check and clean what is said of a dataset, in the order of `KEYS`.

    Empty values are left out.
    """
    if unknown := sorted(set(table) - set(KEYS)):
        key = clean_line(unknown[0])
        raise MalformedFile(where, f"no such key{suggestions(key, KEYS)}", key=key)
    fields: dict[str, Any] = {}
    for key in KEYS:
        if key not in table:
            continue
        value = table[key]
        if key == "authors":
            if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
                raise MalformedFile(where, "this is a list of texts in quotes", key=key)
            value = [clean_line(name) for name in value if clean_line(name)]
        elif not isinstance(value, str):
            raise MalformedFile(where, "this is a text in quotes", key=key)
        else:
            value = clean_text(value).strip() if key in _IN_LINES else clean_line(value)
        if value:
            fields[key] = value
    if "licence" in fields:
        fields["licence"] = fields["licence"].lower()
        if fields["licence"] not in KNOWN:
            problem = f"{fields['licence']!r} is none of {', '.join(KNOWN)}"
            raise MalformedFile(where, problem, key="licence")
    if "date" in fields and not _DATE.fullmatch(fields["date"]):
        raise MalformedFile(where, "write it as in 2026-12-01", key="date")
    if "homepage" in fields and not fields["homepage"].startswith(_SCHEMES):
        raise MalformedFile(where, "an address begins with https://", key="homepage")
    return fields
