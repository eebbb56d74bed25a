"""Every recipe can run in its order, with models of the table, and fills every column."""

import inspect

import pytest

from symmv_builder.backends import names
from symmv_builder.datasets import NAMES, recipe
from symmv_builder.datasets.schemas import NEWEST
from symmv_builder.pipeline.keys import Plan
from symmv_builder.records import SongInfo

every_recipe = pytest.mark.parametrize("name", NAMES)


def test_every_recipe_has_a_schema_and_every_schema_a_recipe() -> None:
    assert set(NAMES) == set(NEWEST)


@every_recipe
def test_a_recipe_makes_what_its_steps_read_before_they_read_it(name: str) -> None:
    Plan(name, recipe(name).uses)


@every_recipe
def test_a_recipe_uses_models_of_the_table(name: str) -> None:
    for use in recipe(name).uses:
        if use.step.slot:
            assert use.model in names(use.step.slot)


@every_recipe
def test_every_column_is_taken_out_of_something_that_the_recipe_makes(name: str) -> None:
    makers = {use.makes: use.step for use in recipe(name).known}
    for column in recipe(name).columns:
        artifact, _, field = column.take.partition(".")
        if artifact == "entry":
            continue
        if artifact == "song":
            assert field in SongInfo.__dataclass_fields__, column
            continue
        assert artifact in makers, column
        step = makers[artifact]
        if step.together is None:
            record = inspect.signature(step.run).return_annotation
            assert field in dir(record) or field in record.__dataclass_fields__, column


@every_recipe
def test_what_a_recipe_makes_on_request_alone_stands_beside_it(name: str) -> None:
    expected = {"symmv": {"alignment"}, "muvisync": set()}
    assert {use.makes for use in recipe(name).beside} == expected[name]


@every_recipe
def test_the_shares_of_the_splits_are_those_of_three_splits(name: str) -> None:
    assert set(recipe(name).shares) == {"train", "validation", "test"}
    assert min(recipe(name).shares.values()) > 0
