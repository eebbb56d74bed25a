"""Keep a data root sound and small: verify, repair, and free what nothing needs."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from symmv_builder.datasets.clean import Freed
from symmv_builder.datasets.remembered import require_known
from symmv_builder.errors import StopRun, StoreUnusable, WrongArguments
from symmv_builder.settings import Settings
from symmv_builder.storage.root import Root
from symmv_builder.storage.store import Store

__all__ = ["Cleaned", "Freed", "VerifyReport"]

Say = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """The result of a check: files and rows looked at, what is damaged or missing, what was done.

    `damaged` and `missing` have ``path``, ``kind`` and ``what``; `repairs` have ``path``,
    ``what`` and ``done``, and are there where a repair was asked for.
    """

    checked: int
    damaged: tuple[Mapping[str, str], ...]
    missing: tuple[Mapping[str, str], ...]
    notes: tuple[str, ...] = ()
    repairs: tuple[Mapping[str, Any], ...] = ()
    is_sound: bool = True


def verify(
    settings: Settings,
    dataset: str | None = None,
    *,
    release: str = "",
    run: Path | None = None,
    deep: bool = False,
    repair: bool = False,
    folder: Path | None = None,
    wait: bool = False,
    tell: Say = lambda _: None,
) -> VerifyReport:
    """Compare what is stored with its checksums: a root, a dataset, one release, or a `run`.

    With `repair` what is damaged is put aside and good copies are taken from `folder`; nothing is
    ever deleted. `deep` reads the bytes of recordings too. `StopRun` for a dataset that is not
    known, where there is nothing to look at, and for options that do not go together.
    """
    if dataset and not release:
        # By its files alone: its recipe may be one that cannot be read here.
        require_known(settings.open_manifests(), dataset)
    if folder and not repair:
        raise WrongArguments("`folder` gives good copies to `repair`; use both")
    if wait and not repair:
        raise WrongArguments("`wait` is for `repair`; without it nothing is written")
    if release and (dataset is None or repair):
        raise WrongArguments(
            "`release` looks at one release of a dataset; `repair` sets all of it right"
        )
    if run:
        return _look_at_run(run)
    if repair:
        return _repair(settings, dataset, folder, deep=deep, wait=wait, tell=tell)
    return _look(settings, dataset, release, deep=deep)


def _look(settings: Settings, dataset: str | None, release: str, *, deep: bool) -> VerifyReport:
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
    tally = verifying.CheckCounts()
    problems = list(verifying.verify(store, dataset, tally, release=release, deep=deep))
    if not (problems or fault or dataset in verifying.known_datasets(store)):
        _require_something(store.root, dataset)
    if fault:
        problems.insert(0, verifying.Problem("ledger", "the ledger", fault))
    return _looked(problems, tally, is_sound=not problems)


def _require_something(root: Root, dataset: str | None) -> None:
    """Raise `StopRun` for a root, or a dataset's folder, that is empty: nothing there is sound."""
    if not root.folders(dataset or ""):
        of = f" of {dataset}" if dataset else ""
        raise StopRun(f"nothing was built{of} in {root.shown}: there is nothing to verify")


def _looked(
    problems: Iterable[Any], tally: Any, repairs: Iterable[Any] = (), *, is_sound: bool
) -> VerifyReport:
    plain = [(p.is_missing, {"path": p.path, "kind": p.kind, "what": p.what}) for p in problems]
    return VerifyReport(
        tally.checked,
        tuple(each for is_missing, each in plain if not is_missing),
        tuple(each for is_missing, each in plain if is_missing),
        tuple(f"{count} {note}" for note, count in sorted(tally.notes.items())),
        tuple({"path": r.problem.path, "what": r.what, "done": r.done} for r in repairs),
        is_sound,
    )


def _repair(
    settings: Settings, dataset: str | None, folder: Path | None, *, deep: bool, wait: bool,
    tell: Say,
) -> VerifyReport:  # fmt: skip
    from symmv_builder.datasets import verify as verifying
    from symmv_builder.datasets.verify.repair import WITHOUT_LEDGER, repair

    try:
        store = settings.open_standing()
    except StoreUnusable as error:
        cause = f"{error.cause}; where it is damaged, {WITHOUT_LEDGER}"
        raise StoreUnusable(error.place, cause) from error
    tally = verifying.CheckCounts()
    repairs = list(repair(store, dataset, tally, deep=deep, folder=folder, wait=wait, tell=tell))
    names = [dataset] if dataset else verifying.known_datasets(store)
    _finish(store, names, wait=wait, tell=tell)
    is_sound = all(each.done for each in repairs)
    return _looked([each.problem for each in repairs], tally, repairs, is_sound=is_sound)


def _finish(store: Store, names: Iterable[str], *, wait: bool, tell: Say) -> None:
    """Finish changes that were stopped, now that what they need is set right."""
    from symmv_builder.datasets import changes

    with ExitStack() as stack:
        for name in names:
            stack.enter_context(changes.writing(store, name, wait=wait, tell=tell))


def _look_at_run(folder: Path) -> VerifyReport:
    from symmv_builder.training.checkpoint import verify_run

    problems = tuple(
        {"path": str(path), "kind": "checkpoint", "what": what} for path, what in verify_run(folder)
    )
    files = sum(path.is_file() for path in folder.rglob("*"))
    return VerifyReport(files, problems, (), is_sound=not problems)


@dataclass(frozen=True, slots=True)
class Cleaned:
    """Files that nothing needs, by kind, counted or `freed`; sizes in bytes."""

    root: str
    dataset: str | None
    freed: bool
    kinds: Mapping[str, Freed]

    @property
    def files(self) -> int:
        """How many files that are; empty folders do not count."""
        return sum(each.files for kind, each in self.kinds.items() if kind != "empty_folders")

    @property
    def size_bytes(self) -> int:
        return sum(each.size_bytes for each in self.kinds.values())


def clean(
    settings: Settings,
    dataset: str | None = None,
    *,
    rejected: bool = False,
    old_results: bool = False,
    free: bool = False,
    wait: bool = False,
    tell: Say = lambda _: None,
) -> Cleaned:
    """Count what nothing needs any more, and `free` it.

    Never touched: what an entry, a release or an item on its way through a crawl needs. With
    `rejected` also recordings of entries that were put aside, with `old_results` also results of
    earlier settings, models and versions. While it frees, nobody else writes a dataset of the
    root. `StopRun` where the dataset is not known, or somebody else writes and not `wait`.
    """
    from symmv_builder.datasets import clean as cleaning

    store = settings.open_standing() if free else settings.open_store(read_only=True)
    if dataset:
        require_known(store.manifests, dataset)
    with cleaning.alone(store, wait=wait, tell=tell) if free else nullcontext():
        waste = cleaning.find_waste(store, dataset, rejected=rejected, old_results=old_results)
        counts = cleaning.count(cleaning.free(store, waste) if free else waste)
    return Cleaned(
        store.root.shown, dataset, free, {str(kind): each for kind, each in counts.items()}
    )
