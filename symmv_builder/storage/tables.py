"""Rows as Arrow tables and back, and how large they are.

Columns are built from numpy buffers, never from nested Python lists: a track of 300 x 768
goes to disk eight times faster that way.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

Row = Mapping[str, Any]


def row_bytes(schema: pa.Schema, row: Row) -> int:
    """Compute the bytes of a row before compression; text counts as 16 bytes a label."""
    return sum(_value_bytes(field, row[field.name]) for field in schema)


def _value_bytes(field: pa.Field, value: Any) -> int:
    if pa.types.is_binary(field.type):
        return len(value)
    if holds_files(field):
        return sum(map(len, value))
    return (len(value) if pa.types.is_list(field.type) else 1) * _item_bytes(field)


def holds_files(field: pa.Field) -> bool:
    """Check whether a column is a list of files' bytes, such as pictures, and not of vectors."""
    kind = field.type
    is_list = pa.types.is_list(kind) and pa.types.is_binary(kind.value_type)
    return is_list and b"numbers" not in (field.metadata or {})


def table_bytes(table: pa.Table) -> list[int]:
    """Compute `row_bytes` of every row of a table."""
    # Imported here: it takes as long as all else of Arrow, and readers of tables do not need it.
    import pyarrow.compute as pc

    total = np.zeros(table.num_rows, dtype=np.int64)
    for field in table.schema:
        if pa.types.is_binary(field.type):
            total += pc.binary_length(table.column(field.name)).to_numpy().astype(np.int64)
            continue
        if holds_files(field):
            total += [
                sum(len(file) for file in row) for row in table.column(field.name).to_pylist()
            ]
            continue
        item = _item_bytes(field)
        if pa.types.is_list(field.type):
            lengths = pc.list_value_length(table.column(field.name)).to_numpy()
            total += item * lengths.astype(np.int64)
        else:
            total += item
    return [int(size) for size in total]


def _item_bytes(field: pa.Field) -> int:
    """Sum the bytes of one value of a column, or of one item of its lists."""
    kind = field.type.value_type if pa.types.is_list(field.type) else field.type
    if pa.types.is_binary(kind):
        dtype, width = numbers_of(field)
        return dtype.itemsize * width
    count = 1
    if pa.types.is_fixed_size_list(kind):
        count, kind = int(kind.list_size), kind.value_type
    return 16 if pa.types.is_string(kind) else count * max(1, int(kind.bit_width) // 8)


def build_array(field: pa.Field, values: Sequence[Any]) -> pa.Array:
    """Build a column from one value a row: scalars, tuples of labels, or numpy arrays."""
    kind = field.type
    if not pa.types.is_list(kind):
        return pa.array(values, type=kind)
    lengths = np.array([len(value) for value in values], dtype=np.int64)
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), type=pa.int32())
    inner = kind.value_type
    if holds_files(field):
        items = pa.array([file for value in values for file in value], type=inner)
    elif pa.types.is_binary(inner):
        items = _as_bytes(field, values)
    elif pa.types.is_fixed_size_list(inner):
        scalar = inner.value_type
        flat = np.concatenate([np.asarray(value).reshape(-1) for value in values])
        items = pa.FixedSizeListArray.from_arrays(_flat(flat, scalar), type=inner)
    elif pa.types.is_string(inner):
        items = pa.array([label for value in values for label in value], type=inner)
    else:
        items = _flat(np.concatenate([np.asarray(value) for value in values]), inner)
    return pa.ListArray.from_arrays(offsets, items, type=kind)


def _flat(values: np.ndarray[Any, Any], kind: pa.DataType) -> pa.Array:
    """Flatten values in a column's number type; numpy would let 300 become 44, and 1e6 infinity."""
    with np.errstate(over="ignore"):
        cast = values.astype(kind.to_pandas_dtype(), copy=False)
    fits = (cast == values) if pa.types.is_integer(kind) else np.isfinite(cast)
    if not fits.all():
        raise ValueError(f"{values[~fits][0]} does not fit {kind}")
    return pa.array(cast, type=kind)


def build_table(schema: pa.Schema, rows: Sequence[Row]) -> pa.Table:
    """Build a table of rows; `ValueError` with the column's name where a value does not fit it."""
    arrays = []
    for field in schema:
        try:
            arrays.append(build_array(field, [row[field.name] for row in rows]))
        except (ValueError, TypeError) as error:
            raise ValueError(f"column {field.name}: {error}") from error
    return pa.Table.from_arrays(arrays, schema=schema)


