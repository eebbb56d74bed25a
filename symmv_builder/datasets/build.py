"""Build a dataset: take recordings in, bring every entry as far as it goes, write shards.

The command line and the flows call the same functions. Everything can be stopped at any
moment and called again: recordings are stored under their content, results under their
keys, and the receipt of the shards comes last.
"""

import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from symmv_builder.crawl.folder import FolderContents
from symmv_builder.datasets import changes, remembered
from symmv_builder.datasets.clip_rules import ClipCounts, clip_counts
from symmv_builder.datasets.faults import (
    Failures,
    count_failures,
    forget,
    forget_outdated,
    watched,
)
from symmv_builder.datasets.recipe import Recipe, with_beside
from symmv_builder.datasets.rows import draft_dataset, rows_to_load, write_dataset
from symmv_builder.datasets.schemas import column_names, expected_columns
from symmv_builder.datasets.survey import Survey, restore_recordings, survey
from symmv_builder.errors import CannotRead, NoEntries, Reason
from symmv_builder.pipeline.events import Event
from symmv_builder.pipeline.keys import Plan, Work
from symmv_builder.pipeline.pool import Effort, run_entries
from symmv_builder.pipeline.run import EntryOutcome, LoadModel
from symmv_builder.records import Entry, Source
from symmv_builder.storage import clip_tables, manifests, shards, written
from symmv_builder.storage.assets import add_asset, asset_size, has_asset, hash_file
from symmv_builder.storage.corrections import read_standing
from symmv_builder.storage.ledger import KnownFile
from symmv_builder.storage.root import Root
from symmv_builder.storage.sidecars import Sidecars
from symmv_builder.storage.store import Store

Tell = Callable[[Event], None]
Run = Callable[[Sequence[Work]], Iterator[EntryOutcome]]
_NOTE_EVERY_S = 2.0


@dataclass(frozen=True, slots=True)
class Summary:
    """The result of a build. `up_to_date`: nothing had to be done.

    `columns` are those of the shards, `missing` those of the schema that they do not hold, but for
    what is made on request alone.
    `failed` are the entries among the rejected ones for which the program is at fault. `clips`
    counts rows that are clips; `None` where rows are whole entries.
    `taken_down` counts the entries of the manifest that are in none of these numbers: a recording
    of each was taken down through another dataset of the root. `lacking` are the unfinished ones
    of which a recording is not in the root.
    """

    dataset: str
    made: int
    rejected: int
    unfinished: int
    shards: tuple[shards.Shard, ...]
    up_to_date: bool
    columns: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    failed: tuple[Failures, ...] = ()
    clips: ClipCounts | None = None
    taken_down: int = 0
    lacking: int = 0


def take_in(store: Store, folder: FolderContents, dataset: str, tell: Tell) -> int:
    """Store the recordings of a folder and add its entries to the manifest; how many are new.

    A file whose size and time are known is not read again, and what was taken down is left
    out: by its name, and by its bytes under any other name.
    """
    with changes.writing(store, dataset):
        return _take_in(store, folder, dataset, tell)


def _take_in(store: Store, folder: FolderContents, dataset: str, tell: Tell) -> int:
    store.root.sweep_all("assets")
    barred = set(manifests.read_blocklist(store.manifests))
    contents = manifests.blocked_contents(store.manifests)
    known_files = store.ledger.known_files()
    assets: dict[tuple[str, str], str] = {}
    told_s = time.monotonic()
    for number, (source, path) in enumerate(sorted(folder.files.items(), key=_by_id), start=1):
        if time.monotonic() - told_s > _NOTE_EVERY_S:
            told_s = time.monotonic()
            tell(Event("note", "", detail=f"recordings taken in: {number} of {len(folder.files)}"))
        sha256 = None if source in barred else _keep(store, known_files, path, contents)
        if sha256 is None:
            barred.add(source)
            tell(Event("note", "", detail=f"{path} was taken down; it is left out"))
        else:
            assets[source.site, source.video_id] = sha256
    entries = [e for e in folder.entries if not {e.music, e.video} & barred]
    return changes.take_in(store, dataset, entries, assets)


def _by_id(item: tuple[Source, Path]) -> tuple[str, str]:
    return item[0].site, item[0].video_id


