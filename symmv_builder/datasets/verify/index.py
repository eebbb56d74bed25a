"""The ledger: its structure as a database, its rows, and what the manifests know beside it."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy.exc import SQLAlchemyError

from symmv_builder.datasets.survey import recordings_of
from symmv_builder.datasets.verify.problems import CheckCounts, Problem
from symmv_builder.errors import StopRun
from symmv_builder.records import Entry
from symmv_builder.storage import ledger_checks, manifests
from symmv_builder.storage.assets import has_asset
from symmv_builder.storage.items import Items
from symmv_builder.storage.store import Store

LEDGER = "the ledger"


def check_ledger(store: Store, datasets: Sequence[str], tally: CheckCounts) -> Iterator[Problem]:
    """Structure and rows; a problem of kind `ledger` says that nothing in it can be relied on."""
    tally.checked += 1
    try:
        for fault in ledger_checks.faults(store.ledger):
            yield Problem("ledger", LEDGER, f"is damaged: {fault}")
        for row in ledger_checks.damaged_rows(store.ledger):
            where = ", ".join(map(str, row.key.values()))
            what = "is not as it was written"
            yield Problem("row", f"{LEDGER}, {row.table}: {where}", what, row=row)
        for dataset in datasets:
            for _ in Items(store.ledger).find(dataset):
                tally.checked += 1
    except (StopRun, SQLAlchemyError, sqlite3.Error) as error:
        yield Problem("ledger", LEDGER, f"cannot be read: {str(error).splitlines()[0]}")
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        what = f"holds an item of the crawl that cannot be read: {error}"
        yield Problem("ledger", LEDGER, what)


def check_recordings(
    store: Store,
    dataset: str,
    entries: Sequence[Entry],
    hashes: Mapping[str, Mapping[str, str]],
    tally: CheckCounts,
) -> Iterator[Problem]:
    """Check what recordings.jsonl says against the ledger and the entries."""
    assets = store.ledger.assets()
    by_id = {entry.entry_id: entry for entry in entries}
    try:
        barred = set(manifests.read_blocklist(store.manifests))
    except StopRun:
        # `texts.check_blocklist` tells it.
        barred = set()
    for entry_id, entry_hashes in hashes.items():
        tally.checked += 1
        if entry_id not in by_id:
            # Its line was taken out of entries.jsonl by hand.
            continue
        if {by_id[entry_id].music, by_id[entry_id].video} & barred:
            tally.notes["entries use what was taken down through another dataset"] += 1
            continue
        places = recordings_of(dataset, by_id[entry_id])
        for kind, sha256 in entry_hashes.items():
            recorded = assets.get(places[kind]) if kind in places else ""
            # What was cleared away is known to nobody, and is not there.
            if recorded is None and has_asset(store.root, sha256):
                what = f"does not know the {kind} of {entry_id}, which is stored"
                yield Problem("recording", LEDGER, what, is_missing=True, dataset=dataset,
                              entry_id=entry_id)  # fmt: skip
            elif recorded is not None and recorded != sha256:
                # A crawl fetched it again. Damage of either would show in its own checksum.
                tally.notes[
                    "recordings are another file to the ledger than to recordings.jsonl"
                ] += 1
