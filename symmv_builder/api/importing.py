"""Import published datasets: their annotation becomes entries and shards of ours."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from symmv_builder.api.dataset import Dataset, Summary
from symmv_builder.datasets import SUFFIX, imports, recipe_in_file
from symmv_builder.datasets.recipe import with_models
from symmv_builder.errors import RecipeError
from symmv_builder.settings import read_settings
from symmv_builder.training import Option

__all__ = ["Option", "Release", "import_dataset", "import_options", "open_release"]


@dataclass(frozen=True, slots=True)
class Release:
    """A copy of a published dataset, looked at, and the dataset of ours that it becomes.

    `left_out` says what of it does not become an entry, and why.
    """

    dataset: Dataset
    tree: Any
    left_out: tuple[str, ...]

    @property
    def makes(self) -> list[str]:
        """The names of what is made of it without its recordings, in the order of the recipe."""
        plan = self.dataset.plan(imports.artifacts(self.dataset.recipe))
        return [use.makes for use in plan.uses]

    def take_in(self, **how: Any) -> Summary:
        """Write its entries and shards; `how` are arguments of `Dataset.import_release`."""
        return self.dataset.import_release(self.tree, **how)


def import_options() -> list[Option]:
    """List the choices that importers offer, each named with its importer in its help."""
    return list(imports.options().values())


def open_release(
    name: str | Path,
    path: str | Path,
    root: str | Path | None = None,
    *,
    models: Mapping[str, str] | None = None,
    choices: Mapping[str, str | None] | None = None,
) -> Release:
    """Look at the release in a folder; `StopRun` where it is none of that name.

    `name` is one of `datasets.importable()`, or a recipe file whose base is one; `choices` are
    those of its import (`import_options`), `None` for the default.
    """
    options = {each: choice for each, choice in (choices or {}).items() if choice is not None}
    if str(name).endswith(SUFFIX):
        file = Path(name)
        release = recipe_in_file(file).release
        if not release:
            problem = "its entries are those of no import: name one as its `base`"
            raise RecipeError(file, problem)
        tree = imports.scan(release, Path(path), **options)
        recipe = recipe_in_file(file, options=tree.options)
        tree = imports.renamed(tree, recipe.name)
    else:
        tree = imports.scan(str(name), Path(path), **options)
        recipe = imports.recipe(str(name), tree.options)
    dataset = Dataset(with_models(recipe, models or {}), read_settings(root=root))
    return Release(dataset, tree, tuple(tree.left_out))


def import_dataset(
    name: str | Path,
    path: str | Path,
    root: str | Path | None = None,
    *,
    models: Mapping[str, str] | None = None,
    workers: int = 0,
    **choices: str,
) -> Dataset:
    """Import a published dataset from the folder `path`: the dataset, with its shards written.

    Arguments and errors are those of `open_release`.

    Examples:
        >>> sb.import_dataset("midi", "songs", root="data", beats="file").status().made
        10
    """
    release = open_release(name, path, root, models=models, choices=choices)
    release.take_in(workers=workers)
    return release.dataset
