"""Recordings for an imported dataset, out of a folder in which files bear its ids.

A release names its videos and does not hold them. Whoever has them puts them into a
folder, at any depth, each under the id of its video at the site or of its entry
(``videos/KFNEtO7fO9M.mp4``, ``00008.webm``). What a crawl has fetched needs no folder: a
recording is known by its site and id, whichever dataset asked for it.
"""

from pathlib import Path

from symmv_builder.crawl.folder import VIDEO, FolderContents
from symmv_builder.datasets.recipe import Recipe
from symmv_builder.errors import MalformedFile, NoEntries, NoSuchPath
from symmv_builder.files import Folder
from symmv_builder.records import Source
from symmv_builder.storage import manifests
from symmv_builder.storage.store import Store


def find_media(folder: Path, recipe: Recipe, store: Store) -> FolderContents:
    """Find the file of each entry's video below a folder; other videos there are `unpaired`.

    `StopRun` where nothing of the dataset is there, or nothing of it was imported, or where
    two files claim to be one video.
    """
    if not folder.is_dir():
        raise NoSuchPath(folder, "folder")
    entries = manifests.read_entries(store.manifests, recipe.name)
    if not entries:
        raise NoEntries(recipe.name, store.root.shown, is_imported=True)
    by_name = {entry.entry_id: entry.video for entry in entries}
    by_name |= {entry.video.video_id: entry.video for entry in entries}
    paths: dict[Source, Path] = {}
    unpaired = []
    handed_in = Folder(folder)
    for path in handed_in.files():
        if path.suffix.lower() not in VIDEO:
            continue
        source = by_name.get(path.stem)
        if source is None:
            unpaired.append(path)
        elif source in paths:
            problem = f"{paths[source]} and {path} would both be {source.url}: remove one"
            raise MalformedFile(folder, problem)
        else:
            paths[source] = path
    if not paths:
        problem = f"it holds no video named by an id of {recipe.name} or its entries"
        raise MalformedFile(folder, problem)
    return FolderContents((), paths, tuple(unpaired), tuple(handed_in.left_out))
