"""Manifests, receipt and the plan of an unfinished change."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from symmv_builder.datasets import changes
from symmv_builder.datasets.imports.take_in import read_options
from symmv_builder.datasets.verify.problems import CheckCounts, Problem, what_is_wrong
from symmv_builder.errors import StopRun
from symmv_builder.storage import manifests, recordings, seals, shards, written
from symmv_builder.storage.corrections import read_corrections
from symmv_builder.storage.decisions import read_decisions
from symmv_builder.storage.root import Root
from symmv_builder.storage.store import Store

_READERS: Mapping[str, Callable[[Root, str], object]] = {
    "entries.jsonl": manifests.read_entries,
    "splits.json": manifests.read_splits,
    "recordings.jsonl": recordings.read_recordings,
    "import.json": read_options,
}
# What people add to, at any time: these files have no checksum.
_ADDED_TO: Mapping[str, Callable[[Root, str], object]] = {
    "corrections.jsonl": read_corrections,
    "decisions.jsonl": read_decisions,
}


def check_manifests(store: Store, dataset: str, tally: CheckCounts) -> Iterator[Problem]:
    """Check every manifest of a dataset: can it be read, and is it as the last command left it?"""
    for name in written.names(dataset):
        reader = _READERS[name.rpartition("/")[2]]
        read = partial(reader, store.manifests, dataset)
        yield from _check(store, name, read, dataset, tally)
    for name, reader in _ADDED_TO.items():
        place = f"{dataset}/{name}"
        if store.manifests.exists(place):
            tally.checked += 1
            try:
                reader(store.manifests, dataset)
            except StopRun as error:
                yield Problem("manifest", place, what_is_wrong(error), dataset=dataset)


def check_blocklist(store: Store, tally: CheckCounts) -> Iterator[Problem]:
    """Check that the blocklist can be read and is as the last command left it."""

    def read() -> object:
        return manifests.read_blocklist(store.manifests)

    yield from _check(store, written.BLOCKLIST, read, "", tally)


def _check(
    store: Store, name: str, read: Callable[[], object], dataset: str, tally: CheckCounts
) -> Iterator[Problem]:
    digest = store.ledger.manifest_hashes().get(name)
    now = written.digest(store, name)
    if not now:
        if digest:
            yield Problem("manifest", name, "is gone; put it back from a backup", is_missing=True,
                          dataset=dataset, sha256=digest)  # fmt: skip
        return
    tally.checked += 1
    try:
        read()
    except StopRun as error:
        yield Problem("manifest", name, what_is_wrong(error), dataset=dataset, sha256=digest or "")
        return
    if digest is None:
        tally.notes["manifests have no checksum yet; the next build keeps one"] += 1
    elif now != digest:
        what = (
            "was changed by hand or is damaged: it is not as the last command left it; put it "
            "back, or accept it by building"
        )
        yield Problem("manifest", name, what, dataset=dataset, sha256=digest)


def check_change(store: Store, dataset: str, tally: CheckCounts) -> Iterator[Problem]:
    """Check a change that was stopped: its plan must be sound to be finished."""
    place = changes.pending(dataset)
    try:
        change = changes.unfinished(store, dataset)
    except StopRun as error:
        yield Problem("change", place, what_is_wrong(error), dataset=dataset)
        return
    if change:
        tally.checked += 1
        what = (
            f"says that a {change.kind} was stopped: the next command that writes {dataset} "
            "finishes it"
        )
        yield Problem("change", place, what, is_missing=True, dataset=dataset)


def read_receipt(
    store: Store, dataset: str, problems: list[Problem], tally: CheckCounts
) -> dict[str, Any] | None:
    """Read the receipt where it is sound; what is wrong with it is added to `problems`."""
    name = f"{dataset}/dataset.json"
    data = store.root.read(name)
    if data is None:
        return None
    tally.checked += 1
    try:
        receipt = shards.read_receipt(store.root, dataset)
    except StopRun as error:
        problems.append(Problem("receipt", name, what_is_wrong(error), dataset=dataset))
        return None
    if receipt is None or not _has_form(receipt):
        problems.append(Problem("receipt", name, "is not a receipt of shards", dataset=dataset))
        return None
    if data == shards.receipt_bytes(receipt):
        return receipt
    if seals.is_sealed_text(data):
        problems.append(Problem("receipt", name, "is not as it was written", dataset=dataset))
    else:
        tally.notes["receipts have no checksum: an earlier version wrote them"] += 1
    return receipt


def _has_form(receipt: Mapping[str, Any]) -> bool:
    """Check whether a receipt names shards with all that a look at them needs."""
    listed = receipt.get("shards")
    needed = {"path": str, "rows": int, "size_bytes": int, "sha256": str}
    return isinstance(listed, list) and all(
        isinstance(shard, dict)
        and all(isinstance(shard.get(name), kind) for name, kind in needed.items())
        for shard in listed
    )
