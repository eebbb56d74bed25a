"""Columns of lists as flat numpy arrays with the length of each row's list."""

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Whole = NDArray[np.int64]
Numbers = NDArray[np.float64]


def flat(column: pa.ChunkedArray | pa.Array) -> tuple[pa.Array, Whole]:
    """Flatten a column into the items of all rows ``[sum]`` and each row's number ``[rows]``."""
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(whole, pa.ChunkedArray):
        whole = pa.concat_arrays(whole.chunks)
    lengths = np.diff(whole.offsets.to_numpy()).astype(np.int64)
    return whole.flatten(), lengths


def numbers(column: pa.ChunkedArray | pa.Array) -> tuple[Numbers, Whole]:
    """Flatten a column of numbers."""
    items, lengths = flat(column)
    return items.to_numpy(zero_copy_only=False).astype(np.float64, copy=False), lengths


def row_of(lengths: Whole) -> Whole:
    """Give the row that each item belongs to ``[sum]``."""
    return np.repeat(np.arange(len(lengths)), lengths)


def place_of(lengths: Whole) -> Whole:
    """Give the place of each item in its own row, from 0 ``[sum]``."""
    starts = np.cumsum(lengths) - lengths
    return np.asarray(np.arange(lengths.sum()) - np.repeat(starts, lengths), dtype=np.int64)


def mean_of_rows(values: Numbers, lengths: Whole) -> Numbers:
    """Average each row's items ``[rows]``; NaN of an empty row."""
    sums = np.bincount(row_of(lengths), weights=values, minlength=len(lengths))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(sums / lengths, dtype=np.float64)


def texts(column: pa.ChunkedArray) -> list[str]:
    """Read a column of texts."""
    values: list[Any] = column.to_pylist()
    return [str(value) for value in values]
