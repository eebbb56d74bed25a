"""Published datasets, each with what is odd about it converted in one place.

A module of `importers` says where the files of its release lie (`scan`), how each of them
is read (steps), and what is made of them (`RECIPE`). An import is a build of that recipe: its
songs are entries, their published files are packed into one stored file a song, and the
steps read that file as others read a recording.
"""

from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Any

from symmv_builder import datasets, plugins
from symmv_builder.datasets.imports.tree import Tree
from symmv_builder.datasets.recipe import Recipe
from symmv_builder.datasets.recipe_file import name_fault
from symmv_builder.errors import CannotRead, NoSuchPath, StopRun, UnknownName
from symmv_builder.pipeline.step import RECORDINGS
from symmv_builder.training import Option

__all__ = ["artifacts", "options", "recipe", "renamed", "scan"]

# What an importer's module has to offer; `importers` says what else it may.
PARTS = ("RECIPE", "MEDIA", "scan")


def _module(name: str) -> Any:
    if name in datasets.IMPORTED:
        return import_module(f"{__name__}.importers.{name.replace('-', '_')}")
    plugin = plugins.find("importers", name)
    if plugin is None:
        raise UnknownName("import", name, datasets.importable())
    module = plugins.load(plugin)
    if lacks := [part for part in PARTS if not hasattr(module, part)]:
        raise plugin.broken(f"{plugin.target} has no {', '.join(lacks)}")
    if not isinstance(module.RECIPE, Recipe):
        raise plugin.broken(f"{plugin.target}.RECIPE is no Recipe")
    if module.RECIPE.name != name:
        raise plugin.broken(f"its recipe is called {module.RECIPE.name}")
    if fault := name_fault(name):
        raise plugin.broken(fault)
    if name in datasets.installed():
        raise plugin.broken("a dataset that is no import has this name")
    if isinstance(module.MEDIA, str) or not set(module.MEDIA) <= set(RECORDINGS):
        raise plugin.broken(f"{plugin.target}.MEDIA is no tuple out of {', '.join(RECORDINGS)}")
    if not callable(module.scan):
        raise plugin.broken(f"{plugin.target}.scan is no function")
    if not all(isinstance(option, Option) for option in getattr(module, "OPTIONS", ())):
        raise plugin.broken(f"{plugin.target}.OPTIONS holds what is no Option")
    return module


def _plugin(name: str) -> plugins.Plugin | None:
    return None if name in datasets.IMPORTED else plugins.find("importers", name)


def options() -> dict[str, Option]:
    """List what importers can be told, by the name of the option; of two the first.

    One of another package that cannot be used is left out.
    """
    by_name: dict[str, Option] = {}
    for name in datasets.importable():
        try:
            declared = getattr(_module(name), "OPTIONS", ())
        except StopRun:
            if name in datasets.IMPORTED:
                raise
            continue
        for option in declared:
            by_name.setdefault(option.name, option)
    return by_name


def recipe(name: str, options: Mapping[str, Any] | None = None) -> Recipe:
    """Give the recipe of an imported dataset, for a copy of which `options` are known."""
    module = _module(name)
    with plugins.blaming(_plugin(name)):
        recipe: Recipe = module.with_options(options) if options else module.RECIPE
        known_uses = {use.makes: use for use in recipe.known}
        # Asked here, where a step of a plug-in that cannot say its columns has a name.
        for use in recipe.known:
            use.columns(known_uses)
    if recipe.results:
        return recipe
    # Rows are ordered as those of the schema that they follow.
    is_published = recipe.schema_name in datasets.NAMES
    order = datasets.recipe(recipe.schema_name).results if is_published else tuple(known_uses)
    return replace(
        recipe, results=tuple(n for n in order if n in known_uses and known_uses[n].step.columns)
    )


def published_licence(release: str) -> str | None:
    """Give the licence under which a dataset was published (`Recipe.release_name`), empty for none.

    `None` for a dataset that is no import.
    """
    return str(getattr(_module(release), "LICENCE", "")) if datasets.is_imported(release) else None


def artifacts(recipe: Recipe) -> tuple[str, ...]:
    """List what an import makes: everything that needs no recording beside the published files."""
    out = set(_module(recipe.release_name).MEDIA)
    for use in recipe.uses:
        if out & set(use.inputs):
            out.add(use.makes)
    return tuple(use.makes for use in recipe.uses if use.makes not in out)


def renamed(tree: Tree, dataset: str) -> Tree:
    """The songs of a release as entries of a dataset of another name."""
    songs = (replace(s, entry=replace(s.entry, dataset=dataset)) for s in tree.songs)
    return replace(tree, songs=tuple(songs))


def scan(name: str, path: Path, **choices: str) -> Tree:
    """Find the songs of a release's folder; `StopRun` where it is none, or for a strange choice."""
    scan = _module(name).scan
    _, *accepted = signature(scan).parameters
    unknown = sorted(set(choices) - set(accepted))
    if unknown:
        raise UnknownName("choice", unknown[0], accepted, where=name)
    if not path.is_dir():
        raise NoSuchPath(path, "folder")
    with plugins.blaming(_plugin(name)):
        try:
            tree = scan(path, **choices)
        except OSError as error:
            raise CannotRead(error.filename or path, error.strerror or str(error)) from error
        if not isinstance(tree, Tree):
            raise TypeError(f"scan gave {type(tree).__name__}, which is no Tree")
        if others := {song.entry.dataset for song in tree.songs} - {name}:
            raise ValueError(f"scan gave entries of {', '.join(sorted(others))}")
        return tree
