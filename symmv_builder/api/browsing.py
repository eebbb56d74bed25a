"""Look through a dataset: entries and clips as a table, and the stored recordings of one.

Nothing is made or written. Names come from whoever asks: a dataset or an entry that the manifest
does not have is `StopRun`, so that no name ever becomes a path.
"""

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np

from symmv_builder import backends
from symmv_builder.api.entry import StoredEntry, stored_entry
from symmv_builder.clips import Clip, clip_id, milliseconds
from symmv_builder.datasets import propose, questions
from symmv_builder.datasets.remembered import require_known
from symmv_builder.errors import NotFound, StopRun
from symmv_builder.records import Entry, Notes
from symmv_builder.settings import Settings
from symmv_builder.storage import items as states
from symmv_builder.storage import manifests, recordings
from symmv_builder.storage.assets import asset_name, asset_size
from symmv_builder.storage.clip_tables import TurnedAway, read_table
from symmv_builder.storage.receipts import read_receipt
from symmv_builder.storage.root import Root
from symmv_builder.storage.shards import open_shard
from symmv_builder.storage.store import Store

__all__ = ["Cell", "Choice", "Listing", "Media", "Page", "choose", "listing", "media", "opened"]

Cell: TypeAlias = str | float | int | None
Row: TypeAlias = Mapping[str, Cell]
_PIECE_BYTES = 256 * 1024
# Of notes that are played: what is longer is cut.
_MOST_PLAYED_S = 900.0
_PLAYED_HZ = 22050
ENTRY_COLUMNS = (
    "entry", "title", "artist", "genre", "split", "state", "step", "reason", "detail",
)  # fmt: skip
CLIP_COLUMNS = ("clip", "entry", "start_s", "end_s", "state", "step", "reason", "detail")


