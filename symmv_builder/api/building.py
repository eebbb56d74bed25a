"""Build a dataset as its one writer: take recordings in, remember the recipe, make, write shards.

`api.dataset.Dataset` explains the arguments; here is the order in which things are done.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from symmv_builder.api.works import Runner
from symmv_builder.crawl.folder import FolderContents, find_entries
from symmv_builder.datasets import build, changes, remembered
from symmv_builder.datasets.build import Summary
from symmv_builder.datasets.recipe import Recipe
from symmv_builder.errors import Reason
from symmv_builder.pipeline.events import Event
from symmv_builder.pipeline.keys import Plan
from symmv_builder.pipeline.run import Tell
from symmv_builder.storage.store import Store
from symmv_builder.text import amount

__all__ = ["FolderContents"]

Expect = Callable[[int, int], object]


def recordings_in(folder: Path, recipe: Recipe, store: Store) -> FolderContents:
    """Find the entries and recordings that a folder holds for a dataset.

    Of an imported dataset the recordings of its own entries, by their ids. `StopRun` where there
    are none.
    """
    if not remembered.is_import(store.manifests, recipe.name):
        return find_entries(folder, recipe.name, pairs=recipe.pairs)
    from symmv_builder.datasets.imports.media import find_media

    return find_media(folder, recipe, store)


def count_new(contents: FolderContents, store: Store) -> int:
    """Count the recordings of a folder that a data root does not have."""
    assets = store.ledger.assets()
    return sum((source.site, source.video_id) not in assets for source in contents.files)


def tell_left_out(contents: FolderContents, tell: Tell) -> None:
    """Tell what a folder holds and a dataset does not take, a note each."""
    for path in contents.unpaired:
        tell(Event("note", "", detail=f"{path} has no partner and is left out"))
    for line in contents.left_out:
        tell(Event("note", "", detail=f"left out: {line}"))


def take_in(
    recipe: Recipe, store: Store, contents: FolderContents, *, wait: bool, tell: Tell
) -> int:
    """Store the recordings of a folder and remember the recipe; gives how many entries are new."""
    with changes.writing(store, recipe.name, wait=wait, tell=lambda _: None):
        count = build.take_in(store, contents, recipe.name, tell)
        remembered.remember(store, recipe)
    return count


def build_as_writer(
    recipe: Recipe,
    plan: Plan,
    store: Store,
    runner: Runner,
    add_entries: Callable[[Store], object],
    *,
    whole: Plan | None,
    shard_bytes: int | None = None,
    retry: Sequence[Reason] = (),
    strict: bool,
    wait: bool,
    tell: Tell,
    expect: Expect,
) -> Summary:
    """Build as the one writer of the dataset: tell what changes, forgive, add entries, build.

    `add_entries` takes in what is new before anything is made. `whole` is the plan of everything,
    where `plan` makes a part of it. Errors are those of `datasets.build.build`.
    """

    def note(text: str) -> None:
        tell(Event("note", "", detail=text))

    with changes.writing(store, recipe.name, wait=wait, tell=note):
        for line in remembered.changes_to(store, recipe):
            note(f"{recipe.name} is made in another way now: {line}")
        if retry:
            count = build.forgive(store, recipe.name, retry)
            note(f"tried again: {amount(count, 'entry')}")
        add_entries(store)
        remembered.remember(store, recipe)
        return build.build(
            recipe,
            plan,
            store,
            runner(plan, store),
            whole=whole,
            shard_bytes=shard_bytes,
            tell=tell,
            expect=expect,
            strict=strict,
        )
