"""Questions about a data root: how far it is, why an entry is missing, what is known of one.

Nothing is made or written, and no model has to be there.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from symmv_builder.clips import parse_address
from symmv_builder.datasets import questions
from symmv_builder.datasets.questions import Status, StepOutcome
from symmv_builder.datasets.remembered import names_in
from symmv_builder.errors import StopRun
from symmv_builder.settings import Settings
from symmv_builder.storage.results import Result

if TYPE_CHECKING:
    from symmv_builder.storage.items import Item

__all__ = ["NoEntry", "Result", "States", "Status", "StepOutcome"]


@dataclass(frozen=True, slots=True)
class States:
    """The states of the datasets of a root; `faults` tell why nothing can be said of the others."""

    root: str
    datasets: tuple[Status, ...]
    faults: tuple[StopRun, ...] = ()


def statuses(settings: Settings, dataset: str | None = None) -> States:
    """Tell the state of one dataset, or of every one that the root may hold.

    One spoilt recipe does not hide the other datasets. `StopRun` where the dataset that is named
    is not known, or its recipe cannot be read.
    """
    store = settings.open_store(read_only=True)
    states: list[Status] = []
    faults: list[StopRun] = []
    for name in [dataset] if dataset else names_in(store.manifests):
        try:
            states.append(questions.status(store, name))
        except StopRun as error:
            if dataset:
                raise
            faults.append(error)
    return States(store.root.shown, tuple(states), tuple(faults))


@dataclass(frozen=True, slots=True)
class NoEntry:
    """A crawl's knowledge of a recording that is no entry: how far it came, and why no further.

    `candidates` are the videos that it was compared with, each with its score and its parts.
    """

    entry_id: str
    item: "Item"
    candidates: tuple[dict[str, Any], ...]

    def as_json(self) -> dict[str, Any]:
        """Give everything that the ledger has of it, as plain data."""
        return {**asdict(self.item), "evidence": list(self.candidates)}


def why(
    settings: Settings, entry_id: str, dataset: str | None = None
) -> list[StepOutcome] | NoEntry:
    """List every step that was done for an entry, or tell what became of a recording that is none.

    A clip is named ``ENTRY@SECONDS`` or by its id: then the last line is about it alone.
    `StopRun` where neither is known, or an id stands in several datasets.
    """
    # Imported here: a question about an empty root needs no database.
    from symmv_builder.storage.items import PROMOTED, entry_id_of

    store = settings.open_store(read_only=True)
    if (address := parse_address(entry_id)) is not None:
        entry = questions.find_entry(store, address[0], dataset)
        return questions.why(store, entry, address[1])
    item = questions.find_item(store, entry_id, dataset)
    if item and item.state != PROMOTED:
        return NoEntry(entry_id_of(item.source), item, tuple(json.loads(item.evidence)))
    return questions.why(store, questions.find_entry(store, entry_id, dataset))


def throughput(results: Iterable[Result]) -> list[dict[str, Any]]:
    """Tell what each step cost, over the last results of all entries; the dearest first."""
    seconds: dict[str, list[float]] = defaultdict(list)
    for result in results:
        if result.seconds:
            seconds[result.step].append(result.seconds)
    rows = [
        {
            "step": step,
            "entries": len(each),
            "seconds": round(sum(each), 1),
            "entries an hour": round(3600 * len(each) / sum(each), 1),
        }
        for step, each in seconds.items()
    ]
    return sorted(rows, key=lambda row: -float(str(row["seconds"])))


def rejections(results: Iterable[Result]) -> list[dict[str, Any]]:
    """Count how many entries each step turned away, by reason."""
    counts = Counter((result.step, str(result.reason)) for result in results if result.reason)
    return [
        {"step": step, "reason": reason, "entries": count}
        for (step, reason), count in counts.most_common()
    ]
