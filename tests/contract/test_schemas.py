"""The published row formats are what the code renders, and a released one never changes."""

import hashlib
import json
from pathlib import Path

from symmv_builder.schema import SCHEMAS, arrow_schema, describe, render


def test_the_files_in_schemas_are_what_the_code_renders(root: Path) -> None:
    folder = root / "schemas"
    written = {
        path.relative_to(folder).as_posix(): path.read_text() for path in folder.glob("v*/*.json")
    }
    # Older versions stay as they were released; the code renders the newest alone.
    newest = {name.partition("/")[0] for name in render()}
    assert {n: t for n, t in written.items() if n.partition("/")[0] in newest} == render()


def test_a_released_schema_is_frozen(root: Path) -> None:
    """`schemas/released.json` maps a file below schemas/ to its sha256 on the day of release."""
    released = json.loads((root / "schemas" / "released.json").read_text())
    actual = {
        name: hashlib.sha256((root / "schemas" / name).read_bytes()).hexdigest()
        for name in released
    }
    assert actual == released, "rows changed: raise schema.VERSION, leave the released file alone"


def test_every_version_but_the_newest_is_released(root: Path) -> None:
    folder = root / "schemas"
    released = json.loads((folder / "released.json").read_text())
    newest = {name.partition("/")[0] for name in render()}
    older = {
        path.relative_to(folder).as_posix()
        for path in folder.glob("v*/*.json")
        if path.parent.name not in newest
    }
    assert older <= set(released)


def test_every_column_has_a_type_and_a_meaning() -> None:
    for name in SCHEMAS:
        columns = describe(name)["columns"]
        assert len({column["name"] for column in columns}) == len(columns)
        for column in columns:
            assert column["meaning"], column
            assert arrow_schema(name).field(column["name"]).type is not None


def test_a_column_with_a_unit_in_its_name_says_that_unit() -> None:
    endings = {"_s": "s", "_hz": "Hz", "_bpm": "1/min", "_bytes": "B"}
    for name in SCHEMAS:
        for column in describe(name)["columns"]:
            for ending, unit in endings.items():
                if column["name"].endswith(ending):
                    assert unit in column["unit"].replace(",", " ").split(), column
