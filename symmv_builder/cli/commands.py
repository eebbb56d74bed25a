"""The commands of `symmv` by name: a command's module is imported when it is called.

`symmv --help` shows this table and imports none of them. A test compares it with the commands.
"""

import importlib
import sys
from inspect import cleandoc
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from symmv_builder.cli.examples import epilog_of
from symmv_builder.cli.saying import complain
from symmv_builder.garbage import uncollected

# Each with its module in `symmv_builder.cli` and the first sentence of its help, in the order of
# the list that `symmv --help` prints.
COMMANDS = {
    "build": ("building", "Build a dataset: every entry through every stage, then Parquet shards."),
    "demo": (
        "demo",
        "Make media, crawl a loopback site of them, build both datasets, show what was made.",
    ),
    "import": ("importing", "Import a published dataset: its annotation in our rows, as shards."),
    "recipe": (
        "recipes",
        "Print a recipe as TOML: a start for one of your own, `symmv recipe symmv > mine.toml`.",
    ),
    "run": ("running", "Run one stage on files and print one JSON record a file, as JSON lines."),
    "export": (
        "exporting",
        "Write a built dataset out of the store: its paper's own layout, or samples with "
        "recordings.",
    ),
    "status": (
        "asking",
        "Say how far a dataset is: entries made, rejected and open, stages, shards.",
    ),
    "why": (
        "asking",
        "Say what was done for an entry, by which model and parameters, and where it stopped.",
    ),
    "schema": (
        "asking",
        "Print what a row holds: every column with its type, unit and meaning, as JSON.",
    ),
    "config": (
        "configuring",
        "Show every setting: its value, and the flag, variable or file that it comes from.",
    ),
    "models": (
        "models",
        "List every model: whether its weights are here, its licence, how to get it.",
    ),
    "doctor": (
        "doctoring",
        "Say what works on this machine, with one line of advice for what does not.",
    ),
    "show": (
        "showing",
        "Show what was made of an entry; --out draws it, --json prints every record in full.",
    ),
    "report": (
        "reporting",
        "Write a report of a dataset: one HTML page, its figures as PNG and SVG, its numbers as "
        "JSON.",
    ),
    "correct": (
        "correcting",
        "Correct what the machine found of an entry: a beat, cut, chord, key or note, or trim it.",
    ),
    "crawl": (
        "crawling",
        "Find new recordings, match, fetch and screen them, and propose them as entries.",
    ),
    "review": (
        "crawling",
        "List proposals, and matches between the two thresholds, with the evidence for each.",
    ),
    "promote": (
        "crawling",
        "Turn proposals into entries of the manifest; matches under review are let through.",
    ),
    "reject": (
        "crawling",
        "Turn proposals away: a line of decisions.jsonl each, which a further line can undo.",
    ),
    "takedown": (
        "crawling",
        "Remove an entry from manifest, recordings, results, shards and releases, for good.",
    ),
    "release": (
        "crawling",
        "Freeze the shards as a release: copies, checksums, card, and the receipt last.",
    ),
    "train": (
        "training",
        "Train a model; can be stopped at any moment and run again, to the same losses.",
    ),
    "rank": (
        "ranking",
        "Rank rows by how well their music fits their video, and mark the best share as a subset.",
    ),
    "generate": (
        "generating",
        "Write music for videos: NAME.mid, NAME.wav, NAME.mp4 with the new sound, NAME.json.",
    ),
    "gallery": (
        "reporting",
        "Write gallery.html into a folder of generated pieces: players, pictures, models, "
        "measures.",
    ),
    "study": (
        "studying",
        "Make a listening study for a browser, keep its answers, and score them.",
    ),
    "clean": ("cleaning", "Count what nothing needs any more, by kind; --yes frees it."),
    "verify": (
        "verifying",
        "Compare everything in a data root with its checksums; exit code 1 where it is not sound.",
    ),
    "web": (
        "serving",
        "Serve pages to browse datasets, review, compose and watch runs, on this machine.",
    ),
    "evaluate": (
        "evaluate",
        "Measure music and models by the metrics of the papers, beside the papers' figures.",
    ),
}
# The panels of `symmv --help`; a command that stands in none is listed above them.
PANELS = {
    "See something": ("demo", "generate", "gallery"),
    "Make a dataset": ("build", "run", "recipe", "import", "correct", "export", "release"),
    "Look at it": ("status", "show", "report", "web", "why", "schema", "verify", "clean"),
    "Crawl": ("crawl", "review", "promote", "reject", "takedown"),
    "Learn from it": ("train", "evaluate", "rank", "study"),
    "This machine": ("config", "doctor", "models"),
}
_PANEL_OF = {name: panel for panel, names in PANELS.items() for name in names}
# What Ctrl-C leaves, by command. Files of every command appear when they are complete.
_GOES_ON = "finished work is kept, run the same command to go on"
_BEGINS_AGAIN = "nothing is half-written, the same command begins again"
INTERRUPTED = {
    **dict.fromkeys(("build", "import", "crawl", "demo", "export"), _GOES_ON),
    "train": "run the same command to go on from the last checkpoint",
    "generate": f"pieces written so far are kept, {_BEGINS_AGAIN}",
    "run": f"records made so far are kept, {_BEGINS_AGAIN}",
}
SETTINGS: dict[str, Any] = {
    "add_completion": False,
    "pretty_exceptions_enable": False,
    "context_settings": {"help_option_names": ["-h", "--help"]},
}


