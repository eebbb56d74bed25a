"""The rows of a split as trainers and notebooks read them: numpy views, or a torch dataset."""

from bisect import bisect_right
from collections.abc import Collection, Iterator, Sequence
from hashlib import sha256
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from symmv_builder.storage.root import Root
from symmv_builder.storage.shard_rows import ShardRows
from symmv_builder.storage.tables import rows_of


class Rows(ShardRows):
    """The rows of one split, which are a torch dataset, too, for loops that are not ours.

    Examples:
        >>> rows = sb.open_dataset("midi", root="data").rows("train", ["notes_pitches"])
        >>> rows.row(0)["notes_pitches"].dtype, len(rows.to_torch()) == len(rows)
        (dtype('uint8'), True)
    """

    def to_torch(self, *, shuffle: bool = False, seed: int = 0) -> Any:
        """Make a torch `IterableDataset` of the rows: numeric columns are tensors (`iterable`)."""
        from symmv_builder.training.iterable import TorchRows

        return TorchRows(self, shuffle=shuffle, seed=seed)


class SubsetRows(Rows):
    """The rows of a split whose names are among some, in the order of the shards, from 0.

    Row groups without any of them are left out: the others are counted from 0, too.
    """

    def __init__(
        self,
        root: Root,
        dataset: str,
        split: str,
        columns: Sequence[str],
        names: Collection[str],
        optional: Sequence[str] = (),
        *,
        unpacked: Path | None = None,
    ) -> None:
        super().__init__(root, dataset, split, columns, optional, unpacked=unpacked)
        self.names = frozenset(names)
        marked = [name in self.names for name in super().entries()]
        self._numbers = np.flatnonzero(np.array(marked, dtype=bool))
        counts = [sum(marked[first:end]) for first, end in pairwise(self.starts)]
        self._group_numbers = [group for group, count in enumerate(counts) if count]
        self._firsts = [self.starts[group] for group in self._group_numbers]
        self._sizes = [self._sizes[group] for group in self._group_numbers]
        self.starts = (0, *accumulate(counts[group] for group in self._group_numbers))

    @property
    def digest(self) -> str:
        text = f"{super().digest} {sorted(self.names)}"
        return sha256(text.encode()).hexdigest()[:16]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return map(self.row, range(len(self)))

    def row(self, index: int) -> dict[str, Any]:
        if not 0 <= index < len(self):
            raise IndexError(f"row {index} of {len(self)}")
        group = bisect_right(self.starts, index) - 1
        place = int(self._numbers[index]) - self._firsts[group]
        return next(rows_of(self.table(group).slice(place, 1)))

    def table(self, group: int) -> pa.Table:
        """Decode the whole table of a row group that has marked rows, or give it from before."""
        return super().table(self._group_numbers[group])

    def lengths(self, column: str) -> NDArray[np.int64]:
        return super().lengths(column)[self._numbers]

    def entries(self) -> list[str]:
        everybody = super().entries()
        return [everybody[number] for number in self._numbers]

    def without_features(self) -> Iterator[dict[str, Any]]:
        marked = set(self._numbers.tolist())
        rows = enumerate(super().without_features())
        return (row for number, row in rows if number in marked)

    def reopened(self) -> "SubsetRows":
        return SubsetRows(self.root, self.dataset, self.split, self.columns, self.names)
