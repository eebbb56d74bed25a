"""Rows of both schemas with random but lawful contents, for tests of shards and exports."""

from typing import Any

import numpy as np

from symmv_builder.datasets.schemas import columns_of
from symmv_builder.schema import Column
from symmv_builder.vocab import MUVISYNC_LABELS, SYMMV_LABELS

# Samples a second of each feature.
RATES = {"semantic": {"symmv": 6, "muvisync": 1}, "motion": {"symmv": 5, "muvisync": 1}}


def make_row(
    dataset: str, number: int, *, seconds: int = 8, split: str = "train", song: str = ""
) -> dict[str, Any]:
    """A row as `assemble_row` gives it; the same arguments give the same row."""
    rng = np.random.default_rng([number, seconds])
    entry_id = f"song-{number:03d}"
    row: dict[str, Any] = {
        "entry_id": entry_id,
        "song_id": song or entry_id,
        "split": split,
        "title": f"Title {number}",
        "artist": "An Artist",
        "genre": "Pop",
        "shazam_id": str(1000 + number) if number % 2 else "",
        "music_url": f"file:{entry_id}.cover",
        "video_url": f"file:{entry_id}.video",
        "music_sha256": f"{number:064x}",
        "video_sha256": f"{number:064x}",
        "music_duration_s": float(seconds),
        "video_duration_s": float(seconds),
        "video_width": 640,
        "video_height": 360,
        "video_frame_rate_hz": 25.0,
        "tempo_bpm": 117.5,
        "key_tonic": "B-",
        "key_mode": "minor" if number % 2 else "major",
        "key_correlation": 0.87,
        "alignment_confidence": 0.93,
    }
    row |= _notes(rng, seconds) | _spans(dataset, rng, seconds)
    for column in columns_of(dataset):
        if column.name not in row:
            row[column.name] = _feature(dataset, column, rng, seconds)
    return {column.name: row[column.name] for column in columns_of(dataset)}


def _notes(rng: np.random.Generator, seconds: int) -> dict[str, Any]:
    count = 6 * seconds
    starts = np.sort(rng.uniform(0, seconds, count))
    notes: dict[str, Any] = {}
    for prefix in ("notes", "parts"):
        notes |= {
            f"{prefix}_starts_s": starts,
            f"{prefix}_ends_s": starts + rng.uniform(0.05, 1.5, count),
            f"{prefix}_pitches": rng.integers(21, 109, count),
            f"{prefix}_velocities": rng.integers(15, 88, count),
        }
    return notes | {
        "parts_onset_steps": np.sort(rng.integers(-4, 16 * seconds, count)),
        "parts_duration_steps": rng.integers(1, 16, count),
        "parts_is_melody": rng.random(count) < 0.4,
        "pedal_starts_s": np.arange(0, seconds, 2.0),
        "pedal_ends_s": np.arange(0, seconds, 2.0) + 1.3,
    }


def _spans(dataset: str, rng: np.random.Generator, seconds: int) -> dict[str, Any]:
    labels = SYMMV_LABELS if dataset == "symmv" else MUVISYNC_LABELS
    whole = np.arange(seconds, dtype=np.float64)
    return {
        "alignment_music_s": whole,
        "alignment_video_s": whole + 2.5,
        "key_starts_s": np.array([0.0]),
        "key_ends_s": np.array([float(seconds)]),
        "key_tonics": ("B-",),
        "key_modes": ("major",),
        "chords_starts_s": whole,
        "chords_ends_s": whole + 1,
        "chords_labels": tuple(rng.choice(labels, seconds).tolist()),
        "normalised_chords_labels": tuple(rng.choice(labels, seconds).tolist()),
        "beats_times_s": np.cumsum(rng.uniform(0.45, 0.55, 2 * seconds)),
        "beats_positions": np.arange(2 * seconds) % 4 + 1,
        "scenes_starts_s": np.array([0.0, seconds / 2]),
        "scenes_ends_s": np.array([seconds / 2, seconds]),
        "scenes_start_frames": np.array([0, 25 * seconds // 2]),
    }


def _feature(dataset: str, column: Column, rng: np.random.Generator, seconds: int) -> Any:
    name = column.name
    length = seconds * RATES.get(name, {}).get(dataset, 1)
    width = column.width if column.width > 1 else None
    if name == "scene_offset":
        return (np.arange(length) % max(length // 2, 1)).astype(np.float32)
    values = rng.random((length, width) if width else length, dtype=np.float32)
    # As the writer rounds a half-precision column, so that what is read back is equal.
    half = "float16" in column.type
    return values.astype(np.float16).astype(np.float32) if half else values
