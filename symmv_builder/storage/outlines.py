"""What shards hold, before and after they are written: which of those that stand can stay."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby


@dataclass(frozen=True, slots=True)
class Shard:
    """One Parquet file: path below the dataset's folder, rows, size and content.

    `first` and `last` name its first and last row (`schema.row_name`), `state` is a digest of what
    its rows were made of (empty where that is not known), and `is_open` says that it ends with its
    split: rows that come after its last one would belong to it.
    """

    path: str
    rows: int
    size_bytes: int
    sha256: str
    first: str = ""
    last: str = ""
    state: str = ""
    is_open: bool = False

    @property
    def split(self) -> str:
        return self.path.rsplit("/", 1)[-1].split("-", 1)[0]


@dataclass(frozen=True, slots=True)
class Outline:
    """A row before it is loaded: where it belongs, and a digest of what it is made of.

    `clip_id` is empty where a row is a whole entry.
    """

    split: str
    entry_id: str
    state: str
    clip_id: str = ""

    @property
    def row_id(self) -> str:
        return self.clip_id or self.entry_id


def uncovered(outlines: Sequence[Outline], standing: Iterable[Shard]) -> list[Outline]:
    """List the rows that are in no standing shard which can stay.

    These are at least what `update` loads, but for rows of shards that the end of a changed one
    moves.
    """
    shard_at = reusable(standing)
    result: list[Outline] = []
    for split, members in groupby(outlines, key=lambda outline: outline.split):
        outlines_of_split, at = list(members), 0
        while at < len(outlines_of_split):
            if shard := shard_at(split, outlines_of_split, at):
                at += shard.rows
            else:
                result.append(outlines_of_split[at])
                at += 1
    return result


def reusable(
    standing: Iterable[Shard],
) -> Callable[[str, Sequence[Outline], int], Shard | None]:
    """Find the standing shard, if any, that holds a split's rows from a place on as they are."""
    by_place = {(shard.split, shard.first): shard for shard in standing if shard.state}

    def shard_at(split: str, outlines: Sequence[Outline], at: int) -> Shard | None:
        shard = by_place.get((split, outlines[at].row_id))
        return shard if shard is not None and covers(shard, outlines, at) else None

    return shard_at


def covers(shard: Shard, outlines: Sequence[Outline], at: int) -> bool:
    """Check whether a shard holds what the rows from a place on would be made into."""
    end = at + shard.rows
    return (
        end <= len(outlines)
        and (not shard.is_open or end == len(outlines))
        and shard.state == digest_of(outlines[at:end])
    )


def digest_of(outlines: Iterable[Outline]) -> str:
    """Compute a digest of what some rows are made of."""
    text = "".join(f"{outline.state}\n" for outline in outlines)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
