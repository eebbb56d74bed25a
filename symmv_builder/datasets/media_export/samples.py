"""A sample of an export: its key, every column of its row, and files of its excerpts."""

import hashlib
import io
import json
import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symmv_builder.schema import Column
from symmv_builder.storage.tables import Row

_KEY_LENGTH = 64
_JPEG = b"\xff\xd8\xff"

# What an export adds to the columns of a row.
EXCERPT_COLUMNS = (
    Column("sample", "string", "", "key of the sample, unique in the export", "excerpt.sample"),
    Column("music_from_s", "float64", "s, music", "start of the sound", "excerpt.music_from_s"),
    Column("music_to_s", "float64", "s, music", "end of the sound", "excerpt.music_to_s"),
    Column("video_from_s", "float64", "s, video", "start of the video", "excerpt.video_from_s"),
    Column("video_to_s", "float64", "s, video", "end of the video", "excerpt.video_to_s"),
)


@dataclass(frozen=True, slots=True)
class RowParts:
    """The columns of a row: what is plain JSON, arrays, bytes, and lists of files' bytes."""

    plain: dict[str, Any]
    arrays: dict[str, NDArray[Any]]
    blobs: dict[str, bytes]
    files: dict[str, Sequence[bytes]]


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample, for a writer: files lie on the disk, everything else in `row`.

    `music` and `video` are `None`, `frames` empty, where the export has none.
    """

    key: str
    row: Row
    music: Path | None = None
    video: Path | None = None
    frames: Sequence[Path] = ()

    def parts(self, of_files: Collection[str]) -> "RowParts":
        """The row by what its values are; `of_files` are the columns that are lists of files."""
        parts = RowParts({}, {}, {}, {})
        for name, value in self.row.items():
            if isinstance(value, np.ndarray):
                parts.arrays[name] = value
            elif isinstance(value, bytes):
                parts.blobs[name] = value
            elif name in of_files:
                parts.files[name] = value
            else:
                parts.plain[name] = _plain(value)
        return parts

    def files(self) -> list[tuple[str, Path]]:
        """The files with their names in the sample: ``music.flac``, ``frames.0000.jpg``."""
        named = [("music", self.music), ("video", self.video)]
        files = [(f"{name}{path.suffix}", path) for name, path in named if path is not None]
        return files + [(f"frames.{path.name}", path) for path in self.frames]


def file_names(column: str, files: Sequence[bytes]) -> list[str]:
    """What the files of a column are called in a sample: ``frames.0000.jpg``."""
    suffixes = ("jpg" if data.startswith(_JPEG) else "bin" for data in files)
    return [f"{column}.{number:04d}.{suffix}" for number, suffix in enumerate(suffixes)]


def key_of(name: str) -> str:
    """The key of a sample: letters, digits, ``-`` and ``_`` of an id.

    A reader of tar files ends the key at the first dot, so other characters become ``-``, and a
    hash of the id is added where that changed it or it is long.
    """
    plain = re.sub(r"[^A-Za-z0-9_-]", "-", name)[:_KEY_LENGTH]
    if plain == name:
        return plain
    return f"{plain[: _KEY_LENGTH - 9]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def row_digest(row: Row) -> str:
    """A digest of all that a row holds."""
    whole = hashlib.sha256()
    for name, value in sorted(row.items()):
        if isinstance(value, np.ndarray):
            whole.update(f"{name} {value.dtype} {value.shape}\n".encode())
            whole.update(np.ascontiguousarray(value).tobytes())
        else:
            whole.update(f"{name} {value!r}\n".encode())
    return whole.hexdigest()


def json_bytes(plain: Mapping[str, Any]) -> bytes:
    """JSON in which equal values are equal bytes."""
    return json.dumps(plain, ensure_ascii=False, sort_keys=True, allow_nan=False).encode()


def npy_bytes(array: NDArray[Any]) -> bytes:
    """An array as a ``.npy`` file holds it."""
    file = io.BytesIO()
    np.lib.format.write_array(file, np.ascontiguousarray(array), allow_pickle=False)
    return file.getvalue()


def _plain(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    # JSON knows no numbers that are not finite.
    return None if isinstance(value, float) and not math.isfinite(value) else value
