"""The published row formats are what the code renders, and a released one never changes."""

import hashlib
import json
from itertools import pairwise
from pathlib import Path

import pytest

from symmv_builder.schema import (
    SCHEMAS,
    arrow_schema,
    columns_of,
    describe,
    render,
    versions,
)


def test_the_files_in_schemas_are_what_the_code_renders(root: Path) -> None:
    folder = root / "schemas"
    written = {
        path.relative_to(folder).as_posix(): path.read_text() for path in folder.glob("v*/*.json")
    }
    assert written == render()


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
    older = {
        f"v{number}/{name}.json" for name in SCHEMAS for number in range(1, len(versions(name)))
    }
    assert older <= set(released)


def test_a_later_version_adds_columns_and_changes_none() -> None:
    for name in SCHEMAS:
        for earlier, later in pairwise(versions(name)):
            assert later[: len(earlier)] == earlier
            assert len(later) > len(earlier)


def test_a_receipts_schema_leads_to_the_columns_of_its_version() -> None:
    alignment = {"alignment_music_s", "alignment_video_s", "alignment_confidence"}
    first, second = ({c.name for c in columns_of(f"symmv/v{n}")} for n in (1, 2))
    assert second - first == alignment
    assert {c.name for c in columns_of("symmv")} == second
    assert columns_of("muvisync/v1") == SCHEMAS["muvisync"]
    for unknown in ("symmv/v3", "symmv/v0", "other/v1"):
        with pytest.raises(KeyError):
            columns_of(unknown)


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
