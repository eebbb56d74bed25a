"""One entry of a dataset with everything that is stored of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from symmv_builder.api.music import Music
from symmv_builder.datasets import questions
from symmv_builder.datasets.questions import Made
from symmv_builder.records import Beats, Entry, GridNotes, Notes, Parts, Record, SongInfo
from symmv_builder.storage.store import Store


@dataclass(frozen=True)
class StoredEntry:
    """An entry of a dataset; its results are attributes, named as `symmv status` names them.

    ``entry.chords``, ``entry.key``, ``entry.semantic`` are records; ``entry.notes``,
    ``entry.grid`` and ``entry.parts`` are `Music`. What was not made is an `AttributeError` that
    names what was.
    """

    entry: Entry
    store: Store

    @property
    def entry_id(self) -> str:
        return self.entry.entry_id

    @property
    def song(self) -> SongInfo:
        """Title, artist and what else is known of the song."""
        return self.entry.song

    @cached_property
    def records(self) -> Mapping[str, Record]:
        """Every record that is stored, by the name of its result."""
        return questions.records_of(self.store, self.entry)

    def why(self) -> list[Made]:
        """Every step that was done, by which model, and where it stopped."""
        return questions.why(self.store, self.entry)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        records = self.records
        if name not in records:
            made = ", ".join(records) or "nothing"
            raise AttributeError(f"{self.entry_id} has no {name}; there is: {made}")
        record = records[name]
        if isinstance(record, Notes | GridNotes | Parts):
            beats = records.get("beats")
            return Music(record, beats if isinstance(beats, Beats) else None)
        return record

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self.records]
