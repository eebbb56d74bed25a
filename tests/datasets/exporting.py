"""A small dataset with recordings in its store, as tests of exports need it."""

import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from symmv_builder.backends.pyav import read_sound
from symmv_builder.datasets.media_export import Media, MediaSummary, export_media
from symmv_builder.schema import ENTRY, Column, arrow_schema
from symmv_builder.storage.assets import add_asset, hash_file
from symmv_builder.storage.root import Root
from symmv_builder.storage.shards import ShardWriter, as_plain, write_receipt
from tests.media import Pictures, Samples, noise, steady, tone, write_media

DATASET = "films"
SECONDS = 1.6
COLUMNS = (
    *ENTRY,
    Column("feature", "list<float16[4]>", "", "a feature", "feature.values"),
    Column("labels", "list<string>", "", "labels", "labels.values"),
    Column("level", "float64", "", "a number", "level.value"),
)
CLIPS = (
    Column("clip_id", "string", "", "the clip", "clip.clip_id"),
    Column("clip_start_s", "float64", "s, video", "its start", "clip.start_s"),
    Column("clip_end_s", "float64", "s, video", "its end", "clip.end_s"),
)
IN_MUSIC = (
    Column("clip_music_start_s", "float64", "s, music", "its start", "clip.music_start_s"),
    Column("clip_music_end_s", "float64", "s, music", "its end", "clip.music_end_s"),
)


@dataclass(frozen=True)
class Stored:
    """The sha256 of some films (stereo sound at 16 kHz), and of a cover with other sound."""

    root: Root
    films: Sequence[str]
    cover: str


def store_films(folder: Path, count: int = 4) -> Stored:
    """Recordings in a new root below a folder."""
    root = Root(str(folder / "root"))
    films = []
    for number in range(count):
        pictures = Pictures([noise(number * 50 + n) for n in range(40)], steady(40), codec="mpeg4")
        wave = (tone(SECONDS, 16_000, 2) * (number + 1) / count).astype(np.float32)
        sound = Samples(wave, 16_000, "stereo", codec="aac")
        path = write_media(folder / f"{number}.mp4", pictures, sound)
        films.append(hash_file(path))
        add_asset(root, path, films[-1])
    cover = write_media(folder / "cover.wav", Samples(tone(2.0, 8_000), 8_000, codec="pcm_f32le"))
    sha256 = hash_file(cover)
    add_asset(root, cover, sha256)
    return Stored(root, films, sha256)


def row(stored: Stored, number: int, **other: Any) -> dict[str, Any]:
    """A row of a film; every third is of the split `test`."""
    entry_id = f"film-{number}"
    sha256 = stored.films[number % len(stored.films)]
    rng = np.random.default_rng(number)
    return {
        "entry_id": entry_id,
        "song_id": entry_id,
        "split": "test" if number % 3 == 2 else "train",
        "title": f"Title {number}",
        "artist": "",
        "genre": "",
        "shazam_id": "",
        "music_url": f"file:{entry_id}.music",
        "video_url": f"file:{entry_id}.video",
        "music_sha256": sha256,
        "video_sha256": sha256,
        "music_duration_s": SECONDS,
        "video_duration_s": SECONDS,
        "video_width": 64,
        "video_height": 48,
        "video_frame_rate_hz": 25.0,
        "feature": rng.normal(size=(3 + number, 4)).astype(np.float16),
        "labels": ("a", "b") * number,
        "level": float("nan") if number == 0 else number / 2,
        **other,
    }


def write_rows(
    stored: Stored, rows: Sequence[dict[str, Any]], more: Sequence[Column] = ()
) -> list[dict[str, Any]]:
    """Write rows as the shards of the dataset, in their order, which is given."""
    columns = [*COLUMNS, *more]
    order = ("train", "test")
    ordered = sorted(rows, key=lambda r: order.index(r["split"]))
    schema = arrow_schema(columns, DATASET)
    shards = ShardWriter(stored.root, DATASET, schema).write(ordered)
    receipt = {
        "dataset": DATASET,
        "schema": DATASET,
        "described": [column.describe() for column in columns],
        "entries": len(rows),
        "splits": {name: sum(r["split"] == name for r in rows) for name in order},
        "shards": as_plain(shards),
    }
    write_receipt(stored.root, DATASET, receipt)
    return ordered


def export(
    stored: Stored,
    out: Path,
    form: str = "webdataset",
    *,
    workers: int = 0,
    tell: Callable[[Any], None] = lambda _: None,
    **choices: Any,
) -> MediaSummary:
    """Export in this process, unless `workers` are asked for."""
    media = Media(form, **{"video": "none", **choices})
    return export_media(
        stored.root,
        stored.root,
        DATASET,
        out,
        media,
        workers=workers,
        patience_s=600.0,
        tell=tell,
    )


def files(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, hidden ones too."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def members(path: Path) -> dict[str, bytes]:
    """The members of a tar file, in their order, as Python's own tarfile reads them."""
    with tarfile.open(path) as tar:
        return {m.name: tar.extractfile(m).read() for m in tar.getmembers()}  # type: ignore[union-attr]


def sound_of(data: bytes, folder: Path, suffix: str = ".flac") -> Any:
    """What a sound file in memory holds."""
    path = folder / f"sound{suffix}"
    path.write_bytes(data)
    return read_sound(path)


def asset(stored: Stored, number: int) -> Path:
    """Where a film lies in the store."""
    sha256 = stored.films[number]
    return Path(stored.root.path(f"assets/{sha256[:2]}/{sha256}"))
