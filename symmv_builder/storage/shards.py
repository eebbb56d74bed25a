"""Rows to Parquet: sorted, bounded, and the same bytes whenever the rows are the same.

Columns are built from numpy buffers, never from nested Python lists: a track of 300 x 768
goes to disk eight times faster that way. Shards are written first and the receipt that
names them last, so a reader who goes by the receipt never sees half a dataset.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from symmv_builder.errors import StopRun
from symmv_builder.storage import seals
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
    """Values in a column's number type; numpy alone would let 300 become 44, and 1e6 infinity."""
    with np.errstate(over="ignore"):
        cast = values.astype(kind.to_pandas_dtype(), copy=False)
    fits = (cast == values) if pa.types.is_integer(kind) else np.isfinite(cast)
    if not fits.all():
        raise ValueError(f"{values[~fits][0]} does not fit {kind}")
    return pa.array(cast, type=kind)


def build_table(schema: pa.Schema, rows: Sequence[Row]) -> pa.Table:
    """A table of rows; `ValueError` with the column's name where a value does not fit it."""
    arrays = []
    for field in schema:
        try:
            arrays.append(build_array(field.type, [row[field.name] for row in rows]))
        except (ValueError, TypeError) as error:
            raise ValueError(f"column {field.name}: {error}") from error
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
    """Writes one split after another below ``<folder>/shards``."""

    def __init__(
        self, root: Root, folder: str, schema: pa.Schema, target_bytes: int = TARGET_BYTES
    ) -> None:
        self.root = root
        self.folder = folder
        self.schema = schema
        self.target_bytes = target_bytes

    def write(self, rows: Iterable[Row]) -> list[Shard]:
        """Write rows that come sorted by split, then entry; rows are read once, in order."""
        shards = []
        for split, members in groupby(rows, key=lambda row: str(row["split"])):
            for number, batch in enumerate(_batches(members, self.target_bytes)):
                shards.append(self.write_one(f"{split}-{number:05d}", batch))
        return shards

    def write_one(self, name: str, rows: Sequence[Row]) -> Shard:
        """One shard, named by content too: what the standing receipt names is never overwritten."""
        sink = pa.BufferOutputStream()
        with pq.ParquetWriter(
            sink,
            self.schema,
            compression="zstd",
            compression_level=3,
            use_dictionary=_text_columns(self.schema),
        ) as writer:
            for group in _batches(rows, ROW_GROUP_BYTES):
                writer.write_table(build_table(self.schema, group))
        data = sink.getvalue().to_pybytes()
        sha256 = hashlib.sha256(data).hexdigest()
        path = f"shards/{name}-{sha256[:12]}.parquet"
        self.root.write(f"{self.folder}/{path}", data)
        return Shard(path, len(rows), len(data), sha256)


def _text_columns(schema: pa.Schema) -> list[str]:
    """Dictionary pages pay for labels alone: features and times do not repeat."""
    return [
        f"{field.name}.list.element" if pa.types.is_list(field.type) else field.name
        for field in schema
        if pa.types.is_string(getattr(field.type, "value_type", field.type))
    ]


def read_receipt(root: Root, dataset: str) -> dict[str, Any] | None:
    """What the finished shards are, `None` where there are none.

    `StopRun` where it is damaged: it carries a checksum of itself.
    """
    data = root.read(f"{dataset}/dataset.json")
    try:
        return seals.unseal(json.loads(data)) if data is not None else None
    except (ValueError, TypeError, RecursionError) as error:
        where = root.path(f"{dataset}/dataset.json")
        raise StopRun(f"{where} is not a receipt: {error}; delete it and build again") from error


def receipt_bytes(receipt: Mapping[str, Any]) -> bytes:
    """A receipt as it is written, with a checksum of itself."""
    return (json.dumps(seals.seal(receipt), indent=1, sort_keys=True) + "\n").encode()


def require_whole(root: Root, dataset: str, receipt: Mapping[str, Any]) -> None:
    """`StopRun` where a repair has put shards aside that no build has written anew yet."""
    if receipt.get("lost"):
        raise StopRun(
            f"{dataset} in {root.shown} lacks {len(receipt['lost'])} shards that a repair put "
            f"aside; run `symmv build {dataset}`"
        )


