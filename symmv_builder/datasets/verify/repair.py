"""Set a data root right: what is damaged is put aside, and good copies take its place.

Nothing is deleted: damaged files go to ``damaged/<time>/`` of the data root, under their names.
What can be made anew is forgotten (results, shards), so that the next build makes it. A
recording, a manifest or a file of a release needs a good copy: one that the root has itself, or
one in a folder that is given, found there by its content.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from symmv_builder.datasets.faults import forget
from symmv_builder.datasets.survey import recordings_of, restore_recordings
from symmv_builder.datasets.verify import known_datasets, verify
from symmv_builder.datasets.verify.problems import CheckCounts, Problem
from symmv_builder.datasets.verify.restore import restore_release
from symmv_builder.errors import NoSuchPath, StopRun, StoreUnusable
from symmv_builder.records import Entry
from symmv_builder.storage import ledger_checks, locks, manifests, recordings, shards, written
from symmv_builder.storage.assets import add_asset, hash_file
from symmv_builder.storage.root import Root
from symmv_builder.storage.sidecars import Sidecars
from symmv_builder.storage.store import Store

WITHOUT_LEDGER = (
    "move its file away and repair again: a new one is told what "
    "recordings.jsonl knows, and the next build what results there are; a crawl begins anew"
)


@dataclass(frozen=True, slots=True)
class Repair:
    """The repair of a problem; where not `done`, what a person has to do."""

    problem: Problem
    what: str
    done: bool = True


class Aside:
    """Puts files aside, into one folder for one repair."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.folder = f"damaged/{datetime.now().astimezone():%Y-%m-%dT%H-%M-%S}"

    def put(self, root: Root, name: str) -> None:
        """Move a file of the data root or of the manifests; one that is gone is no error."""
        if not root.exists(name):
            return
        target = f"{self.folder}/{name}"
        if root.url == self.store.root.url:
            root.move(name, target)
        else:
            self.store.root.write(target, root.read(name) or b"")
            root.remove(name)


class Copies:
    """Good copies in a folder, found by their content; files of a wrong size are not read."""

    def __init__(self, folder: Path | None, problems: Iterable[Problem]) -> None:
        self._paths: dict[str, Path] = {}
        needed = {p.sha256: p.size_bytes for p in problems if p.sha256}
        if folder is None or not needed:
            return
        if not folder.is_dir():
            raise NoSuchPath(folder, "folder")
        sizes = set(needed.values())
        for path in sorted(folder.rglob("*")):
            if path.is_symlink() or not path.is_file():
                continue
            if 0 in sizes or path.stat().st_size in sizes:
                self._paths.setdefault(hash_file(path), path)

    def find(self, sha256: str) -> Path | None:
        return self._paths.get(sha256)


def repair(
    store: Store,
    dataset: str | None,
    tally: CheckCounts,
    *,
    deep: bool,
    folder: Path | None = None,
    wait: bool = False,
    tell: Callable[[str], object] = lambda _: None,
) -> Iterator[Repair]:
    """Look at everything as `verify` does and repair it, as the only writer of these datasets.

    A change that was stopped is left as it is: the next command that writes finishes it.
    `StopRun` where the ledger itself is damaged, or another process writes; with `wait`, waits
    for that one and says so through `tell`.
    """
    names = [dataset] if dataset else known_datasets(store)
    with ExitStack() as stack:
        for name in names:
            stack.enter_context(locks.hold(store.ledger, name, wait=wait, tell=tell))
        problems = list(verify(store, dataset, tally, deep=deep))
        if any(problem.kind == "ledger" for problem in problems):
            raise StoreUnusable("the ledger", f"it is damaged; {WITHOUT_LEDGER}")
        aside, copies = Aside(store), Copies(folder, problems)
        releases = {(p.dataset, p.version): p for p in problems if p.version}
        for problem in problems:
            if not problem.version:
                yield _repair(store, problem, aside, copies)
        if any(problem.kind in ("row", "recording") for problem in problems):
            _restore_recordings(store)
        for (name, version), problem in releases.items():
            losses = restore_release(store, name, version, aside.put, copies.find)
            what = "; ".join(losses) or f"release {version} is whole again"
            yield Repair(problem, what, not losses)


def _repair(store: Store, problem: Problem, aside: Aside, copies: Copies) -> Repair:
    match problem.kind:
        case "asset":
            return _repair_asset(store, problem, aside, copies)
        case "sidecar":
            return _repair_result(store, problem, aside)
        case "shard":
            return _repair_shard(store, problem, aside, copies)
        case "manifest":
            return _repair_manifest(store, problem, aside, copies)
        case "recording":
            return Repair(problem, "was taken from recordings.jsonl")
        case "row" if problem.row:
            ledger_checks.forget_row(store.ledger, problem.row)
            return Repair(problem, "was forgotten; the next build finds it again")
        case "subset":
            aside.put(store.root, problem.path)
            return Repair(problem, "was put aside; rank the dataset again to have it")
        case "change" if problem.is_missing:
            return Repair(problem, "is finished by the next command that writes the dataset")
        case _:
            aside.put(store.root, problem.path)
            return Repair(problem, "was put aside; the next build writes it anew")


