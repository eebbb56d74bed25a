"""Rows of MuVi-Sync whose chords follow what is seen, small enough to learn in seconds."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from symmv_builder.datasets.schemas import columns_of
from symmv_builder.storage.root import Root
from symmv_builder.storage.shards import ShardWriter, as_plain, write_receipt
from symmv_builder.training.amt.config import AmtConfig
from symmv_builder.vocab import EMOTIONS

WIDTH = 8
# What is played to each picture, by mode.
PALETTE = {
    "major": ("C", "F", "G:7", "A:min", "D:min7", "N"),
    "minor": ("A:min", "D:min", "E:7", "F", "B:dim", "N"),
}
COLUMNS = (
    "entry_id", "song_id", "split", "video_duration_s", "normalised_chords_labels", "key_tonic",
    "key_mode", "density", "loudness", "semantic", "emotion", "motion", "scene_offset",
)  # fmt: skip
VIDEO = ("semantic", "emotion", "motion", "scene_offset", "video_duration_s")

TINY = AmtConfig(
    layers=2,
    heads=2,
    width=16,
    hidden=32,
    dropout=0.0,
    length=24,
    batch_size=4,
    steps=6,
    warmup=2,
    validate_every=3,
    checkpoint_every=2,
    log_every=1,
    compile=False,
)


def amt_row(
    number: int, seconds: int = 12, *, split: str = "train", extra_video_s: int = 0
) -> dict[str, Any]:
    """A row whose chord at each second is told by the feature that is largest there."""
    rng = np.random.default_rng([number, seconds])
    mode = "minor" if number % 2 else "major"
    length = seconds + extra_video_s
    pictures = np.repeat(rng.integers(0, 6, length // 2 + 1), 2)[:length]
    semantic = rng.normal(0, 0.1, (length, WIDTH)).astype(np.float16)
    semantic[np.arange(length), pictures] += 2
    emotion = rng.dirichlet(np.ones(len(EMOTIONS)), length).astype(np.float32)
    return {
        "entry_id": f"song-{number:03d}",
        "song_id": f"song-{number:03d}",
        "split": split,
        "video_duration_s": float(length),
        "normalised_chords_labels": tuple(PALETTE[mode][p] for p in pictures[:seconds]),
        "key_tonic": "C" if mode == "major" else "A",
        "key_mode": mode,
        "density": rng.uniform(0, 25, seconds).astype(np.float32),
        "loudness": rng.random(seconds).astype(np.float32),
        "semantic": semantic,
        "emotion": emotion,
        "motion": rng.uniform(0, 40, length).astype(np.float32),
        "scene_offset": (np.arange(length) % 5).astype(np.float32),
    }


def write_rows(folder: Path, rows: list[dict[str, Any]]) -> Root:
    """Finished shards of a dataset ``muvisync`` with the columns that the rows have."""
    root = Root(str(folder))
    fields = [
        pa.field(
            c.name, pa.list_(pa.list_(pa.float16(), WIDTH)) if c.name == "semantic" else c.arrow
        )
        for c in columns_of("muvisync")
        if c.name in rows[0]
    ]
    shards = ShardWriter(root, "muvisync", pa.schema(fields)).write(rows)
    receipt = {"schema": "muvisync/v1", "models": {}, "shards": as_plain(shards)}
    write_receipt(root, "muvisync", receipt)
    return root


def small_dataset(folder: Path, train: int = 10, validation: int = 3, test: int = 3) -> Root:
    """A dataset of short songs in three splits; the lengths differ."""
    rows = [
        amt_row(100 * place + number, 10 + number % 7, split=split)
        for place, (split, count) in enumerate(
            (("test", test), ("train", train), ("validation", validation))
        )
        for number in range(count)
    ]
    return write_rows(folder, rows)
