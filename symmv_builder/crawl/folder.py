"""Recordings out of a person's own folder: which files belong together.

MuVi-Sync takes every video as one entry. SymMV takes pairs of a cover and a video,
found in this order:

- `pairs.csv` in the folder, with columns ``music,video`` and optionally ``song`` (entries
  of one song share a split), ``title``, ``artist`` and ``genre``;
- folders `covers` and `videos` whose files share a name;
- files ``NAME.cover.EXT`` and ``NAME.video.EXT``, or an audio and a video file of one name.

What is in a file is decided by its content when it is opened; extensions only tell
recordings from the rest of what lies in a folder. Which files count at all, links among
them, is decided by `files.Folder`.
"""

import hashlib
import os
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from symmv_builder.clips import is_clip_id
from symmv_builder.errors import MalformedFile, NoSuchPath
from symmv_builder.files import Folder
from symmv_builder.records import Entry, SongInfo, Source
from symmv_builder.tables import read_table
from symmv_builder.text import clean_line

AUDIO = frozenset({".wav", ".flac", ".mp3", ".m4a", ".aac", ".ogg", ".opus", ".wma", ".aiff"})
VIDEO = frozenset({".mp4", ".m4v", ".mkv", ".webm", ".mov", ".avi", ".mpg", ".mpeg", ".ts", ".flv"})


@dataclass(frozen=True, slots=True)
class FolderContents:
    """The contents of a folder: entries, each source's file, and files without a partner.

    `left_out` are lines for people on what lies there and is not to be read.
    """

    entries: tuple[Entry, ...]
    files: Mapping[Source, Path]
    unpaired: tuple[Path, ...] = ()
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Pair:
    name: str
    song: str
    music: Path
    video: Path
    info: SongInfo = field(default_factory=SongInfo)

    def place_in(self, folder: Path) -> str:
        """Name the places of the pair's files, which tell it from all others of a folder."""
        places = [os.path.relpath(path, folder) for path in (self.music, self.video)]
        return "\0".join(dict.fromkeys(places))


def identifier(name: str) -> str:
    """Make a safe identifier for any name: itself where it is one, else a slug and a hash.

    The result matches ``[A-Za-z0-9][A-Za-z0-9._-]*``, at most 64 characters.
    """
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        return name
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^A-Za-z0-9]+", "-", ascii_name).strip("-")[:40].strip("-")
    return f"{slug or 'n'}-{_hash(name)[:8]}"


def file_name(row_name: str) -> str:
    """Name the files of a row: as its clip, or by the `identifier` of its entry."""
    return row_name if is_clip_id(row_name) else identifier(row_name)


def _hash(name: str) -> str:
    try:
        data = name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        data = name.encode("utf-8", "surrogatepass")
    return hashlib.sha256(data).hexdigest()


def distinct(texts: Mapping[str, str]) -> dict[str, str]:
    """Give each place an identifier of its own, out of the one that it would like.

    `texts` maps places below a folder (``a/b.mid``) to identifiers. Of places that want the
    same one, the place with the fewest folders in it has it, and among those the first in
    alphabetical order; each other one gets its own place's hash behind it. So the result
    depends on the names in the folder alone, not on the order of a listing nor on what was
    imported before; and only a file that takes precedence can move a name, never a later one.
    """
    ordered = sorted(texts, key=lambda place: (place.count("/"), place))
    owners: dict[str, str] = {}
    for place in ordered:
        owners.setdefault(texts[place], place)
    names = {place: name for name, place in owners.items()}
    for place in ordered:
        digits = 8
        while place not in names:
            name = f"{texts[place][: 63 - digits]}-{_hash(place)[:digits]}"
            if name not in owners:
                owners[name] = place
                names[place] = name
            digits += 8
    return names


def find_entries(folder: Path, dataset: str, *, pairs: bool) -> FolderContents:
    """Find the entries that a folder's recordings make; `StopRun` where there is none.

    A file that cannot be paired is listed in `unpaired` and left out.
    """
    if not folder.is_dir():
        raise NoSuchPath(folder, "folder")
    handed_in = Folder(folder)
    files = handed_in.files()
    if pairs:
        paired, unpaired = _pairs(handed_in, files)
        expected = (
            "pairs of a cover and a video, as pairs.csv with columns music,video; or folders "
            "covers/ and videos/ with equal names; or NAME.cover.EXT and NAME.video.EXT"
        )
    else:
        videos = [path for path in files if path.suffix.lower() in VIDEO]
        paired = [_Pair(_stem(path, folder), _stem(path, folder), path, path) for path in videos]
        unpaired = []
        expected = "videos"
    if not paired:
        raise MalformedFile(folder, f"it holds no {expected}")
    return _as_entries(paired, dataset, folder, unpaired, handed_in.left_out)


