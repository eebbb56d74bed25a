"""Build a dataset: take recordings in, bring every entry as far as it goes, write shards.

The command line and the flows call the same functions. Everything can be stopped at any
moment and called again: recordings are stored under their content, results under their
keys, and the receipt of the shards comes last.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from symmv_builder.assemble import assemble_row
from symmv_builder.crawl.folder import Found
from symmv_builder.datasets.recipe import Recipe
from symmv_builder.errors import StopRun
from symmv_builder.pipeline.events import Event
from symmv_builder.pipeline.keys import Plan, Work, digest
from symmv_builder.pipeline.pool import Effort, run_entries
from symmv_builder.pipeline.run import LoadModel
from symmv_builder.records import Entry, Source
from symmv_builder.schema import arrow_schema, describe
from symmv_builder.storage import manifests, shards
from symmv_builder.storage.assets import add_asset, has_asset, hash_file
from symmv_builder.storage.ledger import KnownFile, Ledger, Result
from symmv_builder.storage.root import Root
from symmv_builder.storage.sidecars import Sidecars

Tell = Callable[[Event], None]
_NOTE_EVERY_S = 2.0


@dataclass(frozen=True, slots=True)
class Summary:
    """What a build came to. `up_to_date`: nothing had to be done."""

    dataset: str
    made: int
    rejected: int
    unfinished: int
    shards: tuple[shards.Shard, ...]
    up_to_date: bool


def take_in(root: Root, ledger: Ledger, found: Found, dataset: str, tell: Tell) -> int:
    """Store the recordings of a folder and add its entries to the manifest; how many are new.

    A file whose size and time are known is not read again.
    """
    known = ledger.known_files()
    assets: dict[tuple[str, str], str] = {}
    told = time.monotonic()
    for number, (source, path) in enumerate(sorted(found.files.items(), key=_by_id), start=1):
        if time.monotonic() - told > _NOTE_EVERY_S:
            told = time.monotonic()
            tell(Event("note", "", detail=f"recordings taken in: {number} of {len(found.files)}"))
        assets[source.site, source.video_id] = _store(root, ledger, known, path)
    ledger.record_assets(assets)
    before = {entry.entry_id: entry for entry in manifests.read_entries(root, dataset)}
    after = before | {entry.entry_id: entry for entry in found.entries}
    if after != before:
        manifests.write_entries(root, dataset, after.values())
    return len(set(after) - set(before))


def _by_id(item: tuple[Source, Path]) -> tuple[str, str]:
    return item[0].site, item[0].video_id


def _store(root: Root, ledger: Ledger, known: dict[str, KnownFile], path: Path) -> str:
    resolved = str(path.resolve())
    try:
        facts = path.stat()
        file = known.get(resolved)
        if file and (file.size_bytes, file.modified_ns) == (facts.st_size, facts.st_mtime_ns):
            return file.sha256
        sha256 = hash_file(path)
        add_asset(root, path, sha256)
    except PermissionError as error:
        raise StopRun(f"cannot read {path}: permission denied") from error
    file = KnownFile(resolved, facts.st_size, facts.st_mtime_ns, sha256)
    known[resolved] = file
    ledger.remember_files([file])
    return sha256


def find_works(
    ledger: Ledger, entries: Sequence[Entry], only: Sequence[str] = ()
) -> dict[str, Work]:
    """The work behind every entry whose two recordings are there, by entry id."""
    assets = ledger.assets()
    works = {}
    for entry in entries:
        music = assets.get((entry.music.site, entry.music.video_id))
        video = assets.get((entry.video.site, entry.video.video_id))
        if music and video and (not only or entry.entry_id in only):
            works[entry.entry_id] = Work(entry.entry_id, music, video)
    return works


@dataclass(frozen=True, slots=True)
class State:
    """How far an entry is by the ledger, under today's keys."""

    keys: Mapping[str, str]
    results: Mapping[str, Result]

    @property
    def rejection(self) -> Result | None:
        """The result that turned the entry away, if its key is still today's."""
        for artifact, key in self.keys.items():
            result = self.results.get(artifact)
            if result and result.key == key and result.reason:
                return result
        return None

    @property
    def is_made(self) -> bool:
        return all(
            artifact in self.results
            and self.results[artifact].key == key
            and not self.results[artifact].reason
            for artifact, key in self.keys.items()
        )

    @property
    def is_settled(self) -> bool:
        return self.is_made or self.rejection is not None


def find_states(ledger: Ledger, plan: Plan, works: Mapping[str, Work]) -> dict[str, State]:
    """The state of every entry, from one query."""
    results: dict[str, dict[str, Result]] = {}
    for result in ledger.results(plan.dataset):
        results.setdefault(result.entry_id, {})[result.artifact] = result
    return {name: State(plan.keys(work), results.get(name, {})) for name, work in works.items()}


