"""Recipes as text: TOML that a person reads, edits and keeps under version control.

```toml
name = "mine"                # what the dataset is called
base = "symmv"               # optional: a recipe to start from
without = ["colour"]         # optional: its steps that are left out

[steps.motion]               # changes a step of the base, or adds one of its own
hop_s = 0.5

[steps.slow_motion]          # what the step makes; the step itself has another name
step = "motion"
after = "motion"             # where it goes; at the end without this
hop_s = 2.0
```

A recipe without base also says `pairs` (two recordings an entry, or one that is both) and
`[splits]`, the proportions of train, validation and test. Rows hold the columns of the results that
`columns` names, in that order; without it those of all steps. `absent` names columns that are left
out, `metadata` adds what is known of an entry without its recordings (`schema.METADATA`), and
`schema` is the published schema (symmv, muvisync) that the rows follow, `release` the published
dataset of which the entries are an import: of itself that of the base. With ``[clips]`` a row is a
clip of an entry (`clip_rules`).

In a step's table ``model`` is the backend, ``inputs`` renames what the step reads, ``columns``
gives columns other names (``columns = { values = "luma" }``: field of the record, name), and
``when`` says whether it runs in a build (``"build"``, the default), on a crawl's pairs before they
are proposed (``"crawl"``), or in both (``"always"``); what only a crawl makes and rows have columns
for, a build makes with ``--only``. Everything else is a setting of the step's function.
"""

import re
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from symmv_builder import backends, datasets
from symmv_builder.datasets.bounds import BOUNDS
from symmv_builder.datasets.clip_rules import check_clips, imported_clips, read_clips
from symmv_builder.datasets.placed import ALWAYS, BUILD, CRAWL, Placed, move_after, placed_of
from symmv_builder.datasets.recipe import Recipe
from symmv_builder.datasets.schemas import NEWEST, conflict
from symmv_builder.datasets.step_table import KEYS, columns_of, find_step
from symmv_builder.errors import RecipeError, StopRun, UnknownName
from symmv_builder.pipeline.step import RECORDINGS, Step, Use
from symmv_builder.records import SoundFile
from symmv_builder.schema import BUILT_IN_ARTIFACTS, CLIP, ENTRY, Column
from symmv_builder.text import suggestions
from symmv_builder.toml_text import TomlReader, article, read_toml

SPLITS = ("train", "validation", "test")
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_ARTIFACT = re.compile(r"[a-z][a-z0-9_]{0,39}")
_COLUMN = re.compile(r"[a-z][a-z0-9_]{0,59}")
_TOP = (
    *("name", "base", "without", "release", "schema", "columns", "absent", "pairs", "metadata"),
    *("splits", "steps", "clips"),
)
# Columns by which a row is found: every dataset has them.
_NEEDED = frozenset({"entry_id", "song_id", "split", "music_url", *(c.name for c in CLIP)})
# Folders of a data root that are no dataset's.
RESERVED = frozenset({"assets", "releases", "blocklist", "damaged", "ledger"})
_LARGEST = 1e15


def read_recipe(
    text: str,
    where: str,
    find: Callable[[str], Recipe],
    is_import: Callable[[str], bool] = lambda _: False,
) -> Recipe:
    """Read the recipe that a text describes; `where` names the text in errors.

    `find` gives the recipe that ``base`` names; no recipe may have the name of an import
    (`is_import`). `StopRun` with line and key where the text is no TOML, or says what is not
    known or cannot be.
    """
    return _Reader(text, where).recipe(read_toml(text, where, RecipeError), find, is_import)


