"""Recordings out of a person's own folder: which files belong together.

MuVi-Sync takes every video as one entry. SymMV takes pairs of a cover and a video,
found in this order:

- `pairs.csv` in the folder, with columns ``music,video`` and optionally ``song`` (entries
  of one song share a split), ``title``, ``artist`` and ``genre``;
- folders `covers` and `videos` whose files share a name;
- files ``NAME.cover.EXT`` and ``NAME.video.EXT``, or an audio and a video file of one name.

What is in a file is decided by its content when it is opened; extensions only tell
recordings from the rest of what lies in a folder.
"""

import csv
import hashlib
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from symmv_builder.errors import StopRun
from symmv_builder.records import Entry, SongInfo, Source

AUDIO = frozenset({".wav", ".flac", ".mp3", ".m4a", ".aac", ".ogg", ".opus", ".wma", ".aiff"})
VIDEO = frozenset({".mp4", ".m4v", ".mkv", ".webm", ".mov", ".avi", ".mpg", ".mpeg", ".ts", ".flv"})


@dataclass(frozen=True, slots=True)
class Found:
    """What a folder holds: entries, the file behind each source, and files without a partner."""

    entries: tuple[Entry, ...]
    files: Mapping[Source, Path]
    unpaired: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class _Pair:
    name: str
    song: str
    music: Path
    video: Path
    info: SongInfo = field(default_factory=SongInfo)


def identifier(name: str) -> str:
    """A safe identifier for any name: itself where it is one, else a slug and a hash.

    The result matches ``[A-Za-z0-9][A-Za-z0-9._-]*``, at most 64 characters.
    """
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        return name
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^A-Za-z0-9]+", "-", ascii_name).strip("-")[:40].strip("-")
    suffix = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return f"{slug}-{suffix}" if slug else f"n-{suffix}"


def find_entries(folder: Path, dataset: str, *, pairs: bool) -> Found:
    """The entries that a folder's recordings make; `StopRun` where there is none.

    A file that cannot be paired is listed in `unpaired` and left out.
    """
    if not folder.is_dir():
        raise StopRun(f"{folder} is not a folder")
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    if pairs:
        found, unpaired = _pairs(folder, files)
        wanted = "pairs of a cover and a video (see `symmv build --help`)"
    else:
        videos = [path for path in files if path.suffix.lower() in VIDEO]
        found = [_Pair(_stem(path, folder), _stem(path, folder), path, path) for path in videos]
        unpaired = []
        wanted = "videos"
    if not found:
        raise StopRun(f"{folder} holds no {wanted}")
    _refuse_doubles(found)
    return _as_entries(found, dataset, unpaired)


def _stem(path: Path, folder: Path) -> str:
    """The name of a recording: its place below the folder, without the extension."""
    return str(path.relative_to(folder).with_suffix(""))


def _pairs(folder: Path, files: list[Path]) -> tuple[list[_Pair], list[Path]]:
    table = folder / "pairs.csv"
    if table.is_file():
        return _from_table(table), []
    media = [path for path in files if path.suffix.lower() in AUDIO | VIDEO]
    music: dict[str, Path] = {}
    video: dict[str, Path] = {}
    for path in media:
        name, is_music = _role(path, folder)
        side = music if is_music else video
        if name in side:
            raise StopRun(f"{side[name]} and {path} have one name; use pairs.csv to pair them")
        side[name] = path
    both = sorted(set(music) & set(video))
    unpaired = [path for side in (music, video) for name, path in side.items() if name not in both]
    return [_Pair(name, name, music[name], video[name]) for name in both], sorted(unpaired)


def _role(path: Path, folder: Path) -> tuple[str, bool]:
    """The name that a file shares with its partner, and whether it is the music."""
    relative = path.relative_to(folder)
    if relative.parts[0] in ("covers", "videos") and len(relative.parts) > 1:
        inner = Path(*relative.parts[1:]).with_suffix("")
        return str(inner), relative.parts[0] == "covers"
    name = str(relative.with_suffix(""))
    for ending, is_music in ((".cover", True), (".video", False)):
        if name.endswith(ending):
            return name.removesuffix(ending), is_music
    return name, path.suffix.lower() in AUDIO


def _from_table(table: Path) -> list[_Pair]:
    try:
        with table.open(newline="", encoding="utf-8-sig") as handle:
            rows = list(csv.DictReader(handle))
    except (UnicodeDecodeError, csv.Error) as error:
        raise StopRun(f"{table} is not a UTF-8 CSV file: {error}") from error
    except OSError as error:
        raise StopRun(f"cannot read {table}: {error.strerror}") from error
    pairs = []
    for number, row in enumerate(rows, start=2):
        if not row.get("music") or not row.get("video"):
            raise StopRun(f"{table}, line {number}: columns music and video must be filled")
        music, video = (_inside(table, row[side], number) for side in ("music", "video"))
        name = _stem(music, table.parent.resolve()).removesuffix(".cover")
        info = SongInfo(*(row.get(field) or "" for field in ("title", "artist", "genre")))
        pairs.append(_Pair(name, row.get("song") or name, music, video, info))
    return pairs


def _inside(table: Path, name: str, number: int) -> Path:
    """A file named in the table; paths count from the table's folder and stay below it."""
    try:
        path = (table.parent / name).resolve()
        is_file = path.is_file()
    except (OSError, ValueError) as error:
        raise StopRun(f"{table}, line {number}: {name[:60]!r} is no path") from error
    if not path.is_relative_to(table.parent.resolve()):
        raise StopRun(f"{table}, line {number}: {name} lies outside the folder")
    if not is_file:
        raise StopRun(f"{table}, line {number}: there is no file {name}")
    return path


def _refuse_doubles(pairs: Iterable[_Pair]) -> None:
    seen: dict[str, _Pair] = {}
    for pair in pairs:
        name = identifier(pair.name)
        if name in seen:
            both = f"{pair.music} and {seen[name].music}"
            raise StopRun(f"{both} would both be entry {name}: rename one")
        seen[name] = pair


def _as_entries(pairs: Iterable[_Pair], dataset: str, unpaired: list[Path]) -> Found:
    entries, files = [], {}
    for pair in pairs:
        name = identifier(pair.name)
        if pair.music == pair.video:
            music = video = Source("file", name)
        else:
            music, video = Source("file", f"{name}.cover"), Source("file", f"{name}.video")
        files[music], files[video] = pair.music, pair.video
        song_id = identifier(pair.song)
        entries.append(Entry(name, dataset, song_id, video=video, music=music, song=pair.info))
    ordered = sorted(entries, key=lambda entry: entry.entry_id)
    return Found(tuple(ordered), files, tuple(unpaired))
