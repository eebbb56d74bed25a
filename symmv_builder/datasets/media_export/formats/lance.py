"""A Lance dataset a split, ``SPLIT.lance``: columns, and sound and video as binary columns.

Each shard is one data file, written before it belongs to any dataset; `finish` makes one version of
all of them. The files hold the same rows each time, but not the same bytes: Lance gives fields and
versions identities of its own.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa

from symmv_builder.datasets.media_export.formats import Layout, PlacedShard
from symmv_builder.datasets.media_export.samples import Sample
from symmv_builder.packages import is_installed, not_installed
from symmv_builder.storage.tables import build_table

SUFFIX = ".lance"
_ROWS, _BYTES = 10**9, 10**12


def name(split: str, number: int) -> str:
    return f"{split}{SUFFIX}/data/{split}-{number:05d}{SUFFIX}"


def check() -> None:
    if not is_installed("lance"):
        raise not_installed("pylance", "media")
    # It would warn of each new file that there was none before. Read when it is imported.
    os.environ.setdefault("LANCE_LOG", "error")


def write(path: Path, layout: Layout, samples: Iterator[Sample]) -> dict[str, Any]:
    from lance.fragment import write_fragments

    schema = _schema(layout)
    with tempfile.TemporaryDirectory(prefix=".part-", dir=path.parent) as folder:
        batches = (_batch(layout, schema, sample) for sample in samples)
        reader = pa.RecordBatchReader.from_batches(schema, batches)
        [fragment] = write_fragments(
            reader, f"{folder}/shard.lance", max_rows_per_file=_ROWS, max_bytes_per_file=_BYTES
        )
        facts: dict[str, Any] = fragment.to_json()
        [file] = facts["files"]
        shutil.move(Path(folder) / "shard.lance" / "data" / file["path"], path)
    return facts


def finish(folder: Path, layout: Layout, shards: Sequence[PlacedShard]) -> None:
    import lance
    from lance.fragment import FragmentMetadata

    for split, mine in groupby(shards, key=lambda shard: shard.split):
        place = folder / f"{split}{SUFFIX}"
        # Versions of an earlier export name files that may be others now.
        for old in place.iterdir():
            if old.name != "data":
                shutil.rmtree(old)
        fragments = []
        for number, shard in enumerate(mine):
            [file] = shard.facts["files"]
            moved = {**file, "path": Path(shard.name).name}
            fragments.append({**shard.facts, "id": number, "files": [moved]})
        parts = [FragmentMetadata.from_json(_json(each)) for each in fragments]
        operation = lance.LanceOperation.Overwrite(_schema(layout), parts)
        lance.LanceDataset.commit(str(place), operation)


def _json(fragment: dict[str, Any]) -> str:
    import json

    return json.dumps(fragment)


def _schema(layout: Layout) -> pa.Schema:
    fields = [*layout.arrow, *(pa.field(kind, pa.large_binary()) for kind in layout.media)]
    if layout.has_frames:
        fields.append(pa.field("frames", pa.list_(pa.large_binary())))
    return pa.schema(fields)


def _batch(layout: Layout, schema: pa.Schema, sample: Sample) -> pa.RecordBatch:
    arrays = list(build_table(layout.arrow, [sample.row]).columns)
    for kind in layout.media:
        arrays.append(pa.array([getattr(sample, kind).read_bytes()], pa.large_binary()))
    if layout.has_frames:
        frames = [path.read_bytes() for path in sample.frames]
        arrays.append(pa.array([frames], pa.list_(pa.large_binary())))
    [batch] = pa.Table.from_arrays(arrays, schema=schema).to_batches()
    return batch
