"""`symmv run` and `symmv export`: single stages on files, and the papers' own layouts."""

import dataclasses
import functools
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from symmv_builder.backends import Loader
from symmv_builder.cli import options
from symmv_builder.errors import RejectEntry, StopRun
from symmv_builder.pipeline.guard import Guarded
from symmv_builder.records import Record, to_json
from symmv_builder.storage.root import Root


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
    patience: Annotated[
        float, typer.Option(min=0.001, help="Longest that one file may take, in seconds.")
    ] = 1800.0,
) -> None:
    """Run one stage on files and print one JSON record a file, as JSON lines.

    A file that is not good enough gives a line with `reason` and `detail` instead, and
    exit code 1 at the end. The stage `title` takes texts, and prints artist and title.
    """
    if stage == "title":
        if backend or set_ or out:
            raise StopRun("the stage title takes no --backend, --set or --out")
        run_titles(inputs)
        return
    loader = Loader(options.settings(None).home)
    one = functools.partial(
        run_one, stage, loader, backend, options.assignments(set_, "PARAMETER=VALUE")
    )
    failed = False
    files = [Path(text) for text in inputs]
    for path in files:
        if not path.is_file():
            raise StopRun(f"{path} is not a file")
    with Guarded(one, patience_s=patience) as guarded:
        for path in files:
            line: dict[str, Any] = {"file": str(path), "stage": stage}
            try:
                with Console(stderr=True).status(Text(f"{stage} {path}")):
                    record = guarded(path)
            except RejectEntry as error:
                failed = True
                line |= {"reason": error.reason, "detail": error.detail}
                sys.stderr.write(f"symmv: {path}: {' '.join(str(error).split())}\n")
            else:
                line |= to_json(record)
                if out:
                    _write(out, path, stage, record)
            sys.stdout.write(json.dumps(line) + "\n")
            sys.stdout.flush()
    if failed:
        raise typer.Exit(1)


def run_titles(texts: list[str]) -> None:
    """Artist and title of each text, one JSON line a text, those that name no song included."""
    from symmv_builder.crawl.titles import parse_title

    failed = False
    for text in texts:
        try:
            line: dict[str, Any] = dataclasses.asdict(parse_title(text))
        except RejectEntry as error:
            failed = True
            line = {"artist": "", "title": "", "confidence": 0.0, "marks": []}
            line |= {"reason": error.reason, "detail": error.detail}
        sys.stdout.write(json.dumps(line) + "\n")
    if failed:
        raise typer.Exit(1)


def run_one(
    stage: str,
    loader: Loader,
    backend: str | None,
    settings: Mapping[str, str],
    path: Path,
) -> Record:
    """One stage on one file, in the process that may be lost."""
    from symmv_builder.datasets import stages

    return stages.run_stage(stage, path, loader, backend=backend, settings=settings)


def _write(out: Path, path: Path, stage: str, record: Record) -> None:
    from symmv_builder.datasets import stages

    stages.write_record(out, path, stage, record)


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
    sys.stdout.write(
        f"{summary.entries} entries of {dataset} in {out}: {summary.written} files written, "
        f"{summary.unchanged} unchanged, {summary.removed} removed\n"
    )
    if summary.left_out:
        sys.stderr.write(f"symmv: {of_left_out(dataset, summary.left_out)}\n")
