"""`symmv run`: single stages on files."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from symmv_builder.api import stages
from symmv_builder.api.options import PATIENCE_S, assignments
from symmv_builder.api.stages import LOADING_PATIENCE_S
from symmv_builder.cli import completing, options
from symmv_builder.cli.saying import complain
from symmv_builder.errors import WrongArguments
from symmv_builder.report import tables


def register(app: typer.Typer) -> None:
    app.command()(run)


def run(
    stage: Annotated[
        str,
        typer.Argument(
            help="Which stage, for example key, chords, scenes.",
            autocompletion=completing.stages,
        ),
    ],
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="FILES...",
            help="Audio, video or MIDI files; for the stage `title`, the titles of videos.",
        ),
    ],
    recipe: Annotated[
        str | None,
        typer.Option(
            help="Make it as this recipe does: a dataset's name, `symmv-paper` for example, or a "
            "file that ends in .toml. By default as the recipe that the stage belongs to.",
            show_default=False,
            autocompletion=completing.datasets,
        ),
    ] = None,
    backend: Annotated[
        str | None,
        typer.Option(
            help="The tool behind the stage; see `symmv models`.",
            autocompletion=completing.backends,
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="A parameter of the stage: PARAMETER=VALUE. May be repeated."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Also write each record here: JSON, and MIDI where it holds notes."),
    ] = None,
    overwrite: options.Overwrite = False,
    patience: Annotated[
        float, typer.Option(min=0.001, help="Longest that one file may take, in seconds.")
    ] = PATIENCE_S,
    load_patience: options.LoadPatience = LOADING_PATIENCE_S,
    strict: options.Strict = False,
    root: options.Root = None,
) -> None:
    """Run one stage on files and print one JSON record a file, as JSON lines.

    A stage is a result of a recipe (`symmv recipe symmv --check` lists them); what it is made of is
    made on the way, so the record is the one that a build of the recipe stores.
    A file that is not good enough gives a line with `reason` and `detail` instead, and
    exit code 1 at the end; so does one at which the program fails, with its `traceback`.
    The stage `title` takes texts, and prints artist and title.
    """
    if stage == "title":
        if backend or set_ or out or recipe:
            raise WrongArguments("the stage title takes no `recipe`, `backend`, `set` or `out`")
        run_titles(inputs, strict=strict)
        return
    files = [Path(text) for text in inputs]
    with stages.guard(
        stage,
        files,
        options.settings(root),
        recipe=recipe,
        backend=backend,
        parameters=assignments(set_, "PARAMETER=VALUE"),
        out=out,
        overwrite=overwrite,
        patience_s=patience,
        load_patience_s=load_patience,
    ) as guarded:
        bad = run_files(guarded, files, stage, out, strict=strict)
    if bad:
        raise typer.Exit(1)


def run_files(
    guarded: stages.Guarded, files: Sequence[Path], stage: str, out: Path | None, *, strict: bool
) -> int:
    """Print a line for each file; how many of them have no record."""
    bad, failed = 0, 0
    terminal = tables.console(stderr=True)
    for result in stages.run_files(
        guarded,
        files,
        stage,
        out,
        strict=strict,
        busy=lambda path: terminal.status(tables.cell(f"{stage} {path}")),
    ):
        if not result.is_record:
            bad, failed = bad + 1, failed + result.is_bug
            complain(f"{result.path}: {result.said['reason']}: {result.said['detail']}")
        line = {"file": str(result.path), "stage": stage, **result.said}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
    if failed:
        complain(
            f"THE PROGRAM IS AT FAULT for {failed} of {len(files)} files, and not they: "
            "please report it with the `traceback` of such a line"
        )
    return bad


def run_titles(texts: Sequence[str], *, strict: bool = False) -> None:
    """Artist and title of each text, one JSON line a text, those that name no song included."""
    failed = False
    for line in stages.titles(texts, strict=strict):
        failed = failed or "reason" in line
        sys.stdout.write(json.dumps(line) + "\n")
    if failed:
        raise typer.Exit(1)
