"""Rows to Parquet: sorted, bounded, and the same bytes whenever the rows are the same.

Columns are built from numpy buffers, never from nested Python lists: a track of 300 x 768
goes to disk eight times faster that way. Shards are written first and the receipt that
names them last, so a reader who goes by the receipt never sees half a dataset.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from symmv_builder.storage.assets import hash_file
from symmv_builder.storage.root import Root

TARGET_BYTES = 256 * 2**20
ROW_GROUP_BYTES = 16 * 2**20

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Shard:
    """One Parquet file: path below the dataset's folder, rows, size and content."""

    path: str
    rows: int
    size_bytes: int
    sha256: str


def row_bytes(row: Row) -> int:
    """About how many bytes a row takes before compression."""
    return sum(v.nbytes if isinstance(v, np.ndarray) else 16 * _length(v) for v in row.values())


def _length(value: Any) -> int:
    return len(value) if isinstance(value, tuple) else 1


def build_array(kind: pa.DataType, values: Sequence[Any]) -> pa.Array:
    """A column from one value a row: scalars, tuples of labels, or numpy arrays."""
    if not pa.types.is_list(kind):
        return pa.array(values, type=kind)
    lengths = np.array([len(value) for value in values], dtype=np.int64)
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), type=pa.int32())
    inner = kind.value_type
    if pa.types.is_fixed_size_list(inner):
        scalar = inner.value_type
        flat = np.concatenate([np.asarray(value).reshape(-1) for value in values])
        items = pa.FixedSizeListArray.from_arrays(_flat(flat, scalar), type=inner)
    elif pa.types.is_string(inner):
        items = pa.array([label for value in values for label in value], type=inner)
    else:
        items = _flat(np.concatenate([np.asarray(value) for value in values]), inner)
    return pa.ListArray.from_arrays(offsets, items, type=kind)


def _flat(values: np.ndarray[Any, Any], kind: pa.DataType) -> pa.Array:
    return pa.array(values.astype(kind.to_pandas_dtype(), copy=False), type=kind)


def build_table(schema: pa.Schema, rows: Sequence[Row]) -> pa.Table:
    """A table of rows; `ValueError` from Arrow where a value does not fit its column."""
    arrays = [build_array(field.type, [row[field.name] for row in rows]) for field in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


def _batches(rows: Iterable[Row], limit: int) -> Iterator[list[Row]]:
    """Rows in lists of about `limit` bytes, at least one row each."""
    batch: list[Row] = []
    size = 0
    for row in rows:
        added = row_bytes(row)
        if batch and size + added > limit:
            yield batch
            batch, size = [], 0
        batch.append(row)
        size += added
    if batch:
        yield batch


class ShardWriter:
    """Writes one split after another below ``<dataset>/shards``."""

    def __init__(
        self, root: Root, dataset: str, schema: pa.Schema, target_bytes: int = TARGET_BYTES
    ) -> None:
        self.root = root
        self.dataset = dataset
        self.schema = schema
        self.target_bytes = target_bytes

    def write(self, rows: Iterable[Row]) -> list[Shard]:
        """Write rows that come sorted by split, then entry; rows are read once, in order."""
        shards = []
        for split, members in groupby(rows, key=lambda row: str(row["split"])):
            for number, batch in enumerate(_batches(members, self.target_bytes)):
                shards.append(self._write(f"shards/{split}-{number:05d}.parquet", batch))
        return shards

    def _write(self, path: str, rows: Sequence[Row]) -> Shard:
        with self.root.replacing(f"{self.dataset}/{path}") as temporary:
            with pq.ParquetWriter(
                temporary,
                self.schema,
                compression="zstd",
                compression_level=3,
                use_dictionary=_text_columns(self.schema),
            ) as writer:
                for group in _batches(rows, ROW_GROUP_BYTES):
                    writer.write_table(build_table(self.schema, group))
            return Shard(path, len(rows), temporary.stat().st_size, hash_file(temporary))


def _text_columns(schema: pa.Schema) -> list[str]:
    """Dictionary pages pay for labels alone: features and times do not repeat."""
    return [
        f"{field.name}.list.element" if pa.types.is_list(field.type) else field.name
        for field in schema
        if pa.types.is_string(getattr(field.type, "value_type", field.type))
    ]


def read_receipt(root: Root, dataset: str) -> dict[str, Any] | None:
    """What the finished shards are, `None` where there are none."""
    data = root.read(f"{dataset}/dataset.json")
    return dict(json.loads(data)) if data else None


def write_receipt(root: Root, dataset: str, receipt: Mapping[str, Any]) -> None:
    """Write the receipt, then remove shards of an earlier build that it does not name."""
    text = json.dumps(receipt, indent=1, sort_keys=True) + "\n"
    root.write(f"{dataset}/dataset.json", text.encode())
    named = {shard["path"] for shard in receipt["shards"]}
    for name in root.names(f"{dataset}/shards"):
        if f"shards/{name}" not in named:
            root.remove(f"{dataset}/shards/{name}")


def shards_stand(root: Root, dataset: str, receipt: Mapping[str, Any]) -> bool:
    """Whether every shard of a receipt is there."""
    there = set(root.names(f"{dataset}/shards"))
    return all(shard["path"].removeprefix("shards/") in there for shard in receipt["shards"])


def as_plain(shards: Iterable[Shard]) -> list[dict[str, Any]]:
    return [asdict(shard) for shard in shards]
