"""Recordings and results: the many files of a data root, one at a time."""

import re
from collections.abc import Iterator, Sequence

from symmv_builder.datasets.survey import recordings_of
from symmv_builder.datasets.verify.problems import CheckCounts, Problem
from symmv_builder.errors import Damaged, StopRun
from symmv_builder.records import Entry
from symmv_builder.storage.assets import asset_name, asset_size, hash_file, open_asset
from symmv_builder.storage.ledger import Result
from symmv_builder.storage.sidecars import Sidecars
from symmv_builder.storage.store import Store


def check_assets(
    store: Store, entries: Sequence[Entry], tally: CheckCounts, *, deep: bool
) -> Iterator[Problem]:
    """Check the recordings of entries: there, of their size and, where `deep`, of their content."""
    assets, sizes = store.ledger.assets(), store.ledger.asset_sizes()
    for entry in entries:
        for place in recordings_of(entry.dataset, entry).values():
            sha256 = assets.get(place)
            if sha256 and sha256 not in tally.recordings:
                tally.recordings.add(sha256)
                yield from _check_asset(store, sha256, sizes.get(sha256, 0), tally, deep=deep)


def check_other_assets(
    store: Store, entries: Sequence[Entry], tally: CheckCounts, *, deep: bool
) -> Iterator[Problem]:
    """Recordings that no entry uses, as far as they are there: those of a crawl, leftovers."""
    assets, sizes = store.ledger.assets(), store.ledger.asset_sizes()
    used = {
        assets.get(place)
        for entry in entries
        for place in recordings_of(entry.dataset, entry).values()
    }
    for name, _ in store.root.walk("assets"):
        sha256 = name.rpartition("/")[2]
        if sha256 in used:
            continue
        if not re.fullmatch("[0-9a-f]{64}", sha256) or asset_name(sha256) != name:
            tally.notes["files in assets/ are no recordings"] += 1
        else:
            yield from _check_asset(store, sha256, sizes.get(sha256, 0), tally, deep=deep)


def _check_asset(
    store: Store, sha256: str, size_bytes: int, tally: CheckCounts, *, deep: bool
) -> Iterator[Problem]:
    tally.checked += 1
    size = asset_size(store.root, sha256)
    what, is_missing = "", size is None
    if size is None:
        what = "is gone"
    elif size_bytes and size != size_bytes:
        what = f"has {size} bytes and not {size_bytes}"
    elif deep:
        try:
            with open_asset(store.root, sha256) as path:
                what = "" if hash_file(path) == sha256 else "does not have the bytes of its name"
        except (OSError, StopRun) as error:
            what = f"cannot be read: {error}"
    elif not size_bytes:
        tally.notes["recordings have no known size: `deep` looks at their bytes"] += 1
    if what:
        yield Problem("asset", asset_name(sha256), what, is_missing, sha256=sha256,
                      size_bytes=size_bytes)  # fmt: skip


def check_results(store: Store, dataset: str, tally: CheckCounts) -> Iterator[Problem]:
    """Check every sidecar against its checksum, and the ledger against the sidecars."""
    sidecars = Sidecars(store.root, dataset)
    checked = set()
    for entry_id, results in store.ledger.results_by_entry(dataset):
        checked.add(entry_id)
        yield from _check_entry(sidecars, entry_id, results, tally)
    for entry_id in store.root.folders(f"{dataset}/sidecars"):
        if entry_id not in checked:
            tally.notes["entries have results that the ledger does not know"] += 1
            yield from _check_entry(sidecars, entry_id, [], tally)


def _check_entry(
    sidecars: Sidecars, entry_id: str, results: Sequence[Result], tally: CheckCounts
) -> Iterator[Problem]:
    folder, dataset = f"{sidecars.dataset}/sidecars/{entry_id}", sidecars.dataset
    present = sidecars.present(entry_id)
    for file in sorted(present):
        tally.checked += 1
        try:
            if sidecars.check(entry_id, file) is False:
                tally.notes["results have no checksum of the whole file: an earlier version "
                            "made them, and their parts were checked"] += 1  # fmt: skip
        except (Damaged, StopRun):
            artifact, _ = Sidecars.parts_of(file)
            yield Problem("sidecar", f"{folder}/{file}", "is damaged", dataset=dataset,
                          entry_id=entry_id, artifact=artifact)  # fmt: skip
    for result in results:
        name = (Sidecars.rejected_name if result.reason else Sidecars.made_name)(
            result.artifact, result.key
        )
        if name not in present:
            yield Problem("sidecar", f"{folder}/{name}", "is gone, and the ledger has it",
                          is_missing=True, dataset=dataset, entry_id=entry_id,
                          artifact=result.artifact)  # fmt: skip
