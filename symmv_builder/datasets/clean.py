"""What lies in a data root and is needed by nobody: to be counted, and freed on request.

Needed is what an entry of any dataset, a release, or an item on its way through a crawl
stands on. A recording is known by the ledger; where that is lost, nothing is taken for
unneeded. Everything is looked at one file at a time.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Literal

from symmv_builder.datasets import changes
from symmv_builder.datasets.corrected import keys_beneath
from symmv_builder.datasets.remembered import names_in
from symmv_builder.datasets.survey import recordings_of
from symmv_builder.errors import StoreUnusable
from symmv_builder.storage import items as states
from symmv_builder.storage import manifests
from symmv_builder.storage.corrections import read_corrections
from symmv_builder.storage.items import Items, entry_id_of
from symmv_builder.storage.root import Root
from symmv_builder.storage.sidecars import Sidecars
from symmv_builder.storage.store import Store

Kind = Literal["orphans", "rejected", "gone", "old_results", "partial", "empty_folders"]
KINDS: tuple[Kind, ...] = (
    "orphans", "rejected", "gone", "old_results", "partial", "empty_folders",
)  # fmt: skip

_NEEDED_STATES = (
    states.FOUND, states.PARSED, states.REVIEW, states.MATCHED, states.FETCHED, states.PROPOSED,
    states.PROMOTED,
)  # fmt: skip
# A recording that nobody knows may be one that is being taken in.
_YOUNG_S = 3600.0
_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Waste:
    """A file or an empty folder that could be freed. `owner` is what the ledger knows it by.

    That is the hash of a recording, or dataset and entry of a result.
    """

    kind: Kind
    root: Root
    name: str
    size_bytes: int = 0
    owner: tuple[str, ...] = ()


@dataclass(slots=True)
class Freed:
    """The files of a kind that were found or freed: how many, and how many bytes."""

    files: int = 0
    size_bytes: int = 0


@dataclass(slots=True)
class _Uses:
    """Hashes of recordings by who uses them, and whether every entry is known to the ledger."""

    needed: set[str] = field(default_factory=set)
    aside: set[str] = field(default_factory=set)
    known: set[str] = field(default_factory=set)
    is_whole: bool = True


def find_waste(
    store: Store, dataset: str | None = None, *, rejected: bool = False, old_results: bool = False
) -> Iterator[Waste]:
    """Find what could be freed, of all datasets or of one; recordings belong to all of them.

    Always: recordings that nothing uses (unless one `dataset` is asked for), results of
    entries that are gone, what killed writers left, empty folders. With `rejected` also the
    recordings of entries that were put aside, with `old_results` also results that newer
    ones have taken the place of. `StopRun` where the manifests lack a dataset that the
    ledger knows: its recordings would look unneeded.
    """
    datasets = _datasets(store)
    names = [dataset] if dataset else datasets
    yield from _recordings(store, datasets, dataset, rejected=rejected)
    for name in names:
        yield from _results(store, name, old_results=old_results)
    apart = store.manifests.url != store.root.url
    for root in [store.root, store.manifests] if apart else [store.root]:
        for folder in [dataset] if dataset else [*datasets, "assets", "releases"]:
            for name, size in root.left_behind(folder):
                yield Waste("partial", root, name, size)
            for name in root.empty_folders(folder):
                yield Waste("empty_folders", root, name)


def free(store: Store, waste: Iterable[Waste]) -> Iterator[Waste]:
    """Remove what was found, and what the ledger knows of it; each thing once it is gone."""
    folders: set[tuple[Root, str]] = set()
    pieces = iter(waste)
    while some := list(islice(pieces, _AT_ONCE)):
        for each in some:
            if each.kind == "empty_folders":
                each.root.remove_folder(each.name)
            else:
                each.root.remove(each.name)
                folders.add((each.root, each.name.rpartition("/")[0]))
        hashes = [each.owner[0] for each in some if each.kind in ("orphans", "rejected")]
        store.ledger.forget_contents(hashes)
        for owner in {each.owner for each in some if each.kind == "gone"}:
            store.ledger.forget_results(owner[0], owner[1])
        yield from some
    for root, folder in folders:
        root.remove_folder(folder)


def count(waste: Iterable[Waste]) -> dict[Kind, Freed]:
    """Count files and bytes by kind, kinds of which there are none included."""
    counts: dict[Kind, Freed] = {kind: Freed() for kind in KINDS}
    for each in waste:
        counts[each.kind].files += 1
        counts[each.kind].size_bytes += each.size_bytes
    return counts


@contextmanager
def alone(
    store: Store, *, wait: bool = False, tell: Callable[[str], object] = lambda _: None
) -> Iterator[None]:
    """Be the only writer of every dataset of a root, those that are only begun included.

    Raises `Locked` where another process writes one of them; with `wait`, waits for it.
    """
    with ExitStack() as locks:
        for name in _datasets(store):
            locks.enter_context(changes.writing(store, name, wait=wait, tell=tell))
        yield


def _datasets(store: Store) -> list[str]:
    with_results = store.ledger.datasets()
    for name in with_results:
        if not store.manifests.exists(f"{name}/entries.jsonl"):
            raise StoreUnusable(
                f"the manifests in {store.manifests.shown}",
                f"the ledger knows results of {name}, and they have no entries of it: set "
                f"SYMMV_MANIFESTS to where {name}/entries.jsonl is",
            )
    return sorted({*names_in(store.manifests), *with_results})


def _recordings(
    store: Store, datasets: Iterable[str], dataset: str | None, *, rejected: bool
) -> Iterator[Waste]:
    if dataset and not rejected:
        return
    uses = _uses(store, datasets, dataset)
    for name, size in store.root.walk("assets"):
        sha256 = name.rpartition("/")[2]
        if sha256 in uses.needed:
            continue
        if sha256 in uses.aside:
            if rejected:
                yield Waste("rejected", store.root, name, size, (sha256,))
        elif not dataset and (
            sha256 in uses.known or (uses.is_whole and not _is_young(store.root, name))
        ):
            yield Waste("orphans", store.root, name, size, (sha256,))


def _uses(store: Store, datasets: Iterable[str], dataset: str | None) -> _Uses:
    assets = store.ledger.assets()
    uses, items = _Uses(known=set(assets.values())), Items(store.ledger)
    for name in datasets:
        aside = store.ledger.rejected_entries(name) if dataset in (None, name) else set()
        for entry in manifests.read_entries(store.manifests, name):
            places = recordings_of(name, entry).values()
            contents = {assets[place] for place in places if place in assets}
            uses.is_whole &= bool(contents)
            (uses.aside if entry.entry_id in aside else uses.needed).update(contents)
        for source in items.sources(name, _NEEDED_STATES):
            sha256 = assets.get((source.site, source.video_id))
            if sha256:
                uses.needed.add(sha256)
    return uses


def _is_young(root: Root, name: str) -> bool:
    if not root.is_local:
        return True
    with suppress(FileNotFoundError):
        return time.time() - Path(root.path(name)).stat().st_mtime < _YOUNG_S
    return True


def _results(store: Store, dataset: str, *, old_results: bool) -> Iterator[Waste]:
    entries = {e.entry_id for e in manifests.read_entries(store.manifests, dataset)}
    on_their_way = {entry_id_of(s) for s in Items(store.ledger).sources(dataset, _NEEDED_STATES)}
    # Undone ones count, too: the last build may have been before.
    corrected = {each.entry_id for each in read_corrections(store.manifests, dataset)}
    sidecars = Sidecars(store.root, dataset)
    for entry_id in store.root.folders(f"{dataset}/sidecars"):
        files = store.root.walk(f"{dataset}/sidecars/{entry_id}")
        if entry_id not in entries and entry_id not in on_their_way:
            for name, size in files:
                yield Waste("gone", store.root, name, size, (dataset, entry_id))
        elif old_results:
            ledger_keys = {r.artifact: r.key for r in store.ledger.results(dataset, entry_id)}
            is_corrected = entry_id in corrected
            beneath = keys_beneath(sidecars, entry_id, ledger_keys) if is_corrected else ()
            for name, size in files:
                artifact, key = Sidecars.parts_of(name.rpartition("/")[2])
                if ledger_keys.get(artifact, key) != key and key not in beneath:
                    yield Waste("old_results", store.root, name, size)
