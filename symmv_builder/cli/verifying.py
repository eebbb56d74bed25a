"""`symmv verify`: is everything in a data root what was written, and what to do if not."""

import json
import sys
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from symmv_builder.cli import options
from symmv_builder.cli.saying import complain, say
from symmv_builder.errors import StopRun
from symmv_builder.settings import Settings
from symmv_builder.storage.store import Store


@dataclass(frozen=True, slots=True)
class Found:
    """What a look found: files and rows looked at, what is damaged, missing, not known."""

    checked: int
    damaged: tuple[Mapping[str, str], ...]
    missing: tuple[Mapping[str, str], ...]
    notes: tuple[str, ...] = ()
    repairs: tuple[Mapping[str, Any], ...] = ()


def register(app: typer.Typer) -> None:
    app.command()(verify)


def verify(
    dataset: Annotated[
        str | None,
        typer.Argument(help="This dataset alone; all of the data root by default."),
    ] = None,
    release: Annotated[
        str | None,
        typer.Option(help="Look at this release of the dataset alone.", show_default=False),
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option(
            help="Look at the checkpoints in this folder of a `symmv train` run instead.",
            show_default=False,
        ),
    ] = None,
    deep: Annotated[
        bool, typer.Option("--deep", help="Read the bytes of recordings too, not only their size.")
    ] = False,
    repair: Annotated[
        bool,
        typer.Option(
            "--repair",
            help="Put aside what is damaged (into damaged/ of the data root), take good copies "
            "where there are any, and let the next build make the rest anew.",
        ),
    ] = False,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="With --repair: a folder with good copies, found by their content: recordings, "
            "or a backup of the data root.",
            show_default=False,
        ),
    ] = None,
    root: options.Root = None,
    wait: options.Wait = False,
    as_json: options.AsJson = False,
) -> None:
    """Compare everything in a data root with its checksums; exit code 1 where it is not sound.

    Recordings, results, shards, manifests, the ledger and releases. Nothing is written
    without --repair, and nothing is ever deleted.
    """
    from symmv_builder.datasets.remembered import recipe_of

    settings = options.settings(root)
    manifests = settings.open_manifests()
    name = recipe_of(manifests, dataset).name if dataset else None
    if folder and not repair:
        raise StopRun("--from gives good copies to --repair; use both")
    if wait and not repair:
        raise StopRun("--wait is for --repair; without it nothing is written")
    if release and (name is None or repair):
        raise StopRun("--release looks at one release of a DATASET; --repair sets all of it right")
    if run:
        found = _look_at_run(run)
    elif repair:
        found = _repair(settings, name, folder, deep=deep, wait=wait)
    else:
        found = _look(settings, name, release or "", deep=deep)
    _print(found, as_json=as_json)
    is_sound = all(each["done"] for each in found.repairs) if repair else not (
        found.damaged or found.missing
    )  # fmt: skip
    if not is_sound:
        raise typer.Exit(1)


def _look(settings: Settings, dataset: str | None, release: str, *, deep: bool) -> Found:
    from symmv_builder.datasets import verify as verifying

    fault = ""
    try:
        store = settings.open_store(read_only=True)
        # Opened now: what is wrong with it is one of the problems.
        store = replace(store, index=store.ledger)
    except StopRun as error:
        # Whatever is wrong with the ledger, the files can be looked at.
        fault = str(error)
        store = replace(settings, ledger="sqlite://").open_store(read_only=True)
    tally = verifying.Tally()
    problems = list(verifying.verify(store, dataset, tally, release=release, deep=deep))
    if fault:
        problems.insert(0, verifying.Problem("ledger", "the ledger", fault))
    return _found(problems, tally)


def _found(problems: Iterable[Any], tally: Any, repairs: Iterable[Any] = ()) -> Found:
    plain = [(p.is_missing, {"path": p.path, "kind": p.kind, "what": p.what}) for p in problems]
    return Found(
        tally.checked,
        tuple(each for is_missing, each in plain if not is_missing),
        tuple(each for is_missing, each in plain if is_missing),
        tuple(f"{count} {note}" for note, count in sorted(tally.notes.items())),
        tuple({"path": r.problem.path, "what": r.what, "done": r.done} for r in repairs),
    )


def _repair(
    settings: Settings, dataset: str | None, folder: Path | None, *, deep: bool, wait: bool
) -> Found:
    from symmv_builder.datasets import changes
    from symmv_builder.datasets import verify as verifying
    from symmv_builder.datasets.verify.repair import WITHOUT_LEDGER, repair

    try:
        store = settings.open_store()
    except StopRun as error:
        raise StopRun(f"{error}; where it is damaged, {WITHOUT_LEDGER}") from error
    tally = verifying.Tally()
    repairs = list(
        repair(store, dataset, tally, deep=deep, folder=folder, wait=wait, tell=complain)
    )
    names = [dataset] if dataset else verifying.known_datasets(store)
    _finish(store, names, changes, wait=wait)
    return _found([each.problem for each in repairs], tally, repairs)


def _finish(store: Store, names: Iterable[str], changes: Any, *, wait: bool) -> None:
    """Finish changes that were stopped, now that what they need is set right."""
    with ExitStack() as held:
        for name in names:
            held.enter_context(changes.writing(store, name, wait=wait, tell=complain))


def _look_at_run(folder: Path) -> Found:
    from symmv_builder.training.checkpoint import verify_run

    problems = tuple(
        {"path": str(path), "kind": "checkpoint", "what": what} for path, what in verify_run(folder)
    )
    files = sum(path.is_file() for path in folder.rglob("*"))
    return Found(files, problems, ())


def _print(found: Found, *, as_json: bool) -> None:
    if as_json:
        answer = {
            "checked": found.checked,
            "damaged": list(found.damaged),
            "missing": list(found.missing),
            "notes": list(found.notes),
            "repaired": list(found.repairs),
        }
        sys.stdout.write(json.dumps(answer) + "\n")
        return
    for each in (*found.damaged, *found.missing):
        say(f"{each['path']}: {each['what']}")
    for repaired in found.repairs:
        say(f"{'repaired' if repaired['done'] else 'left'}: {repaired['path']} {repaired['what']}")
    for note in found.notes:
        complain(note)
    counts = f"{len(found.damaged)} damaged, {len(found.missing)} missing"
    say(f"{found.checked} files and rows looked at: {counts}")