class Commands(TyperGroup):
    """A group that knows its commands by `COMMANDS` and imports the one that is called."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.help = flowing(self.help)
        order = [*_PANEL_OF, *COMMANDS]
        self.commands = {
            name: TyperCommand(name, help=text, rich_help_panel=_PANEL_OF.get(name))
            for name, (_, text) in sorted(COMMANDS.items(), key=lambda row: order.index(row[0]))
        }

    def get_params(self, ctx: Any) -> Any:
        # Those of completion are added when the group is made already.
        parameters = super().get_params(ctx)
        for parameter in parameters:
            _shorten(parameter)
        return parameters

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args[0] in COMMANDS:
            self.load(args[0])
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; Ctrl-C ends it with exit code 130 and a line of what is kept."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            # The terminal has written ^C.
            sys.stderr.write("\n")
            name = ctx.invoked_subcommand or ""
            complain(f"interrupted; {INTERRUPTED.get(name, _BEGINS_AGAIN)}")
            raise typer.Exit(130) from None

    def load(self, name: str) -> None:
        """Put the command itself in the place of its line of help."""
        with uncollected():
            module = importlib.import_module(f"symmv_builder.cli.{COMMANDS[name][0]}")
        app = typer.Typer(**SETTINGS)
        module.register(app)
        command = typer.main.get_group(app).commands[name]
        add_options(command)
        tidy(command)
        command.epilog = epilog_of(name)
        self.commands[name] = command


def flowing(text: str | None) -> str:
    """Join the lines of each paragraph of a help text, so that the terminal breaks them."""
    return "\n\n".join(" ".join(each.split()) for each in cleandoc(text or "").split("\n\n"))


def tidy(command: Any) -> None:
    """Let the help of a command, and of those below it, flow, with short words for values."""
    command.help = flowing(command.help)
    # The parameters with the option for help, which a command keeps once it was asked for.
    context = typer.Context(command, **SETTINGS["context_settings"])
    for parameter in command.get_params(context):
        _shorten(parameter)
    for child in getattr(command, "commands", {}).values():
        tidy(child)


def add_options(command: Any) -> None:
    """Give a command, and those below it, the options that every command has."""
    from symmv_builder.cli import logs

    command.params = [*command.params, *logs.options()]
    for child in getattr(command, "commands", {}).values():
        add_options(child)


def _shorten(parameter: Any) -> None:
    """Shorten help: a flag takes no value, counted or not.

    Dots after an argument are the parser's.
    """
    if parameter.param_type_name == "argument":
        parameter.metavar = (parameter.metavar or parameter.name).upper().strip("[].")
    elif parameter.is_flag or getattr(parameter, "count", False):
        parameter.metavar = ""
    elif parameter.metavar is None and parameter.multiple:
        parameter.metavar = "<text>"
