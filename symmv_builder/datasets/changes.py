"""Changes of several files: written down first, then made, and finished by whoever comes next.

A takedown touches manifests, shards, releases, results, recordings and the ledger. Whoever
is stopped in the middle leaves a plan, ``<dataset>/pending.json``: a list of steps, each of
which gives the same result however often it is done. The next process that is about to
write the dataset does them again, to the end, before anything else (`writing`).
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from symmv_builder.datasets import card, removal
from symmv_builder.datasets.survey import recordings_of
from symmv_builder.errors import Damaged, MalformedFile, StopRun, StoreUnusable
from symmv_builder.records import Entry, Source
from symmv_builder.storage import (
    lines,
    locks,
    manifests,
    recordings,
    releases,
    seals,
    shards,
    written,
)
from symmv_builder.storage.assets import asset_size
from symmv_builder.storage.corrections import NAME, read_corrections
from symmv_builder.storage.items import Items
from symmv_builder.storage.root import Root
from symmv_builder.storage.store import Store

Step = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a dataset that is to be done. `about` is what was asked for and what came of it.

    Every step has a name, ``do``, and the arguments of the function of that name.
    """

    kind: str
    about: Mapping[str, Any]
    steps: Sequence[Step]


class GivenUp(StopRun):
    """A change cannot be made, and what was begun of it is undone; no plan of it stays."""


@contextmanager
def writing(
    store: Store,
    dataset: str,
    *,
    wait: bool = False,
    tell: Callable[[str], object] = lambda _: None,
) -> Iterator[Change | None]:
    """Be the only writer of a dataset; what another left unfinished is finished first.

    Gives the change that was finished, if there was one. Raises `Locked` where
    another process writes the dataset; with `wait`, waits for it. A block inside a block of
    the same thread is the same writer.
    """
    with locks.hold(store.ledger, dataset, wait=wait, tell=tell) as lock:
        if lock.depth > 1:
            yield None
            return
        for root, folder in _folders(store, dataset):
            root.sweep(folder)
        yield finish(store, dataset, tell)


def _folders(store: Store, dataset: str) -> list[tuple[Root, str]]:
    """List where a stopped writer of a dataset may have left half a file, but for its entries'."""
    folders = [dataset, f"{dataset}/shards", *releases.folders(store, dataset)]
    return [
        *((store.root, folder) for folder in folders),
        *((store.manifests, folder) for folder in ("", dataset, "releases")),
    ]


def make(store: Store, dataset: str, change: Change) -> None:
    """Make a change of a dataset that this thread is `writing`.

    `StopRun` where the store is of a root that is not there (`Settings.open_standing`): half a root
    would stand then, and whoever mistyped its name would think that the right one was changed.
    """
    if store.ledger.is_read_only:
        raise StoreUnusable(f"the data root {store.root.shown}", "it holds no dataset")
    locks.current(store.ledger, dataset).check()
    plain = {"kind": change.kind, "about": dict(change.about), "steps": list(change.steps)}
    text = json.dumps(seals.seal(plain), sort_keys=True)
    store.root.write(pending(dataset), text.encode())
    _run(store, dataset, change)


def finish(store: Store, dataset: str, tell: Callable[[str], object]) -> Change | None:
    """Finish the change that a stopped process left behind; `None` where there is none."""
    change = unfinished(store, dataset)
    if change is None:
        return None
    tell(f"finishing the {change.kind} that was stopped")
    try:
        _run(store, dataset, change)
    except GivenUp as error:
        # Whoever comes next may be the build that mends the damage.
        tell(f"the {change.kind} that was stopped is given up: {error}")
        return None
    return change


def unfinished(store: Store, dataset: str) -> Change | None:
    """Read the change that a stopped process left behind; `StopRun` where its plan is damaged."""
    place = pending(dataset)
    data = store.root.read(place)
    if data is None:
        return None
    try:
        change = Change(**seals.unseal(json.loads(data)))
        is_understood = all(step["do"] in _STEPS for step in change.steps)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        problem = (
            "the plan of an unfinished change is damaged; remove it and run the command that was "
            "stopped again"
        )
        raise MalformedFile(store.root.path(place), problem) from error
    if not is_understood:
        problem = "it was written by another version of this program; finish it with that one"
        raise MalformedFile(store.root.path(place), problem)
    return change