def build(
    recipe: Recipe,
    plan: Plan,
    root: Root,
    ledger: Ledger,
    load_model: LoadModel,
    *,
    effort: Effort,
    tell: Tell = lambda _: None,
    expect: Callable[[int, int], object] = lambda total, settled: None,
) -> Summary:
    """Bring every entry of the manifest to its end and write the shards.

    `expect` is called once with the number of entries and how many of them are settled.

    `StopRun` where the dataset has no entries.
    """
    entries = manifests.read_entries(root, recipe.name)
    if not entries:
        raise StopRun(f"{recipe.name} has no entries in {root.url}; give a folder with --from")
    works = find_works(ledger, entries)
    states = find_states(ledger, plan, works)
    receipt = shards.read_receipt(root, recipe.name)
    if (
        receipt
        and all(state.is_settled for state in states.values())
        and receipt["state"] == _fingerprint(recipe, entries, states)
        and shards.shards_stand(root, recipe.name, receipt)
    ):
        return _summary(recipe, states, works, receipt, up_to_date=True)
    todo = [work for name, work in works.items() if not _stands(root, plan, work, states[name])]
    expect(len(works), len(works) - len(todo))
    _run(recipe, plan, root, ledger, load_model, todo, states, effort, tell)
    states = find_states(ledger, plan, works)
    tell(Event("note", "", detail="writing shards"))
    receipt = _write_shards(recipe, plan, root, entries, works, states)
    return _summary(recipe, states, works, receipt, up_to_date=False)


def _stands(root: Root, plan: Plan, work: Work, state: State) -> bool:
    """Whether an entry is settled and its sidecars are really there."""
    if not state.is_settled:
        return False
    there = Sidecars(root, plan.dataset).present(work.entry_id)
    rejection = state.rejection
    if rejection:
        return Sidecars.rejected_name(rejection.artifact, rejection.key) in there
    return all(Sidecars.made_name(name, key) in there for name, key in state.keys.items())


def _run(
    recipe: Recipe,
    plan: Plan,
    root: Root,
    ledger: Ledger,
    load_model: LoadModel,
    todo: Sequence[Work],
    states: Mapping[str, State],
    effort: Effort,
    tell: Tell,
) -> None:
    missing = [w for w in todo if not _recordings_stand(root, w)]
    for work in missing:
        tell(Event("note", work.entry_id, detail="its recordings are gone from the data root"))
    ready = [work for work in todo if work not in missing]
    for outcome in run_entries(ready, plan, root.url, load_model, effort=effort, tell=tell):
        before = states[outcome.entry_id].results
        ledger.record_results(
            recipe.name,
            [
                result
                for result in outcome.results
                # A result that was found again keeps the cost that it had when it was made.
                if (old := before.get(result.artifact)) is None
                or (old.key, old.reason) != (result.key, result.reason)
            ],
        )


def _recordings_stand(root: Root, work: Work) -> bool:
    return all(has_asset(root, sha) for sha in {work.music_sha256, work.video_sha256})


def _fingerprint(recipe: Recipe, entries: Sequence[Entry], states: Mapping[str, State]) -> str:
    """What shards and receipt depend on: schema, shares, entries, keys, rejections."""
    settled = []
    for entry in entries:
        state = states.get(entry.entry_id)
        if state and state.is_settled:
            reason = state.rejection.reason if state.rejection else ""
            settled.append([asdict(entry), dict(state.keys), reason])
    return digest([describe(recipe.name), dict(recipe.shares), settled])


def _write_shards(
    recipe: Recipe,
    plan: Plan,
    root: Root,
    entries: Sequence[Entry],
    works: Mapping[str, Work],
    states: Mapping[str, State],
) -> dict[str, object]:
    made = [e for e in entries if e.entry_id in states and states[e.entry_id].is_made]
    splits = manifests.assign_splits(
        (entry.song_id for entry in made),
        manifests.read_splits(root, recipe.name),
        recipe.shares,
    )
    manifests.write_splits(root, recipe.name, splits)
    order = list(recipe.shares)
    made.sort(key=lambda entry: (order.index(splits[entry.song_id]), entry.entry_id))
    needed = sorted({column.take.split(".")[0] for column in recipe.columns} - {"entry", "song"})
    sidecars = Sidecars(root, recipe.name)

    def rows() -> Iterator[shards.Row]:
        for entry in made:
            keys = states[entry.entry_id].keys
            records = {name: sidecars.load(entry.entry_id, name, keys[name])[0] for name in needed}
            yield assemble_row(recipe.columns, entry, splits[entry.song_id], records)

    written = shards.ShardWriter(root, recipe.name, arrow_schema(recipe.name)).write(rows())
    rejections: dict[str, int] = {}
    for state in states.values():
        if state.rejection:
            reason = state.rejection.reason
            rejections[reason] = rejections.get(reason, 0) + 1
    receipt: dict[str, object] = {
        "dataset": recipe.name,
        "schema": f"{recipe.name}/v{describe(recipe.name)['version']}",
        "schema_digest": digest(describe(recipe.name)),
        "state": _fingerprint(recipe, entries, states),
        "entries": len(made),
        "splits": {name: sum(splits[e.song_id] == name for e in made) for name in order},
        "rejections": dict(sorted(rejections.items())),
        "models": [
            {"slot": slot, **asdict(model)} for (slot, _), model in sorted(plan.models.items())
        ],
        "shards": shards.as_plain(written),
    }
    shards.write_receipt(root, recipe.name, receipt)
    return receipt


def _summary(
    recipe: Recipe,
    states: Mapping[str, State],
    works: Mapping[str, Work],
    receipt: Mapping[str, object],
    *,
    up_to_date: bool,
) -> Summary:
    made = sum(state.is_made for state in states.values())
    rejected = sum(state.rejection is not None for state in states.values())
    written = tuple(shards.Shard(**shard) for shard in receipt["shards"])  # type: ignore[attr-defined]
    return Summary(recipe.name, made, rejected, len(works) - made - rejected, written, up_to_date)
