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

A recipe without base also says `schema`, whose columns its rows hold as far as its steps make them
(without those that `absent` names), `pairs` (two recordings an entry, or one that is both) and
`[splits]`, the proportions of train, validation and test. In a step's table ``model`` is the
backend, ``inputs`` renames what the step reads, and ``when`` says whether it runs in a build
(``"build"``, the default), on a crawl's pairs before they are proposed (``"crawl"``), or in both
(``"always"``); what only a crawl makes and rows have columns for, a build makes with ``--only``.
Everything else is a setting of the step's function.
"""

import re
import tomllib
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from symmv_builder import backends
from symmv_builder.datasets.bounds import BOUNDS
from symmv_builder.datasets.recipe import Recipe
from symmv_builder.datasets.step_table import find_step
from symmv_builder.errors import StopRun
from symmv_builder.pipeline.step import RECORDINGS, Step, Use
from symmv_builder.schema import SCHEMAS
from symmv_builder.text import clean_line

BUILD, CRAWL, ALWAYS = "build", "crawl", "always"
SPLITS = ("train", "validation", "test")
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_ARTIFACT = re.compile(r"[a-z][a-z0-9_]{0,39}")
_TOP = ("name", "base", "without", "schema", "absent", "pairs", "splits", "steps")
# Columns by which a row is found: every dataset has them.
_NEEDED = frozenset({"entry_id", "song_id", "split", "music_url"})
# Folders of a data root that are no dataset's.
RESERVED = frozenset({"assets", "releases", "blocklist", "damaged", "ledger"})
_LARGEST = 1e15
_OF_A_STEP = ("step", "model", "inputs", "when", "after")


@dataclass(frozen=True, slots=True)
class _Placed:
    """A use and when it runs."""

    use: Use
    when: str


def read_recipe(text: str, where: str, find: Callable[[str], Recipe]) -> Recipe:
    """The recipe that a text describes; `where` names the text in errors.

    `find` gives the recipe that ``base`` names. `StopRun` with line and key where the text is no
    TOML, or says what is not known or cannot be.
    """
    try:
        table = tomllib.loads(text)
    # Beside its own error tomllib raises those of numbers and tables that no machine can hold.
    except (ValueError, RecursionError) as error:
        raise StopRun(f"{where}: this is not TOML: {error}") from error
    return _Reader(text, where).recipe(table, find)


class _Reader:
    """Turns tables into a recipe; it knows the text, to say where a mistake stands."""

    def __init__(self, text: str, where: str) -> None:
        self.text, self.where = text, where

    def wrong(self, path: Sequence[str], message: str) -> StopRun:
        line = line_of(self.text, path)
        place = f"{self.where}, line {line}" if line else self.where
        key = clean_line(".".join(path))[:100]
        return StopRun(f"{place}: {key}: {message}" if key else f"{place}: {message}")

    def recipe(self, table: Mapping[str, Any], find: Callable[[str], Recipe]) -> Recipe:
        self.known(table, _TOP, ())
        name = self.typed(table, "name", str)
        if not _NAME.fullmatch(name):
            raise self.wrong(
                ("name",),
                f"{name!r} should be 1 to 40 of a-z, 0-9, - and _, with a letter at the start",
            )
        if name in RESERVED:
            raise self.wrong(("name",), f"{name} is a folder of every data root; take another")
        base = None
        if "base" in table:
            try:
                base = find(self.typed(table, "base", str))
            except StopRun as error:
                raise self.wrong(("base",), str(error)) from error
        schema = self.choice(table, "schema", tuple(SCHEMAS), base.schema_name if base else None)
        pairs = self.typed(table, "pairs", bool, base.pairs if base else None)
        shares = self.shares(table, base)
        placed = self.steps(table, placed_of(base) if base else {})
        # What a crawl makes alone and rows have columns for: a build may be asked for it.
        in_columns = {column.take.split(".")[0] for column in SCHEMAS[schema]}
        recipe = Recipe(
            name=name,
            schema=schema,
            pairs=pairs,
            shares=shares,
            uses=tuple(p.use for p in placed.values() if p.when in (BUILD, ALWAYS)),
            screening=tuple(p.use for p in placed.values() if p.when in (CRAWL, ALWAYS)),
            beside=tuple(
                p.use for makes, p in placed.items() if p.when == CRAWL and makes in in_columns
            ),
            absent=self.absent(table, schema, base),
        )
        self.complete(recipe)
        return recipe

    def steps(self, table: Mapping[str, Any], placed: dict[str, _Placed]) -> dict[str, _Placed]:
        for name in self.names(table, "without"):
            if name not in placed:
                raise self.wrong(("without",), f"the base makes no {name!r}")
            del placed[name]
        steps = self.typed(table, "steps", dict, {} if placed else None)
        for name, described in steps.items():
            path = ("steps", name)
            if not _ARTIFACT.fullmatch(name) or name in (*RECORDINGS, "entry", "song"):
                raise self.wrong(path, "a result is called by a-z, 0-9 and _, as in slow_motion")
            if not isinstance(described, dict):
                raise self.wrong(path, f"this is a table: [steps.{name}]")
            after = self.typed(described, "after", str, "", path)
            if after == name:
                raise self.wrong((*path, "after"), "a step does not come after itself")
            if after and after not in placed:
                raise self.wrong((*path, "after"), f"nothing before this makes {after!r}")
            new = self.placed(name, described, placed.get(name))
            if after:
                placed = _after(placed, after, name, new)
            else:
                placed[name] = new
        return placed

    def placed(self, makes: str, described: Mapping[str, Any], before: _Placed | None) -> _Placed:
        path = ("steps", makes)
        name = self.typed(described, "step", str, before.use.step.name if before else makes, path)
        try:
            step = find_step(name)
        except StopRun as error:
            key = "step" if "step" in described else ""
            raise self.wrong((*path, key) if key else path, str(error)) from error
        if before and before.use.step is not step:
            before = None
        when = self.choice(
            described, "when", (BUILD, CRAWL, ALWAYS), before.when if before else BUILD, path
        )
        settings = {key: value for key, value in described.items() if key not in _OF_A_STEP}
        self.known(settings, tuple(step.defaults), path)
        hints = typing.get_type_hints(step.run)
        parameters = dict(before.use.parameters) if before else step.defaults
        for key, value in settings.items():
            parameters[key] = self.setting((*path, key), hints[key], value)
        return _Placed(
            Use(
                step,
                makes,
                self.inputs(described, step, before, path),
                self.model(described, step, before, path),
                parameters,
            ),
            when,
        )

    def model(
        self, described: Mapping[str, Any], step: Step, before: _Placed | None, path: Sequence[str]
    ) -> str | None:
        if step.slot is None:
            if "model" in described:
                raise self.wrong((*path, "model"), f"the step {step.name} has no model")
            return None
        standing = before.use.model if before else backends.names(step.slot)[0]
        name: str = self.typed(described, "model", str, standing, path)
        try:
            backends.backend_class(step.slot, name)
        except StopRun as error:
            raise self.wrong((*path, "model"), str(error)) from error
        return name

    def inputs(
        self, described: Mapping[str, Any], step: Step, before: _Placed | None, path: Sequence[str]
    ) -> tuple[str, ...]:
        renamed = self.typed(described, "inputs", dict, {}, path)
        self.known(renamed, step.reads, (*path, "inputs"))
        standing = before.use.inputs if before else step.reads
        return tuple(
            self.typed(renamed, name, str, old, (*path, "inputs"))
            for name, old in zip(step.reads, standing, strict=True)
        )

    def setting(self, path: Sequence[str], hint: Any, value: Any) -> Any:
        """A setting's value as its step's function declares it."""
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
            raise self.wrong(path, f"{value!r} should be {_article(hint)}")
        least, most = BOUNDS.get(path[-1], (-_LARGEST, _LARGEST))
        # A value that is no number is in no range.
        if hint in (int, float) and not least <= value <= most:
            raise self.wrong(path, f"{value!r} should lie between {least:g} and {most:g}")
        return value

    def shares(self, table: Mapping[str, Any], base: Recipe | None) -> dict[str, int]:
        given = self.typed(table, "splits", dict, dict(base.shares) if base else None)
        self.known(given, SPLITS, ("splits",))
        shares = {name: self.typed(given, name, int, 0, ("splits",)) for name in SPLITS}
        if min(shares.values()) < 0 or not shares["train"]:
            raise self.wrong(("splits",), "shares are 0 or more, and that of train is above 0")
        return {name: share for name, share in shares.items() if share}

    def absent(self, table: Mapping[str, Any], schema: str, base: Recipe | None) -> frozenset[str]:
        if "absent" not in table:
            return base.absent if base else frozenset()
        absent = self.names(table, "absent")
        unknown = sorted(set(absent) - {column.name for column in SCHEMAS[schema]})
        if unknown:
            raise self.wrong(("absent",), f"{schema} has no column {', '.join(unknown)}")
        if needed := sorted(_NEEDED & set(absent)):
            raise self.wrong(("absent",), f"rows are found by {', '.join(needed)}")
        return frozenset(absent)

    def complete(self, recipe: Recipe) -> None:
        """Every step reads what something before it makes, in a build and in a crawl."""
        for uses, when in ((recipe.uses, "a build"), (recipe.screening, "a crawl")):
            made = set(RECORDINGS)
            for use in uses:
                lacking = [name for name in use.inputs if name not in made]
                if lacking:
                    raise self.wrong(
                        ("steps", use.makes),
                        f"it reads {', '.join(lacking)}, which no step before it makes in {when}",
                    )
                made.add(use.makes)
        if not recipe.uses:
            raise self.wrong((), "no step runs in a build")

    def known(self, table: Mapping[str, Any], names: Sequence[str], path: Sequence[str]) -> None:
        for key in table:
            if key not in names:
                what = ".".join(path) or "a recipe"
                known = ", ".join(names) or "it has none"
                raise self.wrong((*path, key), f"{what} has no such key; known: {known}")

    def typed(
        self,
        table: Mapping[str, Any],
        key: str,
        kind: type,
        default: Any = None,
        path: Sequence[str] = (),
    ) -> Any:
        if key not in table:
            if default is None:
                raise self.wrong(path, f"{key} is missing, {_article(kind)}")
            return default
        if type(table[key]) is not kind:
            raise self.wrong((*path, key), f"{table[key]!r} should be {_article(kind)}")
        return table[key]

    def choice(
        self,
        table: Mapping[str, Any],
        key: str,
        choices: Sequence[str],
        default: str | None,
        path: Sequence[str] = (),
    ) -> str:
        value: str = self.typed(table, key, str, default, path)
        if value not in choices:
            raise self.wrong((*path, key), f"{value!r} is none of {', '.join(choices)}")
        return value

    def names(self, table: Mapping[str, Any], key: str) -> list[str]:
        names: list[str] = self.typed(table, key, list, [])
        if not all(isinstance(name, str) for name in names):
            raise self.wrong((key,), "this is a list of names")
        return names


def _article(kind: type) -> str:
    return {
        str: "a text in quotes",
        bool: "true or false",
        int: "a whole number",
        float: "a number",
        list: "a list",
        dict: "a table",
    }[kind]


def _after(
    placed: Mapping[str, _Placed], after: str, name: str, new: _Placed
) -> dict[str, _Placed]:
    """The steps with one put behind another, away from where it stood."""
    moved = {}
    for key, value in placed.items():
        if key != name:
            moved[key] = value
        if key == after:
            moved[name] = new
    return moved


def placed_of(recipe: Recipe) -> dict[str, _Placed]:
    """The steps of a build and of a crawl as one list: each keeps the order of both."""
    placed: dict[str, _Placed] = {}
    screening = list(recipe.screening)
    shared = {use.makes for use in screening}
    for use in recipe.uses:
        if use.makes in shared:
            while screening[0].makes != use.makes:
                only = screening.pop(0)
                placed[only.makes] = _Placed(only, CRAWL)
            screening.pop(0)
        placed[use.makes] = _Placed(use, ALWAYS if use.makes in shared else BUILD)
    placed.update({use.makes: _Placed(use, CRAWL) for use in screening})
    return placed


def line_of(text: str, path: Sequence[str]) -> int:
    """The line, from 1, on which a key stands, or the nearest table around it; 0 for none."""
    found, depth = 0, 0
    table: tuple[str, ...] = ()
    wanted = tuple(path)
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*\[\[?([^\]]+)\]", line)
        pair = re.match(r"\s*([^=#\[]+)=", line)
        if header:
            table = full = _parts(header[1])
        elif pair:
            full = (*table, *_parts(pair[1]))
        else:
            continue
        if len(full) > depth and full == wanted[: len(full)]:
            found, depth = number, len(full)
    return found


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))


def write_recipe(recipe: Recipe, about: Sequence[str] = ()) -> str:
    """A recipe as text that `read_recipe` reads to the same, without a base.

    `about` are lines of comment at the head.
    """
    absent = ", ".join(_value(name) for name in sorted(recipe.absent))
    lines = [f"# {line}".rstrip() for line in about]
    lines += [
        *([""] if about else []),
        f"name = {_value(recipe.name)}",
        f"schema = {_value(recipe.schema_name)}",
        f"pairs = {_value(recipe.pairs)}",
        *([f"absent = [{absent}]"] if absent else []),
        "",
        "[splits]",
        *(f"{name} = {share}" for name, share in recipe.shares.items()),
    ]
    for makes, placed in placed_of(recipe).items():
        lines += ["", f"[steps.{makes}]", *_described(placed)]
    return "\n".join(lines) + "\n"


def _described(placed: _Placed) -> list[str]:
    use = placed.use
    lines = []
    if use.step.name != use.makes:
        lines.append(f"step = {_value(use.step.name)}")
    if placed.when != BUILD:
        lines.append(f"when = {_value(placed.when)}")
    if use.model:
        lines.append(f"model = {_value(use.model)}")
    renamed = [
        f"{name} = {_value(given)}"
        for name, given in zip(use.step.reads, use.inputs, strict=True)
        if name != given
    ]
    if renamed:
        lines.append(f"inputs = {{ {', '.join(renamed)} }}")
    return [*lines, *(f"{name} = {_value(value)}" for name, value in use.parameters.items())]


def _value(value: Any) -> str:
    """A value as TOML writes it. Texts here are names: none needs an escape."""
    if value is None:
        return '"none"'
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else repr(value)


def differences(old: Recipe, new: Recipe) -> list[str]:
    """What changed between two recipes, a line each: ``motion.hop_s: 0.2 -> 0.5``."""
    lines = []
    for name in ("schema_name", "pairs"):
        if getattr(old, name) != getattr(new, name):
            lines.append(f"{name}: {getattr(old, name)} -> {getattr(new, name)}")
    if old.absent != new.absent:
        lines.append(f"absent: {sorted(old.absent)} -> {sorted(new.absent)}")
    if dict(old.shares) != dict(new.shares):
        lines.append(f"splits: {dict(old.shares)} -> {dict(new.shares)}")
    before, after = placed_of(old), placed_of(new)
    lines += [f"{makes}: left out" for makes in before if makes not in after]
    for makes, placed in after.items():
        if makes not in before:
            lines.append(f"{makes}: new, by the step {placed.use.step.name}")
            continue
        one, other = _facts(before[makes]), _facts(placed)
        lines += [
            f"{makes}.{key}: {one.get(key)} -> {other.get(key)}"
            for key in sorted({*one, *other})
            if one.get(key) != other.get(key)
        ]
    return lines


def _facts(placed: _Placed) -> dict[str, Any]:
    use = placed.use
    facts = {"step": use.step.name, "version": use.step.version, "model": use.model}
    inputs = dict(zip(use.step.reads, use.inputs, strict=True))
    return {**facts, "when": placed.when, "inputs": inputs, **use.parameters}
