"""TensorFlow's checkpoints read without TensorFlow: a table of names, and raw tensors.

A saver writes two files: ``.index``, a sorted table in the format of LevelDB that maps a
tensor's name to a small message (type, shape, offset, size), and ``.data-00000-of-00001``, in
which the values lie one after another, little-endian. Table: LevelDB's ``table_format.md``;
messages: ``tensor_bundle.proto`` and ``tensor_shape.proto`` of TensorFlow. Only what one
uncompressed shard of float32 needs is read; anything else is a `ValueError`.

Nothing is allocated by a number that a file merely claims: every offset and every size is held
against the bytes that are there.
"""

import math
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_INDEX_BYTES = 4 << 20
MAX_DATA_BYTES = 1 << 30
MAX_DIMENSIONS = 8

_FOOTER_BYTES = 48
_MAGIC = bytes.fromhex("57fb808b247547db")
# After each block: how it is compressed, and its checksum.
_TRAILER_BYTES = 5
_FLOAT32 = 1
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
# Fields of a tensor's message.
_TYPE, _SHAPE, _SHARD, _OFFSET, _SIZE, _SLICES = 1, 2, 3, 4, 5, 7

Message = Mapping[int, list[Any]]


def read_tensors(index: Path, data: Path, names: Collection[str]) -> dict[str, NDArray[np.float32]]:
    """Read the tensors of these names; `ValueError` where one is missing or the files not sound."""
    table = _bounded(index, MAX_INDEX_BYTES)
    values = _bounded(data, MAX_DATA_BYTES)
    tensors = {
        name: _tensor(_message(entry), values) for name, entry in _entries(table) if name in names
    }
    if missing := sorted(set(names) - set(tensors)):
        raise ValueError(f"there is no tensor {missing[0]}")
    return tensors


def _bounded(path: Path, limit: int) -> bytes:
    with path.open("rb") as handle:
        data = handle.read(limit + 1)
    if len(data) > limit:
        raise ValueError(f"{path.name} is larger than {limit} bytes")
    return data


def _tensor(entry: Message, values: bytes) -> NDArray[np.float32]:
    if _number(entry, _TYPE) != _FLOAT32 or _number(entry, _SHARD) or _SLICES in entry:
        raise ValueError("a tensor is not plain float32")
    shape = [
        _number(_message(size), 1)
        for part in entry.get(_SHAPE, [])
        for size in _message(_is_bytes(part)).get(2, [])
    ]
    offset, size = _number(entry, _OFFSET), _number(entry, _SIZE)
    if len(shape) > MAX_DIMENSIONS or size != 4 * math.prod(shape) or offset + size > len(values):
        raise ValueError("a tensor's size is not that of its shape")
    flat = np.frombuffer(values, dtype="<f4", count=size // 4, offset=offset)
    return flat.reshape(shape).astype(np.float32)


def _entries(table: bytes) -> Iterator[tuple[str, bytes]]:
    """Iterate over name and message of every tensor, by blocks as the table's index lists them."""
    footer = table[-_FOOTER_BYTES:]
    if len(footer) < _FOOTER_BYTES or not footer.endswith(_MAGIC):
        raise ValueError("it is not an index of a checkpoint")
    _, _, place = _handle(footer, 0)
    offset, size, _ = _handle(footer, place)
    for _, handle in _pairs(_block(table, offset, size)):
        offset, size, _ = _handle(handle, 0)
        for name, entry in _pairs(_block(table, offset, size)):
            if name:
                yield name.decode(errors="replace"), entry


def _block(table: bytes, offset: int, size: int) -> bytes:
    """Take the entries of a block, without the list of restart points behind them."""
    end = offset + size
    if size < 4 or end + _TRAILER_BYTES > len(table):
        raise ValueError("a block lies outside the index")
    if table[end]:
        raise ValueError("the index is compressed")
    restarts = int.from_bytes(table[end - 4 : end], "little")
    length = size - 4 - 4 * restarts
    if length < 0:
        raise ValueError("a block has more restart points than bytes")
    return table[offset : offset + length]


def _pairs(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Iterate over keys and values of a block; a key is written as its difference to the last."""
    place, key = 0, b""
    while place < len(block):
        shared, place = _varint(block, place)
        added, place = _varint(block, place)
        length, place = _varint(block, place)
        if shared > len(key) or place + added + length > len(block):
            raise ValueError("an entry runs over the end of its block")
        key = key[:shared] + block[place : place + added]
        place += added
        yield key, block[place : place + length]
        place += length


def _handle(data: bytes, place: int) -> tuple[int, int, int]:
    """Offset and size of a block, and where the next value begins."""
    offset, place = _varint(data, place)
    size, place = _varint(data, place)
    return offset, size, place


def _message(data: bytes) -> Message:
    """Read the fields of a protocol buffer by number: integers, or bytes not looked into."""
    fields: dict[int, list[Any]] = {}
    place = 0
    while place < len(data):
        tag, place = _varint(data, place)
        kind = tag & 7
        value: int | bytes
        if kind == _VARINT:
            value, place = _varint(data, place)
        else:
            length = {_FIXED64: 8, _FIXED32: 4}.get(kind)
            if kind == _BYTES:
                length, place = _varint(data, place)
            if length is None or place + length > len(data):
                raise ValueError("a field runs over the end of its message")
            value = data[place : place + length]
            place += length
        fields.setdefault(tag >> 3, []).append(value)
    return fields


def _number(message: Message, field: int) -> int:
    value = message.get(field, [0])[-1]
    if not isinstance(value, int):
        raise ValueError(f"field {field} is not a number")
    return value


def _is_bytes(value: Any) -> bytes:
    if not isinstance(value, bytes):
        raise ValueError("a shape is not a message")
    return value


def _varint(data: bytes, place: int) -> tuple[int, int]:
    """Read a number in base 128, low digits first, of at most ten bytes; gives where it ends."""
    number = 0
    for shift in range(0, 70, 7):
        if place >= len(data):
            raise ValueError("a number runs over the end")
        byte = data[place]
        place += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, place
    raise ValueError("a number has more than ten bytes")
