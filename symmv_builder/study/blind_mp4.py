"""Copies of MP4 files without what they say of themselves: titles, comments, the model's name.

Boxes of metadata (`udta`, `meta`, `uuid`; ISO/IEC 14496-12) are filled with zeros and called `free`
where they stand, so that no offset in the file changes and nothing is encoded again.
"""

import shutil
from pathlib import Path
from typing import BinaryIO

from symmv_builder.errors import MalformedFile

_METADATA = (b"udta", b"meta", b"uuid")
_CONTAINERS = (b"moov", b"trak", b"moof", b"traf")
_MOST_BOXES = 100_000
_ZEROS = bytes(1 << 16)


def copy_blind(source: Path, target: Path) -> None:
    """Copy an MP4 file, its metadata wiped; `MalformedFile` where `source` is no MP4."""
    with source.open("rb") as file:
        head = file.read(8)
    if head[4:] != b"ftyp":
        raise MalformedFile(source, "this is no MP4 file")
    shutil.copyfile(source, target)
    with target.open("r+b") as file:
        size = target.stat().st_size
        if not _wipe(file, source, 0, size, [0]):
            raise MalformedFile(source, "this MP4 file has no index (moov): it is not whole")


def _wipe(file: BinaryIO, source: Path, start: int, end: int, offsets: list[int]) -> bool:
    """Wipe the boxes between two places; whether one of them is the index."""
    has_index = False
    place = start
    while place + 8 <= end:
        offsets[0] += 1
        file.seek(place)
        head = file.read(16)
        size, kind, inner = int.from_bytes(head[:4], "big"), head[4:8], 8
        if size == 1:
            size, inner = int.from_bytes(head[8:16], "big"), 16
        elif size == 0:
            size = end - place
        if size < inner or place + size > end or offsets[0] > _MOST_BOXES:
            raise MalformedFile(source, "this MP4 file is damaged: a box does not fit")
        has_index |= kind == b"moov"
        if kind in _METADATA:
            file.seek(place + 4)
            file.write(b"free")
            _zero(file, place + inner, place + size)
        elif kind in _CONTAINERS:
            _wipe(file, source, place + inner, place + size, offsets)
        place += size
    return has_index


def _zero(file: BinaryIO, start: int, end: int) -> None:
    file.seek(start)
    while start < end:
        start += file.write(_ZEROS[: end - start])
