"""Addresses of videos, and the index that our own exports carry.

`symmv export` writes `index.csv` beside a release's layout: which entry has which number,
its song, its split. A tree that has one is no copy of the release but an export, and comes
back under its own ids.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from symmv_builder.errors import MalformedFile
from symmv_builder.files import Folder
from symmv_builder.records import Source
from symmv_builder.tables import read_table

_NO_INDEX = "this is of no export's index"
_FORMS = {
    r"https?://(?:www\.|m\.)?youtube\.com/watch\?(?:.*&)?v=([\w-]{11})(?:&.*)?": "youtube",
    r"https?://youtu\.be/([\w-]{11})(?:\?.*)?": "youtube",
    r"https?://(?:www\.)?bilibili\.com/video/(BV[A-Za-z0-9]{10})/?(?:\?.*)?": "bilibili",
    r"file:([A-Za-z0-9][A-Za-z0-9._-]{0,79})": "file",
}


def source_of(address: str) -> Source | None:
    """Find the site and id that an address stands for, `None` where it is of no known form."""
    for pattern, site in _FORMS.items():
        if match := re.fullmatch(pattern, address.strip()):
            return Source(site, match[1])
    return None


@dataclass(frozen=True, slots=True)
class OwnEntry:
    """The line of `index.csv` for one number."""

    entry_id: str
    song_id: str
    split: str


def read_index(folder: Path, handed_in: Folder) -> dict[str, OwnEntry]:
    """Read the entries of an export by their numbers; empty where the folder has no index."""
    path = folder / "index.csv"
    if not handed_in.holds(path):
        return {}
    by_name: dict[str, OwnEntry] = {}
    entries: set[str] = set()
    for row in read_table(path, ("index", "entry_id", "song_id", "split")):
        if not row["song_id"]:
            continue
        for name in (row["entry_id"], row["song_id"]):
            try:
                # They become names of folders: as strict as where they came from.
                Source("file", name)
            except ValueError as error:
                raise MalformedFile(path, f"{_NO_INDEX}: {error}", row.number) from error
        if row["entry_id"] in entries or row["index"] in by_name:
            twice = f"{row['index']} {row['entry_id']} stands there twice"
            raise MalformedFile(path, f"{_NO_INDEX}: {twice}", row.number)
        entries.add(row["entry_id"])
        by_name[row["index"]] = OwnEntry(row["entry_id"], row["song_id"], row["split"])
    return by_name