def _keep(
    store: Store, known_files: dict[str, KnownFile], path: Path, contents: Set[str]
) -> str | None:
    """Store a file and give its hash; `None` where its content is barred."""
    # A name on disk is bytes; a database takes text.
    resolved = os.fsencode(path.resolve()).decode(errors="backslashreplace")
    try:
        facts = path.stat()
        file = known_files.get(resolved)
        is_same = file and (file.size_bytes, file.modified_ns) == (facts.st_size, facts.st_mtime_ns)
        if file and is_same and asset_size(store.root, file.sha256) == facts.st_size:
            return file.sha256
        sha256 = hash_file(path)
        if sha256 in contents:
            return None
        add_asset(store.root, path, sha256)
    except OSError as error:
        raise CannotRead(path, error.strerror or str(error)) from error
    known_files[resolved] = KnownFile(resolved, facts.st_size, facts.st_mtime_ns, sha256)
    store.ledger.remember_files([known_files[resolved]])
    return sha256


def build(
    recipe: Recipe,
    plan: Plan,
    store: Store,
    run: Run,
    *,
    whole: Plan | None = None,
    shard_bytes: int | None = None,
    wait: bool = False,
    tell: Tell = lambda _: None,
    expect: Callable[[int, int], object] = lambda total, settled: None,
    strict: bool = False,
) -> Summary:
    """Bring every entry of the manifest to its end and write the shards.

    `run` does the work, here (`in_processes`) or elsewhere (a flow's tasks), and gives
    outcomes as they come; only this process writes the ledger. `expect` is called once
    with the number of entries and how many of them are settled. Where `plan` makes only
    some artifacts, `whole` is the plan of the whole recipe as far as this machine can key
    it: what was made before goes into the shards too, if all of their entries have it.
    `shard_bytes` is the size of a shard on average, before compression; without it shards
    stay as large as they are. Sidecars are looked for where a row is to be written; of rows
    that stay in their shards the ledger's word is taken.
    `StopRun` where the dataset has no entries or its splits are gone, or where ten entries
    running meet the same bug; where `strict`, `WorkerBug` at the first one. `Locked` where
    another process writes the dataset; with `wait`, waits for that one.
    """

    def note(text: str) -> None:
        tell(Event("note", "", detail=text))

    with changes.writing(store, recipe.name, wait=wait, tell=note):
        for name in written.changed(store, recipe.name):
            note(f"{name} was changed since the last command that wrote it; it is taken as it is")
        summary = _build(
            recipe,
            plan,
            store,
            run,
            whole=whole,
            shard_bytes=shard_bytes,
            tell=tell,
            expect=expect,
            strict=strict,
        )
        written.remember(store, recipe.name)
        written.remember_blocklist(store)
        return summary


def _build(
    recipe: Recipe,
    plan: Plan,
    store: Store,
    run: Run,
    *,
    whole: Plan | None,
    shard_bytes: int | None,
    tell: Tell,
    expect: Callable[[int, int], object],
    strict: bool,
) -> Summary:
    everybody = manifests.read_entries(store.manifests, recipe.name)
    entries = require_entries(store, recipe.name, everybody)
    restore_recordings(store, recipe.name, entries)
    whole = whole or with_beside(recipe, plan)
    beside = frozenset(use.makes for use in recipe.beside)
    # What people correct from now on is for the next build: rows are of one state of all.
    corrections = read_standing(store.manifests, recipe.name)
    state = survey(plan, store, entries, whole, beside, corrections)
    if forget_outdated(store, recipe.name, state.rejected.values()):
        state = survey(plan, store, entries, whole, beside, corrections)
    if not state.works:
        # Shards without rows would take the place of those that may stand.
        kinds = ", ".join(sorted(plan.recordings))
        problem_words = f"knows no entry of {recipe.name} with all that is needed ({kinds})"
        problem = f"the ledger in {store.root.shown} {problem_words}"
        raise NoEntries(recipe.name, store.root.shown, problem)
    store.ledger.ask(recipe.name, [use.makes for use in plan.uses])
    draft = draft_dataset(recipe, store, state, shard_bytes)
    receipt = shards.read_receipt(store.root, recipe.name)
    frozen = manifests.read_splits(store.manifests, recipe.name)
    built = sum((receipt or {}).get("splits", {}).values())
    manifests.check_splits(store.manifests, recipe.name, frozen, built)
    if (
        receipt
        and state.is_settled
        and receipt["state"] == draft.state
        and shards.shards_stand(store.root, recipe.name, receipt)
        and clip_tables.stands(store.root, recipe.name, receipt)
    ):
        return _summary(recipe, state, receipt, len(everybody), up_to_date=True)
    todo = _unfinished(store, state, rows_to_load(recipe, store, draft))
    expect(len(state.works), len(state.works) - len(todo))
    run_works(plan, store, run, todo, tell=tell, strict=strict)
    tell(Event("note", "", detail="writing shards"))
    # Meanwhile a takedown in another dataset of the root may have barred what both use.
    allowed = manifests.allowed(store.manifests, entries)
    state = survey(plan, store, allowed, whole, beside, corrections)
    draft = draft_dataset(recipe, store, state, shard_bytes, cut=draft.cut)
    receipt = write_dataset(recipe, plan, store, state, draft)
    return _summary(recipe, state, receipt, len(everybody), up_to_date=False)


