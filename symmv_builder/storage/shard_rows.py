"""The rows of one split, one after another or by number, out of Parquet shards.

Arrays are read-only numpy views of Arrow's memory: whoever computes with them makes the one copy
that is needed.
"""

import json
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from symmv_builder.errors import MissingColumns, NoShards
from symmv_builder.storage.receipts import PLACE, TRIMMED
from symmv_builder.storage.root import Root
from symmv_builder.storage.row_groups import Groups, Shards
from symmv_builder.storage.shards import read_receipt, require_whole
from symmv_builder.storage.tables import rows_of

CACHE_BYTES = 2**30


class ShardRows:
    """The rows of one split of a dataset's finished shards, by number from 0.

    `columns` must be there, `optional` ones are left out where a shard lacks them; of rows that are
    clips, ``entry_id`` brings ``clip_id`` (`schema.row_name`). Columns of `PLACE` that are asked
    for are there in the rows of trimmed entries, too, where others have none. Values are
    scalars, tuples of labels, and read-only numpy views ``[t]`` or ``[t, d]``. About
    `cache_bytes` of decoded row groups are kept. With a folder `unpacked` they are also written
    there, as large as in memory, and later mapped (`groups`); remote shards are unpacked into a
    temporary folder if not into that. `StopRun` where nothing was built, a shard is gone or
    damaged, or a needed column is absent. Threads may share one object.
    """

    def __init__(
        self,
        root: Root,
        dataset: str,
        split: str,
        columns: Sequence[str],
        optional: Sequence[str] = (),
        *,
        cache_bytes: int = CACHE_BYTES,
        unpacked: Path | None = None,
    ) -> None:
        receipt = read_receipt(root, dataset)
        if receipt is None:
            raise NoShards(dataset, root.shown)
        require_whole(root, dataset, receipt)
        self.root = root
        self._place_columns = tuple(name for name in PLACE if name in (*columns, *optional))
        self.dataset = dataset
        self.split = split
        self.receipt: Mapping[str, Any] = receipt
        of_split = [s for s in receipt["shards"] if _split_of(s["path"]) == split]
        self.shards: Mapping[str, str] = {shard["path"]: shard["sha256"] for shard in of_split}
        self._shards = Shards(root, [f"{dataset}/{shard['path']}" for shard in of_split])
        self.columns = self._held_columns(columns, optional)
        absent = [name for name in self._place_columns if name not in self.columns]
        trimmed: Mapping[str, Sequence[float]] = receipt.get(TRIMMED, {}) if absent else {}
        self._trimmed = {
            entry_id: {name: span[PLACE.index(name)] for name in absent}
            for entry_id, span in trimmed.items()
            if len(span) == len(PLACE)
        }
        counts: list[int] = []
        self._places: list[tuple[str, int]] = []
        self._sizes: list[int] = []
        for name in self._shards.names:
            with self._shards.opened(name) as file:
                counts += _row_counts(file)
                self._sizes += _group_bytes(file, self.columns)
                self._places += [(name, group) for group in range(file.num_row_groups)]
        self.starts: tuple[int, ...] = (0, *accumulate(counts))
        self._groups = Groups(
            self._shards,
            self.columns,
            limit_bytes=cache_bytes,
            unpacked=unpacked,
            is_local=root.is_local,
        )

    def _held_columns(self, columns: Sequence[str], optional: Sequence[str]) -> tuple[str, ...]:
        named = ("clip_id",) if "entry_id" in (*columns, *optional) else ()
        requested = dict.fromkeys((*columns, *optional, *named))
        for name in self._shards.names:
            with self._shards.opened(name) as file:
                present = set(file.schema_arrow.names)
            missing = [column for column in columns if column not in present]
            if missing:
                needed = "which is needed" if len(missing) == 1 else "which are needed"
                raise MissingColumns(self.dataset, missing, self.root.path(name), needed)
            requested = {column: None for column in requested if column in present}
        return tuple(requested)

    @property
    def digest(self) -> str:
        """Compute a short hash of what is read: the same for the same shards and columns."""
        text = json.dumps([[*self.shards.values()], self.columns])
        return sha256(text.encode()).hexdigest()[:16]

    @property
    def group_bytes(self) -> tuple[int, ...]:
        """Estimate the bytes that the columns of each row group take when decoded."""
        return tuple(self._sizes)

    def __len__(self) -> int:
        return self.starts[-1]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for group in range(len(self._places)):
            yield from map(self._placed, rows_of(self.table(group)))

    def _placed(self, row: dict[str, Any]) -> dict[str, Any]:
        return {**row, **self._trimmed.get(row.get("entry_id", ""), {})} if self._trimmed else row

    def row(self, index: int) -> dict[str, Any]:
        """Give the row of a number; `IndexError` where there are not so many."""
        if not 0 <= index < len(self):
            raise IndexError(f"row {index} of {len(self)}")
        return self._row_in(self.starts, index)

    def _row_in(self, starts: Sequence[int], index: int) -> dict[str, Any]:
        """Find the row of a number, by the number with which each row group starts."""
        group = bisect_right(starts, index) - 1
        return self._placed(next(rows_of(self.table(group).slice(index - starts[group], 1))))

    def reopened(self) -> "ShardRows":
        """Open the same rows with files and caches of their own, for another process."""
        return ShardRows(self.root, self.dataset, self.split, self.columns, self._place_columns)

    def table(self, group: int) -> pa.Table:
        """Give the table of a row group, counted over all shards, decoded or from the cache."""
        return self._groups.table(*self._places[group])

    def lengths(self, column: str) -> NDArray[np.int64]:
        """Count the items in each row's list of a column ``[n]``; no other column is read.

        Choose a small column: its values are decoded on the way to its offsets.
        """
        if column not in self.columns:
            raise ValueError(f"{column} is none of the columns {', '.join(self.columns)}")
        parts = [np.zeros(0, dtype=np.int64)]
        for name, group in self._places:
            chunks = self._shards.read(name, group, (column,)).column(0).chunks
            parts += [np.diff(chunk.offsets.to_numpy()).astype(np.int64) for chunk in chunks]
        return np.concatenate(parts)

    def entries(self) -> list[str]:
        """List the names of the rows in their order (of entries, or of clips).

        Empty where the shards do not say them.
        """
        entries: list[str] = []
        for name, group in self._places:
            with self._shards.opened(name) as file:
                present = file.schema_arrow.names
            column = next((each for each in ("clip_id", "entry_id") if each in present), "")
            if not column:
                return []
            entries += self._shards.read(name, group, (column,)).column(0).to_pylist()
        return entries

    def without_features(self) -> Iterator[dict[str, Any]]:
        """Iterate over rows without columns of vectors and pictures, which are not read."""
        for name, group in self._places:
            with self._shards.opened(name) as file:
                schema = file.schema_arrow
            small = [c for c in self.columns if not _is_vectors(schema.field(c).type)]
            yield from rows_of(self._shards.read(name, group, small))


def _split_of(path: str) -> str:
    return path.rsplit("/", 1)[-1].split("-", 1)[0]


def _row_counts(file: pq.ParquetFile) -> list[int]:
    return [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]


def _group_bytes(file: pq.ParquetFile, columns: Sequence[str]) -> list[int]:
    leaves = [
        number
        for number in range(file.metadata.num_columns)
        if file.schema.column(number).path.split(".", 1)[0] in columns
    ]
    return [
        sum(file.metadata.row_group(group).column(leaf).total_uncompressed_size for leaf in leaves)
        for group in range(file.num_row_groups)
    ]


def _is_vectors(kind: pa.DataType) -> bool:
    if not pa.types.is_list(kind):
        return False
    inner = kind.value_type
    return bool(pa.types.is_fixed_size_list(inner) or pa.types.is_binary(inner))
