"""How far every dataset of a root is, as numbers that a monitoring system stores.

The numbers come from the ledger, which every build and crawl writes as it goes, so that whoever
reads them need not be the process that does the work.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from symmv_builder.api import questions
from symmv_builder.datasets import crawl as crawling
from symmv_builder.datasets.job import breakers
from symmv_builder.datasets.questions import Status
from symmv_builder.settings import Settings
from symmv_builder.storage.items import Items

__all__ = ["MEASURES", "Measurement", "measurements"]

# Name, and what is measured in which unit. Labels follow from the measurements themselves.
MEASURES = {
    "symmv_entries": "Entries of a dataset by state: made, rejected or unfinished.",
    "symmv_rejections": "Entries that a step turned away, by reason.",
    "symmv_step_seconds": "Seconds of work that a step took, over the last results of all entries.",
    "symmv_step_results": "Results of a step that the ledger has, those that turn away included.",
    "symmv_shard_bytes": "Size in bytes of the shards that the last build wrote.",
    "symmv_crawl_items": "Recordings that a crawl knows, by state, step and reason.",
    "symmv_crawl_queue": "Recordings that wait for the network.",
    "symmv_breaker_open": "1 while no crawl may use the network, else 0.",
    "symmv_breaker_opens_seconds": "Seconds until crawls may use the network again.",
    "symmv_dataset_unreadable": "1 for a dataset of which nothing can be said, such as one with a "
    "damaged recipe.",
}


@dataclass(frozen=True, slots=True)
class Measurement:
    """A number with the labels that say of what; `name` is a key of `MEASURES`."""

    name: str
    value: float
    labels: tuple[tuple[str, str], ...] = ()


def measurements(
    settings: Settings, *, now: Callable[[], float] = time.time
) -> tuple[Measurement, ...]:
    """Measure all datasets of a root at this moment; nothing is made or written.

    A dataset is one that has entries, shards or items of a crawl there.
    `StopRun` where the root or its ledger cannot be read.
    """
    store = settings.open_store(read_only=True)
    states = questions.statuses(settings)
    items = Items(store.ledger)
    measured = [_one("symmv_dataset_unreadable", len(states.faults))]
    for status in states.datasets:
        # Recipes of which this root has nothing are no datasets that could stand still.
        if status.entries or status.shards:
            measured += _of_build(status)
        measured += _of_crawl(items, status.dataset)
    for name, open_until_s in breakers(items):
        rest_s = max(0.0, open_until_s - now())
        measured.append(_one("symmv_breaker_open", rest_s > 0, breaker=name))
        measured.append(_one("symmv_breaker_opens_seconds", rest_s, breaker=name))
    return tuple(measured)


def _of_build(status: Status) -> Iterator[Measurement]:
    name = status.dataset
    yield _one("symmv_entries", status.made, dataset=name, state="made")
    yield _one("symmv_entries", len(status.rejections), dataset=name, state="rejected")
    yield _one("symmv_entries", len(status.unfinished), dataset=name, state="unfinished")
    for row in questions.rejections(status.rejections):
        labels = {"dataset": name, "step": row["step"], "reason": row["reason"]}
        yield _one("symmv_rejections", row["entries"], **labels)
    for cost in status.stages:
        labels = {"dataset": name, "artifact": cost.artifact, "step": cost.step}
        yield _one("symmv_step_seconds", cost.seconds, **labels)
        yield _one("symmv_step_results", cost.made + cost.rejected, **labels)
    size = sum(shard["size_bytes"] for shard in status.shards)
    yield _one("symmv_shard_bytes", size, dataset=name)


def _of_crawl(items: Items, dataset: str) -> Iterable[Measurement]:
    counts = items.counts(dataset)
    for (state, step, reason), count in counts.items():
        labels = {"dataset": dataset, "state": state, "step": step, "reason": reason}
        yield _one("symmv_crawl_items", count, **labels)
    if counts:
        network_states = crawling.NETWORK_STATES
        queue = sum(count for (state, _, _), count in counts.items() if state in network_states)
        yield _one("symmv_crawl_queue", queue, dataset=dataset)


def _one(name: str, value: float, **labels: str) -> Measurement:
    return Measurement(name, float(value), tuple(labels.items()))
