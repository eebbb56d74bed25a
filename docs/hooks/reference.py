"""Writes the reference pages of the documentation out of the code, while the site is built.

`pages()` gives every generated page; MkDocs calls `on_files`, which adds them to those of `docs/`.
Nothing in the reference is written by hand: what is wrong there is mended in the code.
"""

import dataclasses
import importlib
import inspect
import json
import pkgutil
import re
import typing
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from pathlib import Path
from typing import Any

import typer
from page_markup import fenced, inline, inspect_doc, plain, prose, table

import symmv_builder as sb
from symmv_builder import backends, datasets, errors, evaluation, settings
from symmv_builder.cli import app
from symmv_builder.datasets import imports, schemas, step_table
from symmv_builder.datasets.placed import placed_of
from symmv_builder.datasets.recipe import Recipe
from symmv_builder.errors import Reason
from symmv_builder.evaluation import published_figures
from symmv_builder.pipeline.step import Step
from symmv_builder.schema import CLIP, ENTRY, Column
from symmv_builder.training import model_scores

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = "docs/notebooks/first-hour.ipynb"
SITUATIONS = ("requests", "files", "datasets", "training", "machine")
METAVARS = {str: "TEXT", int: "NUMBER", float: "NUMBER", Path: "PATH"}
# What packages of others are written with, beside the names of `symmv_builder` itself.
EXTENSION_API = (
    "symmv_builder.pipeline.step.Step",
    "symmv_builder.pipeline.step.use",
    "symmv_builder.schema.Column",
    "symmv_builder.timeline",
    "symmv_builder.records",
    "symmv_builder.errors.reactions",
    "symmv_builder.vocab",
    "symmv_builder.music.listening.Listener",
    "symmv_builder.video.frames.Watcher",
    "symmv_builder.backends.slots",
    "symmv_builder.pipeline.keys.ModelIdentity",
    "symmv_builder.datasets.imports.tree",
    "symmv_builder.evaluation.metric",
    "symmv_builder.training.trainer",
    "symmv_builder.training.composing",
    "symmv_builder.training.runs",
    "symmv_builder.training.data",
    "symmv_builder.storage.root.Root",
)


def pages() -> dict[str, str]:
    """Every generated page: its path below `docs/` and its Markdown."""
    return {
        "reference/index.md": index(),
        "reference/cli.md": command_line(),
        "reference/api.md": python_names(),
        "reference/extension-api.md": extension_names(),
        "reference/recipes.md": recipes(),
        "reference/steps.md": steps(),
        "reference/columns.md": columns(),
        "reference/models.md": models(),
        "reference/metrics.md": metrics(),
        "reference/settings.md": environment(),
        "reference/reasons.md": reasons(),
        "reference/errors.md": situations(),
        "tutorials/notebook.md": notebook(),
        "changelog.md": document("CHANGELOG.md"),
        "contributing.md": document("CONTRIBUTING.md"),
    }


def on_files(files: Any, config: Any) -> Any:
    """Add the generated pages to the site (a hook of MkDocs)."""
    from mkdocs.structure.files import File

    for path, text in pages().items():
        files.append(File.generated(config, path, content=text))
    return files


def index() -> str:
    """What each page of the reference holds, in one table."""
    held = {
        "cli.md": "every command of `symmv` with its arguments and options",
        "api.md": "what `import symmv_builder` offers",
        "extension-api.md": "the classes and records that steps, models, importers and trainers "
        "of your own are written with",
        "recipes.md": "the built-in recipes, step by step",
        "steps.md": "every step that a recipe can name: inputs, settings, defaults, columns",
        "columns.md": "every column of a row: type, unit, meaning",
        "models.md": "every model: tool, licence, where its weights come from",
        "metrics.md": "every metric with its definition, and the figures of the papers",
        "settings.md": "the environment variables",
        "reasons.md": "every reason for which an entry is put aside",
        "errors.md": "every error that ends a run, with its fields",
    }
    titles = {name: name.removesuffix(".md").replace("-", " ").capitalize() for name in held}
    titles |= {"cli.md": "Command line", "api.md": "Python", "extension-api.md": "Extension API"}
    rows = [(f"[{titles[name]}]({name})", text) for name, text in held.items()]
    return "# Reference\n\nGenerated from the code.\n\n" + table(("page", "holds"), rows)


