"""`symmv run` and `symmv export`: single stages on files, and the papers' own layouts."""

import dataclasses
import functools
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from symmv_builder.backends import Loader
from symmv_builder.cli import options
from symmv_builder.cli.saying import complain, say
from symmv_builder.datasets.recipe import Recipe
from symmv_builder.errors import (
    Reason,
    RejectEntry,
    RetryLater,
    StopRun,
    WorkerBug,
)
from symmv_builder.pipeline.events import Event
from symmv_builder.pipeline.faults import SameBug, bug_of, in_short
from symmv_builder.pipeline.guard import Guarded
from symmv_builder.pipeline.pool import LOADING_PATIENCE_S
from symmv_builder.pipeline.run import Tell
from symmv_builder.records import Record, to_json
from symmv_builder.report import tables
from symmv_builder.storage.root import Root
from symmv_builder.text import clean_text


def register(app: typer.Typer) -> None:
    app.command()(run)
    app.command()(export)


def run(
    stage: Annotated[str, typer.Argument(help="Which stage, for example key, chords, scenes.")],
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
        ),
    ] = None,
    backend: Annotated[
        str | None, typer.Option(help="The tool behind the stage; see `symmv models`.")
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
    ] = 1800.0,
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
            raise StopRun("the stage title takes no --recipe, --backend, --set or --out")
        run_titles(inputs, strict=strict)
        return
    # Every stage with its imports: not for `symmv --help`.
    from symmv_builder.datasets import remembered, stages

    settings = options.settings(root)
    chosen = None
    if recipe:
        chosen = remembered.chosen(settings.open_manifests(), recipe)
    given = options.assignments(set_, "PARAMETER=VALUE")
    one = functools.partial(run_one, stage, Loader(settings.home), chosen, backend, given)
    files = [Path(text) for text in inputs]
    if not any(path.is_file() for path in files):
        raise StopRun(f"{files[0]} is not a file")
    if out:
        stages.check_records(out, files, stage, overwrite=overwrite)
    with Guarded(one, patience_s=patience, loading_patience_s=load_patience) as guarded:
        bad = run_files(guarded, files, stage, out, strict=strict)
    if bad:
        raise typer.Exit(1)


def run_files(
    guarded: Guarded, files: list[Path], stage: str, out: Path | None, *, strict: bool
) -> int:
    """Print a line for each file; how many of them have no record."""
    from symmv_builder.datasets import stages

    bad, failed, same = 0, 0, SameBug()
    for path in files:
        try:
            if not path.is_file():
                raise RejectEntry(Reason.UNREADABLE, f"{path} is not a file")
            with tables.console(stderr=True).status(tables.cell(f"{stage} {path}")):
                record = guarded(path)
        except (RejectEntry, RetryLater, WorkerBug) as error:
            if strict and isinstance(error, WorkerBug):
                raise
            bad, said = bad + 1, _why_not(error)
            complain(f"{path}: {said['reason']}: {said['detail']}")
            if isinstance(error, WorkerBug):
                failed += 1
                same.met(str(path), error.bug)
        else:
            said = to_json(record)
            same.clear()
            if out:
                stages.write_record(out, path, stage, record)
        sys.stdout.write(json.dumps({"file": str(path), "stage": stage, **said}) + "\n")
        sys.stdout.flush()
        same.check()
    if failed:
        complain(
            f"THE PROGRAM IS AT FAULT for {failed} of {len(files)} files, and not they: "
            "please report it with the `traceback` of such a line"
        )
    return bad


def _why_not(error: RejectEntry | RetryLater | WorkerBug) -> dict[str, Any]:
    """What a line says in the place of a record."""
    if isinstance(error, WorkerBug):
        detail = clean_text(f"{error.said} ({error.bug.place})")
        return {"reason": Reason.FAILED, "detail": detail, "traceback": error.bug.traceback}
    said = error.detail if isinstance(error, RejectEntry) else str(error)
    return {"reason": error.reason, "detail": clean_text(said)}


def run_titles(texts: list[str], *, strict: bool = False) -> None:
    """Artist and title of each text, one JSON line a text, those that name no song included."""
    from symmv_builder.crawl.titles import parse_title

    failed = False
    for text in texts:
        try:
            line: dict[str, Any] = dataclasses.asdict(parse_title(text))
        except RejectEntry as error:
            failed = True
            line = {"artist": "", "title": "", "confidence": 0.0, "marks": []}
            line |= _why_not(error)
        except Exception as error:
            if strict:
                raise
            failed = True
            line = _why_not(WorkerBug(in_short(error), bug_of(error)))
        sys.stdout.write(json.dumps(line) + "\n")
    if failed:
        raise typer.Exit(1)


def run_one(
    stage: str,
    loader: Loader,
    recipe: Recipe | None,
    backend: str | None,
    settings: Mapping[str, str],
    path: Path,
    tell: Tell,
) -> Record:
    """One stage on one file, in the process that may be lost."""
    tell(Event("load", "", stage, detail=f"the stage {stage}"))
    from symmv_builder.datasets import stages

    tell(Event("begin", "", stage))
    return stages.run_stage(
        stage, path, loader, recipe=recipe, backend=backend, settings=settings, tell=tell
    )


def export(
    dataset: options.Dataset,
    out: Annotated[Path, typer.Argument(help="Folder to write to; made where it is missing.")],
    root: options.Root = None,
) -> None:
    """Write a built dataset in the layout of its paper's own release."""
    from symmv_builder.datasets.export import export as write
    from symmv_builder.report.progress import Progress
    from symmv_builder.training.usable import summary as of_left_out

    data = Root(options.settings(root).root)
    with Progress([]) as progress:
        summary = write(data, dataset, out, tell=progress.on_event)
    say(
        f"{summary.entries} entries of {dataset} in {out}: {summary.written} files written, "
        f"{summary.unchanged} unchanged, {summary.removed} removed"
    )
    if summary.left_out:
        sys.stderr.write(f"symmv: {of_left_out(dataset, summary.left_out)}\n")
