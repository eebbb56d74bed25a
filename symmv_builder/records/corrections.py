"""Who changed what of an entry, when, and which of it stands."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from symmv_builder.records.edits import WHOLE_ENTRY, Edit
from symmv_builder.records.entries import Entry, Source
from symmv_builder.text import clean_line

LONGEST_NAME = 40


@dataclass(frozen=True, slots=True)
class Correction:
    """A person's correction of an entry, with the time (UTC, ISO 8601).

    Or it undoes the correction `undoes`.

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
    """Read a correction from its plain fields; `ValueError` or `TypeError` for what is none."""
    fields = dict(plain)
    if isinstance(fields.get("edit"), dict):
        fields["edit"] = Edit(**fields["edit"])
    if not all(isinstance(fields[name], str) for name in fields if name != "edit"):
        raise TypeError("id, entry, author and time are text")
    if not isinstance(fields.get("edit"), Edit | None):
        raise TypeError("an edit is an object")
    return Correction(**fields)


def standing(corrections: Iterable[Correction]) -> dict[str, tuple[Correction, ...]]:
    """Find the corrections that hold, of each entry in order: those that no line undoes.

    Of several trims of an entry the last one holds.
    """
    every = list(corrections)
    undone = {each.undoes for each in every}
    by_entry: dict[str, tuple[Correction, ...]] = {}
    for each in every:
        if each.edit is None or each.id in undone:
            continue
        entry_corrections = by_entry.get(each.entry_id, ())
        if each.edit.artifact == WHOLE_ENTRY:
            entry_corrections = tuple(old for old in entry_corrections if not is_trim(old))
        by_entry[each.entry_id] = (*entry_corrections, each)
    return by_entry


def is_trim(correction: Correction) -> bool:
    """Check whether a correction is about the entry and not about a record of it."""
    return correction.edit is not None and correction.edit.artifact == WHOLE_ENTRY


def trim_of(corrections: Iterable[Correction]) -> tuple[float, float] | None:
    """Start and end of what of an entry is kept, seconds of the video; `None` for all of it."""
    for each in corrections:
        if is_trim(each) and each.edit is not None:
            return float(each.edit.at_s or 0.0), each.edit.to_s
    return None
