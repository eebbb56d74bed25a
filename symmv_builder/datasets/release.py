"""Freeze a built dataset as a release, and take an entry out of everything, for good."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from symmv_builder.datasets.survey import recordings_of
from symmv_builder.errors import StopRun
from symmv_builder.records import Entry, Source
from symmv_builder.storage import items as states
from symmv_builder.storage import manifests, releases, shards
from symmv_builder.storage.assets import remove_asset
from symmv_builder.storage.items import Items
from symmv_builder.storage.root import Root
from symmv_builder.storage.shards import Shard, read_receipt, write_receipt
from symmv_builder.storage.sidecars import Sidecars
from symmv_builder.storage.store import Store


def release(store: Store, dataset: str, version: str) -> dict[str, Any]:
    """Freeze the shards as they stand under a version; the receipt.

    `StopRun` for features of untrained models, for a version that is taken, and where
    nothing is built.
    """
    releases.check_version(version)
    receipt = read_receipt(store.root, dataset)
    if receipt is None:
        raise StopRun(f"{dataset} is not built; run `symmv build {dataset}` first")
    if not receipt["state"]:
        raise StopRun(f"an entry was taken down since; run `symmv build {dataset}` first")
    untrained = [model["backend"] for model in receipt["models"] if not model["trained"]]
    if untrained:
        raise StopRun(
            f"{dataset} was made with {', '.join(untrained)}, which is not trained: its features "
            "mean nothing and are not released; build with trained weights"
        )
    if version in releases.find_releases(store, dataset):
        raise StopRun(f"{dataset} {version} is released already and never changes; raise it")
    return releases.write_release(store, dataset, version, receipt, dataset)


@dataclass(frozen=True, slots=True)
class Takedown:
    """What a takedown did: entries removed, shards rewritten, releases withdrawn and made."""

    entries: tuple[str, ...]
    sources: tuple[str, ...]
    shards: tuple[str, ...]
    withdrawn: tuple[str, ...]
    released: tuple[str, ...]


def take_down(
    store: Store, items: Items, dataset: str, name: str, reason: str, *, whole: bool = False
) -> Takedown:
    """Remove an entry (by id) or a recording (``site:id``) from everything and bar its return.

    An entry's own music is barred; its video too if `whole`, with every other entry that
    uses it. The tombstone comes first and the assets last, so that a takedown which was
    interrupted can be run again and ends as if it had not been.
    """
    entries = manifests.read_entries(store.manifests, dataset)
    barred = _barred(store, entries, items, dataset, name, whole=whole)
    for source in barred:
        items.bury(source, reason)
        manifests.block(store.manifests, source, reason)
    gone = [e for e in entries if e.music in barred or e.video in barred]
    kept = [e for e in entries if e.music not in barred and e.video not in barred]
    names = {entry.entry_id for entry in gone} | set(_blocked_entries(items, dataset, barred))
    if gone:
        manifests.write_entries(store.manifests, dataset, kept)
    rewritten = _rewrite_shards(store, dataset, names)
    withdrawn, released = _rewrite_releases(store, dataset, names)
    for entry_id in sorted(names):
        Sidecars(store.root, dataset).remove(entry_id)
        store.ledger.forget_results(dataset, entry_id)
    _remove_assets(store, gone, barred)
    for item in items.find(dataset):
        if item.source in barred or (item.official and item.official.source in barred):
            items.save(replace(item, state=states.REMOVED, step="takedown", detail=reason))
    return Takedown(
        entries=tuple(sorted(names)),
        sources=tuple(sorted(source.url for source in barred)),
        shards=tuple(rewritten),
        withdrawn=tuple(withdrawn),
        released=tuple(released),
    )


def _barred(
    store: Store, entries: Iterable[Entry], items: Items, dataset: str, name: str, *, whole: bool
) -> set[Source]:
    """The recordings that a name stands for; `StopRun` where it stands for none."""
    for entry in entries:
        if entry.entry_id == name:
            return {entry.music, entry.video} if whole else {entry.music}
    for item in items.find(dataset):
        if states.entry_id_of(item.source) == name:
            return {item.source}
    site, found, video_id = name.partition(":")
    if found:
        try:
            return {Source(site, video_id)}
        except ValueError as error:
            raise StopRun(str(error)) from error
    raise StopRun(f"{dataset} has no entry {name!r}; a recording is named SITE:ID")


def _blocked_entries(items: Items, dataset: str, barred: set[Source]) -> list[str]:
    """Ids under which earlier, interrupted takedowns may have left something behind."""
    return [
        states.entry_id_of(item.source)
        for item in items.find(dataset)
        if item.source in barred or (item.official and item.official.source in barred)
    ]


def _rewrite_shards(store: Store, dataset: str, names: set[str]) -> list[str]:
    """Rewrite every standing shard that holds one of the entries; their old paths."""
    receipt = read_receipt(store.root, dataset)
    if receipt is None:
        return []
    holding = holding_shards(store.root, dataset, receipt, names)
    if holding:
        clean = without_entries(store.root, dataset, receipt, holding, names)
        # The next build writes the shards anew; until then no release is made of these.
        write_receipt(store.root, dataset, {**clean, "state": ""})
    return [f"{dataset}/{path}" for path in holding]


def holding_shards(
    root: Root, folder: str, receipt: Mapping[str, Any], names: Collection[str]
) -> list[str]:
    """Paths of the shards below a folder that hold one of the entries; of each file that may
    hold one the ids are read, and nothing else."""
    return [
        shard.path
        for shard in shards.shards_of(receipt)
        if shards.may_hold(shard, names) and shards.holds(root, f"{folder}/{shard.path}", names)
    ]


def without_entries(
    root: Root,
    folder: str,
    receipt: Mapping[str, Any],
    holding: Collection[str],
    names: Collection[str],
    *,
    into: str | None = None,
) -> dict[str, Any]:
    """A receipt whose shards hold none of the entries, after those in `holding` were rewritten.

    With `into` the rewritten ones are put into that folder and the others copied there, checked.
    """
    kept: list[Shard] = []
    going = set(holding)
    for shard in shards.shards_of(receipt):
        new: Shard | None = shard
        if shard.path in going:
            new = shards.rewrite_without(root, folder, shard, names, into=into)
        elif into:
            shards.copy_shard(root, f"{folder}/{shard.path}", f"{into}/{shard.path}", shard.sha256)
        if new:
            kept.append(new)
    counts = dict.fromkeys(receipt["splits"], 0)
    for shard in kept:
        counts[shard.split] += shard.rows
    return {
        **receipt,
        "shards": shards.as_plain(kept),
        "splits": counts,
        "entries": sum(counts.values()),
    }


def _rewrite_releases(store: Store, dataset: str, names: set[str]) -> tuple[list[str], list[str]]:
    """Withdraw every release that holds one of the entries; the latest gets a successor."""
    found = releases.find_releases(store, dataset)
    withdrawn: list[str] = []
    released: list[str] = []
    for version in sorted(found, key=releases.numbers_of):
        folder = releases.folder_of(dataset, version)
        holding = holding_shards(store.root, folder, found[version], names)
        if not holding:
            continue
        if version == max(found, key=releases.numbers_of):
            successor = releases.next_version(list(found))
            into = releases.folder_of(dataset, successor)
            clean = without_entries(store.root, folder, found[version], holding, names, into=into)
            releases.finish_release(store, dataset, successor, clean)
            released.append(successor)
        releases.withdraw(store, dataset, version)
        withdrawn.append(version)
    return withdrawn, released


def _remove_assets(store: Store, gone: Iterable[Entry], barred: set[Source]) -> None:
    """Remove the recordings that no entry of any dataset uses any more."""
    used = {
        source
        for dataset in store.ledger.datasets()
        for entry in manifests.read_entries(store.manifests, dataset)
        for source in (entry.music, entry.video)
    }
    known = store.ledger.assets()
    gone = list(gone)
    mine = {source for entry in gone for source in (entry.music, entry.video)} | barred
    going = {(s.site, s.video_id) for s in mine - used}
    going |= {recordings_of(entry.dataset, entry)["published"] for entry in gone}
    going &= set(known)
    staying = {sha for name, sha in known.items() if name not in going}
    for name in sorted(going):
        if known[name] not in staying:
            remove_asset(store.root, known[name])
        store.ledger.forget_asset(*name)