def text_columns(schema: pa.Schema) -> list[str]:
    """List the columns for dictionary pages: labels repeat, features and times do not."""
    return [
        f"{field.name}.list.element" if pa.types.is_list(field.type) else field.name
        for field in schema
        if pa.types.is_string(getattr(field.type, "value_type", field.type))
    ]


def codecs(schema: pa.Schema) -> dict[str, str]:
    """Give the compression of every column: zstd, and LZ4 for vectors and files.

    Vectors are most of what a loader reads, and LZ4 is unpacked in half the time: histograms of
    colours a quarter larger, embeddings as large. Numbers and labels are small.
    """
    return {_leaf(field): "lz4" if _is_bulk(field.type) else "zstd" for field in schema}


def _leaf(field: pa.Field) -> str:
    """What Parquet calls the values of a column."""
    path, kind = field.name, field.type
    while pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind):
        path, kind = f"{path}.list.element", kind.value_type
    return str(path)


def _is_bulk(kind: pa.DataType) -> bool:
    inner = kind.value_type if pa.types.is_list(kind) else kind
    return bool(pa.types.is_fixed_size_list(inner) or pa.types.is_binary(inner))


def numbers_of(field: pa.Field) -> tuple[np.dtype[Any], int]:
    """Give the number type and count in each item of a column of bytes.

    `KeyError` where the field's metadata does not say (``numbers``: ``float32[12288]``).
    """
    name, _, width = (field.metadata or {})[b"numbers"].decode().rstrip("]").partition("[")
    return np.dtype(name).newbyteorder("<"), int(width)


def _as_bytes(field: pa.Field, values: Sequence[Any]) -> pa.Array:
    """Vectors of several rows, one after the other, each as its bytes."""
    dtype, width = numbers_of(field)
    flat = np.concatenate([np.asarray(value).reshape(-1, width) for value in values])
    numbers = _flat(flat.reshape(-1), pa.from_numpy_dtype(dtype)).to_numpy().astype(dtype)
    ends = np.arange(len(flat) + 1, dtype=np.int64) * width * dtype.itemsize
    if ends[-1] > np.iinfo(np.int32).max:
        raise ValueError("its vectors are more than 2 GiB at once")
    buffers = [None, pa.py_buffer(ends.astype(np.int32)), pa.py_buffer(numbers)]
    return pa.Array.from_buffers(pa.binary(), len(flat), buffers)


def rows_of(table: pa.Table) -> Iterator[dict[str, Any]]:
    """Convert a table to rows as the writer takes them."""
    columns = {field.name: (field, _whole(table.column(field.name))) for field in table.schema}
    for number in range(table.num_rows):
        yield {name: _value(*column, number) for name, column in columns.items()}


def _whole(column: pa.ChunkedArray) -> pa.Array:
    """Read a column as one array; one of a single chunk is that chunk, which Arrow would copy."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _value(field: pa.Field, column: pa.Array, number: int) -> Any:
    if not pa.types.is_list(column.type):
        return column[number].as_py()
    items = column[number].values
    if pa.types.is_string(items.type) or holds_files(field):
        return tuple(items.to_pylist())
    if pa.types.is_fixed_size_list(items.type):
        flat = items.flatten().to_numpy(zero_copy_only=False)
        return flat.reshape(-1, items.type.list_size)
    if pa.types.is_binary(items.type):
        return _vectors_in(items, *numbers_of(field))
    return items.to_numpy(zero_copy_only=False)


def _vectors_in(items: pa.Array, dtype: np.dtype[Any], width: int) -> np.ndarray[Any, Any]:
    """Vectors ``[t, d]`` that are kept as bytes, without a copy; `ValueError` for other lengths."""
    if not len(items):
        return np.zeros((0, width), dtype=dtype)
    _, places, data = items.buffers()
    ends = np.frombuffer(places, np.int32)[items.offset : items.offset + len(items) + 1]
    if (np.diff(ends) != width * dtype.itemsize).any():
        raise ValueError(f"a vector is not {width} numbers long")
    return np.frombuffer(data, dtype, len(items) * width, int(ends[0])).reshape(-1, width)
