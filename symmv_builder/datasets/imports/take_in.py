"""Songs of a published dataset into the store: their files as assets, their entries, splits.

Nothing is converted here. What a song's files say is read by the steps of its recipe, in
worker processes, each result under a key; so an import can be stopped and run again, and
a song that is damaged is put aside like any other entry.
"""

import hashlib
import json
import time
from collections.abc import Callable
from typing import Any

from symmv_builder.datasets import changes
from symmv_builder.datasets.imports.published_archive import pack
from symmv_builder.datasets.imports.tree import Tree
from symmv_builder.datasets.survey import recordings_of
from symmv_builder.files import read_file
from symmv_builder.pipeline.events import Event
from symmv_builder.records import Entry
from symmv_builder.storage import manifests
from symmv_builder.storage.assets import add_asset_bytes
from symmv_builder.storage.root import Root
from symmv_builder.storage.store import Store

Tell = Callable[[Event], None]
_NOTE_EVERY_S = 2.0
_OPTIONS = "import.json"


def take_in(store: Store, dataset: str, tree: Tree, tell: Tell) -> None:
    """Store the files of every song, then options, frozen splits and entries as one change.

    A split that is already frozen stays; entries that are known from before stay too. A
    song that was taken down is passed over and named: nothing of it is stored again.
    """
    with changes.writing(store, dataset):
        _take_in(store, dataset, tree, tell)


def _take_in(store: Store, dataset: str, tree: Tree, tell: Tell) -> None:
    store.root.sweep_all("assets")
    blocked = manifests.read_blocklist(store.manifests)
    barred = manifests.blocked_contents(store.manifests)
    entries: list[Entry] = []
    gone: list[str] = []
    assets: dict[tuple[str, str], str] = {}
    told_s = time.monotonic()
    for number, song in enumerate(tree.songs, start=1):
        if time.monotonic() - told_s > _NOTE_EVERY_S:
            told_s = time.monotonic()
            tell(Event("note", "", detail=f"songs taken in: {number} of {len(tree.songs)}"))
        if not blocked.keys().isdisjoint((song.entry.music, song.entry.video)):
            gone.append(song.entry.entry_id)
            continue
        places = recordings_of(dataset, song.entry)
        if song.music is not None:
            data = read_file(song.music)
            if hashlib.sha256(data).hexdigest() in barred:
                gone.append(song.entry.entry_id)
                continue
            assets[places["music"]] = add_asset_bytes(store.root, data)
        entries.append(song.entry)
        packed = {name: read_file(path) for name, path in song.files.items()}
        packed |= {name: text.encode() for name, text in song.texts.items()}
        if packed:
            assets[places["published"]] = add_asset_bytes(store.root, pack(packed))
    if gone:
        tell(Event("note", "", detail=f"{len(gone)} left out: taken down: {', '.join(gone)}"))
    # Written without options too: it is what says that the dataset is an import.
    is_told = was_taken_in(store.manifests, dataset) and tree.options == read_options(
        store.manifests, dataset
    )
    text = json.dumps(dict(tree.options), indent=1, sort_keys=True) + "\n"
    changes.take_in(
        store,
        dataset,
        entries,
        assets,
        splits=tree.splits,
        texts={} if is_told else {_OPTIONS: text},
    )


def read_options(root: Root, dataset: str) -> dict[str, Any]:
    """Read what the last import found out about its copy of a dataset.

    Empty where there was none.
    """
    remedy = "delete it and import again"
    return manifests.read_object(root, f"{dataset}/{_OPTIONS}", "what an import left", remedy)


def was_taken_in(root: Root, dataset: str) -> bool:
    """Check whether an import into this data root made a dataset."""
    return "/" not in dataset and root.exists(f"{dataset}/{_OPTIONS}")
