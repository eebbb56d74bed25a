"""Which samples an export has: one a row, of the whole recordings or of the row's clip.

A row that is a clip, or an entry that a person trimmed, says where it lies in both recordings:
`clip_start_s` and `clip_end_s` on the video's clock, `clip_music_start_s` and `clip_music_end_s` on
that of the music. What else it says of its recordings, their lengths for example, is of the clip.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from symmv_builder.datasets.media_export.media import Media
from symmv_builder.datasets.media_export.samples import key_of, row_digest
from symmv_builder.datasets.schemas import shards_schema
from symmv_builder.datasets.subsets import read_subset
from symmv_builder.errors import MissingColumns, NoRows, NoShards, UnknownName
from symmv_builder.pipeline.keys import digest
from symmv_builder.schema import row_name
from symmv_builder.storage import manifests
from symmv_builder.storage.assets import asset_name, asset_size
from symmv_builder.storage.receipts import PLACE
from symmv_builder.storage.root import Root
from symmv_builder.storage.shard_rows import ShardRows
from symmv_builder.storage.shards import Outline, read_receipt, require_whole
from symmv_builder.storage.sidecars import Sidecars

# Raised when the same row would give other bytes.
VERSION = 1
_CACHE_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True)
class MadeSound:
    """A sound that a step made of an entry's music, by where it is stored."""

    dataset: str
    entry_id: str
    artifact: str
    key: str


@dataclass(frozen=True, slots=True)
class ShardCut:
    """A part of a stored recording, in seconds of its own clock; `is_whole` where it is all.

    `source` is the sha256 of the recording, or a sound that a step made, on the music's clock.
    """

    source: str | MadeSound
    start_s: float
    end_s: float
    is_whole: bool

    @property
    def span(self) -> tuple[float, float]:
        """What to cut: a whole recording ends where it ends, whatever its header says."""
        return (self.start_s, self.end_s + 1.0) if self.is_whole else (self.start_s, self.end_s)

    @property
    def duration_s(self) -> float:
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True)
class Planned:
    """A sample before it is made: the `number` of its row in the split, and what is cut for it.

    `state` is a digest of all that it is made of. `problem` says why it cannot be made.
    `column_bytes` is about how large its columns are, `video_bytes` the size of a whole video.
    """

    split: str
    number: int
    entry_id: str
    key: str
    state: str
    music: ShardCut | None = None
    video: ShardCut | None = None
    column_bytes: int = 0
    video_bytes: int = 0
    problem: str = ""

    @property
    def outline(self) -> Outline:
        return Outline(self.split, self.key, self.state)

    def excerpt(self) -> dict[str, Any]:
        """Its values of `samples.EXCERPT_COLUMNS`; what is not there has no time (NaN)."""
        values: dict[str, Any] = {"sample": self.key}
        for name, cut in (("music", self.music), ("video", self.video)):
            values[f"{name}_from_s"] = cut.start_s if cut else math.nan
            values[f"{name}_to_s"] = cut.end_s if cut else math.nan
        return values


@dataclass(frozen=True, slots=True)
class ExportPlan:
    """The samples of every split in their order, the rows they come of, and their columns."""

    dataset: str
    media: Media
    schema: pa.Schema
    rows: Mapping[str, ShardRows]
    samples: Mapping[str, Sequence[Planned]]

    def all(self) -> list[Planned]:
        return [sample for samples in self.samples.values() for sample in samples]


def make_plan(
    root: Root,
    manifests_root: Root,
    dataset: str,
    media: Media,
    *,
    sounds: Mapping[str, str] | None = None,
    tell: Callable[[int], object] = lambda _: None,
) -> ExportPlan:
    """Read every row once and say what is to be cut; no recording is opened.

    `sounds` are the keys, by entry, under which the result `media.sound_of` is stored.
    `StopRun` where nothing is built, a split has no rows, or columns are absent. What was taken
    down has no sample, also where its row still stands.
    """
    receipt = read_receipt(root, dataset)
    if receipt is None:
        raise NoShards(dataset, root.shown)
    require_whole(root, dataset, receipt)
    # The receipt sorts the names of its splits; its shards come in their order.
    splits = tuple(dict.fromkeys([*_splits_of(receipt), *receipt.get("splits", ())]))
    for split in media.splits:
        if split not in splits:
            raise UnknownName("split", split, splits)
    schema = shards_schema(receipt)
    if schema is None:
        raise NoShards(dataset, root.shown, f"the receipt of {dataset} describes no columns")
    _check_columns(dataset, media, set(schema.names))
    barred = _Barred(manifests_root)
    marked = read_subset(root, dataset, media.subset) if media.subset else None
    names = frozenset(marked.rows) if marked else frozenset()
    columns_held = {
        split: ShardRows(root, dataset, split, schema.names, PLACE, cache_bytes=_CACHE_BYTES)
        for split in media.splits or splits
        if marked is None or split == marked.split
    }
    samples: dict[str, list[Planned]] = {}
    published = _Published(root)
    count = 0
    for split, rows in columns_held.items():
        mine = samples.setdefault(split, [])
        for number in range(len(rows)):
            row = rows.row(number)
            is_chosen = marked is None or row_name(row) in names
            if is_chosen and not barred.bars(row):
                made = _made_sound(dataset, media, row, sounds or {})
                mine.append(_planned(root, media, split, number, row, made, published))
            count += 1
            tell(count)
    if not count:
        raise NoRows(dataset, ", ".join(media.splits) or "all")
    return ExportPlan(dataset, media, schema, columns_held, samples)


def _splits_of(receipt: Mapping[str, Any]) -> Iterator[str]:
    for shard in receipt["shards"]:
        yield str(shard["path"]).rsplit("/", 1)[-1].partition("-")[0]


