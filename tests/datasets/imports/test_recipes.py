"""Every imported dataset is a recipe that can run, in a schema that is published."""

import inspect
from importlib import import_module
from typing import Any

import pytest

from symmv_builder.backends import names
from symmv_builder.datasets import IMPORTED, imports, recipe
from symmv_builder.datasets.schemas import NEWEST, columns_of
from symmv_builder.datasets.step_table import find_step, step_names
from symmv_builder.pipeline.keys import Plan
from symmv_builder.records import SongInfo

# Lists of ids: rows of labels, in no published schema (`test_lists`).
LISTS = ("aist", "musiccaps", "youtube-8m")
VARIANTS: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in IMPORTED if name not in LISTS),
    ("symmv-release", {"chords": "recomputed"}),
    ("symmv-release", {"exported": True}),
    ("symmv-release", {"chords": "recomputed", "exported": True}),
    ("muvi-sync", {"lacks": ["chords", "semantic"], "emotion": "published"}),
]
every_variant = pytest.mark.parametrize(("name", "options"), VARIANTS)


def test_what_can_be_imported_is_what_has_a_recipe() -> None:
    assert {"midi", "muvi-sync", "pop909", "symmv-release"} <= set(IMPORTED)
    assert all(recipe(name).name == name for name in IMPORTED)


@pytest.mark.parametrize("name", IMPORTED)
def test_an_importer_is_called_as_its_module_and_takes_the_options_that_it_declares(
    name: str,
) -> None:
    module = import_module(f"symmv_builder.datasets.imports.importers.{name.replace('-', '_')}")
    assert module.RECIPE.name == name
    _, *taken = inspect.signature(module.scan).parameters
    assert [option.name for option in getattr(module, "OPTIONS", ())] == taken
    assert all(imports.options()[option].help.startswith(f"{name}: ") for option in taken)


def test_a_step_of_an_importer_is_named_after_its_module() -> None:
    listed = [name for name in step_names() if name.startswith(("muvi_sync_", "pop909_"))]
    assert len(listed) == 15
    for name in listed:
        module = find_step(name).run.__module__
        assert module.startswith("symmv_builder.datasets.imports.importers.")


@every_variant
def test_a_recipe_makes_what_its_steps_read_before_they_read_it(
    name: str, options: dict[str, Any]
) -> None:
    made = imports.recipe(name, options)
    Plan(name, made.uses)
    assert made.schema_name in NEWEST
    assert all(use.model in names(use.step.slot) for use in made.uses if use.step.slot)
    assert made.absent <= {column.name for column in columns_of(made.schema_name)}


@every_variant
def test_an_import_needs_no_recording_that_the_release_does_not_hold(
    name: str, options: dict[str, Any]
) -> None:
    made = imports.recipe(name, options)
    plan = Plan(name, made.needed_for(imports.artifacts(made)))
    assert "video" not in plan.recordings
    assert "music" in plan.recordings or name == "muvi-sync"


@every_variant
def test_a_column_is_taken_out_of_the_record_that_its_step_gives(
    name: str, options: dict[str, Any]
) -> None:
    made = imports.recipe(name, options)
    makers = {use.makes: use.step for use in made.uses}
    for column in made.columns:
        artifact, _, field = column.take.partition(".")
        if artifact == "song":
            assert field in SongInfo.__dataclass_fields__
        elif artifact in makers and makers[artifact].together is None:
            record = inspect.signature(makers[artifact].run).return_annotation
            assert field in record.__dataclass_fields__ or field in dir(record), column


@every_variant
def test_steps_of_one_name_are_one_step(name: str, options: dict[str, Any]) -> None:
    seen = {use.step.name: use.step for use in recipe("symmv").uses}
    for use in imports.recipe(name, options).uses:
        assert seen.setdefault(use.step.name, use.step) is use.step
        assert inspect.getdoc(use.step.run)