@dataclass(frozen=True, slots=True)
class Listing:
    """Entries or clips of a dataset by columns: those of the manifest and single values of rows."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """A choice of rows to show, and their order.

    `text` stands in any column. `where` is about one `column`: a text that it holds, or ``>``,
    ``<`` or ``=`` before a value. `page` counts from 1.
    """

    text: str = ""
    state: str = ""
    column: str = ""
    where: str = ""
    sort: str = ""
    descending: bool = False
    page: int = 1
    page_size: int = 50


@dataclass(frozen=True, slots=True)
class Page:
    """The rows of one page; `count` rows were chosen, on so many `pages`."""

    rows: tuple[Row, ...]
    count: int
    page: int
    pages: int


def listing(settings: Settings, dataset: str, *, of_clips: bool = False) -> Listing:
    """List every entry of the manifest with what became of it, or every clip.

    `StopRun` as of status.
    """
    store = settings.open_store(read_only=True)
    require_known(store.manifests, dataset)
    values, names = _values(store, dataset)
    columns: tuple[str, ...] = CLIP_COLUMNS if of_clips else ENTRY_COLUMNS
    rows = [dict(row) for row in (_clips if of_clips else _entries)(store, dataset)]
    key = columns[0]
    more = tuple(name for name in names if name not in columns)
    for row in rows:
        facts = values.get(str(row[key]), {})
        row.update({name: row.get(name) or facts.get(name) for name in names})
    return Listing((*columns, *more), tuple(rows))


def _entries(store: Store, dataset: str) -> Iterator[Row]:
    status = questions.status(store, dataset)
    rejections = {result.entry_id: result for result in status.rejections}
    unfinished = frozenset(status.unfinished)
    splits = manifests.read_splits(store.manifests, dataset)
    for entry in manifests.read_entries(store.manifests, dataset):
        rejection = rejections.get(entry.entry_id)
        state = "rejected" if rejection else "open" if entry.entry_id in unfinished else "made"
        yield {
            "entry": entry.entry_id,
            "title": entry.song.title,
            "artist": entry.song.artist,
            "genre": entry.song.genre,
            "split": splits.get(entry.song_id, ""),
            "state": state,
            "step": rejection.step if rejection else "",
            "reason": str(rejection.reason) if rejection else "",
            "detail": rejection.detail if rejection else "",
        }


def _clips(store: Store, dataset: str) -> Iterator[Row]:
    receipt = read_receipt(store.root, dataset) or {}
    for entry_id, record in sorted(read_table(store.root, dataset, receipt).items()):
        every: tuple[Clip | TurnedAway, ...] = (*record.clips, *record.turned_away)
        for each in sorted(every, key=lambda clip: clip.start_s):
            away = each if isinstance(each, TurnedAway) else None
            yield {
                "clip": clip_id(entry_id, milliseconds(each.start_s)),
                "entry": entry_id,
                "start_s": each.start_s,
                "end_s": each.end_s,
                "state": "rejected" if away else "made",
                "step": away.step if away else "",
                "reason": away.reason if away else "",
                "detail": away.detail if away else "",
            }


def _values(store: Store, dataset: str) -> tuple[dict[str, dict[str, Cell]], tuple[str, ...]]:
    """Read the single numbers and texts of every row of the shards by its name and its columns."""
    import pyarrow as pa

    from symmv_builder.schema import row_name

    rows: dict[str, dict[str, Cell]] = {}
    names: dict[str, None] = {}
    for shard in (read_receipt(store.root, dataset) or {}).get("shards", ()):
        with open_shard(store.root, f"{dataset}/{shard['path']}") as file:
            single = [
                each.name
                for each in file.schema_arrow
                if pa.types.is_string(each.type)
                or pa.types.is_integer(each.type)
                or pa.types.is_floating(each.type)
                or pa.types.is_boolean(each.type)
            ]
            names |= dict.fromkeys(single)
            for row in file.read(columns=single).to_pylist():
                rows[row_name(row)] = row
    hidden = {"entry_id", "clip_id", "dataset"}
    return rows, tuple(name for name in names if name not in hidden)


def choose(table: Listing, choice: Choice) -> Page:
    """Give the rows of one page of those that a choice takes; past the end, the last page.

    Rows without a value in the column of the order come last.

    >>> rows = ({"entry": "a", "tempo": 90.0}, {"entry": "b", "tempo": 120.0})
    >>> table = Listing(("entry", "tempo"), rows)
    >>> choose(table, Choice(column="tempo", where=">100")).rows
    ({'entry': 'b', 'tempo': 120.0},)
    """
    text = choice.text.casefold()
    rows = [
        row
        for row in table.rows
        if (not choice.state or row.get("state") == choice.state)
        and (not text or any(text in _text(cell) for cell in row.values()))
        and (choice.column not in table.columns or _holds(row[choice.column], choice.where))
    ]
    if choice.sort in table.columns:
        blank = [row for row in rows if row[choice.sort] in (None, "")]
        rows = [row for row in rows if row[choice.sort] not in (None, "")]
        rows.sort(key=lambda row: _order(row[choice.sort]), reverse=choice.descending)
        rows += blank
    pages = max(1, math.ceil(len(rows) / choice.page_size))
    page = min(max(1, choice.page), pages)
    first = (page - 1) * choice.page_size
    return Page(tuple(rows[first : first + choice.page_size]), len(rows), page, pages)


def _order(cell: Cell) -> tuple[int, float, str]:
    if isinstance(cell, int | float):
        return 0, float(cell), ""
    return 1, 0.0, _text(cell)


def _text(cell: Cell) -> str:
    return "" if cell is None else str(cell).casefold()


def _holds(cell: Cell, where: str) -> bool:
    sign, value = where[:1], where[1:].strip()
    if not where:
        return True
    if sign not in ("<", ">", "="):
        return where.casefold() in _text(cell)
    if cell is None:
        return False
    cell_value, limit = _order(cell), _order(_number(value))
    if cell_value[0] != limit[0]:
        return False
    return {"<": cell_value < limit, ">": cell_value > limit, "=": cell_value == limit}[sign]


def _number(text: str) -> Cell:
    try:
        value = float(text)
    except ValueError:
        return text
    return value if math.isfinite(value) else text


@dataclass(frozen=True, slots=True)
class Media:
    """A stored recording: its hash, what a browser may take it for, and its size in bytes.

    `type` is said by the first bytes, and empty for what no browser plays.
    """

    sha256: str
    type: str
    size_bytes: int
    root: Root = field(repr=False)

    def pieces(self, first: int, last: int) -> Iterator[bytes]:
        """Iterate over the bytes from `first` to `last`, that one included, piece by piece."""
        with self.root.as_ranges(asset_name(self.sha256)) as place:
            file = place.open("rb") if isinstance(place, Path) else place
            with file:
                file.seek(first)
                remaining = last - first + 1
                while remaining > 0 and (data := file.read(min(_PIECE_BYTES, remaining))):
                    remaining -= len(data)
                    yield data


def media(settings: Settings, dataset: str, entry_id: str, kind: str) -> Media:
    """Find the recording of an entry, or of a crawl's proposal: its ``music`` or its ``video``.

    `StopRun` where it is not stored, or was taken down.
    """
    store = settings.open_store(read_only=True)
    require_known(store.manifests, dataset)
    entry = _entry(store, dataset, entry_id)
    sha256 = _sha256(store, dataset, entry, kind)
    barred = sha256 in manifests.blocked_contents(store.manifests)
    size = asset_size(store.root, sha256) if sha256 and not barred else None
    if size is None or not manifests.allowed(store.manifests, [entry]):
        raise NotFound(f"stored {kind}", entry_id, store.root.shown)
    content = Media(sha256, "", size, store.root)
    head = b"".join(content.pieces(0, 63))
    return Media(sha256, type_of(head, kind), size, store.root)


def _entry(store: Store, dataset: str, entry_id: str) -> Entry:
    """Find an entry of the manifest by its id, or make what a crawl's recording would be."""
    for entry in manifests.read_entries(store.manifests, dataset):
        if entry.entry_id == entry_id:
            return entry
    for item in states.Items(store.ledger).find(dataset, [states.PROPOSED, states.REVIEW]):
        if states.entry_id_of(item.source) == entry_id and item.official is not None:
            return propose.entry_of(item)
    raise NotFound("entry", entry_id, store.root.shown)