# The command line


def command_line() -> str:
    """Every command with its help, arguments and options."""
    parts = ["# Command line\n"]
    for words, command in commands():
        if words == "symmv":
            continue
        level = "#" * len(words.split())
        parts.append(f"{level} {words}\n\n{prose(command.help)}")
        rows = [parameter_row(each) for each in command.params if not getattr(each, "hidden", 0)]
        usage = " ".join([words, *usage_of(command)])
        examples = re.findall(r"^symmv .*$", command.epilog or "", flags=re.MULTILINE)
        parts.append(
            fenced("\n".join([usage, *(["", "# for example", *examples] * bool(examples))]))
        )
        if rows:
            parts.append(table(("", "default", "meaning"), rows))
    return "\n".join(parts)


def commands() -> Iterator[tuple[str, Any]]:
    """Every command with the words that call it, groups included, in the order of `--help`."""
    group: Any = typer.main.get_command(app)
    for name in list(group.commands):
        if hasattr(group, "load"):
            group.load(name)
    stack: list[tuple[str, Any]] = [("symmv", group)]
    while stack:
        words, command = stack.pop(0)
        yield words, command
        children = getattr(command, "commands", {})
        stack[:0] = [(f"{words} {name}", child) for name, child in children.items()]


def usage_of(command: Any) -> Iterator[str]:
    if any(parameter.param_type_name == "option" for parameter in command.params):
        yield "[OPTIONS]"
    if getattr(command, "commands", None):
        yield "COMMAND"
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            name = (parameter.metavar or parameter.name.upper()).strip("[]{}.")
            name += "..." if parameter.nargs == -1 or parameter.multiple else ""
            yield name if parameter.required else f"[{name}]"


def parameter_row(parameter: Any) -> tuple[str, str, str]:
    """Names, default and meaning of an argument or an option."""
    kind = value_type(parameter)
    if parameter.param_type_name == "argument":
        names = f"`{(parameter.metavar or parameter.name.upper()).strip('[]{}.')}`"
    else:
        names = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
        takes_value = not (getattr(parameter, "is_flag", 0) or getattr(parameter, "count", 0))
        if takes_value:
            given = (parameter.metavar or "<").strip("[]")
            names += f" {METAVARS.get(kind, 'NAME') if given.startswith('<') else given}"
    meaning = inline(getattr(parameter, "help", "") or "")
    if kind is Reason:
        meaning += " [Reasons](reasons.md)."
    elif issubclass(kind, Enum):
        meaning += " One of: " + ", ".join(f"`{each.value}`" for each in kind) + "."
    default = parameter.default
    if getattr(parameter, "is_flag", 0) and parameter.secondary_opts:
        default = (parameter.opts if default else parameter.secondary_opts)[0]
    is_said = default not in (None, False, (), [], "") and not callable(default)
    return names, f"`{getattr(default, 'value', default)}`" if is_said else "", meaning


def value_type(parameter: Any) -> type:
    """What one value of a parameter is: of `list[int]` it is `int`, of `int | None` too."""
    hint = parameter.type_descriptor.annotation
    while inner := [each for each in typing.get_args(hint) if each is not type(None)]:
        hint = inner[0]
    return hint if isinstance(hint, type) else str


# Python


def python_names() -> str:
    """The names of `symmv_builder`, each documented by its docstring."""
    intro = prose(inspect_doc(sb)).replace("```text", "```python")
    places = {name: getattr(sb, name).__module__ for name in sb.__all__ if name[0] != "_"}
    reactions = [
        f"[`{name}`](extension-api.md#{place}.{name})"
        for name, place in places.items()
        if place.startswith("symmv_builder.errors")
    ]
    found = [
        f"::: {place}.{name}\n"
        for name, place in places.items()
        if not place.startswith("symmv_builder.errors")
    ]
    told = f"Errors: {', '.join(reactions)}. [What ends a run](errors.md) lists its situations.\n"
    return "\n".join(["# Python\n", intro, told, *found])