def require_entries(store: Store, dataset: str, everybody: Sequence[Entry]) -> list[Entry]:
    """Read the entries of a dataset but for those that were taken down; `StopRun` without any."""
    entries = manifests.allowed(store.manifests, everybody)
    if not entries:
        is_import, root = remembered.is_import(store.manifests, dataset), store.root.shown
        raise NoEntries(dataset, root, is_imported=is_import, taken_down=len(everybody))
    return entries


def forgive(store: Store, dataset: str, reasons: Sequence[Reason]) -> int:
    """Forget the rejections for some reasons, so that entries are tried again; gives their number.

    For what depends on the machine and not on the entry: a step that timed out or crashed.
    """
    results = [result for result in store.ledger.results(dataset) if result.reason in reasons]
    forget(store, dataset, results)
    return len(results)


def in_processes(
    plan: Plan, store: Store, load_model: LoadModel, *, effort: Effort, tell: Tell
) -> Run:
    """Make the function that runs works in processes of this machine."""

    def run(works: Sequence[Work]) -> Iterator[EntryOutcome]:
        return run_entries(works, plan, store.root.url, load_model, effort=effort, tell=tell)

    return run


def _unfinished(store: Store, state: Survey, loaded: Collection[str]) -> list[Work]:
    """List the works that are not settled, or whose rows are to be loaded and lack a sidecar."""
    return [
        work
        for name, work in state.works.items()
        if not state.states[name].is_settled or (name in loaded and not _stands(store, state, name))
    ]


def _stands(store: Store, state: Survey, name: str) -> bool:
    """Check whether the sidecars of a made entry are really there."""
    keys, present = state.keys(name), Sidecars(store.root, state.plan.dataset).present(name)
    artifacts = (use.makes for use in state.plan.uses)
    return all(Sidecars.made_name(artifact, keys[artifact]) in present for artifact in artifacts)


def run_works(
    plan: Plan,
    store: Store,
    run: Run,
    works: Sequence[Work],
    *,
    tell: Tell,
    strict: bool = False,
) -> None:
    """Run entries through the plan and write what became of them into the ledger.

    `StopRun` where the data root is gone; what `watched` says of bugs ends it too.
    """
    store.root.check()
    ready = []
    for work in works:
        if _recordings_stand(store.root, plan, work):
            ready.append(work)
        else:
            tell(Event("note", work.entry_id, detail="its recordings are gone from the data root"))
    for outcome in watched(run(ready), store, plan.dataset, strict=strict):
        results = store.ledger.results(plan.dataset, outcome.entry_id)
        before = {result.artifact: result for result in results}
        store.ledger.record_results(
            plan.dataset,
            [
                result
                for result in outcome.results
                # A result that was found again keeps the cost that it had when it was made.
                if (old := before.get(result.artifact)) is None
                or (old.key, old.reason) != (result.key, result.reason)
            ],
        )


def _recordings_stand(root: Root, plan: Plan, work: Work) -> bool:
    return all(has_asset(root, sha) for sha in {work.source(name) for name in plan.recordings})


def _summary(
    recipe: Recipe, state: Survey, receipt: Mapping[str, Any], total: int, *, up_to_date: bool
) -> Summary:
    complete, rejected = len(state.made), len(state.rejected)
    columns = column_names(receipt)
    return Summary(
        dataset=str(receipt["dataset"]),
        made=complete,
        rejected=rejected,
        unfinished=len(state.entries) - complete - rejected,
        shards=tuple(shards.shards_of(receipt)),
        up_to_date=up_to_date,
        columns=columns,
        missing=tuple(name for name in expected_columns(recipe) if name not in columns),
        failed=count_failures(state.rejected.values()),
        clips=clip_counts(receipt),
        taken_down=total - len(state.entries),
        lacking=len(state.entries) - len(state.works),
    )