def write_receipt(root: Root, dataset: str, receipt: Mapping[str, Any]) -> None:
    """Write the receipt, then remove shards of an earlier build that it does not name."""
    root.write(f"{dataset}/dataset.json", receipt_bytes(receipt))
    root.sweep(f"{dataset}/shards")
    named = {shard["path"] for shard in receipt["shards"]}
    for name in root.names(f"{dataset}/shards"):
        if f"shards/{name}" not in named:
            root.remove(f"{dataset}/shards/{name}")


def read_rows(root: Root, dataset: str, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Rows of the finished shards in their order, one row group in memory at a time.

    Values are as the writer takes them: scalars, tuples of labels, numpy arrays ``[t]`` or
    ``[t, d]``. `StopRun` where nothing was built, a shard is gone or it lacks a column.
    """
    receipt = read_receipt(root, dataset)
    if receipt is None:
        raise StopRun(
            f"{dataset} has no shards in {root.shown}; run `symmv build {dataset}` "
            f"or `symmv import {dataset} PATH` first"
        )
    require_whole(root, dataset, receipt)
    for shard in receipt["shards"]:
        name = f"{dataset}/{shard['path']}"
        try:
            with root.as_local(name) as path, pq.ParquetFile(path) as file:
                missing = set(columns) - set(file.schema_arrow.names)
                if missing:
                    raise StopRun(
                        f"{root.path(name)} has no column {', '.join(sorted(missing))}: it was "
                        f"not made; run `symmv build {dataset}`"
                    )
                for group in range(file.num_row_groups):
                    table = file.read_row_group(group, columns=list(columns))
                    yield from rows_of(table)
        except (OSError, pa.ArrowException) as error:
            cause = str(error).splitlines()[0]
            what = f"cannot read {root.path(name)}: {cause}"
            raise StopRun(f"{what}; delete it and build again") from error


def find_rows(root: Root, name: str, wanted: Mapping[str, Set[str]]) -> list[dict[str, str]]:
    """The rows of one shard in which one of some text columns has one of its wanted values.

    Only these columns are read and given; one that the shard lacks matches nothing.
    """
    with _shard(root, name) as file:
        there = [column for column in wanted if column in file.schema_arrow.names]
        table = file.read(columns=there)
        hits = np.zeros(table.num_rows, dtype=bool)
        for column in there:
            values = pa.array(sorted(wanted[column]), type=pa.string())
            hits |= pc.is_in(table.column(column), value_set=values).to_numpy()
        rows: list[dict[str, str]] = table.filter(pa.array(hits)).to_pylist()
        return rows


def read_shard(root: Root, name: str) -> Iterator[dict[str, Any]]:
    """The rows of one shard as the writer takes them."""
    with _shard(root, name) as file:
        for group in range(file.num_row_groups):
            yield from rows_of(file.read_row_group(group))


@contextmanager
def _shard(root: Root, name: str) -> Iterator[pq.ParquetFile]:
    try:
        with root.as_local(name) as path, pq.ParquetFile(path) as file:
            yield file
    except (OSError, pa.ArrowException) as error:
        cause = str(error).splitlines()[0]
        raise StopRun(f"cannot read {root.path(name)}: {cause}; build or release again") from error


def rows_of(table: pa.Table) -> Iterator[dict[str, Any]]:
    """The rows of a table as the writer takes them."""
    columns = {name: _whole(table.column(name)) for name in table.column_names}
    for number in range(table.num_rows):
        yield {name: _value(column, number) for name, column in columns.items()}


def _whole(column: pa.ChunkedArray) -> pa.Array:
    """A column as one array; one of a single chunk is that chunk, which Arrow would copy."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _value(column: pa.Array, number: int) -> Any:
    if not pa.types.is_list(column.type):
        return column[number].as_py()
    items = column[number].values
    if pa.types.is_string(items.type):
        return tuple(items.to_pylist())
    if pa.types.is_fixed_size_list(items.type):
        flat = items.flatten().to_numpy(zero_copy_only=False)
        return flat.reshape(-1, items.type.list_size)
    return items.to_numpy(zero_copy_only=False)


def shards_stand(root: Root, dataset: str, receipt: Mapping[str, Any]) -> bool:
    """Whether the shards of a receipt are there whole, and no others that a kill left behind."""
    named = {s["path"].removeprefix("shards/"): s["size_bytes"] for s in receipt["shards"]}
    folder = f"{dataset}/shards"
    return set(named) == set(root.names(folder)) and all(
        root.size_bytes(f"{folder}/{name}") == size for name, size in named.items()
    )


def as_plain(shards: Iterable[Shard]) -> list[dict[str, Any]]:
    return [asdict(shard) for shard in shards]
