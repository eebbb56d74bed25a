"""What a person asks of a dataset: how far is it, why is this entry missing, what is in it.

Answers come from the ledger and the sidecars as they are; no model has to be there.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, partial
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from symmv_builder.clips import Clip
from symmv_builder.datasets.clip_rules import ClipCounts, clip_counts
from symmv_builder.datasets.corrected import (
    NOT_APPLICABLE,
    Corrected,
    corrections_of,
    machine_key,
)
from symmv_builder.datasets.metadata import KnownCount, known_counts
from symmv_builder.datasets.remembered import names_in, recipe_of, require_folder, require_known
from symmv_builder.errors import NotFound, StopRun, WrongArguments
from symmv_builder.pipeline.keys import CORRECTION
from symmv_builder.records import Entry, Provenance, Record
from symmv_builder.storage import manifests
from symmv_builder.storage.clip_tables import EntryClips, TurnedAway, read_table
from symmv_builder.storage.receipts import read_receipt
from symmv_builder.storage.results import Result
from symmv_builder.storage.sidecars import Sidecars
from symmv_builder.text import amount

if TYPE_CHECKING:
    from symmv_builder.storage.items import Item
    from symmv_builder.storage.store import Store


@dataclass(frozen=True, slots=True)
class StageCost:
    """The cost of a stage over all entries; `seconds` are of work, not of waiting."""

    artifact: str
    step: str
    backend: str
    made: int
    rejected: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Status:
    """The state of a dataset. `untrained` names models without trained weights.

    `lost` are the shards that a repair put aside, and no build has written since. `taken_down`
    counts the entries of which a recording was taken down through another dataset. `corrections`
    counts those that stand by their state, and `not_applicable` are those that are about what is
    not there. `metadata` is what the shards say of their entries (`datasets.metadata`); where no
    build has counted them and they cannot be read, it is empty, and `metadata_fault` says why.
    """

    dataset: str
    entries: int
    made: int
    rejections: tuple[Result, ...]
    unfinished: tuple[str, ...]
    stages: tuple[StageCost, ...]
    untrained: tuple[str, ...]
    splits: dict[str, int]
    shards: tuple[dict[str, Any], ...]
    clips: ClipCounts | None = None
    lost: tuple[str, ...] = ()
    taken_down: int = 0
    corrections: dict[str, int] = field(default_factory=dict)
    not_applicable: tuple[Corrected, ...] = ()
    metadata: tuple[KnownCount, ...] = ()
    metadata_fault: str = ""


def status(store: "Store", dataset: str) -> Status:
    """Tell the state of a dataset as its last builds left it."""
    require_folder(store.manifests, dataset)
    entries = manifests.read_entries(store.manifests, dataset)
    receipt = read_receipt(store.root, dataset) or {}
    if not entries and not receipt:
        require_known(store.manifests, dataset)
        return Status(dataset, 0, 0, (), (), (), (), {}, ())
    recipe = cache(partial(recipe_of, store.manifests, dataset))
    # A build of some results alone is at its end when these are made.
    requested = store.outcomes.requested_artifacts(dataset)
    order = list(receipt.get("artifacts", ()))
    # A receipt names what there is of most datasets: to read a recipe is to import all its steps.
    if not order or not store.outcomes.artifacts(dataset).union(requested).issubset(order):
        order = [use.makes for use in recipe().known]
        requested = requested or tuple(
            receipt.get("artifacts", [use.makes for use in recipe().uses])
        )
    needed = frozenset(requested or order) & set(order)
    makers: dict[str, tuple[str, str]] = {}
    counts: Counter[tuple[str, bool]] = Counter()
    spent_s = dict.fromkeys(order, 0.0)
    rejections = {(r.entry_id, r.artifact): r for r in store.outcomes.rejections(dataset)}
    ids = {entry.entry_id for entry in entries}
    complete: set[str] = set()
    turned_away: dict[str, Result] = {}
    for name, lines in groupby(store.outcomes.costs(dataset), key=itemgetter(0)):
        if name not in ids:
            continue
        reasons = {}
        for _, artifact, step, backend, seconds, reason in lines:
            if artifact in spent_s:
                reasons[artifact] = reason
                makers.setdefault(artifact, (step, backend))
                counts[artifact, bool(reason)] += 1
                spent_s[artifact] += seconds
        # A step beside what was asked for turns nothing away.
        refused = [artifact for artifact in order if artifact in needed and reasons.get(artifact)]
        if refused and (name, refused[0]) in rejections:
            turned_away[name] = rejections[name, refused[0]]
        elif needed <= reasons.keys():
            complete.add(name)
    corrections = corrections_of(store, recipe, dataset, entries)
    metadata, fault = _metadata(store, dataset, receipt) if receipt else ((), "")
    return Status(
        dataset=dataset,
        entries=len(entries),
        made=len(complete),
        rejections=tuple(turned_away[e.entry_id] for e in entries if e.entry_id in turned_away),
        unfinished=tuple(
            entry.entry_id
            for entry in entries
            if entry.entry_id not in complete and entry.entry_id not in turned_away
        ),
        stages=tuple(
            StageCost(name, *makers[name], counts[name, False], counts[name, True], spent_s[name])
            for name in order
            if name in makers
        ),
        untrained=tuple(m["backend"] for m in receipt.get("models", []) if not m["trained"]),
        splits=dict(receipt.get("splits", {})),
        shards=tuple(receipt.get("shards", [])),
        clips=clip_counts(receipt),
        lost=tuple(receipt.get("lost", ())),
        taken_down=len(entries) - len(manifests.allowed(store.manifests, entries)),
        corrections=dict(Counter(each.state for each in corrections)),
        not_applicable=tuple(each for each in corrections if each.state == NOT_APPLICABLE),
        metadata=metadata,
        metadata_fault=fault,
    )


def _metadata(
    store: "Store", dataset: str, receipt: Mapping[str, Any]
) -> tuple[tuple[KnownCount, ...], str]:
    """Read what the shards say of their entries, or tell why they cannot be read."""
    try:
        return known_counts(store.root, dataset, receipt), ""
    except StopRun as error:
        return (), str(error)


def find_entry(store: "Store", entry_id: str, dataset: str | None = None) -> Entry:
    """Find the entry of that id; `StopRun` where there is none, or one in several datasets."""
    stored = [
        entry
        for name in (
            [recipe_of(store.manifests, dataset).name] if dataset else names_in(store.manifests)
        )
        for entry in manifests.read_entries(store.manifests, name)
    ]
    entries = [entry for entry in stored if entry.entry_id == entry_id]
    if not entries:
        ids = [entry.entry_id for entry in stored]
        raise NotFound("entry", entry_id, store.root.shown, ids)
    if len(entries) > 1:
        names = ", ".join(entry.dataset for entry in entries)
        raise WrongArguments(f"{entry_id} is in {names}; say which with `dataset`")
    return entries[0]


def find_clip(store: "Store", entry: Entry, start_ms: int) -> Clip | TurnedAway:
    """Find an entry's clip, made or turned away, by its start in milliseconds of the video.

    `StopRun` where none does.
    """
    clip = _clips_of(store, entry).at(start_ms)
    if clip is None:
        address = f"{entry.entry_id}@{start_ms / 1000:.6g}"
        raise NotFound("clip", address, store.root.shown)
    return clip


def _clips_of(store: "Store", entry: Entry) -> EntryClips:
    receipt = read_receipt(store.root, entry.dataset) or {}
    return read_table(store.root, entry.dataset, receipt).get(entry.entry_id, EntryClips("", ()))


def find_item(store: "Store", entry_id: str, dataset: str | None = None) -> "Item | None":
    """Find the item of a crawl that would be an entry of that id, `None` where there is none."""
    from symmv_builder.storage.items import Items, entry_id_of

    items = Items(store.ledger)
    for name in [dataset] if dataset else names_in(store.manifests):
        for item in items.find(name):
            if entry_id_of(item.source) == entry_id:
                return item
    return None


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """One step of an entry: its result, what made it where that is stored, and the traceback
    where the program failed."""

    result: Result
    provenance: Provenance | None
    traceback: str = ""


def why(store: "Store", entry: Entry, start_ms: int | None = None) -> list[StepOutcome]:
    """List every step that was done for an entry, in the recipe's order, and its clips.

    With a start in milliseconds, what became of the clip that starts there; `StopRun` where none
    does.
    """
    return [*_steps_of(store, entry), *_clip_lines(store, entry, start_ms)]


def _clip_lines(store: "Store", entry: Entry, start_ms: int | None) -> Iterator[StepOutcome]:
    """Say in a line how many clips an entry has and in one each which were turned away.

    Or one clip's.
    """
    if start_ms is not None:
        yield _clip_line(entry, find_clip(store, entry, start_ms))
        return
    table = _clips_of(store, entry)
    if table.clips:
        count = amount(len(table.clips), "clip")
        yield StepOutcome(Result(entry.entry_id, "clip", "clips", "", "", 0.0, "", count), None)
    yield from (_clip_line(entry, each) for each in table.turned_away)


def _clip_line(entry: Entry, clip: Clip | TurnedAway) -> StepOutcome:
    step, reason, detail = "clips", "", f"{clip.start_s:.6g} to {clip.end_s:.6g} s"
    if isinstance(clip, TurnedAway):
        step, reason, detail = clip.step, clip.reason, f"{detail}: {clip.detail}"
    return StepOutcome(Result(entry.entry_id, "clip", step, "", "", 0.0, reason, detail), None)


def _steps_of(store: "Store", entry: Entry) -> list[StepOutcome]:
    ledger_results = store.ledger.results(entry.dataset, entry.entry_id)
    results = {result.artifact: result for result in ledger_results}
    sidecars = Sidecars(store.root, entry.dataset)
    present = sidecars.present(entry.entry_id)
    story = []
    for use in recipe_of(store.manifests, entry.dataset).known:
        result = results.get(use.makes)
        if result is None:
            continue
        provenance = None
        if sidecars.made_name(use.makes, result.key) in present:
            provenance = sidecars.load(entry.entry_id, use.makes, result.key)[1]
            beneath = machine_key(use.makes, provenance)
            if beneath and sidecars.made_name(use.makes, beneath) in present:
                step_result = replace(result, key=beneath)
                by = sidecars.load(entry.entry_id, use.makes, beneath)[1]
                story.append(StepOutcome(step_result, by))
                result = replace(result, step=CORRECTION, backend="", seconds=0.0)
        traceback = ""
        if sidecars.rejected_name(use.makes, result.key) in present:
            bug = sidecars.rejection(entry.entry_id, use.makes, result.key).bug
            traceback = bug.traceback if bug else ""
        story.append(StepOutcome(result, provenance, traceback))
    return story


def records_of(store: "Store", entry: Entry) -> dict[str, Record]:
    """Read every record that is stored of an entry, by artifact."""
    sidecars = Sidecars(store.root, entry.dataset)
    present = sidecars.present(entry.entry_id)
    return {
        result.artifact: sidecars.load(entry.entry_id, result.artifact, result.key)[0]
        for result in store.ledger.results(entry.dataset, entry.entry_id)
        if sidecars.made_name(result.artifact, result.key) in present
    }
