"""One entry of a dataset with everything that is stored of it."""

import math
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from symmv_builder.api.music import Music
from symmv_builder.between import can_cut, cut_records
from symmv_builder.clips import Clip, milliseconds, parse_address
from symmv_builder.datasets import questions
from symmv_builder.datasets.questions import StepOutcome
from symmv_builder.datasets.trimming import clip_between
from symmv_builder.errors import WrongArguments, WrongSetting
from symmv_builder.packages import is_installed
from symmv_builder.records import Beats, Entry, GridNotes, Notes, Parts, Record, SongInfo, to_json
from symmv_builder.report.record_lines import describe
from symmv_builder.settings import Settings
from symmv_builder.storage import manifests
from symmv_builder.storage.store import Store

# Of a player in a notebook, which keeps what it shows.
_MOST_SOUND_BYTES = 100 * 1024


@dataclass(frozen=True)
class StoredEntry:
    """An entry of a dataset, or a `clip` of one.

    Its results are attributes, named as `symmv status` names them:
    ``entry.chords``, ``entry.key``, ``entry.semantic`` are records; ``entry.notes``,
    ``entry.grid`` and ``entry.parts`` are `Music`. What was not made is an `AttributeError` that
    names what was. Of a clip they are what it holds of them (`between.between`).

    Examples:
        >>> entry = sb.open_dataset("midi", root="data")["song0"]
        >>> str(entry.key), len(entry.notes), entry.chords.labels[0]
        ('a minor', 256, 'CM')
    """

    entry: Entry
    store: Store
    clip: Clip | None = None

    @property
    def name(self) -> str:
        """The id of the clip, or of the entry."""
        return self.clip.id_of(self.entry_id) if self.clip else self.entry_id

    @property
    def entry_id(self) -> str:
        return self.entry.entry_id

    @property
    def song(self) -> SongInfo:
        """Title, artist and what else is known of the song."""
        return self.entry.song

    @cached_property
    def records(self) -> Mapping[str, Record]:
        """Every record that is stored, by the name of its result.

        Of a clip without those that cannot be taken between two times.
        """
        if self.clip is None:
            return self._whole
        parts = {name: record for name, record in self._whole.items() if can_cut(type(record))}
        return cut_records(parts, self.clip)

    @cached_property
    def _whole(self) -> Mapping[str, Record]:
        """The records of the entry, whatever clip of it this is."""
        return questions.records_of(self.store, self.entry)

    def between(self, start_s: float, end_s: float) -> "StoredEntry":
        """Cut the entry to two seconds of its video, with times from there, as a clip.

        Music of another recording is taken by the alignment, where the entry has one; without
        one both are taken to begin together. `StopRun` where the end does not lie behind the
        start.
        """
        if not 0 <= start_s < end_s < math.inf:
            raise WrongSetting("end_s", end_s, f"it lies behind the start, {start_s:g}")
        return replace(self, clip=clip_between(self._whole, start_s, end_s))

    @property
    def split(self) -> str:
        """``train``, ``validation`` or ``test``; empty before the first build has drawn it."""
        splits = manifests.read_splits(self.store.manifests, self.entry.dataset)
        return splits.get(self.entry.song_id, "")

    @property
    def has_video(self) -> bool:
        """Check whether a video belongs to it; an import without one gives a name in its place.

        What has no record yet may have one.
        """
        is_named_only = self.entry.video.site == "file" and "video_asset" not in self._whole
        return not (is_named_only and self._whole)

    def as_json(self) -> dict[str, Any]:
        """Give every record in full, as plain data."""
        return {name: to_json(record) for name, record in self.records.items()}

    def lines(self) -> dict[str, str]:
        """Describe every record in one line."""
        return {name: describe(record) for name, record in self.records.items()}

    def draw(self, folder: str | Path, *, overwrite: bool = False) -> list[Path]:
        """Write its piano roll and its contact sheet as PNG; the files that were written.

        `StopRun` where a file of that name is there, unless `overwrite`.
        """
        from symmv_builder.datasets.pictures import draw_entry

        root, records = self.store.root, dict(self.records)
        start_s = self.clip.start_s if self.clip else 0.0
        return draw_entry(
            root, self.name, records, Path(folder), start_s=start_s, overwrite=overwrite
        )

    def _repr_html_(self) -> str:
        """Show the entry in a notebook: title, facts, picture of its notes, a player; under 300 kB.

        Where matplotlib is not installed, or nothing is stored to show, it is a list of its
        records, each in one line.
        """
        from symmv_builder.datasets.statistics import samples
        from symmv_builder.report import dataset_page, markup

        if is_installed("matplotlib"):
            with tempfile.TemporaryDirectory(prefix="symmv-") as folder:
                sample = samples.sample(
                    self.store,
                    self.entry,
                    Path(folder),
                    "entry",
                    dpi=50,
                    with_frames=False,
                    most_sound_bytes=_MOST_SOUND_BYTES,
                )
                if sample is not None:
                    return dataset_page.article_of(sample, Path(folder))
        return f"<h3>{markup.text(self.entry_id)}</h3>{markup.facts(self.lines().items())}"

    def why(self) -> list[StepOutcome]:
        """List every step that was done, by which model, and where it stopped."""
        start_ms = milliseconds(self.clip.start_s) if self.clip else None
        return questions.why(self.store, self.entry, start_ms)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        records = self.records
        if name not in records:
            names = ", ".join(records) or "nothing"
            raise AttributeError(f"{self.entry_id} has no {name}; there is: {names}")
        record = records[name]
        if isinstance(record, Notes | GridNotes | Parts):
            beats = records.get("beats")
            return Music(record, beats if isinstance(beats, Beats) else None)
        return record

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self.records]


def find_entry(settings: Settings, entry_id: str, dataset: str | None = None) -> StoredEntry:
    """Find an entry by its id, or a clip by ``ENTRY@SECONDS`` or its own id.

    `StopRun` where there is none, or one in several datasets, and for a clip that was turned away.
    """
    return stored_entry(settings.open_store(read_only=True), entry_id, dataset)


def stored_entry(store: Store, entry_id: str, dataset: str | None = None) -> StoredEntry:
    """Find an entry as `find_entry` does, in a store that is open."""
    address = parse_address(entry_id)
    if address is None:
        return StoredEntry(questions.find_entry(store, entry_id, dataset), store)
    entry = questions.find_entry(store, address[0], dataset)
    clip = questions.find_clip(store, entry, address[1])
    if not isinstance(clip, Clip):
        problem = f"the clip {entry_id} was turned away by {clip.step}: {clip.detail}"
        raise WrongArguments(problem)
    return StoredEntry(entry, store, clip)