def pending(dataset: str) -> str:
    """Name the file of the plan of an unfinished change."""
    return f"{dataset}/pending.json"


def _run(store: Store, dataset: str, change: Change) -> None:
    lock = locks.current(store.ledger, dataset)
    for step in change.steps:
        lock.check()
        arguments = {name: value for name, value in step.items() if name != "do"}
        try:
            _STEPS[step["do"]](store, dataset, **arguments)
        except GivenUp:
            store.root.remove(pending(dataset))
            raise
    written.remember(store, dataset)
    store.root.remove(pending(dataset))


def put_entries(
    store: Store, entries: Iterable[Entry], new: Mapping[tuple[str, str], str] | None = None
) -> Step:
    """Make the step that adds or replaces entries, with the sha256 of each one's recordings.

    `new` are hashes, by site and id, that the ledger does not know yet.
    """
    assets = {**store.ledger.assets(), **(new or {})}
    entries = list(entries)
    hashes = {
        entry.entry_id: {
            kind: assets[place]
            for kind, place in recordings_of(entry.dataset, entry).items()
            if place in assets
        }
        for entry in entries
    }
    return {
        "do": "put_entries",
        "entries": [manifests.entry_fields(e) for e in entries],
        "hashes": hashes,
    }


def take_in(
    store: Store,
    dataset: str,
    entries: Iterable[Entry],
    assets: Mapping[tuple[str, str], str],
    *,
    splits: Mapping[str, str] = MappingProxyType({}),
    texts: Mapping[str, str] = MappingProxyType({}),
) -> int:
    """Add entries whose recordings are stored under `assets`; how many of them are new.

    `splits` are those of their songs where they are published, `texts` further manifests by
    name. Nothing is written where nothing is new. What was taken down while the files were
    stored, through whichever dataset, is left out.
    """
    blocked, barred = (
        manifests.read_blocklist(store.manifests),
        manifests.blocked_contents(store.manifests),
    )
    barred_places = {(source.site, source.video_id) for source in blocked}
    barred_places |= {place for place, sha256 in assets.items() if sha256 in barred}
    entries = [
        e for e in entries if not barred_places.intersection(recordings_of(dataset, e).values())
    ]
    assets = {place: sha256 for place, sha256 in assets.items() if place not in barred_places}
    before = {e.entry_id: e for e in manifests.read_entries(store.manifests, dataset)}
    recorded = store.ledger.assets()
    fresh = {place: sha256 for place, sha256 in assets.items() if recorded.get(place) != sha256}
    hashes = recordings.read_recordings(store.manifests, dataset)
    put_step = put_entries(store, entries, fresh)
    changed = [
        entry
        for entry in put_step["entries"]
        if (old := before.get(entry["entry_id"])) is None
        or manifests.entry_fields(old) != entry
        or hashes.get(entry["entry_id"]) != put_step["hashes"][entry["entry_id"]]
    ]
    steps: list[Step] = [{"do": "put_text", "name": n, "text": t} for n, t in texts.items()]
    if fresh:
        rows = [[site, video_id, sha256] for (site, video_id), sha256 in sorted(fresh.items())]
        steps.append({"do": "record_assets", "assets": rows})
    if splits.keys() - manifests.read_splits(store.manifests, dataset).keys():
        steps.append({"do": "freeze_splits", "splits": dict(splits)})
    if changed:
        steps.append({**put_step, "entries": changed})
    if steps:
        make(store, dataset, Change("intake", {}, steps))
    return len({entry["entry_id"] for entry in changed} - before.keys())


def _put_entries(
    store: Store,
    dataset: str,
    *,
    entries: Sequence[Mapping[str, Any]],
    hashes: Mapping[str, Mapping[str, str]],
) -> None:
    entries_by_id = {e.entry_id: e for e in manifests.read_entries(store.manifests, dataset)}
    entries_by_id |= {e.entry_id: e for e in map(manifests.entry_from, entries)}
    _write_entries(store, dataset, entries_by_id, hashes)


def _drop_entries(store: Store, dataset: str, *, ids: Sequence[str]) -> None:
    entries_by_id = {e.entry_id: e for e in manifests.read_entries(store.manifests, dataset)}
    _drop_corrections(store, dataset, set(ids))
    _write_entries(
        store, dataset, {k: v for k, v in entries_by_id.items() if k not in set(ids)}, {}
    )


