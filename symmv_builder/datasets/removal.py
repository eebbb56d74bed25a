"""Take entries out of what was written: shards, releases, results, recordings.

Each function is a step of a takedown (`datasets.changes`): done twice it gives the same, so
that a takedown which was stopped is finished by doing its steps again.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from typing import Any

from symmv_builder.crawl.fetch import discard
from symmv_builder.datasets import card, metadata, trimming
from symmv_builder.errors import Damaged, ReleaseRefused
from symmv_builder.records import Source
from symmv_builder.storage import clip_tables, releases, shards
from symmv_builder.storage.assets import remove_asset
from symmv_builder.storage.root import Root
from symmv_builder.storage.shards import Shard, read_receipt, write_receipt
from symmv_builder.storage.sidecars import Sidecars
from symmv_builder.storage.store import Store


def rows_of(
    store: Store, folder: str, receipt: Mapping[str, Any], ids: Set[str], urls: Set[str]
) -> Iterator[dict[str, str]]:
    """Read `entry_id`, `music_url`, `video_url` of the rows of some entries or some recordings."""
    values = {"entry_id": ids, "music_url": urls, "video_url": urls}
    for shard in receipt["shards"]:
        name = f"{folder}/{shard['path']}"
        try:
            yield from shards.find_rows(store.root, name, values)
        except Damaged as error:
            problem = "cannot be read, so what it holds is not known"
            raise Damaged(store.root.path(name), problem) from error


def holding_shards(
    root: Root, folder: str, receipt: Mapping[str, Any], names: Collection[str]
) -> list[str]:
    """Find the paths of the shards below a folder that hold one of the entries.

    Of each file that may hold one the ids are read, and nothing else. A damaged one counts as
    holding it.
    """
    return [
        shard.path
        for shard in shards.shards_of(receipt)
        if shards.may_hold(shard, names) and _holds(root, f"{folder}/{shard.path}", names)
    ]


def _holds(root: Root, name: str, names: Collection[str]) -> bool:
    try:
        return shards.holds(root, name, names)
    except Damaged:
        return True


def without_entries(
    root: Root,
    folder: str,
    receipt: Mapping[str, Any],
    holding: Collection[str],
    names: Collection[str],
    *,
    into: str | None = None,
) -> dict[str, Any]:
    """Remove entries from a receipt, after the shards in `holding` were rewritten without them.

    With `into` the rewritten ones are put into that folder and the others copied there, checked;
    `Damaged` where one of them cannot be read. Without it such a shard is left out: an entry goes
    whatever became of its neighbours, and the next build makes their rows again.
    """
    remaining: list[Shard] = []
    going = set(holding)
    for shard in shards.shards_of(receipt):
        new: Shard | None = shard
        if shard.path in going:
            try:
                new = shards.rewrite_without(root, folder, shard, names, into=into)
            except Damaged:
                if into:
                    raise
                new = None
        elif into:
            shards.copy_shard(root, f"{folder}/{shard.path}", f"{into}/{shard.path}", shard.sha256)
        if new:
            remaining.append(new)
    counts = dict.fromkeys(receipt["splits"], 0)
    for shard in remaining:
        counts[shard.split] += shard.rows
    is_clips = "clips" in receipt
    kept = trimming.without(receipt, names)
    # A count may name what only one of them had; the next build counts anew.
    kept.pop(metadata.FIELD, None)
    return {
        **kept,
        "shards": shards.as_plain(remaining),
        "splits": counts,
        "entries": _entries_in(root, into or folder, remaining)
        if is_clips
        else sum(counts.values()),
    }


def _entries_in(root: Root, folder: str, remaining: Sequence[Shard]) -> int:
    """Count how many entries have clips in some shards of a folder; no other column is read."""
    entry_ids: set[str] = set()
    for shard in remaining:
        with shards.open_shard(root, f"{folder}/{shard.path}") as file:
            entry_ids.update(file.read(columns=["entry_id"]).column(0).unique().to_pylist())
    return len(entry_ids)


def rewrite_shards(store: Store, dataset: str, *, ids: Sequence[str]) -> None:
    """Write the standing shards that hold one of the entries anew, without them."""
    receipt = read_receipt(store.root, dataset)
    if receipt is None:
        return
    receipt = clip_tables.without(store.root, dataset, receipt, ids)
    holding = holding_shards(store.root, dataset, receipt, ids)
    if holding:
        # The next build compares its entries with this state, and looks at every shard again.
        clean = without_entries(store.root, dataset, receipt, holding, ids)
        receipt = {**clean, "state": ""}
    # Also where nothing is held: what an earlier, stopped writer left in the folder goes.
    write_receipt(store.root, dataset, receipt)


def replace_release(
    store: Store, dataset: str, *, version: str, successor: str, ids: Sequence[str]
) -> None:
    """Release what a version holds without some entries, under the next version.

    Of a release that is damaged no successor is made; it is withdrawn all the same.
    """
    released = releases.find_releases(store, dataset)
    if successor in released:
        return
    if version not in released:
        problem = f"{dataset} {version} is gone before {successor} was made of it"
        raise ReleaseRefused(dataset, problem)
    folder = releases.folder_of(dataset, version)
    into = releases.folder_of(dataset, successor)
    holding = holding_shards(store.root, folder, released[version], ids)
    try:
        clean = without_entries(store.root, folder, released[version], holding, ids, into=into)
    except Damaged:
        releases.withdraw(store, dataset, successor)
        return
    put_release(store, dataset, successor, clean)


def put_release(store: Store, dataset: str, version: str, receipt: Mapping[str, Any]) -> None:
    """Finish a release whose shards are in place: what describes it and, last, its receipt."""
    folder = releases.folder_of(dataset, version)
    sizes = releases.split_bytes(store, folder, receipt)
    full = {**receipt, "version": version, "split_bytes": sizes}
    if metadata.FIELD not in full:
        full |= metadata.facts_of(store.root, folder, full)
    if card.FACTS in full:
        # Releases of earlier versions have counts of all their entries there.
        full[card.FACTS] = {k: v for k, v in full[card.FACTS].items() if k != metadata.FIELD}
    # Which clips were turned away is told by their number; the table stays in the data root.
    full.pop(clip_tables.FIELD, None)
    # As whoever reads it later has it: what is written of a receipt must not depend on when.
    full = json.loads(card.receipt_bytes(full))
    releases.put(store, dataset, version, card.texts(full))


def withdraw_release(store: Store, dataset: str, *, version: str) -> None:
    """Remove a release; its number stays taken."""
    releases.note_withdrawn(store, dataset, version)
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
