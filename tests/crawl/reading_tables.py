"""The tables of titles beside these tests: tab-separated, ``;;`` between accepted readings."""

import csv
from pathlib import Path

TABLES = Path(__file__).parent / "tables"


def rows_of(name: str) -> list[dict[str, str]]:
    with (TABLES / f"{name}.tsv").open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE))
