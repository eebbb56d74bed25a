"""Recipes as people ask for them: as text to start from, and explained step by step."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from symmv_builder import backends, datasets
from symmv_builder.datasets import remembered
from symmv_builder.datasets.clip_rules import explain_clips
from symmv_builder.datasets.placed import placed_of
from symmv_builder.datasets.recipe import Recipe
from symmv_builder.datasets.recipe_writer import write_recipe
from symmv_builder.datasets.schemas import NEWEST, describe, expected_columns, label_of
from symmv_builder.errors import StopRun
from symmv_builder.schema import Column
from symmv_builder.settings import read_settings


@dataclass(frozen=True, slots=True)
class ExplainedStep:
    """One step of a recipe: what it makes, by what, and whether its model is on this machine.

    `is_here` is `None` for a step without a model; `problem` says what lacks, and
    `can_be_fetched` whether it is weights that this package gets by itself.
    `settings` are those that differ from the step's defaults.
    """

    makes: str
    step: str
    when: str
    model: str
    licence: str
    is_here: bool | None
    problem: str
    settings: Mapping[str, Any]
    can_be_fetched: bool = False


@dataclass(frozen=True, slots=True)
class ExplainedRecipe:
    """A recipe explained: what it would make, and from which recordings.

    `clips` are a line that says how entries are cut, and one for each screen of clips.
    """

    name: str
    schema: str
    inputs: str
    steps: tuple[ExplainedStep, ...]
    columns: tuple[Column, ...]
    columns_not_made: tuple[str, ...]
    clips: tuple[str, ...] = ()


def text_of(what: str | Path, root: str | Path | None = None) -> str:
    """Write a recipe as TOML: a file's own text, that of a root's dataset, or a built-in one.

    `StopRun` where there is none of that name, or where a file holds a mistake.
    """
    what = str(what)
    if what.endswith(datasets.SUFFIX):
        datasets.recipe_in_file(Path(what))
        return Path(what).read_text("utf-8-sig")
    manifests = read_settings(root=root).open_manifests()
    recipe = remembered.recipe_of(manifests, what)
    remembered_text = manifests.read(f"{what}/{remembered.FILE}")
    if remembered_text is not None:
        return remembered_text.decode()
    return datasets.recipe_text(what) if what in datasets.installed() else write_recipe(recipe)


def read_recipe(what: str | Path, root: str | Path | None = None) -> Recipe:
    """Read the recipe of a dataset or of a file that ends in ``.toml``; errors as of `text_of`.

    Examples:
        >>> [use.makes for use in sb.read_recipe("symmv").uses][:3]
        ['music_asset', 'video_asset', 'screen_length']
    """
    return remembered.choose_recipe(read_settings(root=root).open_manifests(), what)


def schemas_of(
    what: str | Path | None = None, root: str | Path | None = None
) -> list[dict[str, Any]]:
    """Give the `schema_of` a dataset, or of every published schema."""
    return [schema_of(what, root)] if what else [describe(name) for name in NEWEST]


def schema_of(what: str | Path, root: str | Path | None = None) -> dict[str, Any]:
    """Tell what a row of a dataset holds: name, type, unit and meaning of every column.

    Rows that are those of a published schema bear its name and version. `what` and errors are
    those of `text_of`.
    """
    recipe = read_recipe(what, root)
    described = [column.describe() for column in recipe.columns]
    label = label_of(recipe)
    if recipe.schema_name in NEWEST:
        published = describe(recipe.schema_name)
        if published["columns"] == described:
            return published
    return {"name": recipe.name, "schema": label, "columns": described}


def explain(what: str | Path, root: str | Path | None = None) -> ExplainedRecipe:
    """Explain what a recipe makes, step by step; `what` and errors are those of `text_of`.

    Examples:
        >>> explained = sb.explain("muvisync")
        >>> explained.inputs, len(explained.columns)
        ('one recording an entry', 36)
    """
    settings = read_settings(root=root)
    recipe = remembered.choose_recipe(settings.open_manifests(), what)
    steps = []
    for makes, placed in placed_of(recipe).items():
        use = placed.use
        licence, is_here, problem, can_be_fetched = "", None, "", False
        if use.step.slot and use.model:
            licence, is_here = backends.about(use.step.slot, use.model).licence, True
            try:
                # A question downloads nothing: only what is on this machine counts.
                with backends.without_fetching():
                    backends.identify(use.step.slot, use.model, settings.home)
            except StopRun as error:
                is_here, problem = False, str(error)
                can_be_fetched = backends.can_be_fetched(error)
        steps.append(
            ExplainedStep(
                makes,
                use.step.name,
                placed.when,
                use.model or "",
                licence,
                is_here,
                problem,
                {k: v for k, v in use.parameters.items() if v != use.step.defaults[k]},
                can_be_fetched,
            )
        )
    columns = tuple(_of_one(column) if not recipe.pairs else column for column in recipe.columns)
    names = {column.name for column in columns}
    return ExplainedRecipe(
        recipe.name,
        label_of(recipe),
        "a music recording and a video an entry" if recipe.pairs else "one recording an entry",
        tuple(steps),
        columns,
        tuple(name for name in expected_columns(recipe) if name not in names),
        explain_clips(recipe.clips),
    )


def _of_one(column: Column) -> Column:
    """Explain the id of an entry that is no pair, as published schemas, which stay, call it."""
    if column.name != "entry_id":
        return column
    return replace(column, meaning="identifier of the entry, unique in the dataset")
