"""Rows of songs that follow simple rules, with or without videos, small enough to learn at once."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from symmv_builder.datasets import recipe
from symmv_builder.datasets.schemas import columns_of
from symmv_builder.storage.root import Root
from symmv_builder.storage.shards import ShardWriter, as_plain, write_receipt
from symmv_builder.training.vmusprod.config import PRESETS, VMusProd
from symmv_builder.vocab import SYMMV_LABELS, SYMMV_QUALITIES

TINY: dict[str, Any] = {
    "width": 16,
    "heads": 2,
    "feedforward": 24,
    "decoder_layers": 1,
    "max_tokens": 96,
    "batch_size": 4,
    "buckets": 0,
    "steps": 6,
    "warmup": 2,
    "log_every": 1,
    "validate_every": 3,
    "checkpoint_every": 2,
}
# Roots of the chords of a song, in semitones above its key; all major.
PROGRESSIONS = ((0, 5, 7, 0), (0, 9, 5, 7), (0, 7, 5, 5), (2, 7, 0, 0))
VIDEO = ("semantic", "colour", "motion")
# Columns that the recipe cmt has besides those of symmv.
_CMT = [
    column
    for column in recipe("cmt").columns
    if column.artifact in ("flow_magnitude", "visual_beats")
]


def tiny(**settings: Any) -> VMusProd:
    """The smoke preset made smaller, with single settings changed."""
    plain = {name: getattr(PRESETS["smoke"], name) for name in VMusProd.__slots__}
    return VMusProd(**(plain | TINY | settings))


def song_row(
    number: int, bars: int = 8, *, split: str = "train", video: bool = False
) -> dict[str, Any]:
    """A song with a chord a bar, its notes as melody in quarters, and as triads in halves."""
    gap_s = 60.0 / (80 + 5 * (number % 9))
    roots = [(number + PROGRESSIONS[number % 4][bar % 4]) % 12 for bar in range(bars)]
    notes = []
    for bar, root in enumerate(roots):
        for beat in range(4):
            pitch = 72 + root + (0, 4, 7, 4)[(beat + number) % 4]
            notes.append((16 * bar + 4 * beat, pitch, 4, True))
        for half in range(2):
            notes += [(16 * bar + 8 * half, 48 + root + up, 8, False) for up in (0, 4, 7)]
    onsets, pitches, durations, melodic = (
        np.array(part) for part in zip(*sorted(notes), strict=True)
    )
    starts_s = np.arange(bars) * 4 * gap_s
    row: dict[str, Any] = {
        "entry_id": f"song-{number:03d}",
        "song_id": f"song-{number:03d}",
        "split": split,
        "parts_onset_steps": onsets,
        "parts_duration_steps": durations,
        "parts_pitches": pitches,
        "parts_is_melody": melodic.astype(bool),
        "beats_times_s": np.arange(4 * bars + 1) * gap_s,
        "beats_positions": np.arange(4 * bars + 1) % 4 + 1,
        "tempo_bpm": 60.0 / gap_s,
        "chords_starts_s": starts_s,
        "chords_ends_s": starts_s + 4 * gap_s,
        "chords_labels": tuple(SYMMV_LABELS[root * len(SYMMV_QUALITIES)] for root in roots),
    }
    return row | (_video(number, seconds=4 + number % 3) if video else {})


def _video(number: int, seconds: int) -> dict[str, Any]:
    rng = np.random.default_rng(number)
    colour = rng.random((seconds, 12288), dtype=np.float32)
    return {
        "semantic": rng.normal(size=(6 * seconds, 512)).astype(np.float16),
        "colour": colour / colour.sum(axis=1, keepdims=True),
        "motion": rng.uniform(0, 5 + number, 5 * seconds).astype(np.float32),
    }


def write_rows(folder: Path, rows: list[dict[str, Any]]) -> Root:
    """Finished shards of a dataset ``symmv`` with the columns that the rows have."""
    root = Root(str(folder))
    fields = [
        pa.field(c.name, c.arrow, metadata=c.metadata)
        for c in (*columns_of("symmv"), *_CMT)
        if c.name in rows[0]
    ]
    shards = ShardWriter(root, "symmv", pa.schema(fields)).write(rows)
    receipt = {"schema": "symmv/v1", "models": [{"slot": "clip"}], "shards": as_plain(shards)}
    write_receipt(root, "symmv", receipt)
    return root


def small_dataset(
    folder: Path, *, train: int = 10, validation: int = 3, video: bool = False
) -> Root:
    """Songs of unlike lengths in two splits."""
    splits = (("train", train), ("validation", validation))
    rows = [
        song_row(100 * place + n, 4 + n % 4, split=split, video=video)
        for place, (split, count) in enumerate(splits)
        for n in range(count)
    ]
    return write_rows(folder, rows)
