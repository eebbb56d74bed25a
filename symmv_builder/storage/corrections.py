"""What people corrected of what the machine found: a line of the manifest each.

``DATASET/corrections.jsonl`` is only ever added to. A correction stands until a further line undoes
it, or its line is taken out of the file again, with git for example. The machine's own record is
stored beside what a build makes of it (`pipeline.run`) and never changed.
"""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from symmv_builder.records import Edit, Entry, Source
from symmv_builder.records.edits import WHOLE_ENTRY
from symmv_builder.storage import lines, manifests
from symmv_builder.storage.root import Root
from symmv_builder.storage.store import Store
from symmv_builder.text import clean_line

LONGEST_NAME = 40
NAME = "corrections"
_ID_BYTES = 6


@dataclass(frozen=True, slots=True)
class Correction:
    """Who corrected what of an entry, and when (UTC, ISO 8601); or undid the correction `undoes`.

    The `id` is drawn by chance: it says nothing of what is corrected, and so stays what it is
    whatever a model finds later.
    """

    id: str
    entry_id: str
    author: str
    time: str
    edit: Edit | None = None
    undoes: str = ""

    def __post_init__(self) -> None:
        # The rules for ids are those of entries.
        for name in filter(None, (self.id, self.entry_id, self.undoes)):
            Entry(name, "any", "any", Source("file", "any"), Source("file", "any"))
        if not self.id or not self.entry_id:
            raise ValueError("a correction has an id, and is about an entry")
        datetime.fromisoformat(self.time)
        if (self.edit is None) == (not self.undoes):
            raise ValueError("a correction has an edit, or says which other it undoes")
        if self.author != clean_line(self.author) or not 0 < len(self.author) <= LONGEST_NAME:
            raise ValueError(f"the author is one clean line of at most {LONGEST_NAME} characters")

    def fields(self) -> dict[str, Any]:
        """Its fields as plain data: what its line holds."""
        about = {"undoes": self.undoes} if self.edit is None else {"edit": self.edit.fields()}
        who = {"id": self.id, "entry_id": self.entry_id, "author": self.author, "time": self.time}
        return {**who, **about}


def correction_from(plain: Mapping[str, Any]) -> Correction:
    """A correction out of its plain fields; `ValueError` or `TypeError` for what is none."""
    fields = dict(plain)
    if isinstance(fields.get("edit"), dict):
        fields["edit"] = Edit(**fields["edit"])
    if not all(isinstance(fields[name], str) for name in fields if name != "edit"):
        raise TypeError("id, entry, author and time are text")
    if not isinstance(fields.get("edit"), Edit | None):
        raise TypeError("an edit is an object")
    return Correction(**fields)


def new_id() -> str:
    """An id that no correction has."""
    return secrets.token_hex(_ID_BYTES)


def read_corrections(root: Root, dataset: str) -> list[Correction]:
    """Every line, in its order; `StopRun` for a line that is none. Empty without a file.

    A line that stands there twice, as after a merge, counts once.
    """
    name, what = f"{dataset}/{NAME}.jsonl", "a correction"
    found: dict[str, Correction] = {}
    for number, fields in manifests.read_lines(root, name, what):
        with manifests.at_line(root, name, number, what):
            correction = correction_from(fields)
            if found.setdefault(correction.id, correction) != correction:
                raise ValueError(f"another line has the id {correction.id}")
    return list(found.values())


def standing(corrections: Iterable[Correction]) -> dict[str, tuple[Correction, ...]]:
    """The corrections that hold, of each entry in their order: those that no line undoes.

    Of several trims of an entry the last one holds.
    """
    every = list(corrections)
    undone = {each.undoes for each in every}
    held: dict[str, tuple[Correction, ...]] = {}
    for each in every:
        if each.edit is None or each.id in undone:
            continue
        mine = held.get(each.entry_id, ())
        if each.edit.artifact == WHOLE_ENTRY:
            mine = tuple(old for old in mine if not is_trim(old))
        held[each.entry_id] = (*mine, each)
    return held


def is_trim(correction: Correction) -> bool:
    """Whether a correction is about the entry and not about a record of it."""
    return correction.edit is not None and correction.edit.artifact == WHOLE_ENTRY


def read_standing(root: Root, dataset: str) -> dict[str, tuple[Correction, ...]]:
    """What `standing` gives of all lines of a dataset."""
    return standing(read_corrections(root, dataset))


def trim_of(corrections: Iterable[Correction]) -> tuple[float, float] | None:
    """Start and end of what of an entry is kept, seconds of the video; `None` for all of it."""
    for each in corrections:
        if is_trim(each) and each.edit is not None:
            return float(each.edit.at_s or 0.0), float(each.edit.value)
    return None


def drop_corrections(store: Store, dataset: str, entry_ids: Iterable[str]) -> None:
    """Take out every line about some entries, for a takedown; other lines stay as they are."""
    gone = set(entry_ids)
    place = f"{dataset}/{NAME}.jsonl"
    with lines.alone(store, dataset, NAME):
        every = read_corrections(store.manifests, dataset)
        if not any(each.entry_id in gone for each in every):
            return
        kept = (each.fields() for each in every if each.entry_id not in gone)
        store.manifests.write(place, lines.text_of(kept))
