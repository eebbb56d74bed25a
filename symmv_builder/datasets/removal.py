"""Take entries out of what was written: shards, releases, results, recordings.

Each function is a step of a takedown (`datasets.changes`): done twice it gives the same, so
that a takedown which was stopped is finished by doing its steps again.
"""

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any

from symmv_builder.crawl.fetch import discard
from symmv_builder.errors import StopRun
from symmv_builder.records import Source
from symmv_builder.schema import arrow_schema
from symmv_builder.storage import releases, shards
from symmv_builder.storage.assets import remove_asset
from symmv_builder.storage.shards import ShardWriter, read_receipt, write_receipt
from symmv_builder.storage.sidecars import Sidecars
from symmv_builder.storage.store import Store


def rows_of(
    store: Store, folder: str, receipt: Mapping[str, Any], ids: Set[str], urls: Set[str]
) -> Iterator[dict[str, str]]:
    """`entry_id`, `music_url`, `video_url` of the rows of some entries or some recordings."""
    wanted = {"entry_id": ids, "music_url": urls, "video_url": urls}
    for shard in receipt["shards"]:
        yield from shards.find_rows(store.root, f"{folder}/{shard['path']}", wanted)


def shards_with(
    store: Store, folder: str, receipt: Mapping[str, Any], ids: Set[str]
) -> list[Mapping[str, Any]]:
    """The shards of a receipt that hold one of the entries."""
    return [
        shard
        for shard in receipt["shards"]
        if shards.find_rows(store.root, f"{folder}/{shard['path']}", {"entry_id": ids})
    ]


def rewrite_shards(store: Store, dataset: str, *, ids: Sequence[str]) -> None:
    """Write the standing shards that hold one of the entries anew, without them."""
    receipt = read_receipt(store.root, dataset)
    if receipt is None:
        return
    # Also where nothing is held: what an earlier, stopped writer left in the folder goes.
    write_receipt(store.root, dataset, without(store, dataset, receipt, dataset, set(ids)))


def without(
    store: Store, dataset: str, receipt: Mapping[str, Any], folder: str, ids: Set[str]
) -> dict[str, Any]:
    """The receipt of the same shards in `folder` without some entries; new files are written."""
    held = {shard["path"] for shard in shards_with(store, folder, receipt, ids)}
    if not held:
        return dict(receipt)
    name = str(receipt.get("schema", dataset)).partition("/")[0]
    writer = ShardWriter(store.root, folder, arrow_schema(name, receipt.get("columns")))
    kept: list[dict[str, Any]] = []
    counts = dict(receipt["splits"])
    for shard in receipt["shards"]:
        if shard["path"] not in held:
            kept.append(dict(shard))
            continue
        rows = list(shards.read_shard(store.root, f"{folder}/{shard['path']}"))
        left = [row for row in rows if row["entry_id"] not in ids]
        for row in rows:
            counts[row["split"]] -= row["entry_id"] in ids
        stem = shard["path"].removeprefix("shards/").rsplit("-", 1)[0]
        if left:
            kept += shards.as_plain([writer.write_one(stem, left)])
    # The next build compares its entries with this state, and looks at every shard again.
    return {
        **receipt, "shards": kept, "splits": counts, "entries": sum(counts.values()), "state": "",
    }  # fmt: skip


def replace_release(
    store: Store, dataset: str, *, version: str, successor: str, ids: Sequence[str]
) -> None:
    """Release what a version holds without some entries, under the next version."""
    found = releases.find_releases(store, dataset)
    if successor in found:
        return
    if version not in found:
        raise StopRun(f"{dataset} {version} is gone before {successor} was made of it")
    folder = releases.folder_of(dataset, version)
    clean = without(store, dataset, found[version], folder, set(ids))
    releases.write_release(store, dataset, successor, clean, folder)


def withdraw_release(store: Store, dataset: str, *, version: str) -> None:
    releases.withdraw(store, dataset, version)


def forget_entries(store: Store, dataset: str, *, ids: Sequence[str]) -> None:
    """Remove every result of some entries."""
    for entry_id in ids:
        Sidecars(store.root, dataset).remove(entry_id)
        store.ledger.forget_results(dataset, entry_id)


def forget_recordings(
    store: Store, dataset: str, *, sources: Sequence[Sequence[str]], contents: Sequence[str]
) -> None:
    """Remove stored files, what the ledger knows of their recordings, and partial downloads."""
    for sha256 in contents:
        remove_asset(store.root, sha256)
    store.root.sweep_all("assets")
    for site, video_id in sources:
        store.ledger.forget_asset(site, video_id)
        if site != "published":
            discard(store.root, Source(site, video_id))
