"""The published schemas: what a row of SymMV and of MuVi-Sync holds, version by version.

A schema is the columns of the built-in recipe of its name.
`python -m symmv_builder.datasets.schemas schemas` writes them to `schemas/v*/*.json`, ``--check``
compares. A later version adds columns and takes none away, so whoever reads the newest by name
reads the earlier ones too: what they lack is absent, as it is in shards of the newest that were
made without it. A column's numbers stay the same; how they are kept may change (`colour`).
"""

import json
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from symmv_builder import datasets
from symmv_builder.errors import CannotWrite
from symmv_builder.schema import Column, arrow_schema, columns_in

if TYPE_CHECKING:
    import pyarrow as pa

    from symmv_builder.datasets.recipe import Recipe

# The newest version of each published schema, which a build writes.
NEWEST: Mapping[str, int] = {"symmv": 2, "muvisync": 1}
# How a column was kept before: `colour` was nested lists in the first version.
_ONCE: Mapping[tuple[str, int], Mapping[str, str]] = {
    ("symmv", 1): {"colour": "list<float32[12288]>"}
}
# Results that came into a schema later than its first version.
_SINCE: Mapping[str, Mapping[str, int]] = {"symmv": {"key_spans": 2, "alignment": 2}}


def columns_of(name: str, version: int | None = None) -> tuple[Column, ...]:
    """List the columns of a version of a published schema, the newest by default.

    `KeyError` where there is no such schema or version.
    """
    number = NEWEST[name] if version is None else version
    if not 1 <= number <= NEWEST[name]:
        raise KeyError(f"{name}/v{number}")
    since, once = _SINCE.get(name, {}), _ONCE.get((name, number), {})
    return tuple(
        replace(column, type=once.get(column.name, column.type))
        for column in datasets.recipe(name).columns
        if since.get(column.artifact, 1) <= number
    )


def label_of(recipe: "Recipe") -> str:
    """Name the published schema that a recipe's rows follow, as ``NAME/vNUMBER``.

    Else the recipe.
    """
    name = recipe.schema_name
    return f"{name}/v{NEWEST[name]}" if name in NEWEST else name


def expected_columns(recipe: "Recipe") -> tuple[str, ...]:
    """List the columns that a recipe's rows should have: its own, and those of its schema.

    Without those of results that are made on request alone.
    """
    recipes = [recipe]
    if recipe.schema_name in NEWEST:
        recipes.insert(0, datasets.recipe(recipe.schema_name))
    columns = {
        column.name: None
        for each in recipes
        for column in each.columns
        if column.artifact not in {use.makes for use in each.beside}
    }
    return tuple(columns)


def conflict(columns: Collection[Column], name: str) -> Column | None:
    """Find a column that a published schema has too, with another type or unit."""
    published = {column.name: column for column in columns_of(name)}
    for column in columns:
        other = published.get(column.name)
        if other and (other.type, other.unit) != (column.type, column.unit):
            return column
    return None


def shards_schema(receipt: Mapping[str, Any]) -> "pa.Schema | None":
    """Read the Arrow schema that a receipt promises of its shards; `None` where it does not say.

    `KeyError` where it follows a schema that is not known.
    """
    label = str(receipt.get("schema", receipt.get("dataset", "")))
    if "described" in receipt:
        return arrow_schema(columns_in(receipt["described"]), label)
    # Receipts of before describe no columns: the schema that they name does.
    name, _, version = label.partition("/v")
    if name not in NEWEST:
        return None
    number = int(version) if version.isdecimal() else None
    return published_schema(name, receipt.get("columns"), number)


def column_names(receipt: Mapping[str, Any]) -> tuple[str, ...]:
    """List the columns of a receipt's shards.

    One of the first version of the program names none.
    """
    if "columns" in receipt:
        return tuple(receipt["columns"])
    schema = shards_schema(receipt)
    return tuple(schema.names) if schema is not None else ()


def published_schema(
    name: str, columns: Sequence[str] | None = None, version: int | None = None
) -> "pa.Schema":
    """Give the Arrow schema of rows of a published schema, with some of its `columns` or all."""
    columns_kept = [c for c in columns_of(name, version) if columns is None or c.name in columns]
    return arrow_schema(columns_kept, f"{name}/v{version or NEWEST[name]}")


def describe(name: str, version: int | None = None) -> dict[str, Any]:
    """Describe a published schema as plain values: what `symmv schema` and `schemas/` show."""
    return {
        "name": name,
        "version": version or NEWEST[name],
        "columns": [column.describe() for column in columns_of(name, version)],
    }


def render() -> dict[str, str]:
    """Write every published schema file: gives its path below `schemas/` and its text."""
    return {
        f"v{number}/{name}.json": json.dumps(describe(name, number), indent=2) + "\n"
        for name, newest in NEWEST.items()
        for number in range(1, newest + 1)
    }


def main(arguments: list[str]) -> int:
    """Write the schema files into a folder, or with ``--check`` say which are out of date."""
    check = "--check" in arguments
    [folder] = [argument for argument in arguments if not argument.startswith("--")] or ["schemas"]
    stale = []
    for name, text in render().items():
        path = Path(folder) / name
        if path.is_file() and path.read_text() == text:
            continue
        stale.append(str(path))
        if not check:
            _write(path, text)
    if check and stale:
        module = "symmv_builder.datasets.schemas"
        sys.stderr.write(f"out of date: {', '.join(stale)}; run python -m {module}\n")
        return 1
    return 0


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    except OSError as error:
        raise CannotWrite(path, error.strerror or str(error)) from error


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
