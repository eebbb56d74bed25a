"""What every row says in a few numbers, in one pass over the small columns of the shards.

Rows come in batches as Arrow has them, so memory does not grow with the dataset but by these few
numbers a row. A measure whose columns the shards lack is not there.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from symmv_builder.datasets.statistics.harmony import Harmony, shift_of
from symmv_builder.datasets.statistics.lists import (
    Numbers,
    Whole,
    flat,
    mean_of_rows,
    numbers,
    texts,
)
from symmv_builder.storage.root import Root
from symmv_builder.storage.shards import open_shard
from symmv_builder.vocab import EMOTIONS

# Parts of a video's length that emotion is averaged over.
PARTS = 20
_BATCH_ROWS = 256
_TEXTS = (
    *("entry_id", "song_id", "split", "title", "artist", "genre", "music_url", "video_url"),
    *("music_sha256", "video_sha256", "key_tonic", "key_mode"),
)
_SCALARS = ("music_duration_s", "video_duration_s", "tempo_bpm")
_LISTS = (
    *("notes_starts_s", "notes_pitches", "notes_velocities", "density", "loudness", "motion"),
    *("scenes_starts_s", "emotion", "chords_labels", "chords_starts_s", "chords_ends_s"),
)
_SPACES = re.compile(r"[\W_]+")
# Seconds with so many notes sounding, and shares of full scale, that histograms keep apart.
DENSITY_EDGES = np.arange(0, 41, dtype=np.float64)
LOUDNESS_EDGES = np.linspace(0, 1, 51)


@dataclass
class Songs:
    """The rows of a dataset so far: texts and measures by name, one value a row, and sums.

    `measures` are float64 ``[rows]``, NaN where a row has no value. `pitches` ``[128]`` counts
    notes, `density` and `loudness` count seconds between the edges above, `emotion`
    ``[6, PARTS]`` sums the means of rows.
    """

    texts: dict[str, list[str]] = field(default_factory=dict)
    measures: dict[str, Numbers] = field(default_factory=dict)
    harmony: Harmony = field(default_factory=Harmony)
    pitches: Whole = field(default_factory=lambda: np.zeros(128, np.int64))
    density: Whole = field(default_factory=lambda: np.zeros(len(DENSITY_EDGES) - 1, np.int64))
    loudness: Whole = field(default_factory=lambda: np.zeros(len(LOUDNESS_EDGES) - 1, np.int64))
    emotion: Numbers = field(default_factory=lambda: np.zeros((len(EMOTIONS), PARTS)))
    columns: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return len(self.texts.get("entry_id", ()))

    @property
    def genres(self) -> list[str]:
        """The genre of each row; ``unknown`` where the row has none."""
        return self.texts.get("genre", [""] * len(self))

    def first_of_each_song(self) -> Whole:
        """Mark the rows that are the first of their song: rows of one song are not independent."""
        _, first = np.unique(self.texts["song_id"], return_index=True)
        return np.sort(first)


def read_songs(root: Root, folder: str, shards: Sequence[Mapping[str, Any]]) -> Songs:
    """Read the shards of a folder of the root once; errors are those of `open_shard`."""
    songs, parts = Songs(), []
    for shard in shards:
        with open_shard(root, f"{folder}/{shard['path']}") as file:
            present = set(file.schema_arrow.names)
            songs.columns |= present
            columns = [name for name in (*_TEXTS, *_SCALARS, *_LISTS) if name in present]
            for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=columns):
                parts.append(_add(songs, pa.Table.from_batches([batch])))
    for name in {name for part in parts for name in part}:
        songs.measures[name] = np.concatenate([part[name] for part in parts])
    return songs


def _add(songs: Songs, table: pa.Table) -> dict[str, Numbers]:
    """Take in a batch: texts and sums into `songs`; its measures are given back."""
    present = set(table.schema.names)
    for name in _TEXTS:
        if name in present:
            songs.texts.setdefault(name, []).extend(texts(table.column(name)))
    scalars = {name: _scalars(table, name) for name in _SCALARS if name in present}
    scalars |= _notes(songs, table, scalars.get("music_duration_s"))
    video_s = scalars.get("video_duration_s")
    if "scenes_starts_s" in present and video_s is not None:
        _, counts = flat(table.column("scenes_starts_s"))
        scalars["scenes_a_minute"] = _ratio(60.0 * counts.astype(np.float64), video_s)
    for name, sums, edges in (
        ("density", songs.density, DENSITY_EDGES),
        ("loudness", songs.loudness, LOUDNESS_EDGES),
    ):
        if name in present:
            values, lengths = numbers(table.column(name))
            scalars[name] = mean_of_rows(values, lengths)
            sums += np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0]
    if "motion" in present:
        scalars["motion"] = mean_of_rows(*numbers(table.column("motion")))
    if "emotion" in present:
        songs.emotion += _emotion(table.column("emotion"))
    if {"chords_labels", "chords_starts_s", "chords_ends_s"} <= present:
        _add_chords(songs, table)
    return scalars


def _notes(songs: Songs, table: pa.Table, music_s: Numbers | None) -> dict[str, Numbers]:
    present, columns = set(table.schema.names), {}
    if "notes_starts_s" in present:
        _, counts = flat(table.column("notes_starts_s"))
        columns["notes"] = counts.astype(np.float64)
        if music_s is not None:
            columns["notes_a_second"] = _ratio(columns["notes"], music_s)
    if "notes_pitches" in present:
        pitches, lengths = numbers(table.column("notes_pitches"))
        songs.pitches += np.bincount(pitches.astype(np.int64), minlength=128)[:128]
        columns["pitch"] = mean_of_rows(pitches, lengths)
    if "notes_velocities" in present:
        columns["velocity"] = mean_of_rows(*numbers(table.column("notes_velocities")))
    return columns


def _scalars(table: pa.Table, name: str) -> Numbers:
    return np.asarray(table.column(name).to_numpy(), dtype=np.float64)


def _ratio(count: Numbers, seconds: Numbers) -> Numbers:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(seconds > 0, count / seconds, np.nan), dtype=np.float64)


def _emotion(column: pa.ChunkedArray) -> Numbers:
    """Sum over rows the mean probability ``[6, PARTS]`` in each part of a row's length.

    A part's mean is that of its own span, whose ends lie within seconds: values hold for a second.
    """
    items, lengths = flat(column)
    total = np.zeros((len(EMOTIONS), PARTS))
    if items.type.list_size != len(EMOTIONS) or not len(items):
        return total
    values = items.flatten().to_numpy(zero_copy_only=False).reshape(-1, len(EMOTIONS))
    filled = lengths[lengths > 0]
    ends = (np.cumsum(filled) - filled)[:, None] + filled[:, None] * np.linspace(0, 1, PARTS + 1)
    places = np.arange(len(values) + 1)
    for number in range(len(EMOTIONS)):
        sums = np.concatenate([[0.0], np.cumsum(values[:, number], dtype=np.float64)])
        until = np.interp(ends.ravel(), places, sums).reshape(ends.shape)
        total[number] = (np.diff(until, axis=1) / (filled[:, None] / PARTS)).sum(axis=0)
    return total


def _add_chords(songs: Songs, table: pa.Table) -> None:
    items, lengths = flat(table.column("chords_labels"))
    starts, _ = numbers(table.column("chords_starts_s"))
    ends, _ = numbers(table.column("chords_ends_s"))
    labels = items.dictionary_encode()
    genres = songs.genres[-table.num_rows :]
    keys: Iterator[tuple[str, str]] = iter(())
    if {"key_tonic", "key_mode"} <= set(table.schema.names):
        keys = zip(texts(table.column("key_tonic")), texts(table.column("key_mode")), strict=True)
    shifts = [shift_of(*key) for key in keys] or [None] * table.num_rows
    songs.harmony.add(
        texts(labels.dictionary),
        labels.indices.to_numpy(zero_copy_only=False).astype(np.int64),
        lengths,
        np.maximum(ends - starts, 0.0),
        genres,
        shifts,
    )


def same_song(title: str, artist: str) -> str:
    """Fold title and artist to what two spellings of one song have in common.

    Empty without a title.
    """
    words = _SPACES.sub(" ", f"{artist} {title}".casefold()).strip()
    return words if title.strip() else ""
