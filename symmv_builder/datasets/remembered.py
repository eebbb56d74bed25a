"""The recipes of a data root's datasets: what was chosen once holds for every later command.

`DATASET/recipe.toml` among the manifests is the recipe of the last build, whole, with the models
that were chosen. It is text to be read and edited; a build takes it as it is.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from symmv_builder import datasets
from symmv_builder.datasets.recipe import Recipe, with_models
from symmv_builder.datasets.recipe_file import read_recipe
from symmv_builder.datasets.recipe_writer import differences, write_recipe
from symmv_builder.errors import NoShards, RecipeError, StopRun, UnknownName, WrongArguments
from symmv_builder.storage.manifests import has_entries
from symmv_builder.storage.receipts import read_receipt

if TYPE_CHECKING:
    from symmv_builder.storage.root import Root
    from symmv_builder.storage.store import Store

FILE = f"recipe{datasets.SUFFIX}"
DEFAULT = "default"


def names_in(manifests: "Root") -> tuple[str, ...]:
    """List the datasets that a root may hold: the known ones, and those that it remembers."""
    own = (name for name in manifests.folders("") if manifests.exists(f"{name}/{FILE}"))
    return tuple(dict.fromkeys((*datasets.ALL, *sorted(own))))


def known_names(manifests: "Root") -> tuple[str, ...]:
    """List every name that a dataset may have here: those installed, and the root's own."""
    return tuple(
        dict.fromkeys((*datasets.installed(), *datasets.importable(), *names_in(manifests)))
    )


def is_known(manifests: "Root", name: str) -> bool:
    """Check whether a name is that of a dataset; no recipe is read."""
    return name in known_names(manifests)


def require_known(manifests: "Root", name: str) -> None:
    """Raise `StopRun` where a name is no dataset's and the root has no entries of it.

    No recipe is read.
    """
    require_folder(manifests, name)
    # Other packages are looked at for a name that is neither this one's nor the root's.
    if name in datasets.ALL or has_entries(manifests, name):
        return
    names = known_names(manifests)
    if name not in names:
        raise UnknownName("dataset", name, names)


def require_folder(manifests: "Root", name: str) -> None:
    """Raise `StopRun` where a name cannot be a folder's in the root: it may be a stranger's."""
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise UnknownName("dataset", name, known_names(manifests))


def require_receipt(root: "Root", manifests: "Root", name: str) -> dict[str, Any]:
    """Read the receipt of a dataset's shards.

    `StopRun` where the name is no dataset's, or where nothing of it is built.
    """
    receipt = read_receipt(root, name)
    if receipt is None:
        require_known(manifests, name)
        raise NoShards(name, root.shown, is_imported=is_import(manifests, name))
    return receipt


def is_import(manifests: "Root", name: str) -> bool:
    """Check whether a dataset's entries are those of a published release.

    A root that took them in knows it without the importer, which may be uninstalled since.
    """
    if datasets.is_imported(name):
        return True
    from symmv_builder.datasets.imports.take_in import was_taken_in

    return was_taken_in(manifests, name)


def recipe_of(manifests: "Root", name: str) -> Recipe:
    """Read the recipe of a dataset of this root, else the one of that name that the package knows.

    `StopRun` where there is none, or with line and key of what is wrong in a remembered one.
    """
    data = manifests.read(f"{name}/{FILE}") if "/" not in name else None
    if data is None:
        if not datasets.is_imported(name):
            return _installed(manifests, name)
        from symmv_builder.datasets import imports
        from symmv_builder.datasets.imports.take_in import read_options

        return imports.recipe(name, read_options(manifests, name))
    place = f"{manifests.shown}/{name}/{FILE}"
    try:
        recipe = read_recipe(data.decode("utf-8-sig"), place, datasets.recipe)
    except UnicodeDecodeError as error:
        problem = f"it is no text in UTF-8: {error.reason}"
        raise _unreadable(RecipeError(place, problem), name) from error
    except RecipeError as error:
        problem = error.problem
        if isinstance(error.__cause__, UnknownName):
            problem += "; the package that brought it may have been uninstalled"
        raise _unreadable(replace(error, problem=problem), name) from error
    if recipe.name != name:
        raise RecipeError(place, f"it is the recipe of {recipe.name}; call it {name} or move it")
    return recipe


def _unreadable(error: RecipeError, name: str) -> RecipeError:
    return replace(error, is_remembered=True, is_installed=_is_installed(name))


def _is_installed(name: str) -> bool:
    return name in (*datasets.installed(), *datasets.importable())


def _installed(manifests: "Root", name: str) -> Recipe:
    """Read an installed recipe; whoever mistypes a name is told the datasets of the root, too."""
    try:
        return datasets.recipe(name)
    except UnknownName as error:
        if (error.kind, error.name) != ("dataset", name):
            raise
        raise replace(error, known=known_names(manifests)) from error


def choose_recipe(
    manifests: "Root", what: str | Path, *, way: str = "", models: Mapping[str, str] | None = None
) -> Recipe:
    """Find the recipe that a command means by `what`: a .toml file, or a dataset's name.

    `way` is another way of making the dataset (``paper``), or ``default`` for the built-in recipe
    in place of the remembered one. `models` maps a slot to a backend's name.
    """
    what = str(what)
    if what.endswith(datasets.SUFFIX):
        if way:
            problem = f"`way` {way} is for the built-in recipes; {what} is a recipe of its own"
            raise WrongArguments(problem)
        recipe = _in_file(manifests, Path(what))
    elif way == DEFAULT and not _is_installed(what):
        raise WrongArguments(
            f"{what} has no built-in recipe to go back to; build it from a recipe file"
        )
    elif way == DEFAULT:
        recipe = datasets.recipe(what)
    elif way:
        recipe = datasets.variant(what, way)
    else:
        recipe = recipe_of(manifests, what)
    return with_models(recipe, models or {})


def _in_file(manifests: "Root", path: Path) -> Recipe:
    """The recipe of a file; one of an import is for the copy that the root took in."""
    from symmv_builder.datasets.imports.take_in import read_options

    is_known = partial(is_import, manifests)
    recipe = datasets.recipe_in_file(path, is_known)
    options = read_options(manifests, recipe.name) if recipe.release else {}
    return datasets.recipe_in_file(path, is_known, options) if options else recipe


def remember(store: "Store", recipe: Recipe) -> None:
    """Write down how a dataset is made."""
    name = f"{recipe.name}/{FILE}"
    about = (
        f"How {recipe.name} is made here. `symmv build {recipe.name}` goes on by this file; edit",
        "it, or build from a recipe of your own, to change it.",
    )
    data = write_recipe(recipe, about).encode()
    if store.manifests.read(name) != data:
        store.manifests.write(name, data)


def changes_to(store: "Store", recipe: Recipe) -> list[str]:
    """List what a build by this recipe would make in another way than before, a line each."""
    if not store.manifests.exists(f"{recipe.name}/{FILE}"):
        return []
    try:
        before = recipe_of(store.manifests, recipe.name)
    except StopRun as error:
        return [f"what it was made by cannot be read ({error})"]
    return differences(before, recipe)
