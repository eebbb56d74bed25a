"""Chunks as LitData streams them, a folder a split: ``SPLIT/SPLIT-00000.bin`` and ``index.json``.

An item is a dict: `sample` (its key), `json` (text, numbers and labels of its row), a numpy array a
column that is one, and bytes: `music`, `video`, and `frames`, the JPEG files one after another,
with `frames_ends` where each ends. Columns that are lists of files are told in the same way.
LitData collects a chunk in memory before it is written.
"""

import json
import tempfile
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from symmv_builder.datasets.media_export.formats import Layout, PlacedShard
from symmv_builder.datasets.media_export.samples import Sample, json_bytes
from symmv_builder.packages import is_installed, not_installed
from symmv_builder.storage.outputs import replacing_file

SUFFIX = ".bin"
_ALL = 2**50


def name(split: str, number: int) -> str:
    return f"{split}/{split}-{number:05d}{SUFFIX}"


def check() -> None:
    if not is_installed("litdata"):
        raise not_installed("litdata", "media")


def write(path: Path, layout: Layout, samples: Iterator[Sample]) -> dict[str, Any]:
    from litdata.streaming.writer import BinaryWriter

    with tempfile.TemporaryDirectory(prefix=".part-", dir=path.parent) as folder:
        writer = BinaryWriter(folder, chunk_bytes=_ALL)
        for number, sample in enumerate(samples):
            writer.add_item(number, _item(layout, sample))
        writer.done()
        [index] = Path(folder).glob("*.index.json")
        facts: dict[str, Any] = json.loads(index.read_bytes())
        [chunk] = facts["chunks"]
        (Path(folder) / chunk["filename"]).replace(path)
    return facts


def finish(folder: Path, layout: Layout, shards: Sequence[PlacedShard]) -> None:
    for split, mine in groupby(shards, key=lambda shard: shard.split):
        indices = list(mine)
        chunks = [{**s.facts["chunks"][0], "filename": Path(s.name).name} for s in indices]
        index = {"chunks": chunks, "config": indices[0].facts["config"]}
        with replacing_file(folder / split / "index.json") as temporary:
            temporary.write_text(json.dumps(index, sort_keys=True) + "\n")


def _item(layout: Layout, sample: Sample) -> dict[str, Any]:
    parts = sample.parts(layout.of_files)
    item: dict[str, Any] = {"sample": sample.key, "json": json_bytes(parts.plain).decode()}
    item |= parts.arrays | parts.blobs
    for column, files in parts.files.items():
        item |= _joined(column, files)
    for kind in layout.media:
        item[kind] = getattr(sample, kind).read_bytes()
    if layout.has_frames:
        item |= _joined("frames", [path.read_bytes() for path in sample.frames])
    return item


def _joined(name: str, files: Sequence[bytes]) -> dict[str, Any]:
    """Files one after another, and where each ends."""
    ends = np.cumsum([len(data) for data in files]).astype(np.int64)
    return {name: b"".join(files), f"{name}_ends": ends}