def _stem(path: Path, folder: Path) -> str:
    """Name a recording: its place below the folder, without the extension."""
    return str(path.relative_to(folder).with_suffix(""))


def _pairs(handed_in: Folder, files: list[Path]) -> tuple[list[_Pair], list[Path]]:
    """Find pairs by a table or by name. Each cover of a name goes with the first video of it."""
    folder = handed_in.path
    table = folder / "pairs.csv"
    if handed_in.holds(table):
        return _from_table(table, Folder(folder)), []
    music: dict[str, list[Path]] = {}
    video: dict[str, list[Path]] = {}
    for path in files:
        if path.suffix.lower() in AUDIO | VIDEO:
            name, is_music = _role(path, folder)
            (music if is_music else video).setdefault(name, []).append(path)
    both = sorted(set(music) & set(video))
    pairs = [_Pair(name, name, cover, video[name][0]) for name in both for cover in music[name]]
    paired = {path for pair in pairs for path in (pair.music, pair.video)}
    sides = [*music.values(), *video.values()]
    return pairs, sorted(path for side in sides for path in side if path not in paired)


def _role(path: Path, folder: Path) -> tuple[str, bool]:
    """Find the name that a file shares with its partner, and whether it is the music."""
    relative = path.relative_to(folder)
    if relative.parts[0] in ("covers", "videos") and len(relative.parts) > 1:
        inner = Path(*relative.parts[1:]).with_suffix("")
        return str(inner), relative.parts[0] == "covers"
    name = str(relative.with_suffix(""))
    for ending, is_music in ((".cover", True), (".video", False)):
        if name.endswith(ending):
            return name.removesuffix(ending), is_music
    return name, path.suffix.lower() in AUDIO


def _from_table(table: Path, handed_in: Folder) -> list[_Pair]:
    pairs: dict[tuple[Path, Path], _Pair] = {}
    for row in read_table(table, ("music", "video")):
        wrong = partial(MalformedFile, table, line=row.number)
        if not row["music"] or not row["video"]:
            raise wrong("columns music and video must be filled")
        music, video = (_inside(handed_in, row[side], wrong) for side in ("music", "video"))
        if (music, video) in pairs:
            raise wrong("this pair stands in the table twice")
        name = _stem(music, handed_in.path).removesuffix(".cover")
        info = SongInfo(*(clean_line(row[field]) for field in ("title", "artist", "genre")))
        pairs[music, video] = _Pair(name, row["song"] or name, music, video, info)
    return list(pairs.values())


def _inside(handed_in: Folder, name: str, wrong: Callable[[str], MalformedFile]) -> Path:
    """Find a file named in a table; paths count from the table's folder and stay below it.

    `wrong` makes the error of a problem in this row.
    """
    within = Path(os.path.normpath(name))
    if within.is_absolute():
        real = handed_in.path.resolve()
        within = within.relative_to(real) if within.is_relative_to(real) else Path("..")
    if within.parts[:1] == ("..",):
        raise wrong(f"{name} lies outside the folder")
    refused = len(handed_in.left_out)
    try:
        for spelling in _spellings(str(within)):
            if handed_in.holds(handed_in.path / spelling):
                return handed_in.path / spelling
    except (OSError, ValueError) as error:
        raise wrong(f"{name[:60]!r} is no path") from error
    for line in handed_in.left_out[refused:]:
        raise wrong(line)
    raise wrong(f"there is no file {name}")


def _spellings(name: str) -> list[str]:
    """List how a disk may spell a name: as it is, composed, decomposed, or in Latin-1."""
    forms = [name, unicodedata.normalize("NFC", name), unicodedata.normalize("NFD", name)]
    with suppress(UnicodeEncodeError):
        forms.append(os.fsdecode(name.encode("latin-1")))
    return list(dict.fromkeys(forms))


def _as_entries(
    pairs: Iterable[_Pair], dataset: str, folder: Path, unpaired: list[Path], left_out: list[str]
) -> FolderContents:
    by_place = {pair.place_in(folder): pair for pair in pairs}
    names = distinct({place: identifier(pair.name) for place, pair in by_place.items()})
    entries, files = [], {}
    for place, pair in by_place.items():
        name = names[place]
        if pair.music == pair.video:
            music = video = Source("file", name)
        else:
            music, video = Source("file", f"{name}.cover"), Source("file", f"{name}.video")
        files[music], files[video] = pair.music, pair.video
        song_id = identifier(pair.song)
        entries.append(Entry(name, dataset, song_id, video=video, music=music, song=pair.info))
    ordered = sorted(entries, key=lambda entry: entry.entry_id)
    return FolderContents(tuple(ordered), files, tuple(unpaired), tuple(left_out))
