"""What a person asks of a dataset: how far is it, why is this entry missing, what is in it.

Answers come from the ledger and the sidecars as they are; no model has to be there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from symmv_builder import datasets
from symmv_builder.errors import StopRun
from symmv_builder.records import Entry, Provenance, Record
from symmv_builder.storage import manifests
from symmv_builder.storage.items import Item, Items, entry_id_of
from symmv_builder.storage.ledger import Result
from symmv_builder.storage.shards import read_receipt
from symmv_builder.storage.sidecars import Sidecars
from symmv_builder.storage.store import Store


@dataclass(frozen=True, slots=True)
class StageCost:
    """What a stage cost over all entries; `seconds` are of work, not of waiting."""

    artifact: str
    step: str
    backend: str
    made: int
    rejected: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Status:
    """How far a dataset is. `untrained` names models without trained weights."""

    dataset: str
    entries: int
    made: int
    rejections: tuple[Result, ...]
    unfinished: tuple[str, ...]
    stages: tuple[StageCost, ...]
    untrained: tuple[str, ...]
    splits: dict[str, int]
    shards: tuple[dict[str, Any], ...]


def status(store: Store, dataset: str) -> Status:
    """The state of a dataset as its last builds left it."""
    entries = manifests.read_entries(store.manifests, dataset)
    order = [use.makes for use in datasets.recipe(dataset).uses]
    receipt = read_receipt(store.root, dataset) or {}
    # A build of some results alone is at its end when these are made.
    wanted = set(receipt.get("artifacts", order))
    by_entry: dict[str, dict[str, Result]] = {entry.entry_id: {} for entry in entries}
    for result in store.ledger.results(dataset):
        if result.artifact in order and result.entry_id in by_entry:
            by_entry[result.entry_id][result.artifact] = result
    rejections, unfinished, made = [], [], 0
    for name, results in by_entry.items():
        rejected = [r for artifact in order if (r := results.get(artifact)) and r.reason]
        if rejected:
            rejections.append(rejected[0])
        elif wanted <= results.keys():
            made += 1
        else:
            unfinished.append(name)
    return Status(
        dataset=dataset,
        entries=len(entries),
        made=made,
        rejections=tuple(rejections),
        unfinished=tuple(unfinished),
        stages=_costs(order, by_entry.values()),
        untrained=tuple(m["backend"] for m in receipt.get("models", []) if not m["trained"]),
        splits=dict(receipt.get("splits", {})),
        shards=tuple(receipt.get("shards", [])),
    )


def _costs(order: Sequence[str], entries: Any) -> tuple[StageCost, ...]:
    costs = []
    for artifact in order:
        results = [results[artifact] for results in entries if artifact in results]
        if results:
            costs.append(
                StageCost(
                    artifact=artifact,
                    step=results[0].step,
                    backend=results[0].backend,
                    made=sum(not result.reason for result in results),
                    rejected=sum(bool(result.reason) for result in results),
                    seconds=sum(result.seconds for result in results),
                )
            )
    return tuple(costs)


def find_entry(store: Store, entry_id: str, dataset: str | None = None) -> Entry:
    """The entry of that id; `StopRun` where there is none, or one in several datasets."""
    found = [
        entry
        for name in ([datasets.recipe(dataset).name] if dataset else datasets.ALL)
        for entry in manifests.read_entries(store.manifests, name)
        if entry.entry_id == entry_id
    ]
    if not found:
        raise StopRun(f"no entry is called {entry_id!r} in {store.root.shown}")
    if len(found) > 1:
        names = ", ".join(entry.dataset for entry in found)
        raise StopRun(f"{entry_id} is in {names}; say which with --dataset")
    return found[0]


def find_item(store: Store, entry_id: str, dataset: str | None = None) -> Item | None:
    """The item of a crawl that would be an entry of that id, `None` where there is none."""
    items = Items(store.ledger)
    for name in [dataset] if dataset else datasets.NAMES:
        for item in items.find(name):
            if entry_id_of(item.source) == entry_id:
                return item
    return None


@dataclass(frozen=True, slots=True)
class Made:
    """One step of an entry: its result, what made it where that is stored, and the traceback
    where the program failed."""

    result: Result
    provenance: Provenance | None
    traceback: str = ""


def why(store: Store, entry: Entry) -> list[Made]:
    """Every step that was done for an entry, in the recipe's order."""
    found = store.ledger.results(entry.dataset, entry.entry_id)
    results = {result.artifact: result for result in found}
    sidecars = Sidecars(store.root, entry.dataset)
    there = sidecars.present(entry.entry_id)
    story = []
    for use in datasets.recipe(entry.dataset).uses:
        result = results.get(use.makes)
        if result is None:
            continue
        provenance = None
        if sidecars.made_name(use.makes, result.key) in there:
            provenance = sidecars.load(entry.entry_id, use.makes, result.key)[1]
        traceback = ""
        if sidecars.rejected_name(use.makes, result.key) in there:
            bug = sidecars.rejection(entry.entry_id, use.makes, result.key).bug
            traceback = bug.traceback if bug else ""
        story.append(Made(result, provenance, traceback))
    return story


def records_of(store: Store, entry: Entry) -> dict[str, Record]:
    """Every record that is stored of an entry, by artifact."""
    sidecars = Sidecars(store.root, entry.dataset)
    there = sidecars.present(entry.entry_id)
    return {
        result.artifact: sidecars.load(entry.entry_id, result.artifact, result.key)[0]
        for result in store.ledger.results(entry.dataset, entry.entry_id)
        if sidecars.made_name(result.artifact, result.key) in there
    }
