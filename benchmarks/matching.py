"""Precision and recall of matching by titles, from a labelled list of search results.

    python benchmarks/matching.py LIST.csv

LIST is a table, tab- or comma-separated, with the columns `surname`, `firstname`, `music`,
`youtube_title` and `meta_correct` (1 where the result is the wanted work): GiantMIDI-Piano
publishes one of 200 as `manual_labels/subset200_piano_solo_eval_with_labels.csv`. `artist` may
stand for the two names, and a column `channel` is read where there is one. Prints a line for
each of several thresholds of likeness; the default one is marked.
"""

import csv
import sys
from pathlib import Path

from symmv_builder.crawl.match import CALIBRATION, precision_and_recall, similarity
from symmv_builder.records import Listing, ParsedTitle, Source

_THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def read_list(path: Path) -> list[tuple[ParsedTitle, Listing, bool]]:
    """The wanted work, the result, and whether it is right, of every row."""
    text = path.read_text(encoding="utf-8-sig")
    delimiter = "\t" if "\t" in text.partition("\n")[0] else ","
    # Titles hold single quotation marks of the tab-separated list that are no quoting.
    quoting = csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL
    pairs = []
    for row in csv.DictReader(text.splitlines(), delimiter=delimiter, quoting=quoting):
        artist = row.get("artist") or f"{row['firstname']} {row['surname']}"
        listing = Listing(
            Source("youtube", "00000000000"), row["youtube_title"], row.get("channel") or ""
        )
        pairs.append(
            (ParsedTitle(artist, row["music"], 1.0), listing, row["meta_correct"].strip() == "1")
        )
    return pairs


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    scored = []
    for song, listing, is_right in read_list(Path(sys.argv[1])):
        title, artist = similarity(song, listing)
        scored.append((title * artist, is_right))
    print(f"{len(scored)} results, {sum(is_right for _, is_right in scored)} of them right")
    for threshold in sorted({*_THRESHOLDS, CALIBRATION.threshold}):
        precision, recall = precision_and_recall(scored, threshold)
        default = "  (default)" if threshold == CALIBRATION.threshold else ""
        print(f"from {threshold:.2f}: precision {precision:.3f}  recall {recall:.3f}{default}")


if __name__ == "__main__":
    main()
