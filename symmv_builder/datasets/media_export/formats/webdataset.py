"""Tar files as WebDataset reads them: a sample is the files that share a name up to the first dot.

``KEY.json`` holds the columns that are text, numbers or labels, ``KEY.COLUMN.npy`` an array,
``KEY.COLUMN.0000.jpg`` each of a list of pictures, ``KEY.music.flac``, ``KEY.video.mp4`` and
``KEY.frames.0000.jpg`` the excerpts. Members follow one another in this order, with no owner and a
time of zero: the same samples give the same bytes.
"""

import io
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from symmv_builder.datasets.media_export.formats import Layout, PlacedShard
from symmv_builder.datasets.media_export.samples import (
    Sample,
    file_names,
    json_bytes,
    npy_bytes,
)

SUFFIX = ".tar"


def name(split: str, number: int) -> str:
    return f"{split}-{number:05d}{SUFFIX}"


def check() -> None:
    """Nothing is needed but Python."""


def write(path: Path, layout: Layout, samples: Iterator[Sample]) -> dict[str, Any]:
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as tar:
        for sample in samples:
            parts = sample.parts(layout.of_files)
            _add_bytes(tar, f"{sample.key}.json", json_bytes(parts.plain))
            for column, array in sorted(parts.arrays.items()):
                _add_bytes(tar, f"{sample.key}.{column}.npy", npy_bytes(array))
            for column, blob in sorted(parts.blobs.items()):
                _add_bytes(tar, f"{sample.key}.{column}.bin", blob)
            for column, files in sorted(parts.files.items()):
                for name_in_sample, data in zip(file_names(column, files), files, strict=True):
                    _add_bytes(tar, f"{sample.key}.{name_in_sample}", data)
            for called, file in sample.files():
                with file.open("rb") as opened:
                    _add(tar, f"{sample.key}.{called}", opened, file.stat().st_size)
    return {}


def finish(folder: Path, layout: Layout, shards: Sequence[PlacedShard]) -> None:
    """Readers are given the names of the tar files."""


def _add_bytes(tar: tarfile.TarFile, member: str, data: bytes) -> None:
    _add(tar, member, io.BytesIO(data), len(data))


def _add(tar: tarfile.TarFile, member: str, data: BinaryIO, size: int) -> None:
    # A new TarInfo has no owner, no time, and mode 0644.
    info = tarfile.TarInfo(member)
    info.size = size
    tar.addfile(info, data)
