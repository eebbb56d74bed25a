"""An entry as people corrected it: the machine's records, the corrections, and what became of them.

A build applies corrections (`pipeline.run`); this is what is known of them at any time, by the
ledger and the sidecars as they are. No model has to be there.
"""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from symmv_builder.datasets import trimming
from symmv_builder.datasets.recipe import Recipe
from symmv_builder.datasets.remembered import recipe_of
from symmv_builder.editing import apply_edits, counted_place, frame_at
from symmv_builder.pipeline.keys import CORRECTION
from symmv_builder.records import Asset, Beats, Edit, Entry, Provenance, Record, Scenes
from symmv_builder.records.corrections import Correction, is_trim, trim_of
from symmv_builder.records.edits import ADD
from symmv_builder.storage import manifests
from symmv_builder.storage.corrections import read_standing
from symmv_builder.storage.receipts import TRIMMED, read_receipt
from symmv_builder.storage.sidecars import Sidecars

if TYPE_CHECKING:
    from symmv_builder.storage.store import Store

# The records that are corrected, and that are seen beside them.
SHOWN = (
    "beats", "chords", "key", "key_spans", "notes", "parts", "scenes", *trimming.READS,
)  # fmt: skip
BUILT, WAITING, NOT_APPLICABLE = "built", "waits for the next build", "not applicable"


@dataclass(frozen=True, slots=True)
class Corrected:
    """A correction that stands, and its state: built, waits for the next build, not applicable.

    `reason` says why it is not applicable: what it is about is not there.
    """

    correction: Correction
    state: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class CorrectedEntry:
    """An entry with all corrections that stand: its records as the next build will have them.

    As long as what a record is made of was not corrected, too: notes on a grid follow when beats
    are built. `trim` is what is kept of it, seconds of the video; `None` for all. `made_by` says
    which step and model made the machine's record, by artifact.
    """

    entry: Entry
    records: Mapping[str, Record]
    corrections: Sequence[Corrected]
    trim: trimming.Span | None = None
    made_by: Mapping[str, Provenance] = field(default_factory=dict)

    @property
    def authors(self) -> dict[str, list[str]]:
        """List who corrected each artifact, by the corrections that apply; sorted by name."""
        names: dict[str, set[str]] = {}
        for each in self.corrections:
            if each.correction.edit and each.state != NOT_APPLICABLE:
                names.setdefault(each.correction.edit.artifact, set()).add(each.correction.author)
        return {artifact: sorted(mine) for artifact, mine in names.items()}


def machine_key(artifact: str, by: Provenance) -> str | None:
    """The key of the machine's record of which a corrected one was made; `None` for another's."""
    return str(json.loads(by.inputs)[artifact]) if by.step == CORRECTION else None


def machine_records(
    store: "Store", entry: Entry, artifacts: Collection[str]
) -> tuple[dict[str, Record], dict[str, Provenance], dict[str, Mapping[str, str]]]:
    """Some records of an entry as the machine made them, what made each, and what was last built
    of corrections.

    All are by artifact, the last as ``applied`` and ``not_applicable``, by the ids of corrections.
    """
    sidecars = Sidecars(store.root, entry.dataset)
    present = sidecars.present(entry.entry_id)
    records: dict[str, Record] = {}
    made_by: dict[str, Provenance] = {}
    built: dict[str, Mapping[str, str]] = {}
    for result in store.ledger.results(entry.dataset, entry.entry_id):
        is_stored = sidecars.made_name(result.artifact, result.key) in present
        if result.artifact not in artifacts or not is_stored:
            continue
        record, by = sidecars.load(entry.entry_id, result.artifact, result.key)
        key = machine_key(result.artifact, by)
        if key is not None:
            parameters = json.loads(by.parameters)
            built[result.artifact] = {**parameters["applied"], **parameters["not_applicable"]}
            if sidecars.made_name(result.artifact, key) not in present:
                continue
            record, by = sidecars.load(entry.entry_id, result.artifact, key)
        records[result.artifact], made_by[result.artifact] = record, by
    return records, made_by, built