def _repair_asset(store: Store, problem: Problem, aside: Aside, copies: Copies) -> Repair:
    aside.put(store.root, problem.path)
    good = copies.find(problem.sha256)
    if good:
        add_asset(store.root, good, problem.sha256)
    for dataset in known_datasets(store):
        _forget_rejections(store, dataset, problem.sha256)
    if good:
        return Repair(problem, f"has its bytes again, out of {good}")
    what = "is needed: give a `folder` that holds it, or import or take it in again"
    return Repair(problem, what, done=False)


def _forget_rejections(store: Store, dataset: str, sha256: str) -> None:
    """Forget why entries that use a recording were turned away: its damage may be the cause."""
    assets = store.ledger.assets()
    for entry in _entries(store, dataset):
        if sha256 in {assets.get(place) for place in recordings_of(dataset, entry).values()}:
            results = store.ledger.results(dataset, entry.entry_id)
            forget(store, dataset, [result for result in results if result.reason])


def _entries(store: Store, dataset: str) -> list[Entry]:
    try:
        return manifests.read_entries(store.manifests, dataset)
    except StopRun:
        return []


def _repair_result(store: Store, problem: Problem, aside: Aside) -> Repair:
    aside.put(store.root, problem.path)
    _, key = Sidecars.parts_of(problem.path.rpartition("/")[2])
    for result in store.ledger.results(problem.dataset, problem.entry_id):
        if (result.artifact, result.key) == (problem.artifact, key):
            store.ledger.forget_results(problem.dataset, problem.entry_id, problem.artifact)
    return Repair(problem, "is made anew by the next build")


def _repair_shard(store: Store, problem: Problem, aside: Aside, copies: Copies) -> Repair:
    """Put a shard aside; the receipt says that it is lost, so that nobody reads the rest alone."""
    aside.put(store.root, problem.path)
    good = copies.find(problem.sha256) if problem.sha256 else None
    if good:
        store.root.write(problem.path, good.read_bytes())
        return Repair(problem, f"has its bytes again, out of {good}")
    receipt = shards.read_receipt(store.root, problem.dataset)
    path = problem.path.removeprefix(f"{problem.dataset}/")
    damaged = [shard for shard in (receipt or {}).get("shards", ()) if shard["path"] == path]
    if receipt and damaged:
        remaining = [shard for shard in receipt["shards"] if shard not in damaged]
        lost = [*receipt.get("lost", ()), path]
        # The next build compares its entries with this state, and writes what is not there.
        new = {**receipt, "shards": remaining, "lost": lost, "state": ""}
        store.root.write(f"{problem.dataset}/dataset.json", shards.receipt_bytes(new))
    return Repair(problem, "was put aside; the next build writes what is missing")


def _repair_manifest(store: Store, problem: Problem, aside: Aside, copies: Copies) -> Repair:
    name = problem.path.rpartition("/")[2]
    good = copies.find(problem.sha256) if problem.sha256 else None
    if good:
        data = good.read_bytes()
        aside.put(store.manifests, problem.path)
        store.manifests.write(problem.path, data)
        return Repair(problem, f"has its bytes again, out of {good}")
    if name == "recordings.jsonl":
        aside.put(store.manifests, problem.path)
        _write_recordings(store, problem.dataset)
        return Repair(problem, "was written anew from the ledger")
    if name == "import.json":
        aside.put(store.manifests, problem.path)
        return Repair(problem, "was put aside: import again", done=False)
    what = "is for you to judge: put it back from a backup, or accept it by building"
    return Repair(problem, what, done=False)


def _write_recordings(store: Store, dataset: str) -> None:
    assets = store.ledger.assets()
    hashes: dict[str, Mapping[str, str]] = {
        entry.entry_id: {
            kind: assets[place]
            for kind, place in recordings_of(dataset, entry).items()
            if place in assets
        }
        for entry in _entries(store, dataset)
    }
    recordings.write_recordings(store.manifests, dataset, hashes)
    written.remember_named(store, [f"{dataset}/recordings.jsonl"])


def _restore_recordings(store: Store) -> None:
    """Tell the ledger what the manifests know of stored files and it does not."""
    for dataset in manifests.datasets(store.manifests):
        with suppress(StopRun):
            restore_recordings(store, dataset, _entries(store, dataset))
