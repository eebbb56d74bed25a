"""Where a dataset looks for its songs: `sources.toml` among its manifests, and id lists.

The package brings sources for its own datasets, `sources/<dataset>.toml`.

One table a source, of the kinds that can be listed:

    [[channel]]
    ref = "@SomePianist"             # handle, id, words to search for, ...
    name = "Some Pianist"
    order = "title-artist"           # how its titles are written: artist-title, title-artist, auto
    strip = ["Some Pianist"]         # phrases that belong to no song
    separators = ["~"]               # what else stands between title and artist
    kinds = ["film", "vlog"]         # what kinds of video are taken (`crawl.kinds`); else all
    reviewed = "2026-11, by hand"    # who looked at it; empty: nobody yet

`ids` take either ``ref`` with ids between spaces or ``file``, an id list beside the manifest
in MuVi-Sync's format. A manifest is reviewed text, so a key that nobody knows is an error.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

from symmv_builder.crawl.titles import Habits
from symmv_builder.errors import CannotRead, MalformedFile
from symmv_builder.files import read_text
from symmv_builder.records import Listing, Source
from symmv_builder.tables import last_column
from symmv_builder.text import clean_line, suggestions
from symmv_builder.toml_text import line_of, read_toml
from symmv_builder.vocab import VIDEO_KINDS

KINDS = ("channel", "playlist", "search", "feed", "ids")
_ORDERS = ("auto", "artist-title", "title-artist")
_TEXTS = ("ref", "file", "site", "name", "order", "artist", "reviewed")
_LISTS = ("strip", "separators", "kinds")


@dataclass(frozen=True, slots=True)
class CrawlSource:
    """One source: what to list (`kind`, `ref` or `file`, `site`) and how it writes titles.

    With `kinds` a video that is known to be of another kind is turned away (`crawl.kinds`); one of
    which nothing tells its kind is taken.
    """

    kind: str
    ref: str
    file: Path | None
    site: str
    name: str
    reviewed: str
    habits: Habits
    kinds: tuple[str, ...] = ()


def default_sources(dataset: str) -> Path:
    """Name the file of sources that the package brings for a dataset; it need not exist."""
    return Path(str(resources.files("symmv_builder") / "sources" / f"{dataset}.toml"))


def read_sources(path: Path) -> list[CrawlSource]:
    """Read a manifest's sources, in its order; `StopRun` naming file, line and key on any fault."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise CannotRead(path, error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        raise MalformedFile(path, f"this is not UTF-8 text: {error.reason}") from error
    tables = read_toml(text, str(path))
    lines = text.splitlines()
    headers = _table_lines(lines)
    sources = []
    for kind, rows in tables.items():
        if kind not in KINDS:
            problem = f"no source is of kind {kind!r}{suggestions(kind, KINDS)}"
            raise MalformedFile(path, problem, line_of(text, (kind,)))
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            problem = f"write [[{kind}]], with two brackets, before each {kind}"
            raise MalformedFile(path, problem, line_of(text, (kind,)))
        for index, row in enumerate(rows):
            line = headers.get((kind, index), 0)
            sources.append((line, _source(kind, row, path, partial(_line_of_key, lines, line))))
    sources.sort(key=lambda one: one[0])
    keys: set[tuple[str, str, str, Path | None]] = set()
    for line, source in sources:
        key = (source.kind, source.site, source.ref.casefold(), source.file)
        if key in keys:
            problem = f"{source.kind} {source.ref or source.file} is listed twice"
            raise MalformedFile(path, problem, line)
        keys.add(key)
    return [source for _, source in sources]


def _table_lines(lines: Sequence[str]) -> dict[tuple[str, int], int]:
    """Find the line of each ``[[kind]]``, by kind and number among its kind."""
    headers: dict[tuple[str, int], int] = {}
    counts: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        header = re.match(r"\s*\[\[\s*(\w+)\s*\]\]", line)
        if header:
            kind = header[1]
            headers[kind, counts.get(kind, 0)] = number
            counts[kind] = counts.get(kind, 0) + 1
    return headers


def _line_of_key(lines: Sequence[str], table: int, key: str) -> int:
    """Find the line of a key in the table that begins on a line, or the table's without the key."""
    for number, line in enumerate(lines[table:], start=table + 1):
        if re.match(r"\s*\[\[", line):
            break
        if re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", line):
            return number
    return table


def _source(
    kind: str, row: Mapping[str, Any], path: Path, line_of_key: Callable[[str], int]
) -> CrawlSource:
    def wrong(problem: str, key: str = "") -> MalformedFile:
        return MalformedFile(path, problem, line_of_key(key), f"[[{kind}]]")

    for key, value in row.items():
        if key not in (*_TEXTS, *_LISTS):
            names = suggestions(key, (*_TEXTS, *_LISTS))
            raise wrong(f"unknown key {key!r}{names}", key)
        if key in _TEXTS and not isinstance(value, str):
            raise wrong(f"{key} must be a text, not {value!r}", key)
        is_texts = isinstance(value, list) and all(isinstance(one, str) and one for one in value)
        if key in _LISTS and not is_texts:
            raise wrong(f'{key} must be a list of texts, such as ["one", "two"]', key)
    ref, file = row.get("ref", "").strip(), row.get("file", "").strip()
    if kind == "ids" and bool(ref) == bool(file):
        raise wrong("give either ref, the ids, or file, a list of them")
    if kind != "ids" and (not ref or file):
        raise wrong("file is for ids alone", "file") if ref else wrong("ref is missing", "ref")
    order = row.get("order", "auto")
    if order not in _ORDERS:
        raise wrong(f"order is {order!r}; it can be {', '.join(_ORDERS)}", "order")
    kinds = tuple(row.get("kinds", ()))
    if unknown := [name for name in kinds if name not in VIDEO_KINDS]:
        listed = suggestions(unknown[0], VIDEO_KINDS)
        raise wrong(f"no video is of kind {unknown[0]!r}{listed}", "kinds")
    return CrawlSource(
        kind=kind,
        ref=ref,
        file=path.parent / file if file else None,
        site=row.get("site", "youtube"),
        name=row.get("name", ""),
        reviewed=row.get("reviewed", ""),
        habits=Habits(
            order=order,
            strip=tuple(row.get("strip", ())),
            separators=tuple(row.get("separators", ())),
            artist=row.get("artist", ""),
        ),
        kinds=kinds,
    )


def read_id_list(path: Path, *, site: str = "youtube") -> list[Listing]:
    """Listings of an id list: a line each, ``NNN-Title<TAB>video id``, as MuVi-Sync writes it.

    The titles there were file names, in which ``_`` stands for what a file name cannot
    hold; it becomes ``|`` between spaces and ``/`` within a word again. `StopRun` names
    the line that is not of this form.
    """
    ids = []
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        name, video_id = last_column(line)
        title = clean_line(re.sub(r"^\d+-", "", name))
        if not video_id or not title:
            raise MalformedFile(path, "expected NNN-Title, a tab, and a video id", number)
        try:
            source = Source(site, video_id)
        except ValueError as error:
            raise MalformedFile(path, str(error), number) from error
        ids.append(Listing(source=source, title=_restored(title)))
    return ids


def _restored(title: str) -> str:
    return title.replace(" _ ", " | ").replace("_", "/").strip()
