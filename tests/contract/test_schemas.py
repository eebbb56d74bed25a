"""The published row formats are what the recipes make, and a released one never changes."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from symmv_builder import datasets
from symmv_builder.datasets import imports
from symmv_builder.datasets.schemas import (
    NEWEST,
    column_names,
    columns_of,
    describe,
    label_of,
    published_schema,
    render,
    shards_schema,
)
from symmv_builder.schema import arrow_type

every_version = pytest.mark.parametrize(
    ("name", "version"), [(n, v) for n, newest in NEWEST.items() for v in range(1, newest + 1)]
)


def test_the_files_in_schemas_are_what_the_code_renders(root: Path) -> None:
    folder = root / "schemas"
    files = {
        path.relative_to(folder).as_posix(): path.read_text() for path in folder.glob("v*/*.json")
    }
    assert files == render()


def test_a_released_schema_is_frozen(root: Path) -> None:
    """`schemas/released.json` maps a file below schemas/ to its sha256 on the day of release."""
    released = json.loads((root / "schemas" / "released.json").read_text())
    actual = {
        name: hashlib.sha256((root / "schemas" / name).read_bytes()).hexdigest()
        for name in released
    }
    assert actual == released, "rows changed: add a version, leave the released file alone"


def test_every_version_but_the_newest_is_released(root: Path) -> None:
    released = json.loads((root / "schemas" / "released.json").read_text())
    older = {f"v{number}/{name}.json" for name in NEWEST for number in range(1, NEWEST[name])}
    assert older <= set(released)


def test_a_later_version_adds_columns_and_changes_the_meaning_of_none() -> None:
    for name, newest in NEWEST.items():
        for number in range(1, newest):
            earlier, later = columns_of(name, number), columns_of(name, number + 1)
            facts = [(c.name, c.unit, c.meaning, c.take, c.width) for c in later]
            before = [(c.name, c.unit, c.meaning, c.take, c.width) for c in earlier]
            assert [column for column in facts if column in before] == before
            assert len(later) > len(earlier)


def test_what_the_second_version_of_symmv_adds() -> None:
    first, second = ({c.name for c in columns_of("symmv", number)} for number in (1, 2))
    alignment = {"alignment_music_s", "alignment_video_s", "alignment_confidence"}
    assert second - first == alignment | {"key_starts_s", "key_ends_s", "key_tonics", "key_modes"}
    assert columns_of("symmv") == columns_of("symmv", 2)
    for name, version in (("symmv", 3), ("symmv", 0), ("other", 1)):
        with pytest.raises(KeyError):
            columns_of(name, version)


@every_version
def test_a_receipt_of_before_leads_to_the_columns_of_its_version(name: str, version: int) -> None:
    receipt = {"schema": f"{name}/v{version}"}
    names = [column["name"] for column in describe(name, version)["columns"]]
    assert list(column_names(receipt)) == names
    some = {**receipt, "columns": ["entry_id", "chords_labels"]}
    schema = shards_schema(some)
    assert schema is not None
    assert schema.names == ["entry_id", "chords_labels"]
    assert shards_schema({"schema": "mine"}) is None


@every_version
def test_every_column_has_a_type_and_a_meaning(name: str, version: int) -> None:
    columns = describe(name, version)["columns"]
    assert len({column["name"] for column in columns}) == len(columns)
    schema = published_schema(name, version=version)
    for column in columns:
        assert column["meaning"], column
        assert schema.field(column["name"]).type == arrow_type(column["type"])


def test_a_column_with_a_unit_in_its_name_says_that_unit() -> None:
    endings = {"_s": "s", "_hz": "Hz", "_bpm": "1/min", "_bytes": "B"}
    for name in NEWEST:
        for column in describe(name)["columns"]:
            for ending, unit in endings.items():
                if column["name"].endswith(ending):
                    assert unit in column["unit"].replace(",", " ").split(), column


@pytest.mark.parametrize("name", [*datasets.built_in(), *datasets.IMPORTED])
def test_a_column_of_a_published_name_is_as_published_in_every_recipe(name: str) -> None:
    recipe = imports.recipe(name) if name in datasets.IMPORTED else datasets.recipe(name)
    if recipe.schema_name not in NEWEST:
        # Of clips with sound and of lists of labels: rows of their own kind.
        assert label_of(recipe) == name
        return
    published = {column.name: column for column in columns_of(recipe.schema_name)}
    assert label_of(recipe) == f"{recipe.schema_name}/v{NEWEST[recipe.schema_name]}"
    for column in recipe.columns:
        # A recipe may have columns of its own besides.
        other = published.get(column.name, column)
        assert (column.type, column.unit) == (other.type, other.unit)


def test_a_recipe_without_a_published_schema_is_called_as_its_dataset() -> None:
    assert label_of(replace(datasets.recipe("symmv"), name="mine", schema="")) == "mine"