def _drop_corrections(store: Store, dataset: str, ids: Set[str]) -> None:
    """Take out every line of corrections about some entries; other lines stay as they are."""
    with lines.alone(store, dataset, NAME):
        every = read_corrections(store.manifests, dataset)
        if any(each.entry_id in ids for each in every):
            rows = (each.fields() for each in every if each.entry_id not in ids)
            store.manifests.write(f"{dataset}/{NAME}.jsonl", lines.text_of(rows))


def _write_entries(
    store: Store,
    dataset: str,
    entries: Mapping[str, Entry],
    hashes: Mapping[str, Mapping[str, str]],
) -> None:
    hashes_by_entry = {**recordings.read_recordings(store.manifests, dataset), **hashes}
    entry_hashes = {entry_id: hashes_by_entry.get(entry_id, {}) for entry_id in entries}
    # Entries come last: what they name is known before they are.
    recordings.write_recordings(store.manifests, dataset, entry_hashes)
    manifests.write_entries(store.manifests, dataset, entries.values())


def _put_text(store: Store, dataset: str, *, name: str, text: str) -> None:
    store.manifests.write(f"{dataset}/{name}", text.encode())


def _freeze_splits(store: Store, dataset: str, *, splits: Mapping[str, str]) -> None:
    """Freeze the splits of songs that have none; a split that is frozen stays."""
    frozen = manifests.read_splits(store.manifests, dataset)
    if splits.keys() - frozen.keys():
        manifests.write_splits(store.manifests, dataset, {**splits, **frozen})


def _record_assets(store: Store, dataset: str, *, assets: Sequence[Sequence[str]]) -> None:
    hashes = {(site, video_id): sha256 for site, video_id, sha256 in assets}
    sizes = {sha: asset_size(store.root, sha) for sha in set(hashes.values())}
    store.ledger.record_assets(hashes, {sha: size for sha, size in sizes.items() if size})


def _bar(
    store: Store,
    dataset: str,
    *,
    sources: Sequence[Sequence[str]],
    reason: str,
    contents: Mapping[str, str],
    entries: Sequence[str] = (),
) -> None:
    """Let nothing take these recordings again: tombstones and the blocklist."""
    items = Items(store.ledger)
    barred = [Source(site, video_id) for site, video_id in sources]
    for source in barred:
        items.bury(source, reason)
    # One blocklist serves all datasets of a root.
    with locks.hold(store.ledger, "blocklist", wait=True):
        names = [f"{dataset}/{name}" for name in entries]
        manifests.block(store.manifests, barred, reason, contents, names)
        written.remember_blocklist(store)


def _move_items(
    store: Store,
    dataset: str,
    *,
    sources: Sequence[Sequence[str]],
    state: str,
    before: Sequence[str] = (),
    step: str = "",
    detail: str = "",
) -> None:
    """Bring items of the crawl to a state; with `before`, only those that are in one of these."""
    moved = [Source(site, video_id) for site, video_id in sources]
    Items(store.ledger).move(dataset, moved, state, before=before, step=step, detail=detail)


def _write_release(
    store: Store, dataset: str, *, version: str, facts: Mapping[str, Any] | None = None
) -> None:
    receipt = shards.read_receipt(store.root, dataset)
    if receipt is None:
        raise GivenUp(f"{dataset} has no shards in {store.root.shown} to release")
    # The plan of an earlier version of the program holds no facts.
    full = {**receipt, card.FACTS: facts} if facts is not None else receipt
    try:
        releases.copy_shards(store, dataset, version, full, dataset)
        removal.put_release(store, dataset, version, full)
    except Damaged as error:
        releases.withdraw(store, dataset, version)
        raise GivenUp(str(error)) from error


_STEPS: Mapping[str, Callable[..., None]] = {
    "bar": _bar,
    "drop_entries": _drop_entries,
    "forget_entries": removal.forget_entries,
    "forget_recordings": removal.forget_recordings,
    "freeze_splits": _freeze_splits,
    "move_items": _move_items,
    "put_entries": _put_entries,
    "put_text": _put_text,
    "record_assets": _record_assets,
    "replace_release": removal.replace_release,
    "rewrite_shards": removal.rewrite_shards,
    "withdraw_release": removal.withdraw_release,
    "write_release": _write_release,
}
