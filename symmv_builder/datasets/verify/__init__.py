"""Is everything in a data root what was written? Every file and row, one at a time.

What carries a checksum is compared with it: recordings are named by theirs, results, receipts
and plans hold their own, shards and releases are listed with theirs, and the ledger keeps those
of manifests and of its own rows. Nothing is changed here; `repair` does that.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from symmv_builder.datasets.verify import files, index, tables, texts
from symmv_builder.datasets.verify.problems import CheckCounts, Problem
from symmv_builder.errors import NotFound, StopRun
from symmv_builder.records import Entry
from symmv_builder.storage import manifests, recordings
from symmv_builder.storage.ledger import Ledger
from symmv_builder.storage.store import Store

__all__ = ["CheckCounts", "Problem", "known_datasets", "verify"]


def verify(
    store: Store, dataset: str | None, tally: CheckCounts, *, release: str = "", deep: bool = False
) -> Iterator[Problem]:
    """Find whatever is damaged or missing, of all datasets of a root or of one.

    With `release` that release alone is looked at. `deep` reads the bytes of recordings too.
    What is counted goes into `tally`. `StopRun` where there is no such release.
    """
    if release:
        if dataset is None or release not in tables.all_versions(store, dataset):
            raise NotFound("release", release, dataset or "no dataset")
        yield from tables.check_releases(store, dataset, [release], tally)
        return
    problems = list(
        index.check_ledger(store, [dataset] if dataset else _with_entries(store), tally)
    )
    yield from problems
    if any(problem.kind == "ledger" for problem in problems):
        # Nothing that it says can be relied on: the rest is looked at without it.
        store = replace(store, index=Ledger("sqlite://", read_only=True))
        tally.notes["files could not be compared with the ledger, which is damaged"] += 1
    yield from texts.check_blocklist(store, tally)
    everybody: list[Entry] = []
    for name in [dataset] if dataset else known_datasets(store):
        entries = _entries(store, name)
        everybody += [] if dataset else entries
        yield from _check_dataset(store, name, entries, tally, deep=deep)
    if not dataset:
        yield from files.check_other_assets(store, everybody, tally, deep=deep)


def known_datasets(store: Store) -> list[str]:
    """List every dataset of a root: by its entries, its shards, or what the ledger knows of it."""
    names = (name.partition("/") for name in store.ledger.manifest_hashes())
    receipts = [n for n in store.root.folders("") if store.root.exists(f"{n}/dataset.json")]
    of_ledger = [*store.ledger.datasets(), *(head for head, is_present, _ in names if is_present)]
    return sorted({*_with_entries(store), *receipts, *of_ledger})


def _with_entries(store: Store) -> list[str]:
    return manifests.datasets(store.manifests)


def _entries(store: Store, dataset: str) -> list[Entry]:
    """Read the entries of a dataset, empty where they cannot be read."""
    try:
        return manifests.read_entries(store.manifests, dataset)
    except StopRun:
        return []


def _check_dataset(
    store: Store, dataset: str, entries: Sequence[Entry], tally: CheckCounts, *, deep: bool
) -> Iterator[Problem]:
    yield from texts.check_change(store, dataset, tally)
    odd = list(texts.check_manifests(store, dataset, tally))
    yield from odd
    yield from files.check_assets(store, entries, tally, deep=deep)
    yield from files.check_results(store, dataset, tally)
    if not odd:
        hashes = recordings.read_recordings(store.manifests, dataset)
        yield from index.check_recordings(store, dataset, entries, hashes, tally)
    problems: list[Problem] = []
    receipt = texts.read_receipt(store, dataset, problems, tally)
    yield from problems
    if receipt is not None:
        splits = manifests.read_splits(store.manifests, dataset) if not odd else None
        yield from tables.check_shards(store, dataset, receipt, entries, splits, tally)
        yield from tables.check_clips(store, dataset, receipt, tally)
        yield from tables.check_subsets(store, dataset, tally)
    elif not problems:
        yield from _without_receipt(store, dataset, tally)
    versions = tables.all_versions(store, dataset)
    yield from tables.check_releases(store, dataset, versions, tally)


def _without_receipt(store: Store, dataset: str, tally: CheckCounts) -> Iterator[Problem]:
    for name in store.root.names(f"{dataset}/shards"):
        tally.checked += 1
        yield Problem("shard", f"{dataset}/shards/{name}", "is named by no receipt",
                      dataset=dataset)  # fmt: skip
