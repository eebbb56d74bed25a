"""How often `kind_of` is right, from labelled lists of titles, and what it takes for what.

    python benchmarks/kinds.py LIST.tsv [LIST.tsv ...] [--without-categories]

A list is a table, tab-separated, with the columns `title`, `kind` and `category`; without a column
`kind` all titles are of music videos, as in lists of official videos. Prints accuracy, the
confusion of kinds, and every title that is taken for another kind. The lists
`tests/crawl/tables/kinds*.tsv` were written for this: the rules were chosen on the first, and the
second was written before they were tried on it.
"""

import csv
import sys
from collections import Counter
from pathlib import Path

from symmv_builder.crawl.kinds import KINDS, OTHER, kind_of


def read_list(path: Path) -> list[tuple[str, str, str]]:
    """Title, kind and category of every row."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [(row["title"], row.get("kind") or "mv", row.get("category") or "") for row in rows]


def main() -> None:
    paths = [Path(name) for name in sys.argv[1:] if not name.startswith("--")]
    with_categories = "--without-categories" not in sys.argv
    if not paths:
        sys.exit(__doc__)
    for path in paths:
        confused: Counter[tuple[str, str]] = Counter()
        wrong = []
        for title, kind, category in read_list(path):
            guess = kind_of(title, [category] if category and with_categories else ())
            confused[kind, guess] += 1
            if guess != kind:
                wrong.append(f"  {kind:12}{guess or '-':12}{title}")
        count = sum(confused.values())
        print(f"{path.name}: {1 - len(wrong) / count:.3f} of {count} right")
        names = (*KINDS, OTHER, "")
        print("is \\ said   " + "".join(f"{name or '-':>12}" for name in names) + "   recall")
        for kind in names[:-1]:
            line = [confused[kind, guess] for guess in names]
            if sum(line):
                recall = confused[kind, kind] / sum(line)
                print(f"{kind:12}" + "".join(f"{n:12}" for n in line) + f"{recall:9.2f}")
        print("\n".join(wrong))


if __name__ == "__main__":
    main()
