"""The steps of a recipe as one list, each with when it runs: in a build, in a crawl, or in both."""

from collections.abc import Mapping
from dataclasses import dataclass

from symmv_builder.datasets.recipe import Recipe
from symmv_builder.pipeline.step import Use

BUILD, CRAWL, ALWAYS = "build", "crawl", "always"


@dataclass(frozen=True, slots=True)
class Placed:
    """A use and when it runs."""

    use: Use
    when: str


def placed_of(recipe: Recipe) -> dict[str, Placed]:
    """Join the steps of a build and of a crawl into one list: each keeps the order of both."""
    placed: dict[str, Placed] = {}
    screening = list(recipe.screening)
    shared = {use.makes for use in screening}
    for use in recipe.uses:
        if use.makes in shared:
            while screening[0].makes != use.makes:
                only = screening.pop(0)
                placed[only.makes] = Placed(only, CRAWL)
            screening.pop(0)
        placed[use.makes] = Placed(use, ALWAYS if use.makes in shared else BUILD)
    placed.update({use.makes: Placed(use, CRAWL) for use in screening})
    return placed


def move_after(
    placed: Mapping[str, Placed], after: str, name: str, new: Placed
) -> dict[str, Placed]:
    """Move one step behind another, away from where it stood."""
    moved = {}
    for key, value in placed.items():
        if key != name:
            moved[key] = value
        if key == after:
            moved[name] = new
    return moved