def corrected_entry(
    store: "Store", recipe: Recipe, entry: Entry, corrections: Sequence[Correction]
) -> CorrectedEntry:
    """The entry after all of the corrections that apply to it; of its records those of `SHOWN`."""
    named = {each.edit.artifact for each in corrections if each.edit}
    records, made_by, built = machine_records(store, entry, {*SHOWN, *named})
    edits: dict[str, list[Correction]] = {}
    for each in corrections:
        if each.edit is not None and not is_trim(each):
            edits.setdefault(each.edit.artifact, []).append(each)
    problems: dict[str, str] = {}
    for artifact, mine in edits.items():
        if artifact not in records:
            problems |= {each.id: f"it has no {artifact}" for each in mine}
            continue
        pairs = [(each.id, each.edit) for each in mine if each.edit is not None]
        records[artifact], faults = apply_edits(records[artifact], pairs)
        problems |= faults
    built_ids = {name for ids in built.values() for name in ids}
    trim = trim_of(corrections)
    if trim is not None:
        problem = trimming.trim_problem(recipe, records, trim)
        trims = [each.id for each in corrections if is_trim(each)]
        problems |= dict.fromkeys(trims, problem) if problem else {}
        if _is_trimmed(store, entry, trim):
            built_ids.update(trims)
    states = [
        Corrected(each, NOT_APPLICABLE, problems[each.id])
        if each.id in problems
        else Corrected(each, BUILT if each.id in built_ids else WAITING)
        for each in corrections
    ]
    return CorrectedEntry(entry, records, states, None if trim and problem else trim, made_by)


def corrected_entries(store: "Store", dataset: str) -> Iterator[CorrectedEntry]:
    """Read every entry of a dataset that was not taken down and of which something is stored.

    In the order of the manifest, after the corrections that stand. `StopRun` where the dataset is
    not known, or its recipe cannot be read.
    """
    recipe = recipe_of(store.manifests, dataset)
    corrections = read_standing(store.manifests, dataset)
    entries = manifests.read_entries(store.manifests, dataset)
    for entry in manifests.allowed(store.manifests, entries):
        result = corrected_entry(store, recipe, entry, corrections.get(entry.entry_id, ()))
        if result.records:
            yield result


def addition(
    artifact: str, at_s: float, records: Mapping[str, Record], place: int | None = None
) -> Edit:
    """The edit that adds a beat or a cut to an entry's records as they are.

    A beat is the `place`-th of its bar, or as the beats around it are counted. A cut's frame is
    that of the mean rate up to the cut before it or, where there is none, of the whole video.
    """
    record, asset = records.get(artifact), records.get("video_asset")
    if isinstance(record, Beats) and place is None:
        place = counted_place(record, at_s)
    elif isinstance(record, Scenes):
        rate_hz = asset.frame_rate_hz if isinstance(asset, Asset) else 0.0
        place = frame_at(record, at_s, at_s, rate_hz)
    return Edit(artifact, ADD, place or 0, at_s)


def _is_trimmed(store: "Store", entry: Entry, span: trimming.Span) -> bool:
    receipt = read_receipt(store.root, entry.dataset) or {}
    return tuple(receipt.get(TRIMMED, {}).get(entry.entry_id, ())[:2]) == span


def corrections_of(
    store: "Store", recipe: Callable[[], Recipe], dataset: str, entries: Iterable[Entry]
) -> list[Corrected]:
    """Every correction that stands, by entry in the manifest's order, with its state.

    Last come those about entries that the manifest does not have. `recipe` is asked for only where
    an entry is corrected: to read it is to import its steps.
    """
    by_entry = read_standing(store.manifests, dataset)
    outcomes: list[Corrected] = []
    for entry in entries:
        if mine := by_entry.pop(entry.entry_id, ()):
            outcomes += corrected_entry(store, recipe(), entry, mine).corrections
    for name, mine in by_entry.items():
        reason = f"there is no entry {name}"
        outcomes += [Corrected(each, NOT_APPLICABLE, reason) for each in mine]
    return outcomes


def keys_beneath(sidecars: Sidecars, entry_id: str, keys: Mapping[str, str]) -> set[str]:
    """The keys of the machine's records on which corrected ones stand, of those under `keys`."""
    present = sidecars.present(entry_id)
    digests = set()
    for artifact, key in keys.items():
        if sidecars.made_name(artifact, key) in present:
            beneath = machine_key(artifact, sidecars.load(entry_id, artifact, key)[1])
            digests |= {beneath} if beneath else set()
    return digests
