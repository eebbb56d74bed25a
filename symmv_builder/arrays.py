"""Arrays as fields of frozen records: of one type, read-only, finite."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


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
    lengths = {name: len(getattr(record, name)) for name in names}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"{type(record).__name__}: lengths differ: {lengths}")
