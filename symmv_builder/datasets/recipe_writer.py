"""Recipes written as text that `recipe_file` reads to the same, and what differs between two."""

from collections.abc import Sequence
from typing import Any

from symmv_builder.datasets.clip_rules import clip_facts, clip_lines
from symmv_builder.datasets.placed import BUILD, Placed, placed_of
from symmv_builder.datasets.recipe import Recipe
from symmv_builder.datasets.schemas import NEWEST

# How long a line of a written recipe may be.
_WIDTH = 88


def write_recipe(recipe: Recipe, about: Sequence[str] = ()) -> str:
    """Write a recipe as text that `recipe_file.read_recipe` reads to the same, without a base.

    `about` are lines of comment at the head.
    """
    absent = _list(sorted(recipe.absent))
    lines = [f"# {line}".rstrip() for line in about]
    lines += [
        *([""] if about else []),
        f"name = {_value(recipe.name)}",
        *([f"release = {_value(recipe.release)}"] if recipe.release else []),
        *([f"schema = {_value(recipe.schema_name)}"] if recipe.schema_name in NEWEST else []),
        f"pairs = {_value(recipe.pairs)}",
        f"columns = {_list(recipe.results)}",
        *([f"absent = {absent}"] if recipe.absent else []),
        *(["metadata = true"] if recipe.metadata else []),
        "",
        "[splits]",
        *(f"{name} = {share}" for name, share in recipe.shares.items()),
    ]
    for makes, placed in placed_of(recipe).items():
        lines += ["", f"[steps.{makes}]", *_step_lines(placed)]
    if recipe.clips:
        lines += clip_lines(recipe.clips, _value)
        for use in recipe.clips.screens:
            lines += ["", f"[clips.screens.{use.makes}]", *_step_lines(Placed(use, BUILD))]
    return "\n".join(lines) + "\n"


def _step_lines(placed: Placed) -> list[str]:
    use = placed.use
    lines = []
    if use.step.name != use.makes:
        lines.append(f"step = {_value(use.step.name)}")
    if placed.when != BUILD:
        lines.append(f"when = {_value(placed.when)}")
    if use.model:
        lines.append(f"model = {_value(use.model)}")
    renamed = [
        f"{name} = {_value(source)}"
        for name, source in zip(use.step.reads, use.inputs, strict=True)
        if name != source
    ]
    if renamed:
        lines.append(f"inputs = {{ {', '.join(renamed)} }}")
    if use.renamed:
        columns = (f"{field} = {_value(name)}" for field, name in use.renamed.items())
        lines.append(f"columns = {{ {', '.join(columns)} }}")
    return [*lines, *(f"{name} = {_value(value)}" for name, value in use.parameters.items())]


def _list(names: Sequence[str]) -> str:
    """Write a list of names as TOML does, one a line where they are many."""
    one_line = f"[{', '.join(_value(name) for name in names)}]"
    if len(one_line) <= _WIDTH:
        return one_line
    return "\n".join(["[", *(f"    {_value(name)}," for name in names), "]"])


def _value(value: Any) -> str:
    """Write a value as TOML does. Texts here are names: none needs an escape."""
    if value is None:
        return '"none"'
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else repr(value)


def differences(old: Recipe, new: Recipe) -> list[str]:
    """List what changed between two recipes, a line each: ``motion.hop_s: 0.2 -> 0.5``."""
    lines = []
    for name in ("release", "schema_name", "pairs", "metadata"):
        if getattr(old, name) != getattr(new, name):
            lines.append(f"{name}: {getattr(old, name)} -> {getattr(new, name)}")
    if old.absent != new.absent:
        lines.append(f"absent: {sorted(old.absent)} -> {sorted(new.absent)}")
    if dict(old.shares) != dict(new.shares):
        lines.append(f"splits: {dict(old.shares)} -> {dict(new.shares)}")
    lines += _clip_differences(old, new)
    before, after = placed_of(old), placed_of(new)
    # Columns come and go with their steps; what is told is another choice or order of them.
    common = [[name for name in r.results if name in before and name in after] for r in (old, new)]
    if common[0] != common[1]:
        lines.append(f"columns: {', '.join(common[0])} -> {', '.join(common[1])}")
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


def _clip_differences(old: Recipe, new: Recipe) -> list[str]:
    if new.clips is None or old.clips is None:
        text = "rows are entries" if new.clips is None else "rows are clips"
        return [text] if (new.clips is None) != (old.clips is None) else []
    cuts = [clip_facts(each.clips) for each in (old, new)]
    screens = [
        {use.makes: _facts(Placed(use, BUILD)) for use in (r.clips.screens if r.clips else ())}
        for r in (old, new)
    ]
    return [
        f"clips.{prefix}{name}: {one.get(name)} -> {other.get(name)}"
        for prefix, (one, other) in (("", cuts), ("screens.", screens))
        for name in {**one, **other}
        if one.get(name) != other.get(name)
    ]


def _facts(placed: Placed) -> dict[str, Any]:
    use = placed.use
    facts = {"step": use.step.name, "version": use.step.version, "model": use.model}
    inputs = dict(zip(use.step.reads, use.inputs, strict=True))
    columns = {f"column {field}": name for field, name in use.renamed.items()}
    return {**facts, "when": placed.when, "inputs": inputs, **columns, **use.parameters}
