"""Examples of unlike length to tensors of one shape, with masks that say what is real."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Example = dict[str, NDArray[Any]]
Batch = dict[str, Tensor]

_SERIAL_VALUES = 32_000

Padding = Mapping[str, float | int]


def stack(
    examples: Sequence[Example], pad: Padding, *, multiple: int = 1, pin: bool = False
) -> Batch:
    """Stack a batch of examples: scalars stacked ``[b]``, sequences padded ``[b, t, ...]``.

    Beside each sequence NAME lies ``NAME_mask``, bool ``[b, t]``, true where the example is.
    Padding is 0 unless `pad` names another value; t is the longest example's, rounded up to a
    `multiple`. Floats become float32, integers int64, bools stay. With `pin` the tensors lie
    in memory from which a GPU copies on its own. `ValueError` where examples do not agree.
    """
    names = list(examples[0])
    for example in examples:
        if list(example) != names:
            odd = set(example) ^ set(names)
            raise ValueError(f"examples of one batch have unlike fields: {sorted(odd) or names}")
    batch: Batch = {}
    for name in names:
        values = [np.asarray(example[name]) for example in examples]
        kind = _kind(name, values)
        if values[0].ndim == 0:
            batch[name] = scalars(values, kind, pin)
            continue
        batch[name], batch[f"{name}_mask"] = _pad(values, kind, pad.get(name, 0), multiple, pin)
    return batch


def on_device(batch: Batch, device: torch.device) -> Batch:
    """Move the batch to the device where a model is."""
    return {name: tensor.to(device, non_blocking=True) for name, tensor in batch.items()}


def scalars(values: Sequence[Any], kind: torch.dtype, pin: bool) -> Tensor:
    """Stack one number an example to a tensor ``[b]``."""
    tensor = torch.empty(len(values), dtype=kind, pin_memory=pin)
    tensor.numpy()[:] = values
    return tensor


def _kind(name: str, values: Sequence[NDArray[Any]]) -> torch.dtype:
    shapes = {value.shape[1:] if value.ndim else None for value in values}
    if len(shapes) > 1:
        raise ValueError(f"field {name}: shapes {sorted(map(str, shapes))} in one batch")
    letters = {value.dtype.kind for value in values}
    if letters == {"b"}:
        return torch.bool
    if letters <= set("iu"):
        return torch.int64
    if letters <= set("f"):
        return torch.float32
    raise ValueError(f"field {name} holds {values[0].dtype}; a batch holds one kind of number")


def _pad(
    values: Sequence[NDArray[Any]], kind: torch.dtype, padding: float, multiple: int, pin: bool
) -> tuple[Tensor, Tensor]:
    longest = max(len(value) for value in values)
    longest += -longest % multiple
    shape = (len(values), longest, *values[0].shape[1:])
    padded = torch.empty(shape, dtype=kind, pin_memory=pin)
    mask = torch.empty(shape[:2], dtype=torch.bool, pin_memory=pin)
    into, real = padded.numpy(), mask.numpy()
    for number, value in enumerate(values):
        if value.dtype == np.float16 and min(value.strides) >= 0:
            _cast(padded[number], value)
        else:
            into[number, : len(value)] = value
        into[number, len(value) :] = padding
        real[number, : len(value)] = True
        real[number, len(value) :] = False
    return padded, mask


def _cast(into: Tensor, value: NDArray[np.float16]) -> None:
    """Half floats to single ones in one go, eight times faster than by numpy.

    In blocks so small that torch does not start threads of its own, which would get into the
    way of the workers and of what trains.
    """
    rows = max(1, _SERIAL_VALUES // max(1, value[:1].size))
    shared = _shared(value)
    for start in range(0, len(value), rows):
        into[start : min(start + rows, len(value))] = shared[start : start + rows]


class _Memory:
    """An array's memory, of which nothing says that it is read-only."""

    def __init__(self, values: NDArray[Any]) -> None:
        address = values.__array_interface__["data"][0]
        self.__array_interface__ = values.__array_interface__ | {"data": (address, False)}


def _shared(values: NDArray[Any]) -> Tensor:
    """Make a tensor over an array's memory, only to be read while the array lives.

    torch knows no read-only tensors, and warns of each array that is one.
    """
    return torch.from_numpy(np.asarray(_Memory(values)))
