"""How far every entry of a dataset is, by the ledger, under today's keys."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

from symmv_builder.pipeline.keys import Plan, Work
from symmv_builder.pipeline.step import RECORDINGS
from symmv_builder.records import Entry
from symmv_builder.records.corrections import Correction
from symmv_builder.storage import recordings
from symmv_builder.storage.assets import asset_name, has_asset
from symmv_builder.storage.corrections import read_standing
from symmv_builder.storage.ledger import Result
from symmv_builder.storage.store import Store


@dataclass(frozen=True, slots=True)
class EntryState:
    """One entry: the artifacts that are made under today's keys, whether these are all that is
    asked for, and the result that turned the entry away, if its key is still today's."""

    there: frozenset[str] = frozenset()
    is_made: bool = False
    rejection: Result | None = None

    @property
    def is_settled(self) -> bool:
        return self.is_made or self.rejection is not None


@dataclass(frozen=True, slots=True)
class Survey:
    """All entries, and work and state of those whose recordings are there, by entry id.

    `plan` is what is asked for; `whole` is all of the recipe that has a key on this machine,
    where that is more. States are under the keys of both: whoever was turned away by any of it
    is turned away. `made` are the entries that have all that is asked for, `rejected` the result
    that turned each other entry away, and `complete` the artifacts that every made entry has
    (what is asked for where none is made). Keys are computed when they are asked for: held for
    a hundred thousand entries they would take most of the memory.
    """

    plan: Plan
    whole: Plan | None
    entries: Sequence[Entry]
    works: Mapping[str, Work]
    states: Mapping[str, EntryState]
    made: Sequence[Entry]
    rejected: Mapping[str, Result]
    complete: frozenset[str]
    is_settled: bool

    def keys(self, entry_id: str) -> dict[str, str]:
        """Give the key of every artifact of an entry, also of those that are not asked for."""
        return _keys(self.plan, self.whole, self.works[entry_id])


def recordings_of(dataset: str, entry: Entry) -> dict[str, tuple[str, str]]:
    """Under which site and id the ledger knows each recording of an entry."""
    places = (
        (entry.music.site, entry.music.video_id),
        (entry.video.site, entry.video.video_id),
        ("published", f"{dataset}.{entry.entry_id}"),
    )
    return dict(zip(RECORDINGS, places, strict=True))


def restore_recordings(store: Store, dataset: str, entries: Sequence[Entry]) -> None:
    """Tell a ledger that was lost which stored file is which recording, by the manifests."""
    assets = store.ledger.assets()
    places = {entry.entry_id: recordings_of(dataset, entry) for entry in entries}
    if all(kinds[name] in assets for kinds in places.values() for name in ("music", "video")):
        return
    remembered = recordings.read_recordings(store.manifests, dataset)
    remembered_hashes = {
        place: sha256
        for entry_id, kinds in places.items()
        for kind, place in kinds.items()
        if place not in assets
        and (sha256 := remembered.get(entry_id, {}).get(kind))
        and has_asset(store.root, sha256)
    }
    sizes = {
        sha256: store.root.size_bytes(asset_name(sha256)) for sha256 in remembered_hashes.values()
    }
    store.ledger.record_assets(remembered_hashes, sizes)


def survey(
    plan: Plan,
    store: Store,
    entries: Sequence[Entry],
    whole: Plan | None = None,
    beside: frozenset[str] = frozenset(),
    corrections: Mapping[str, tuple[Correction, ...]] | None = None,
) -> Survey:
    """Look at every entry, with three queries; works are of those that have what `plan` reads.

    A step that makes one of `beside` turns entries away only where `plan` asks for it. Without
    `corrections`, by entry, those that stand now are taken.
    """
    if corrections is None:
        corrections = read_standing(store.manifests, plan.dataset)
    works = _works(plan, store, entries, corrections)
    rejections = {(r.entry_id, r.artifact): r for r in store.ledger.rejections(plan.dataset)}
    artifacts = frozenset(use.makes for use in plan.uses)
    states = dict.fromkeys(works, EntryState())
    # Most entries have made the same artifacts: one set is kept for all of them.
    kinds: dict[frozenset[str], frozenset[str]] = {}
    for entry_id, lines in groupby(store.ledger.marks(plan.dataset), key=itemgetter(0)):
        work = works.get(entry_id)
        if work is None:
            continue
        keys = _keys(plan, whole, work)
        valid = {
            artifact: reason for _, artifact, key, reason in lines if keys.get(artifact) == key
        }
        present = frozenset(artifact for artifact, reason in valid.items() if not reason)
        present = kinds.setdefault(present, present)
        judging = keys.keys() - (beside - artifacts)
        turned_away = [name for name in keys if name in judging and valid.get(name)]
        rejection = rejections.get((entry_id, turned_away[0])) if turned_away else None
        states[entry_id] = EntryState(present, artifacts <= present, rejection)
    complete = tuple(
        entry
        for entry in entries
        if (state := states.get(entry.entry_id)) and state.is_made and not state.rejection
    )
    common = {states[entry.entry_id].there for entry in complete}
    return Survey(
        plan=plan,
        whole=whole,
        entries=entries,
        works=works,
        states=states,
        made=complete,
        rejected={name: state.rejection for name, state in states.items() if state.rejection},
        complete=frozenset.intersection(*common) if common else artifacts,
        is_settled=all(state.is_settled for state in states.values()),
    )


def _works(
    plan: Plan,
    store: Store,
    entries: Sequence[Entry],
    corrections: Mapping[str, tuple[Correction, ...]],
) -> dict[str, Work]:
    assets = store.ledger.assets()
    needed = plan.recordings
    works = {}
    for entry in entries:
        places = recordings_of(plan.dataset, entry)
        content = {name: assets.get(place, "") for name, place in places.items()}
        if all(content[name] for name in needed):
            music, video, published = (content[name] for name in RECORDINGS)
            entry_corrections = corrections.get(entry.entry_id, ())
            works[entry.entry_id] = Work(entry.entry_id, music, video, published, entry_corrections)
    return works


def _keys(plan: Plan, whole: Plan | None, work: Work) -> dict[str, str]:
    # What is asked for is a part of the whole, under the same keys.
    return (whole or plan).keys(work)
