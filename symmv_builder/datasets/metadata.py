"""How much is known of the entries of a dataset beside their recordings, and who said so.

Counted over the shards, by the columns of the entry (`schema.ENTRY`, `schema.METADATA`) and of the
steps `music_labels` and `lyrics`. A line of the answer is about one piece of knowledge from one
origin: a genre that Shazam named stands in another line than one that was guessed by tags.

A build counts once and keeps the answer in its receipt, so that a question reads no shard.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from symmv_builder.storage.receipts import require_whole
from symmv_builder.storage.root import Root

# The field of a receipt that holds the counts.
FIELD = "metadata"
_COMMON = 5
_LONGEST = 60


@dataclass(frozen=True, slots=True)
class KnownCount:
    """The number of entries of which something is known.

    `common` are the most frequent values of those.
    """

    what: str
    entries: int
    common: tuple[tuple[str, int], ...] = ()

    @property
    def text(self) -> str:
        """The most frequent values in one line."""
        return ", ".join(f"{value} {count}" for value, count in self.common)


def _texts(row: Mapping[str, Any], name: str) -> list[str]:
    """List the values that a row has in a column of texts, of lists of them, or of flags."""
    value = row[name]
    values = [value] if isinstance(value, str) else list(value)
    return [str(each) for each in values if str(each)]


def _genre(origin: str) -> Callable[[Mapping[str, Any]], list[str]]:
    def values(row: Mapping[str, Any]) -> list[str]:
        if origin == "tags":
            return [] if row.get("genre") else _texts(row, "genre_by_tags")
        by_shazam = row.get("identified_by", "shazam") == "shazam"
        return _texts(row, "genre") if by_shazam is (origin == "Shazam") else []

    return values


def _plain(name: str) -> Callable[[Mapping[str, Any]], list[str]]:
    return lambda row: _texts(row, name)


def _present(name: str) -> Callable[[Mapping[str, Any]], list[str]]:
    """Make a check for any content at all.

    Values differ from entry to entry, so none is counted.
    """
    return lambda row: [""] if len(row[name]) else []


# What is counted, by the column that has to be there, in the order in which it is shown.
_COUNTED: Sequence[tuple[str, str, Callable[[Mapping[str, Any]], list[str]]]] = (
    ("genre, by Shazam", "genre", _genre("Shazam")),
    ("genre, by whoever listed it", "identified_by", _genre("list")),
    ("genre, by tags alone", "genre_by_tags", _genre("tags")),
    ("instruments, by tags", "instruments", _plain("instruments")),
    ("kind", "kind", _plain("kind")),
    ("categories", "categories", _plain("categories")),
    ("language", "language", _plain("language")),
    ("licence", "licence", _plain("licence")),
    (
        "Creative Commons",
        "is_creative_commons",
        lambda row: [""] if row["is_creative_commons"] else [],
    ),
    ("channel", "channel", _plain("channel")),
    ("year of upload", "uploaded", lambda row: [row["uploaded"][:4]] if row["uploaded"] else []),
    ("views", "view_count", lambda row: [""] if row["view_count"] >= 0 else []),
    ("ISRC", "isrc", _present("isrc")),
    ("address of lyrics", "lyrics_url", _present("lyrics_url")),
    ("timed lyrics", "lyrics", _present("lyrics")),
    ("language of timed lyrics", "lyrics_language", _plain("lyrics_language")),
)


def known_counts(root: Root, dataset: str, receipt: Mapping[str, Any]) -> tuple[KnownCount, ...]:
    """Read the counts that a build has kept in a receipt; without them, count (`count_metadata`).

    They are missing where an entry was taken down since, and in receipts of earlier versions.
    """
    if FIELD not in receipt:
        require_whole(root, dataset, receipt)
        return count_metadata(root, dataset, receipt)
    return tuple(
        KnownCount(each["what"], each["entries"], tuple((v, n) for v, n in each["common"]))
        for each in receipt[FIELD]
    )


def facts_of(root: Root, dataset: str, receipt: Mapping[str, Any]) -> dict[str, Any]:
    """Count for a receipt that is to be written; its shards are there."""
    return {FIELD: [asdict(each) for each in count_metadata(root, dataset, receipt)]}


def count_metadata(root: Root, dataset: str, receipt: Mapping[str, Any]) -> tuple[KnownCount, ...]:
    """Count what the shards of a receipt say of its entries, a line for each thing they can say.

    Entries are counted, also where rows are clips. Where a dataset does not say who named a genre
    (`identified_by`), its column counts as Shazam's, as the column says of itself. Raises what
    `storage.shards.rows_named_by` does.
    """
    known_columns = set(receipt.get("columns", ()))
    possible = [each for each in _COUNTED if each[1] in known_columns]
    columns = {name for _, name, _ in possible} | ({"genre", "identified_by"} & known_columns)
    totals: Counter[str] = Counter()
    common: dict[str, Counter[str]] = {what: Counter() for what, _, _ in possible}
    for row in _entries(root, dataset, receipt, sorted(columns)) if possible else ():
        for what, _, values_of in possible:
            if values := set(values_of(row)):
                totals[what] += 1
                common[what].update(value[:_LONGEST] for value in values if value)
    return tuple(
        KnownCount(what, totals[what], tuple(sorted(counts.most_common(), key=_order)[:_COMMON]))
        for what, counts in common.items()
    )


def _order(value: tuple[str, int]) -> tuple[int, str]:
    return -value[1], value[0]


def _entries(
    root: Root, dataset: str, receipt: Mapping[str, Any], columns: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """Iterate over one row of each entry: its clips stand together and say the same of it."""
    # Imported here: counts that a receipt has need no Arrow.
    from symmv_builder.storage.shards import rows_named_by

    last = None
    for row in rows_named_by(root, dataset, receipt, ["entry_id", *columns]):
        if row["entry_id"] != last:
            last = row["entry_id"]
            yield row