def extension_names() -> str:
    """The modules and classes that packages of others are written with."""
    start = (
        "# Extension API\n\n[Extend with your own code](../extending.md) shows how these are "
        "used.\n"
    )
    return "\n".join([start, *(f"::: {name}\n" for name in EXTENSION_API)])


# Recipes, steps, columns


def recipes() -> str:
    """Every built-in recipe and importer: its steps in order, and its text."""
    parts = ["# Recipes\n"]
    parts.append(
        "A recipe says which steps make a dataset, with which models and settings. `when` says "
        "whether a step runs in a build, while a crawl screens pairs, or in both.\n"
    )
    for name, recipe in built_in().items():
        inputs = "a music recording and a video" if recipe.pairs else "one recording"
        shares = ", ".join(f"{split} {share}" for split, share in recipe.shares.items())
        parts.append(f"## {name}\n\nAn entry is {inputs}. Splits: {shares}.\n")
        rows = [
            (
                f"`{makes}`",
                link_to_step(placed.use.step.name),
                " ".join(f"`{each}`" for each in placed.use.inputs),
                f"`{placed.use.model}`" if placed.use.model else "",
                placed.when,
                settings_of(placed.use.parameters, placed.use.step.defaults),
            )
            for makes, placed in placed_of(recipe).items()
        ]
        head = ("result", "step", "inputs", "model", "when", "settings that differ")
        parts.append(table(head, rows))
    return "\n".join(parts)


def built_in() -> dict[str, Recipe]:
    """The recipes of the package itself, datasets first, then imports."""
    own = [path.stem for path in (Path(sb.__file__).parent / "recipes").glob("*.toml")]
    first = [*datasets.NAMES, *sorted(set(own) - set(datasets.NAMES))]
    made = {name: datasets.recipe(name) for name in first}
    return made | {name: imports.recipe(name) for name in datasets.IMPORTED}


def settings_of(chosen: Any, defaults: Any) -> str:
    return ", ".join(f"`{k} = {plain(v)}`" for k, v in chosen.items() if v != defaults[k])


def own_steps() -> list[Step]:
    """The steps of this package, in the order of their names."""
    found = [step_table.find_step(name) for name in step_table.step_names()]
    return sorted(
        (step for step in found if step.run.__module__.startswith("symmv_builder.")),
        key=lambda step: step.name,
    )


def steps() -> str:
    """Every step that a recipe can name."""
    parts = [
        "# Steps\n\nEvery step that a recipe's `[steps.NAME]` can name. `music` and `video` are "
        "the recordings, `published` is the file that holds what an imported dataset says of a "
        "song; other inputs are results of other steps. The version is part of the key under "
        "which a result is kept.\n"
    ]
    for step in own_steps():
        made = step.record_made
        facts = [
            ("version", str(step.version)),
            ("reads", " ".join(f"`{name}`" for name in step.reads)),
            ("gives", f"`{made.__name__}`" if made else ""),
            ("model", f"slot `{step.slot}`: {models_of(step.slot)}" if step.slot else ""),
            ("settings", ", ".join(f"`{k} = {plain(v)}`" for k, v in step.defaults.items())),
        ]
        shown = [(name, text) for name, text in facts if text]
        parts.append(f"## {step.name}\n\n{prose(inspect_doc(step.run))}\n{table(('', ''), shown)}")
        if not callable(step.columns) and step.columns:
            parts.append(column_table(step.columns))
    return "\n".join(parts)


def models_of(slot: str) -> str:
    return ", ".join(f"`{name}`" for known, name in backends.TABLE if known == slot)


def link_to_step(name: str) -> str:
    return f"[{name}](steps.md#{name})"


