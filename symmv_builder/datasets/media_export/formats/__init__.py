"""The formats of an export of media, one module each, found by its name.

A module offers

- ``SUFFIX`` of the file of a shard, and ``name(split, number)``, where it lies in the folder;
- ``check()``: `MissingPackage` where the package that writes the format is not installed;
- ``write(path, layout, samples)``: write one shard, give what has to be remembered of it as JSON;
- ``finish(folder, layout, shards)``: write what speaks of all shards, once they are in place.

A shard is one file, whatever the format, so that an export is taken up, changed and numbered in the
same way for all of them.
"""

import importlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import pyarrow as pa

from symmv_builder.datasets.media_export.samples import EXCERPT_COLUMNS, Sample
from symmv_builder.storage.tables import holds_files

NAMES = ("webdataset", "hf", "lance", "litdata")


@dataclass(frozen=True, slots=True)
class Layout:
    """What every sample of an export has: the columns of its row, and which files."""

    dataset: str
    schema: pa.Schema
    has_music: bool
    has_video: bool
    has_frames: bool

    @property
    def arrow(self) -> pa.Schema:
        """The columns and those of the excerpt as Arrow holds them, without the files."""
        fields = [*self.schema, *(column.field for column in EXCERPT_COLUMNS)]
        return pa.schema(fields, metadata=self.schema.metadata)

    def described(self) -> list[dict[str, str]]:
        """The columns with unit and meaning, as plain values."""
        return [
            {
                "name": field.name,
                "type": str(field.type),
                **{k.decode(): v.decode() for k, v in (field.metadata or {}).items()},
            }
            for field in self.arrow
        ]

    @property
    def of_files(self) -> frozenset[str]:
        """The columns that are lists of files, such as pictures."""
        return frozenset(field.name for field in self.schema if holds_files(field))

    @property
    def media(self) -> list[str]:
        """The files of a sample that are one each."""
        kinds = (("music", self.has_music), ("video", self.has_video))
        return [name for name, is_held in kinds if is_held]


@dataclass(frozen=True, slots=True)
class PlacedShard:
    """A shard in its place: its split, its file's name in the folder, and what `write` gave."""

    split: str
    name: str
    samples: int
    facts: Mapping[str, Any]


class Format(Protocol):
    """What a module of this package offers."""

    SUFFIX: str

    def name(self, split: str, number: int) -> str: ...
    def check(self) -> None: ...
    def write(self, path: Path, layout: Layout, samples: Iterator[Sample]) -> dict[str, Any]: ...
    def finish(self, folder: Path, layout: Layout, shards: Sequence[PlacedShard]) -> None: ...


def find(name: str) -> Format:
    """The module of a format, by one of `NAMES`."""
    module = importlib.import_module(f"symmv_builder.datasets.media_export.formats.{name}")
    return cast(Format, module)
