"""The datasets that can be built or imported, each a recipe.

A built-in recipe is a file, `symmv_builder/recipes/NAME.toml`; a person's own is one like it, and
another package brings one as the file `NAME.toml` in the package that its entry point names.
What a data root remembers of its datasets' recipes is `remembered`'s business.
"""

from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from symmv_builder import plugins

# Here and not where it is used: the submodule would hide the function of its name.
from symmv_builder.datasets.recipe import Recipe
from symmv_builder.errors import CannotRead, NoSuchPath, RecipeError, UnknownName, WrongSetting

NAMES = ("symmv", "muvisync")
SUFFIX = ".toml"
_MOST_BYTES = 1 << 20


def _importers() -> tuple[str, ...]:
    """List the datasets that have a module in `imports/importers`; none is imported for that."""
    modules = (Path(__file__).parent / "imports" / "importers").glob("[a-z]*.py")
    return tuple(sorted(module.stem.replace("_", "-") for module in modules))


# Published datasets that `symmv import` brings in, in one of the two schemas.
IMPORTED = _importers()
ALL = (*NAMES, *IMPORTED)


def built_in() -> tuple[str, ...]:
    """List the names of the recipes that the package brings, sorted."""
    folder = resources.files("symmv_builder") / "recipes"
    names = (file.name for file in folder.iterdir())
    return tuple(sorted(name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX)))


def installed() -> tuple[str, ...]:
    """List the names of all installed recipes: the built-in ones, then those of plug-ins."""
    return tuple(dict.fromkeys((*built_in(), *plugins.plugins("recipes"))))


def importable() -> tuple[str, ...]:
    """List the names of all published datasets that can be imported, those of plug-ins last."""
    return tuple(dict.fromkeys((*IMPORTED, *plugins.plugins("importers"))))


def is_imported(name: str) -> bool:
    """Check whether a dataset's entries are those of a published release, by what is installed.

    What a data root took in is an import after its importer is gone too: `remembered.is_import`.
    """
    return name in IMPORTED or (name not in NAMES and name in importable())


def imported_results(recipe: Recipe) -> tuple[str, ...]:
    """List what an import makes by its recipe, without recordings that the release lacks."""
    from symmv_builder.datasets import imports

    return imports.artifacts(recipe)


def recipe_text(name: str) -> str:
    """Read the file of an installed recipe; `StopRun` with the known names where there is none."""
    if name in built_in():
        return (resources.files("symmv_builder") / "recipes" / f"{name}{SUFFIX}").read_text("utf-8")
    plugin = plugins.find("recipes", name)
    if plugin is None:
        raise UnknownName("dataset", name, (*installed(), *importable()))
    with plugins.blaming(plugin):
        return (resources.files(plugin.target) / f"{name}{SUFFIX}").read_text("utf-8")


def recipe(name: str) -> Recipe:
    """Read the recipe of a dataset; `StopRun` with the known names where there is none."""
    return _named(name, ())


def _named(name: str, above: tuple[str, ...]) -> Recipe:
    if name in above:
        raise RecipeError(name, "it is its own base")
    if is_imported(name):
        # Imported here so that a question about one dataset does not import the stages of all.
        from symmv_builder.datasets import imports

        return imports.recipe(name)
    from symmv_builder.datasets.recipe_file import read_recipe

    plugin = None if name in built_in() else plugins.find("recipes", name)
    of_package = f" of the package {plugin.package}" if plugin else ""
    recipe_read = read_recipe(
        recipe_text(name), f"{name}{SUFFIX}{of_package}", lambda base: _named(base, (*above, name))
    )
    if plugin and recipe_read.name != name:
        raise plugin.broken(f"{name}{SUFFIX} is of a dataset called {recipe_read.name}")
    return recipe_read


def recipe_in_file(
    path: Path,
    is_import: Callable[[str], bool] = is_imported,
    options: Mapping[str, Any] | None = None,
) -> Recipe:
    """Read the recipe that a person wrote; its base may be built in or a file beside it.

    It must not take the name of an import, as `is_import` knows them. Where its base is an import,
    `options` are what is known of the copy of that. `StopRun` with line and key of a mistake, or
    where the file cannot be read.
    """
    return _in_file(path, is_import, options, ())


def _in_file(
    path: Path,
    is_import: Callable[[str], bool],
    options: Mapping[str, Any] | None,
    above: tuple[Path, ...],
) -> Recipe:
    from symmv_builder.datasets.recipe_file import read_recipe

    if "\0" in str(path) or not path.is_file():
        raise NoSuchPath(path)
    place = path.resolve()
    if place in above:
        raise RecipeError(path, "it is its own base")

    def find(name: str) -> Recipe:
        if name.endswith(SUFFIX):
            return _in_file(path.parent / name, is_import, options, (*above, place))
        if options and is_imported(name):
            from symmv_builder.datasets import imports

            return imports.recipe(name, options)
        return recipe(name)

    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            raise RecipeError(path, "it is too large for a recipe")
        # Editors of some systems put a mark of byte order in front.
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise CannotRead(path, error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        raise RecipeError(path, f"it is no text in UTF-8: {error.reason}") from error
    return read_recipe(text, str(path), find, is_import)


def variant(name: str, way: str) -> Recipe:
    """Read the recipe of a dataset made in another way, `NAME-WAY`, under the dataset's own name.

    `StopRun` with the known ways where there is none.
    """
    from dataclasses import replace

    differing = [
        other.removeprefix(f"{name}-") for other in installed() if other.startswith(f"{name}-")
    ]
    if way not in differing:
        how = f"can be made as {' or '.join(differing)}" if differing else "is made in one way only"
        raise WrongSetting("`way`", way, f"{name} {how}")
    return replace(recipe(f"{name}-{way}"), name=name)