def columns() -> str:
    """The columns of the published schemas and of the built-in recipes."""
    parts = [
        "# Columns\n\nA row is one entry. Type, unit and meaning also stand in the metadata of "
        "the Parquet files, and `symmv schema` prints them. Which result fills a column is the "
        "first part of its source.\n",
        "## Columns of every dataset\n",
        column_table(ENTRY),
        "## Of clips\n\nWhere a recipe cuts entries into [clips](../how-to/clips.md), a row says "
        "which one it is; all other columns hold what the clip holds of its entry.",
        column_table(CLIP),
    ]
    known = {column.name for column in ENTRY}
    for name, recipe in built_in().items():
        own = [column for column in recipe.columns if column.name not in known]
        label = schemas.label_of(recipe)
        note = f"Rows follow the schema `{label}`."
        if absent := sorted(known - {column.name for column in recipe.columns}):
            note += f" Without {', '.join(f'`{each}`' for each in absent)}."
        parts.append(f"## {name}\n\n{note}\n\n{column_table(own)}")
    return "\n".join(parts)


def column_table(held: Iterable[Column]) -> str:
    rows = [
        (
            f"`{column.name.replace('{}', 'NAME')}`",
            f"`{column.type}`",
            column.unit,
            inline(column.meaning),
            f"`{column.take}`",
        )
        for column in held
    ]
    return table(("column", "type", "unit", "meaning", "source"), rows)


# Models, metrics, settings


def models() -> str:
    """Every model by slot, with its licence; what this machine has plays no part."""
    rows = []
    for slot, name in backends.TABLE:
        about = backends.about(slot, name)
        default = "yes" if backends.names(slot)[0] == name else ""
        rows.append((slot, f"`{name}`", default, about.tool, about.licence, inline(about.weights)))
    head = ("slot", "model", "default", "tool", "licence", "weights")
    return (
        "# Models\n\nModels for one job share a slot; the first of a slot is its default. "
        "`symmv models` also says which are on your machine. The licence is that of the weights "
        "and counts for what is made with them.\n\n" + table(head, rows)
    )


def metrics() -> str:
    """Every module of `symmv_builder.evaluation`, and the papers' figures."""
    parts = [
        "# Metrics\n\n[Evaluate music and models](../how-to/evaluate.md) and "
        "[Evaluate annotations](../how-to/evaluate-annotations.md) show the commands that "
        "compute these.\n"
    ]
    declared = evaluation.metrics()
    for module in pkgutil.iter_modules(evaluation.__path__):
        if module.name in ("metric", "published_figures"):
            continue
        full = f"symmv_builder.evaluation.{module.name}"
        first, _, rest = inspect_doc(importlib.import_module(full)).partition("\n\n")
        parts.append(f"## {module.name}\n\n{prose(first)}{prose(rest)}")
        if module.name in declared:
            parts.append(metric_table(declared[module.name]))
        parts += [f"::: {full}.{name}\n" for name in public_functions(full)]
    known = {metric for some in declared.values() for metric in some}
    for name, score in model_scores().items():
        if own := [metric for metric in score.metrics if metric not in known]:
            parts.append(f"## Of the model {name}\n\n{inline(score.help)}\n\n{metric_table(own)}")
    parts.append("## Figures of the papers\n\n" + prose(inspect_doc(published_figures)))
    for name in ("MUSIC", "VMCP", "AMT", "REGRESSOR", "BEATS", "AUDIO"):
        figures: Sequence[published_figures.Figures] = getattr(published_figures, name)
        names = list(dict.fromkeys(key for each in figures for key in each.values))
        rows = [
            (each.paper, each.table, each.row, *(str(each.values.get(n, "")) for n in names))
            for each in figures
        ]
        parts.append(f"### {name.capitalize()}\n\n{table(('paper', 'table', 'row', *names), rows)}")
    return "\n".join(parts)


def metric_table(held: Iterable[evaluation.Metric]) -> str:
    """Metrics as they declare themselves."""
    better = {"high": "high", "low": "low", "real": "as real music"}
    rows = [
        (
            f"`{metric.name}`",
            inline(metric.definition),
            metric.unit,
            better.get(metric.best, ""),
            ", ".join(metric.reads),
            metric.source,
        )
        for metric in held
    ]
    return table(("metric", "definition", "unit", "better", "reads", "source"), rows)


