"""Manifests as the program left them: the ledger keeps the sha256 of each.

A person may edit a manifest, and a disk may change it: neither is told from the other by its
contents. What no longer is as the last command left it is reported by `symmv verify`, and
taken as it is by the next build.
"""

import hashlib
from collections.abc import Sequence

from symmv_builder.storage import locks
from symmv_builder.storage.store import Store

_OF_A_DATASET = ("entries.jsonl", "splits.json", "recordings.jsonl", "import.json")
BLOCKLIST = "blocklist.jsonl"


def names(dataset: str) -> list[str]:
    """List the names of a dataset's manifests."""
    return [f"{dataset}/{name}" for name in _OF_A_DATASET]


def remember(store: Store, dataset: str) -> None:
    """Record the current hashes of a dataset's manifests; this thread is their writer."""
    remember_named(store, names(dataset))


def remember_blocklist(store: Store) -> None:
    """Record the current hash of the blocklist, which all datasets share."""
    with locks.hold(store.ledger, "blocklist", wait=True):
        remember_named(store, [BLOCKLIST])


def changed(store: Store, dataset: str) -> list[str]:
    """List a dataset's manifests, and the shared ones, that differ from what was last written."""
    digests = store.ledger.manifest_hashes()
    names_of_texts = [*names(dataset), BLOCKLIST]
    return [
        name for name in names_of_texts if name in digests and digest(store, name) != digests[name]
    ]


def digest(store: Store, name: str) -> str:
    """Compute the sha256 of a manifest, empty where there is none."""
    data = store.manifests.read(name)
    return "" if data is None else hashlib.sha256(data).hexdigest()


def remember_named(store: Store, names: Sequence[str]) -> None:
    """Record the current hashes of some manifests."""
    digests = store.ledger.manifest_hashes()
    now = {name: digest(store, name) for name in names}
    new = {name: sha256 for name, sha256 in now.items() if digests.get(name, "") != sha256}
    store.ledger.remember_written(new)
