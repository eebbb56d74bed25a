"""Single stages on files: in this process, or in one that may be lost."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from symmv_builder.api.options import PATIENCE_S
from symmv_builder.api.texts import setting_text
from symmv_builder.backends import ModelLoader
from symmv_builder.datasets import remembered
from symmv_builder.datasets.recipe import Recipe
from symmv_builder.errors import NoSuchPath, Reason, RejectEntry, RetryLater, WorkerBug
from symmv_builder.pipeline.events import Event
from symmv_builder.pipeline.faults import SameBug, bug_of, in_short
from symmv_builder.pipeline.guard import Guarded
from symmv_builder.pipeline.pool import LOADING_PATIENCE_S
from symmv_builder.pipeline.run import Tell
from symmv_builder.records import Record, to_json
from symmv_builder.settings import Settings, read_settings
from symmv_builder.text import clean_text

__all__ = ["LOADING_PATIENCE_S", "PATIENCE_S", "Guarded", "OfFile"]


def run(
    stage: str,
    path: str | Path,
    *,
    recipe: str | Path | None = None,
    backend: str | None = None,
    root: str | Path | None = None,
    **settings: Any,
) -> Record:
    """Make the record of a stage of a file, as a build of its recipe would store it.

    `recipe` is a dataset's name or a recipe file; without it the stage is that of the recipe that
    it belongs to (`datasets.stages.home_of`). `settings` are the stage's parameters. It runs in
    this process: for files that nobody has looked at, the command `symmv run` has a process that
    may be lost. `StopRun` where stage, recipe, backend or a setting is not known, `RejectEntry`
    where the file is no good.

    Examples:
        >>> sb.run("key", "song.mid", profile="aarden-essen").tonic
        'A'
    """
    from symmv_builder.datasets.stages import run_stage

    where = read_settings(root=root)
    choices = remembered.choose_recipe(where.open_manifests(), recipe) if recipe else None
    return run_stage(
        stage,
        Path(path),
        ModelLoader(where.home),
        recipe=choices,
        backend=backend,
        settings={name: setting_text(value) for name, value in settings.items()},
    )


@dataclass(frozen=True, slots=True)
class OfFile:
    """The result of a stage on one file: its record as plain data, or why there is none.

    Then `said` has ``reason`` and ``detail``, and ``traceback`` where the program is at fault.
    """

    path: Path
    said: Mapping[str, Any]
    is_record: bool
    is_bug: bool = False


def guard(
    stage: str,
    files: Sequence[Path],
    settings: Settings,
    *,
    recipe: str | None = None,
    backend: str | None = None,
    parameters: Mapping[str, str] | None = None,
    out: Path | None = None,
    overwrite: bool = False,
    patience_s: float = PATIENCE_S,
    load_patience_s: float = LOADING_PATIENCE_S,
) -> Guarded:
    """Make a process, to be entered, in which a stage runs on files that nobody has looked at.

    `parameters` are those of the stage, as texts. Where records go to the folder `out`, it is
    checked that each may be written. `StopRun` for a recipe that is not known, and where the first
    file is none.
    """
    choices = remembered.choose_recipe(settings.open_manifests(), recipe) if recipe else None
    one = partial(_run_one, stage, ModelLoader(settings.home), choices, backend, parameters or {})
    if not any(path.is_file() for path in files):
        raise NoSuchPath(files[0])
    if out:
        from symmv_builder.datasets.stages import check_records

        check_records(out, list(files), stage, overwrite=overwrite)
    return Guarded(one, patience_s=patience_s, loading_patience_s=load_patience_s)


def _run_one(
    stage: str,
    loader: ModelLoader,
    recipe: Recipe | None,
    backend: str | None,
    settings: Mapping[str, str],
    path: Path,
    tell: Tell,
) -> Record:
    """Run one stage on one file, in the process that may be lost."""
    tell(Event("load", "", stage, detail=f"the stage {stage}"))
    from symmv_builder.datasets.stages import run_stage

    tell(Event("begin", "", stage))
    return run_stage(
        stage, path, loader, recipe=recipe, backend=backend, settings=settings, tell=tell
    )


def run_files(
    guarded: Guarded,
    files: Sequence[Path],
    stage: str,
    out: Path | None = None,
    *,
    strict: bool = False,
    busy: Callable[[Path], AbstractContextManager[object]] = lambda _: nullcontext(),
) -> Iterator[OfFile]:
    """Run the stage of `guarded` on each file; records are also written to `out`.

    `busy` is entered while a file is looked at. `StopRun` after ten files running that meet one
    bug; with `strict` the first bug is raised.
    """
    same = SameBug()
    for path in files:
        try:
            if not path.is_file():
                raise RejectEntry(Reason.UNREADABLE, f"{path} is not a file")
            with busy(path):
                record = guarded(path)
        except (RejectEntry, RetryLater, WorkerBug) as error:
            is_bug = isinstance(error, WorkerBug)
            if strict and is_bug:
                raise
            if isinstance(error, WorkerBug):
                same.met(str(path), error.bug)
            yield OfFile(path, _why_not(error), is_record=False, is_bug=is_bug)
        else:
            same.clear()
            if out:
                from symmv_builder.datasets.stages import write_record

                write_record(out, path, stage, record)
            yield OfFile(path, to_json(record), is_record=True)
        same.check()


def _why_not(error: RejectEntry | RetryLater | WorkerBug) -> dict[str, Any]:
    """Word what is said in the place of a record."""
    if isinstance(error, WorkerBug):
        detail = clean_text(f"{error.last_line} ({error.bug.place})")
        return {"reason": Reason.FAILED, "detail": detail, "traceback": error.bug.traceback}
    cause = error.detail if isinstance(error, RejectEntry) else str(error)
    return {"reason": error.reason, "detail": clean_text(cause)}


def titles(texts: Sequence[str], *, strict: bool = False) -> Iterator[dict[str, Any]]:
    """Artist and title of each text, as plain data, with a ``reason`` where it names no song.

    A bug is a reason too (``failed``), and is raised with `strict`.
    """
    from symmv_builder.crawl.titles import parse_title

    nobody = {"artist": "", "title": "", "confidence": 0.0, "marks": []}
    for text in texts:
        try:
            yield asdict(parse_title(text))
        except RejectEntry as error:
            yield nobody | _why_not(error)
        except Exception as error:
            if strict:
                raise
            yield nobody | _why_not(WorkerBug(in_short(error), bug_of(error)))