def public_functions(module: str) -> list[str]:
    """The functions and classes that a module defines for others, in the order of its text."""
    return [
        name
        for name, thing in vars(importlib.import_module(module)).items()
        if not name.startswith("_") and getattr(thing, "__module__", "") == module
    ]


def environment() -> str:
    """The environment variables, out of the table in the docstring of `settings`."""
    text = inspect_doc(settings)
    rows: list[list[str]] = []
    for line in text.splitlines():
        if match := re.match(r"``(SYMMV_\S+)``\s+(.*)", line):
            rows.append([f"`{match[1]}`", match[2]])
        elif rows and line.startswith("  ") and not line.lstrip().startswith("="):
            rows[-1][1] += " " + line.strip()
    if not rows:
        raise ValueError("the docstring of symmv_builder.settings lists no variables")
    shown = [(name, inline(meaning)) for name, meaning in rows]
    return (
        "# Settings\n\nWhere things are on a machine. None of this is part of a result's key.\n\n"
        + table(("variable", "meaning"), shown)
    )


def reasons() -> str:
    """Every reason for which an entry is put aside, under the comments of its class."""
    text = inspect.getsource(Reason)
    rows: list[tuple[str, str]] = []
    comment = ""
    for line in text.splitlines():
        if match := re.match(r'\s+[A-Z_]+ = "(\w+)"', line):
            rows.append((f"`{match[1]}`", comment))
            comment = ""
        elif line.lstrip().startswith("#"):
            comment = f"{comment} {line.lstrip(' #')}".strip()
    return (
        "# Reasons\n\n" + prose(inspect_doc(Reason)) + "`symmv why ENTRY` shows the reason with "
        "its detail. `symmv build DATASET --retry REASON` tries such entries again. A note "
        "stands at the first of the reasons that it is about.\n\n" + table(("reason", "note"), rows)
    )


def situations() -> str:
    """Every subclass of `StopRun` with its fields, under the first line of its module."""
    parts = [
        "# Errors\n\nWhat ends a run, by situation: subclasses of "
        "[`StopRun`](extension-api.md#symmv_builder.errors.reactions.StopRun), all in "
        "`symmv_builder.errors`. The message is built from the fields and names no option of a "
        "command; the command line adds what to type. "
        "[Errors and exit codes](../explanation/errors.md) tells them from what puts an entry "
        "aside.\n"
    ]
    for name in SITUATIONS:
        module = f"symmv_builder.errors.situations.{name}"
        title = inspect_doc(importlib.import_module(module)).partition("\n")[0].rstrip(".")
        kinds = [getattr(errors, each) for each in public_functions(module)]
        rows = [
            (
                f"`{kind.__name__}`",
                ", ".join(f"`{field.name}`" for field in dataclasses.fields(kind)),
                inline(inspect_doc(kind)),
            )
            for kind in kinds
        ]
        parts.append(f"## {title}\n\n{table(('error', 'fields', 'meaning'), rows)}")
    return "\n".join(parts)


# Other documents


def notebook() -> str:
    """The notebook as a page: its cells, without outputs."""
    cells = json.loads((ROOT / NOTEBOOK).read_text("utf-8"))["cells"]
    parts = []
    for cell in cells:
        text = "".join(cell["source"])
        parts.append(text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```")
    where = f"*This page shows `{NOTEBOOK}` of the repository. Open it with Jupyter and run it.*"
    return "\n\n".join([parts[0], where, *parts[1:]]) + "\n"


def document(name: str) -> str:
    """A document of the repository's first level, its links turned to pages of the site."""
    text = (ROOT / name).read_text("utf-8")
    text = re.sub(r"\]\(docs/([^)]+)\)", r"](\1)", text)
    text = text.replace("](LICENSE)", "](explanation/licences.md)")
    return re.sub(r"\]\((CHANGELOG|CONTRIBUTING)\.md", lambda m: f"]({m[1].lower()}.md", text)
