"""Rows of SymMV whose pictures follow the music: as high as it is played, so the pictures."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from symmv_builder.datasets.schemas import published_schema
from symmv_builder.storage.root import Root
from symmv_builder.storage.shards import ShardWriter, as_plain, write_receipt
from symmv_builder.training.vmcp.config import VmcpConfig

COLUMNS = (
    "entry_id", "song_id", "split", "video_url", "notes_starts_s", "notes_ends_s",
    "notes_pitches", "notes_velocities", "pedal_starts_s", "pedal_ends_s", "semantic",
)  # fmt: skip
CLIP = {"slot": "clip", "backend": "vit-b-32", "weights_sha256": "ab" * 32, "trained": True}

TINY = VmcpConfig(
    embedding="tones",
    width=16,
    hidden=32,
    heads=2,
    layers=1,
    joint=8,
    dropout=0.0,
    batch_size=4,
    steps=6,
    lr=1e-3,
    warmup=2,
    validate_every=3,
    checkpoint_every=2,
    log_every=1,
    compile=False,
)


def clip_row(
    number: int, seconds: int = 12, *, split: str = "train", url: str = ""
) -> dict[str, Any]:
    """Four notes a second around a pitch that changes every three seconds."""
    rng = np.random.default_rng([number, 7])
    centres = rng.integers(30, 98, seconds // 3 + 1)
    starts = np.arange(0, seconds, 0.25)
    pitches = centres[(starts // 3).astype(int)] + rng.integers(-3, 4, len(starts))
    pictures = np.random.default_rng(0).normal(size=(128, 512))
    seen = pictures[np.repeat(centres, 18)[: 6 * seconds]]
    seen = seen + rng.normal(0, 0.1, seen.shape)
    return {
        "entry_id": f"song-{number:03d}",
        "song_id": f"song-{number:03d}",
        "split": split,
        "video_url": url or f"file:{number}",
        "notes_starts_s": starts,
        "notes_ends_s": starts + 0.3,
        "notes_pitches": pitches.clip(21, 108),
        "notes_velocities": np.full(len(starts), 64),
        "pedal_starts_s": np.array([1.0]),
        "pedal_ends_s": np.array([2.0]),
        "semantic": seen.astype(np.float16),
    }


def write_rows(folder: Path, rows: Iterable[dict[str, Any]], without: tuple[str, ...] = ()) -> Root:
    root = Root(str(folder))
    kept = [name for name in COLUMNS if name not in without]
    schema = pa.schema([published_schema("symmv").field(name) for name in kept])
    shards = ShardWriter(root, "symmv", schema).write(rows)
    write_receipt(root, "symmv", {"shards": as_plain(shards), "models": [CLIP]})
    return root


def small_dataset(folder: Path) -> Root:
    """Ten songs to learn from, three to choose by, three to measure on, of unlike lengths."""
    splits = {"train": range(10), "validation": range(10, 13), "test": range(13, 16)}
    rows = [clip_row(n, 9 + 3 * (n % 3), split=split) for split in splits for n in splits[split]]
    return write_rows(folder, rows)