def _check_columns(dataset: str, media: Media, present: set[str]) -> None:
    kinds = (("music", media.has_sound), ("video", media.video != "none"))
    needed = [f"{kind}_{of}" for kind, is_on in kinds if is_on for of in ("sha256", "duration_s")]
    lacking = [name for name in needed if name not in present]
    if lacking:
        raise MissingColumns(dataset, lacking, needed_for="by which recordings are found")


class _Barred:
    """What was taken down: by its address, and by its bytes."""

    def __init__(self, root: Root) -> None:
        self._urls = {source.url for source in manifests.read_blocklist(root)}
        self._contents = manifests.blocked_contents(root)

    def bars(self, row: Mapping[str, Any]) -> bool:
        urls = {row.get("music_url"), row.get("video_url")}
        contents = {row.get("music_sha256"), row.get("video_sha256")}
        return bool(urls & self._urls or contents & self._contents)


class _Published:
    """Tells stored files of an import that are no recordings: MIDI, or a release's own files."""

    _BEGINNINGS = (b"MThd", b"PK")

    def __init__(self, root: Root) -> None:
        self._root = root
        self._known: dict[str, bool] = {}

    def holds(self, sha256: str) -> bool:
        """Check whether a stored file is such a one, by its first bytes."""
        if sha256 not in self._known:
            with (
                self._root.as_ranges(asset_name(sha256)) as source,
                source.open("rb") if isinstance(source, Path) else nullcontext(source) as file,
            ):
                self._known[sha256] = (file.read(4) or b"").startswith(self._BEGINNINGS)
        return self._known[sha256]


def _made_sound(
    dataset: str, media: Media, row: Mapping[str, Any], sounds: Mapping[str, str]
) -> MadeSound | None:
    """The sound that a step made for a row, `None` where the recording is exported."""
    if not media.sound_of:
        return None
    entry_id = str(row["entry_id"])
    return MadeSound(dataset, entry_id, media.sound_of, sounds.get(entry_id, ""))


def _planned(
    root: Root,
    media: Media,
    split: str,
    number: int,
    row: Mapping[str, Any],
    made: MadeSound | None,
    published: "_Published",
) -> Planned:
    key = key_of(str(row.get("clip_id") or row["entry_id"]))
    music = video = None
    problem = ""
    try:
        if media.has_sound:
            music = _of_music(row)
            music = replace(music, source=made) if made else music
        if media.video != "none":
            video = _of_video(row)
    except ValueError as error:
        problem = str(error)
    video_bytes = 0
    for what, cut in (("music", music), ("video", video)):
        size = _size_of(root, cut.source) if cut else 0
        if size is None:
            is_made = cut is not None and isinstance(cut.source, MadeSound)
            what = f"sound of {media.sound_of}" if is_made else f"recording of its {what}"
            problem = problem or f"the {what} is not in the store"
        elif cut is not None and isinstance(cut.source, str) and published.holds(cut.source):
            problem = problem or f"its {what} is a file of notes, and no recording"
        elif cut is not None and cut is video and cut.is_whole:
            video_bytes = size
    made_of = [VERSION, media.content(), row_digest(row), problem, *([made.key] if made else [])]
    return Planned(
        split,
        number,
        str(row["entry_id"]),
        key,
        digest(made_of),
        music,
        video,
        sum(_size(value) for value in row.values()),
        video_bytes,
        problem,
    )


def _size_of(root: Root, source: str | MadeSound) -> int | None:
    """The bytes of what is cut, `None` where it is not there."""
    if isinstance(source, str):
        return asset_size(root, source)
    sidecars = Sidecars(root, source.dataset)
    made = sidecars.made_name(source.artifact, source.key)
    return 0 if source.key and made in sidecars.present(source.entry_id) else None


def _size(value: Any) -> int:
    """About how many bytes a value takes in an export."""
    if isinstance(value, np.ndarray):
        return value.nbytes + 128
    if isinstance(value, tuple) and value and isinstance(value[0], bytes):
        return sum(map(len, value))
    return len(value) + 2 if isinstance(value, bytes) else len(str(value)) + 24


def _of_video(row: Mapping[str, Any]) -> ShardCut:
    sha256 = str(row["video_sha256"])
    if not sha256:
        raise ValueError("its row names no recording of the video")
    clip = _times(row, "clip_start_s", "clip_end_s")
    return ShardCut(sha256, *clip, False) if clip else _whole(sha256, row["video_duration_s"])


def _of_music(row: Mapping[str, Any]) -> ShardCut:
    sha256 = str(row["music_sha256"])
    if not sha256:
        raise ValueError("its row names no recording of the music")
    clip = _times(row, "clip_start_s", "clip_end_s")
    if clip and "clip_music_start_s" in row:
        clip = _times(row, "clip_music_start_s", "clip_music_end_s")
    elif clip and sha256 != row.get("video_sha256"):
        raise ValueError("its row does not say where its clip lies in the music")
    return ShardCut(sha256, *clip, False) if clip else _whole(sha256, row["music_duration_s"])


def _whole(sha256: str, length_s: float) -> ShardCut:
    return ShardCut(sha256, 0.0, float(length_s), True)


def _times(row: Mapping[str, Any], start: str, end: str) -> tuple[float, float] | None:
    """Start and end of a row that is a part of its entry, `None` for one that is all of it."""
    if start not in row:
        return None
    start_s, end_s = float(row[start]), float(row[end])
    if not 0 <= start_s < end_s:
        raise ValueError(f"its clip goes from {start_s:g} to {end_s:g} s")
    return start_s, end_s
