"""What the records of arrays have in common: read-only arrays, checked when a record is made."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]


def set_array(record: object, name: str, dtype: Any, ndim: int = 1) -> NDArray[Any]:
    """Replace a field by a read-only array of one type, so that records can be shared."""
    array = np.array(getattr(record, name), dtype=dtype, ndmin=ndim)
    if array.size == 0 and array.ndim < ndim:
        array = array.reshape((0,) * ndim)
    if array.ndim != ndim:
        raise ValueError(f"{type(record).__name__}.{name} has {array.ndim} dimensions, not {ndim}")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError(f"{type(record).__name__}.{name} holds values that are not finite")
    array.setflags(write=False)
    object.__setattr__(record, name, array)
    return array


def same_length(record: object, *names: str) -> None:
    """Raise `ValueError` where the named fields of a record differ in length."""
    lengths = {name: len(getattr(record, name)) for name in names}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"{type(record).__name__}: lengths differ: {lengths}")


def check_spans(record: object, starts: Floats, ends: Floats) -> None:
    """Raise `ValueError` where starts ``[n]`` are not sorted, or an end precedes its start."""
    if (np.diff(starts) < 0).any():
        raise ValueError(f"{type(record).__name__}: starts are not sorted")
    if (ends < starts).any():
        raise ValueError(f"{type(record).__name__}: something ends before it starts")


def set_spans(record: Any, *texts: str) -> None:
    """Set `starts_s`, `ends_s` and the texts of a record, checked; `ValueError` if unsound."""
    for name in ("starts_s", "ends_s"):
        set_array(record, name, np.float64)
    for name in texts:
        object.__setattr__(record, name, tuple(map(str, getattr(record, name))))
    same_length(record, "starts_s", "ends_s", *texts)
    check_spans(record, record.starts_s, record.ends_s)
