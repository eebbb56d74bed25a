"""A damaged release made whole again: its texts from each other, its shards from good copies."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from symmv_builder.datasets import card
from symmv_builder.datasets.verify.tables import (
    damaged_texts,
    held_texts,
    sound_receipt,
    strangers,
    sums_that_fit,
)
from symmv_builder.storage import releases
from symmv_builder.storage.assets import hash_file
from symmv_builder.storage.root import Root
from symmv_builder.storage.shards import copy_shard
from symmv_builder.storage.store import Store

PutAside = Callable[[Root, str], None]
Find = Callable[[str], Path | None]


def restore_release(
    store: Store, dataset: str, version: str, put_aside: PutAside, find: Find
) -> list[str]:
    """Put aside what is damaged in a release and put good copies in its place.

    Gives a line for each file of which there is none.
    """
    folder = releases.folder_of(dataset, version)
    receipt = sound_receipt(store, dataset, version)
    if receipt is None:
        return [f"{folder}: neither its receipt nor the copy among the manifests is sound"]
    _restore_texts(store, dataset, version, receipt, put_aside)
    losses = []
    for shard in receipt["shards"]:
        name = f"{folder}/{shard['path']}"
        if _has(store.root, name, shard["sha256"]):
            continue
        put_aside(store.root, name)
        if not _copy(store, dataset, version, shard, name, find):
            losses.append(f"{name}: no good copy is known; give a `folder` that holds one")
    for name in strangers(store, folder, receipt):
        put_aside(store.root, name)
    return losses


def _restore_texts(
    store: Store, dataset: str, version: str, receipt: dict[str, Any], put_aside: PutAside
) -> None:
    folder, text = releases.folder_of(dataset, version), card.receipt_bytes(receipt)
    places = (
        (store.root, f"{folder}/receipt.json"),
        (store.manifests, releases.copy_of(dataset, version)),
    )
    for root, name in places:
        if root.read(name) != text:
            put_aside(root, name)
            root.write(name, text)
    texts = held_texts(store, folder, receipt)
    wrong = {name for name, data in texts.items() if data is None}
    wrong |= set(damaged_texts(receipt, texts))
    for name in wrong - {card.SUMS}:
        put_aside(store.root, f"{folder}/{name}")
        store.root.write(f"{folder}/{name}", card.card(receipt, name))
    restorable = {
        name: data
        for name, data in held_texts(store, folder, receipt).items()
        if data is not None and name not in (card.SUMS, "receipt.json")
    }
    fitting = sums_that_fit(receipt, restorable)
    if texts[card.SUMS] not in fitting:
        put_aside(store.root, f"{folder}/{card.SUMS}")
        store.root.write(f"{folder}/{card.SUMS}", fitting[0])


def _copy(
    store: Store, dataset: str, version: str, shard: dict[str, Any], target: str, find: Find
) -> bool:
    """Copy a shard with the right content to its place; `False` where there is none."""
    for name in _likely(store, dataset, shard["path"]):
        if name != target and _has(store.root, name, shard["sha256"]):
            copy_shard(store.root, name, target, shard["sha256"])
            return True
    good = find(shard["sha256"])
    if good is None:
        return False
    store.root.write(target, good.read_bytes())
    return True


def _likely(store: Store, dataset: str, path: str) -> Iterator[str]:
    """Tell where the same shard may lie: its name holds a part of its hash."""
    yield f"{dataset}/{path}"
    for version in store.root.folders(f"releases/{dataset}"):
        yield f"{releases.folder_of(dataset, version)}/{path}"


def _has(root: Root, name: str, sha256: str) -> bool:
    if not root.exists(name):
        return False
    with root.as_local(name) as path:
        return hash_file(path) == sha256
