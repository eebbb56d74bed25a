"""The datasets that can be built or imported, each a recipe."""

from symmv_builder.datasets.recipe import Recipe
from symmv_builder.errors import StopRun

NAMES = ("symmv", "muvisync")
# Published datasets that `symmv import` brings in, in one of the two schemas.
IMPORTED = ("symmv-release", "muvi-sync", "pop909", "midi")
ALL = (*NAMES, *IMPORTED)


def recipe(name: str) -> Recipe:
    """The recipe of a dataset; `StopRun` with the known names where there is none."""
    # Imported here so that a question about one dataset does not import the stages of all.
    if name == "symmv":
        from symmv_builder.datasets import symmv

        return symmv.RECIPE
    if name == "muvisync":
        from symmv_builder.datasets import muvisync

        return muvisync.RECIPE
    if name in IMPORTED:
        from symmv_builder.datasets import imports

        return imports.recipe(name)
    raise _unknown(name)


def known(name: str) -> str:
    """The name, if a dataset has it; else `StopRun`. No recipe and no stage is imported."""
    if name not in ALL:
        raise _unknown(name)
    return name


def _unknown(name: str) -> StopRun:
    return StopRun(f"no dataset is called {name!r}; known: {', '.join(ALL)}")