def _sha256(store: Store, dataset: str, entry: Entry, kind: str) -> str:
    """Give the hash of a recording, by the manifest or else the ledger.

    Empty where nobody knows it.
    """
    addresses = recordings.read_recordings(store.manifests, dataset).get(entry.entry_id, {})
    if kind in addresses:
        return addresses[kind]
    source = {"music": entry.music, "video": entry.video}.get(kind)
    return store.ledger.assets().get((source.site, source.video_id), "") if source else ""


def type_of(head: bytes, kind: str = "video") -> str:
    """Name the media type of a recording for a browser, by its first bytes.

    Empty for anything else.

    >>> type_of(b"RIFF....WAVEfmt "), type_of(b"<html><script>")
    ('audio/wav', '')
    """
    main = "video" if kind == "video" else "audio"
    if head[4:8] == b"ftyp":
        return "video/mp4"
    if head.startswith(b"\x1aE\xdf\xa3"):
        return "video/webm"
    if head.startswith(b"OggS"):
        return f"{main}/ogg"
    if head.startswith(b"RIFF") and head[8:12] == b"WAVE":
        return "audio/wav"
    if head.startswith(b"fLaC"):
        return "audio/flac"
    if head.startswith(b"ID3") or (head[:1] == b"\xff" and head[1:2] and head[1] & 0xE0 == 0xE0):
        return "audio/aac" if head[1:2] in (b"\xf1", b"\xf9") else "audio/mpeg"
    return ""


def opened(settings: Settings, dataset: str, entry_id: str) -> StoredEntry:
    """Open an entry, or a clip, of a dataset; `StopRun` where there is none."""
    store = settings.open_store(read_only=True)
    require_known(store.manifests, dataset)
    return stored_entry(store, entry_id, dataset)


def notes_of(settings: Settings, dataset: str, entry_id: str) -> Notes | None:
    """Read the notes of an entry or a clip; `None` where none are stored. Errors as of `opened`."""
    notes = opened(settings, dataset, entry_id).records.get("notes")
    return notes if isinstance(notes, Notes) else None


def digest_of(notes: Notes) -> str:
    """Compute the sha256 of what is played of notes."""
    arrays = (notes.starts_s, notes.ends_s, notes.pitches, notes.velocities)
    return hashlib.sha256(b"".join(each.tobytes() for each in arrays)).hexdigest()


def can_play_notes() -> bool:
    """Check whether the sampled piano is here; nothing is fetched."""
    from symmv_builder.backends import sampler

    try:
        with backends.without_fetching():
            sampler.soundfont_path()
    except StopRun:
        return False
    return True


def play_notes(notes: Notes, path: Path) -> None:
    """Write notes as they sound on the sampled piano, mono, as FLAC; at most a quarter of an hour.

    `StopRun` where the piano is not here.
    """
    from symmv_builder.backends import sampler
    from symmv_builder.backends.pyav.encode import write_sound

    first = notes.starts_s < _MOST_PLAYED_S
    ends = np.minimum(notes.ends_s[first], _MOST_PLAYED_S)
    cut = Notes(notes.starts_s[first], ends, notes.pitches[first], notes.velocities[first])
    with backends.without_fetching():
        samples = sampler.render(cut, rate_hz=_PLAYED_HZ)
    write_sound(path, np.asarray(samples.mean(axis=1, keepdims=True), np.float32), _PLAYED_HZ)


def recordings_of(settings: Settings, dataset: str, entry_id: str) -> dict[str, Media]:
    """List the stored recordings of an entry, or a proposal, that a browser can play, by kind."""
    by_kind = {}
    for kind in ("music", "video"):
        try:
            each = media(settings, dataset, entry_id, kind)
        except NotFound:
            continue
        if each.type:
            by_kind[kind] = each
    return by_kind
