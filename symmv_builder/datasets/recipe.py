"""A recipe: which stages, with which parameters and models, make a dataset."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from symmv_builder import backends
from symmv_builder.backends import ModelHome
from symmv_builder.errors import StopRun
from symmv_builder.pipeline.keys import Plan
from symmv_builder.pipeline.step import Use
from symmv_builder.schema import SCHEMAS, Column


@dataclass(frozen=True, slots=True)
class Recipe:
    """A dataset as code; all of it enters the keys of what it makes.

    `pairs` says whether an entry is made of two recordings (a cover and a video) or of
    one that is both. `shares` are the proportions of the splits. `screening` is what a pair
    out of a crawl must pass before it is proposed; what it has in common with `uses` is
    made once.
    """

    name: str
    uses: tuple[Use, ...]
    shares: Mapping[str, int]
    pairs: bool
    screening: tuple[Use, ...] = ()

    @property
    def columns(self) -> tuple[Column, ...]:
        return SCHEMAS[self.name]


def with_models(recipe: Recipe, choices: Mapping[str, str]) -> Recipe:
    """The recipe with other models: `choices` maps a slot to a backend's name.

    ``clip=untrained`` stands for the untrained model of the recipe's own width.
    """
    slots = {use.step.slot for use in (*recipe.uses, *recipe.screening) if use.step.slot}
    unknown = sorted(set(choices) - slots)
    if unknown:
        raise StopRun(
            f"{recipe.name} has no model slot {', '.join(unknown)}; it has: "
            f"{', '.join(sorted(slots))}"
        )
    return replace(
        recipe,
        uses=tuple(_with_model(recipe, use, choices) for use in recipe.uses),
        screening=tuple(_with_model(recipe, use, choices) for use in recipe.screening),
    )


def _with_model(recipe: Recipe, use: Use, choices: Mapping[str, str]) -> Use:
    choice = choices.get(use.step.slot or "")
    if choice is None:
        return use
    if choice == "untrained":
        choice = f"untrained-{_semantic_width(recipe)}"
    backends.backend_class(use.step.slot or "", choice)
    return replace(use, model=choice)


def _semantic_width(recipe: Recipe) -> int:
    [column] = [column for column in recipe.columns if column.name == "semantic"]
    return int(column.arrow.value_type.list_size)


def make_plan(recipe: Recipe, home: ModelHome) -> Plan:
    """The plan of a recipe: its uses, and who their models are on this machine.

    `StopRun` where weights are not to be had: before anything is done, not in the middle.
    """
    return _plan(recipe.name, recipe.uses, home)


def make_screening_plan(recipe: Recipe, home: ModelHome) -> Plan:
    """What a pair out of a crawl goes through before a person is asked; as `make_plan`."""
    return _plan(recipe.name, recipe.screening, home)


def _plan(name: str, uses: tuple[Use, ...], home: ModelHome) -> Plan:
    wanted = {(use.step.slot, use.model) for use in uses if use.step.slot and use.model}
    models = {
        (slot, name): backends.backend_class(slot, name).identify(home)
        for slot, name in sorted(wanted)
        if slot and name
    }
    return Plan(name, uses, models)
