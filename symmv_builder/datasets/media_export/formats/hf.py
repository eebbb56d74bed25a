"""Parquet files with the features `Audio`, `Video` and `Image` of Hugging Face datasets.

``data/SPLIT-00000.parquet``, and a README.md that names the files of each split, so that
``datasets.load_dataset(FOLDER)`` reads them and the model hub shows them. What a column's bytes are
is told by the metadata of the files themselves. The package `datasets` is not needed to write them.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from symmv_builder.datasets.media_export.formats import Layout, PlacedShard
from symmv_builder.datasets.media_export.samples import Sample
from symmv_builder.storage.outputs import replacing_file
from symmv_builder.storage.tables import Row, build_table, text_columns
from symmv_builder.text import amount

SUFFIX = ".parquet"
_FILE = pa.struct({"bytes": pa.binary(), "path": pa.string()})
_FEATURES: dict[str, dict[str, Any]] = {"music": {"_type": "Audio"}, "video": {"_type": "Video"}}
_FRAMES: dict[str, Any] = {"_type": "List", "feature": {"_type": "Image"}}
# Rows are read a group at a time; sound and video of one group are held in memory.
_GROUP_BYTES = 32 * 2**20


def name(split: str, number: int) -> str:
    return f"data/{split}-{number:05d}{SUFFIX}"


def check() -> None:
    """Nothing is needed but pyarrow."""


def write(path: Path, layout: Layout, samples: Iterator[Sample]) -> dict[str, Any]:
    plain, schema = layout.arrow, _schema(layout)
    options = {"compression": "zstd", "write_page_checksum": True}
    with pq.ParquetWriter(path, schema, use_dictionary=text_columns(plain), **options) as writer:
        for rows, files in _groups(layout, samples):
            arrays = list(build_table(plain, rows).columns)
            for kind in layout.media:
                arrays.append(pa.array([row[kind] for row in files], _FILE))
            if layout.has_frames:
                arrays.append(pa.array([row["frames"] for row in files], pa.list_(_FILE)))
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
    return {}


def finish(folder: Path, layout: Layout, shards: Sequence[PlacedShard]) -> None:
    splits = sorted({shard.split for shard in shards}, key=_order)
    lines = ["---", "configs:", "- config_name: default", "  data_files:"]
    for split in splits:
        lines += [f"  - split: {split}", f"    path: data/{split}-*.parquet"]
    kinds = [*layout.media, *(["frames"] if layout.has_frames else [])]
    samples = amount(sum(shard.samples for shard in shards), "sample")
    lines += [
        "---",
        "",
        f"# {layout.dataset}",
        "",
        f"{samples} with {', '.join(kinds)}. The recordings "
        "belong to those who made them; what may be done with them is not said by this file.",
        "",
    ]
    with replacing_file(folder / "README.md") as temporary:
        temporary.write_text("\n".join(lines), encoding="utf-8")


def _schema(layout: Layout) -> pa.Schema:
    fields = [*layout.arrow, *(pa.field(kind, _FILE) for kind in layout.media)]
    features = {kind: _FEATURES[kind] for kind in layout.media}
    if layout.has_frames:
        fields.append(pa.field("frames", pa.list_(_FILE)))
        features["frames"] = _FRAMES
    info = json.dumps({"info": {"features": features}})
    return pa.schema(fields, metadata={"huggingface": info, "dataset": layout.dataset})


def _file(path: Path, key: str) -> dict[str, Any]:
    return {"bytes": path.read_bytes(), "path": f"{key}{path.suffix}"}


def _groups(
    layout: Layout, samples: Iterator[Sample]
) -> Iterator[tuple[list[Row], list[dict[str, Any]]]]:
    """Rows and the contents of their files, as many as are written at once."""
    rows: list[Row] = []
    files: list[dict[str, Any]] = []
    size = 0
    for sample in samples:
        # Read now: the files of a sample are there until the next one is asked for.
        row: dict[str, Any] = {k: _file(getattr(sample, k), sample.key) for k in layout.media}
        row["frames"] = [_file(path, f"{sample.key}-{path.stem}") for path in sample.frames]
        added = sum(path.stat().st_size for _, path in sample.files())
        if rows and size + added > _GROUP_BYTES:
            yield rows, files
            rows, files, size = [], [], 0
        rows.append(sample.row)
        files.append(row)
        size += added
    if rows:
        yield rows, files


def _order(split: str) -> tuple[int, str]:
    order = ("train", "validation", "test")
    return (order.index(split) if split in order else len(order)), split