class _Reader(TomlReader):
    """Turns tables into a recipe."""

    what = "a recipe"
    error_kind = RecipeError

    def recipe(
        self,
        table: Mapping[str, Any],
        find: Callable[[str], Recipe],
        is_import: Callable[[str], bool],
    ) -> Recipe:
        self.known(table, _TOP, ())
        name = self.typed(table, "name", str)
        if fault := name_fault(name):
            raise self.wrong(("name",), fault)
        base = None
        if "base" in table:
            base_name = self.typed(table, "base", str)
            try:
                base = find(base_name)
            except StopRun as error:
                raise self.wrong(("base",), str(error)) from error
        release = self.release(table, base)
        if is_import(name) and (not release or datasets.is_imported(name)):
            raise self.wrong(("name",), f"{name} is what an import is called; take another name")
        pairs = self.typed(table, "pairs", bool, base.pairs if base else None)
        metadata = self.typed(table, "metadata", bool, base.metadata if base else False)
        shares = self.shares(table, base)
        placed = self.steps(table, placed_of(base) if base else {})
        results = self.results(table, base, placed)
        recipe = Recipe(
            name=name,
            pairs=pairs,
            shares=shares,
            uses=tuple(p.use for p in placed.values() if p.when in (BUILD, ALWAYS)),
            screening=tuple(p.use for p in placed.values() if p.when in (CRAWL, ALWAYS)),
            # What a crawl makes alone and rows have columns for: a build may be asked for it.
            beside=tuple(
                p.use for makes, p in placed.items() if p.when == CRAWL and makes in results
            ),
            results=results,
            clips=read_clips(self, table, base.clips if base else None, self.place_step),
            metadata=metadata,
            release=release,
        )
        self.check_inputs(recipe, table)
        if release and recipe.clips:
            recipe = imported_clips(self, recipe, datasets.imported_results(recipe))
        check_clips(self, recipe)
        self.check_fields(recipe)
        recipe = replace(recipe, absent=self.absent(table, recipe, base))
        self.check_names(table, recipe)
        return replace(recipe, schema=self.schema(table, recipe, base))

    def release(self, table: Mapping[str, Any], base: Recipe | None) -> str:
        """The import whose entries these are: what the recipe says, or what its base is."""
        of_base = base.release_name if base and datasets.is_imported(base.release_name) else ""
        release: str = self.typed(table, "release", str, of_base)
        if release and not datasets.is_imported(release):
            error = UnknownName("import", release, datasets.importable())
            raise self.wrong(("release",), str(error)) from error
        return release

    def results(
        self, table: Mapping[str, Any], base: Recipe | None, placed: Mapping[str, Placed]
    ) -> tuple[str, ...]:
        """List the results whose columns rows hold: the base's that are left, then new ones."""
        if "columns" in table:
            results = self.names(table, "columns")
            for name in results:
                if name not in placed:
                    raise self.wrong(("columns",), f"no step makes {name!r}")
                if not placed[name].use.step.columns:
                    raise self.wrong(("columns",), f"{name} has no columns")
            if len(set(results)) < len(results):
                raise self.wrong(("columns",), "a result is named twice")
            return tuple(results)
        before = base.results if base else ()
        artifacts = {use.makes for use in (*base.known, *base.screening)} if base else set()
        new = (n for n, p in placed.items() if n not in artifacts and p.use.step.columns)
        return (*(name for name in before if name in placed), *new)

    def schema(self, table: Mapping[str, Any], recipe: Recipe, base: Recipe | None) -> str:
        """Name the published schema that the rows follow: the recipe's own, or that of its base."""
        if "schema" not in table:
            schema = base.schema_name if base else ""
            return schema if schema in NEWEST and not conflict(recipe.columns, schema) else ""
        schema = self.choice(table, "schema", tuple(NEWEST), None)
        # The schema is what the recipe of its name says it is.
        if schema != recipe.name and (column := conflict(recipe.columns, schema)):
            declared = f"{column.type} {column.unit}".rstrip()
            raise self.wrong(
                ("schema",),
                f"{column.name} is {declared} here, which is not {schema}'s: "
                "leave this out, or give the column another name",
            )
        return "" if schema == recipe.name else schema

    def check_fields(self, recipe: Recipe) -> None:
        """Check that each column is of a field of its record, and each new name of a column."""
        uses = {use.makes: use for use in recipe.known}
        for makes, use in uses.items():
            try:
                columns = columns_of(use, uses)
            except StopRun as error:
                raise self.wrong(("steps", makes), str(error)) from error
            known_fields = {column.take.partition(".")[2] for column in columns}
            record = use.step.record_made
            if missing := [f for f in sorted(known_fields) if record and not _has(record, f)]:
                raise self.wrong(
                    ("steps", makes),
                    f"the step {use.step.name} has a column of {missing[0]!r}, which is no field "
                    f"of {record.__name__ if record else 'its record'}",
                )
            for field in use.renamed:
                if field not in known_fields:
                    path = ("steps", makes, "columns", field)
                    fields = suggestions(field, sorted(known_fields))
                    raise self.wrong(
                        path, f"{makes} has no field of that name with a column{fields}"
                    )

    def check_names(self, table: Mapping[str, Any], recipe: Recipe) -> None:
        """Check that no two columns have one name.

        Of two, the one that this text can rename is told.
        """
        owners: dict[str, Column] = {}
        steps = table.get("steps", {})
        for column in recipe.columns:
            other = owners.setdefault(column.name, column)
            if other is column:
                continue
            if column.artifact not in steps and other.artifact in steps:
                column, other = other, column
            path: tuple[str, ...] = ("steps", column.artifact)
            field = column.take.partition(".")[2]
            if field in steps.get(column.artifact, {}).get("columns", {}):
                path = (*path, "columns", field)
            raise self.wrong(
                path,
                f"its column {column.name} is called as one of {other.artifact}; give it "
                f'another name: columns = {{ {field} = "NAME" }}',
            )

    def steps(self, table: Mapping[str, Any], placed: dict[str, Placed]) -> dict[str, Placed]:
        for name in self.names(table, "without"):
            if name not in placed:
                raise self.wrong(("without",), f"the base makes no {name!r}")
            del placed[name]
        steps = self.typed(table, "steps", dict, {} if placed else None)
        for name, step_table in steps.items():
            path = ("steps", name)
            if name in {*RECORDINGS, *BUILT_IN_ARTIFACTS}:
                raise self.wrong(path, f"{name} is given to steps; call the result otherwise")
            if not _ARTIFACT.fullmatch(name):
                raise self.wrong(path, "a result is called by a-z, 0-9 and _, as in slow_motion")
            if not isinstance(step_table, dict):
                raise self.wrong(path, f"this is a table: [steps.{name}]")
            after = self.typed(step_table, "after", str, "", path)
            if after == name:
                raise self.wrong((*path, "after"), "a step does not come after itself")
            if after and after not in placed:
                raise self.wrong((*path, "after"), f"nothing before this makes {after!r}")
            new = self.place_step(name, step_table, placed.get(name), path)
            if after:
                placed = move_after(placed, after, name, new)
            else:
                placed[name] = new
        return placed

    def place_step(
        self, makes: str, table: Mapping[str, Any], before: Placed | None, path: Sequence[str]
    ) -> Placed:
        name = self.typed(table, "step", str, before.use.step.name if before else makes, path)
        try:
            step = find_step(name)
        except StopRun as error:
            key = "step" if "step" in table else ""
            raise self.wrong((*path, key) if key else path, str(error)) from error
        if before and before.use.step is not step:
            before = None
        when = self.choice(
            table, "when", (BUILD, CRAWL, ALWAYS), before.when if before else BUILD, path
        )
        settings = {key: value for key, value in table.items() if key not in KEYS}
        self.known(settings, tuple(step.defaults), path)
        hints = typing.get_type_hints(step.run)
        parameters = dict(before.use.parameters) if before else step.defaults
        for key, value in settings.items():
            parameters[key] = self.setting((*path, key), hints[key], value)
        return Placed(
            Use(
                step,
                makes,
                self.inputs(table, step, before, path),
                self.model(table, step, before, path),
                parameters,
                self.renames(table, step, before, path),
            ),
            when,
        )

    def renames(
        self, table: Mapping[str, Any], step: Step, before: Placed | None, path: Sequence[str]
    ) -> dict[str, str]:
        """Read other names of columns, by the field of the record that fills them."""
        names = self.typed(table, "columns", dict, {}, path)
        for field, name in names.items():
            if not isinstance(name, str) or not _COLUMN.fullmatch(name):
                raise self.wrong(
                    (*path, "columns", field), f"{name!r} should be a-z, 0-9 and _ in quotes"
                )
        if names and not step.columns:
            raise self.wrong((*path, "columns"), f"the step {step.name} has no columns")
        return {**(before.use.renamed if before else {}), **names}

    def model(
        self, table: Mapping[str, Any], step: Step, before: Placed | None, path: Sequence[str]
    ) -> str | None:
        if step.slot is None:
            if "model" in table:
                raise self.wrong((*path, "model"), f"the step {step.name} has no model")
            return None
        if not (offered := backends.names(step.slot)):
            raise self.wrong(path, f"no model is known for {step.slot}, which {step.name} needs")
        default = before.use.model if before else offered[0]
        name: str = self.typed(table, "model", str, default, path)
        try:
            backends.backend_class(step.slot, name)
        except StopRun as error:
            raise self.wrong((*path, "model"), str(error)) from error
        return name

    def inputs(
        self, table: Mapping[str, Any], step: Step, before: Placed | None, path: Sequence[str]
    ) -> tuple[str, ...]:
        renamed = self.typed(table, "inputs", dict, {}, path)
        self.known(renamed, step.reads, (*path, "inputs"))
        defaults = before.use.inputs if before else step.reads
        return tuple(
            self.typed(renamed, name, str, old, (*path, "inputs"))
            for name, old in zip(step.reads, defaults, strict=True)
        )

    def setting(self, path: Sequence[str], hint: Any, value: Any) -> Any:
        """Read a setting's value as its step's function declares it."""
        choices = typing.get_args(hint)
        if typing.get_origin(hint) is Literal:
            if value not in choices:
                raise self.wrong(path, f"{value!r} is none of {', '.join(map(str, choices))}")
            return value
        if type(None) in choices:
            if value == "none":
                return None
            [hint] = [choice for choice in choices if choice is not type(None)]
        if hint is float and type(value) is int and abs(value) < _LARGEST:
            value = float(value)
        if type(value) is not hint:
            raise self.wrong(path, f"{value!r} should be {article(hint)}")
        least, most = BOUNDS.get(path[-1], (-_LARGEST, _LARGEST))
        # A value that is no number is in no range.
        if hint in (int, float) and not least <= value <= most:
            raise self.wrong(path, f"{value!r} should lie between {least:g} and {most:g}")
        return value

    def shares(self, table: Mapping[str, Any], base: Recipe | None) -> dict[str, int]:
        values = self.typed(table, "splits", dict, dict(base.shares) if base else None)
        self.known(values, SPLITS, ("splits",))
        shares = {name: self.typed(values, name, int, 0, ("splits",)) for name in SPLITS}
        if not 0 <= min(shares.values()) <= max(shares.values()) < _LARGEST or not shares["train"]:
            raise self.wrong(("splits",), "shares are 0 or more, and that of train is above 0")
        return {name: share for name, share in shares.items() if share}

    def absent(
        self, table: Mapping[str, Any], recipe: Recipe, base: Recipe | None
    ) -> frozenset[str]:
        """Read which columns are left out.

        What the base leaves out stays so unless this says it.
        """
        if "absent" not in table:
            return base.absent if base else frozenset()
        absent = self.names(table, "absent")
        names = {column.name for column in (*ENTRY, *recipe.columns)}
        unknown = sorted(set(absent) - names)
        if unknown:
            raise self.wrong(("absent",), f"{recipe.name} has no column {', '.join(unknown)}")
        if needed := sorted(_NEEDED & set(absent)):
            raise self.wrong(("absent",), f"rows are found by {', '.join(needed)}")
        return frozenset(absent)

    def check_inputs(self, recipe: Recipe, table: Mapping[str, Any]) -> None:
        """Check that every step reads what something before it makes, in a build and in a crawl."""
        for uses, when in ((recipe.uses, "a build"), (recipe.screening, "a crawl")):
            makers: dict[str, Step | None] = dict.fromkeys(RECORDINGS)
            for use in uses:
                missing = [name for name in use.inputs if name not in makers]
                if missing:
                    fault = (
                        f"it reads {', '.join(missing)}, which no step before it makes in {when}"
                    )
                    # The step is the base's, and has no line in this text.
                    if set(missing) & set(table.get("without", ())):
                        fault = f"{use.makes}: {fault}; leave it out as well"
                        raise self.wrong(("without",), fault)
                    raise self.wrong(self.place_of(table, use, missing[0]), fault)
                for reads, source in zip(use.step.reads, use.inputs, strict=True):
                    self.check_kind(use, reads, source, makers[source])
                makers[use.makes] = use.step
        if not recipe.uses:
            raise self.wrong((), "no step runs in a build")

    @staticmethod
    def place_of(table: Mapping[str, Any], use: Use, source: str) -> tuple[str, ...]:
        """Find where a recipe names what a step reads: its own key, or the step without one."""
        path = ("steps", use.makes)
        inputs = table.get("steps", {}).get(use.makes, {}).get("inputs", {})
        renamed = next((reads for reads, other in inputs.items() if other == source), None)
        return path if renamed is None else (*path, "inputs", renamed)

    def check_kind(self, use: Use, reads: str, source: str, maker: Step | None) -> None:
        """Check that a step is given what it can read: a recording, or its kind of record."""
        expected = use.step.record_read(reads)
        actual = maker.record_made if maker else Path
        if expected is None or actual is None or issubclass(actual, expected):
            return
        if actual is SoundFile and reads == "music":
            # A recording that a step made is read as one of the entry is.
            return
        what = "a recording" if maker is None else actual.__name__
        kind = "a recording" if issubclass(expected, Path) else expected.__name__
        raise self.wrong(
            ("steps", use.makes, "inputs", reads), f"{source} is {what}; {reads} is to be {kind}"
        )


def name_fault(name: str) -> str:
    """Tell why a dataset cannot be called so; empty where it can."""
    if not _NAME.fullmatch(name):
        return f"{name!r} should be 1 to 40 of a-z, 0-9, - and _, with a letter at the start"
    return f"{name} is a folder of every data root; take another" if name in RESERVED else ""


def _has(record: type, name: str) -> bool:
    """Check whether a kind of record has a field or a property of a name."""
    return hasattr(record, name) or name in getattr(record, "__dataclass_fields__", {})
