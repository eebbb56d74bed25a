"""The rows of a dataset: every entry that is made, or its clips, in order, to shards."""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from typing import Any

from symmv_builder.assemble import assemble_row
from symmv_builder.between import cut_records
from symmv_builder.clips import Clip
from symmv_builder.datasets import metadata, trimming
from symmv_builder.datasets.clip_rules import clip_facts
from symmv_builder.datasets.clip_table import clip_reads, cut_dataset
from symmv_builder.datasets.recipe import Recipe
from symmv_builder.datasets.schemas import label_of
from symmv_builder.datasets.survey import Survey
from symmv_builder.datasets.trimming import cut_trimmed
from symmv_builder.errors import MissingResult
from symmv_builder.pipeline.keys import ModelIdentity, Plan, digest
from symmv_builder.schema import BUILT_IN_ARTIFACTS, Column, arrow_schema
from symmv_builder.storage import clip_tables, locks, manifests, shards
from symmv_builder.storage.clip_tables import EntryClips
from symmv_builder.storage.sidecars import Sidecars
from symmv_builder.storage.store import Store
from symmv_builder.storage.tables import Row


def standing_columns(recipe: Recipe, state: Survey) -> tuple[Column, ...]:
    """List the columns whose values every made entry has: those that shards hold.

    A modality that is missing is an absent column, never one of zeros.
    """
    artifacts = {*BUILT_IN_ARTIFACTS, *state.complete}
    return tuple(column for column in recipe.columns if column.artifact in artifacts)


@dataclass(frozen=True, slots=True)
class Draft:
    """The content of shards and receipt to be, known before any row is loaded.

    `outlines` are the rows in their order, `shard_bytes` the size of a shard on average. `state`
    is a digest of all that shards and receipt depend on. `clips` are those of every entry where
    rows are clips; `None` stands for an entry that cannot be cut, because a record of it is gone.
    `trims` are what is kept of entries that a person trimmed, where rows are whole entries.
    """

    columns: tuple[Column, ...]
    splits: Mapping[str, str]
    outlines: Sequence[shards.Outline]
    shard_bytes: int
    state: str
    clips: Mapping[str, EntryClips | None] = field(default_factory=dict)
    trims: Mapping[str, Clip | None] = field(default_factory=dict)

    @property
    def cut(self) -> dict[str, EntryClips]:
        """The entries that are cut into clips."""
        return {name: entry for name, entry in self.clips.items() if entry is not None}


def draft_dataset(
    recipe: Recipe,
    store: Store,
    current: Survey,
    shard_bytes: int | None = None,
    *,
    cut: Mapping[str, EntryClips] | None = None,
) -> Draft:
    """Outline the rows of every entry that is made, by entries, splits and keys alone.

    Without `shard_bytes` shards stay as large as the standing receipt says. What an earlier draft
    has `cut` is not cut again.
    """
    receipt = shards.read_receipt(store.root, recipe.name) or {}
    size = int(shard_bytes or receipt.get("shard_bytes", shards.TARGET_BYTES))
    frozen = manifests.read_splits(store.manifests, recipe.name)
    splits = manifests.assign_splits(
        (entry.song_id for entry in current.made), frozen, recipe.shares
    )
    columns = standing_columns(recipe, current)
    column_facts = [column.describe() for column in columns]
    layout = digest([label_of(recipe), column_facts, size])
    artifacts = sorted({column.artifact for column in columns} - BUILT_IN_ARTIFACTS)
    clips = cut_dataset(recipe, store, current, receipt, cut or {})
    trims = {} if recipe.clips else cut_trimmed(recipe, store, current)
    # Also of what has no column: the receipt names every model that has a part.
    all_of_it = sorted({*artifacts, *(use.makes for use in current.plan.uses)})
    outlines, whole = [], hashlib.sha256()
    for entry in current.made:
        keys, split = current.keys(entry.entry_id), splits[entry.song_id]
        parts = [layout, split, manifests.entry_fields(entry), [keys[name] for name in artifacts]]
        whole_entry = shards.Outline(split, entry.entry_id, digest(parts))
        if entry.entry_id in trims:
            whole_entry = _trimmed(whole_entry, trims[entry.entry_id])
        outlines += _clip_outlines(whole_entry, clips) if recipe.clips else [whole_entry]
        whole.update("".join(keys[name] for name in all_of_it).encode())
    order = {name: number for number, name in enumerate(recipe.shares)}
    # The clips of an entry are in their order already, and sorting keeps it.
    outlines.sort(key=lambda outline: (order[outline.split], outline.entry_id))
    rejected = sorted((name, r.artifact, r.key, r.reason) for name, r in current.rejected.items())
    state = digest(
        [
            layout,
            dict(recipe.shares),
            all_of_it,
            shards.digest_of(outlines),
            whole.hexdigest(),
            rejected,
            len(current.entries),
        ]
    )
    if recipe.clips:
        turned_away = [[n, e.state, len(e.turned_away)] for n, e in sorted(clips.items()) if e]
        state = digest([state, clip_facts(recipe.clips), turned_away])
    return Draft(columns, splits, outlines, size, state, clips, trims)


def _trimmed(whole: shards.Outline, clip: Clip | None) -> shards.Outline:
    """Outline the row of a trimmed entry; where a record is gone, one that no shard holds."""
    return replace(whole, state=digest([whole.state, clip.numbers]) if clip else "")


def _clip_outlines(
    whole: shards.Outline, clips: Mapping[str, EntryClips | None]
) -> list[shards.Outline]:
    """Outline the rows of an entry's clips; of one that cannot be cut one that no shard holds."""
    entry = clips[whole.entry_id]
    if entry is None:
        return [replace(whole, state="")]
    name, state = whole.entry_id, whole.state
    return [
        replace(whole, state=digest([state, clip.numbers]), clip_id=clip.id_of(name))
        for clip in entry.clips
    ]


def rows_to_load(recipe: Recipe, store: Store, draft: Draft) -> set[str]:
    """List the entries whose rows are in no shard that can stay as it is."""
    standing = _standing_shards(recipe, store)
    return {outline.entry_id for outline in shards.uncovered(draft.outlines, standing)}


def _standing_shards(recipe: Recipe, store: Store) -> list[shards.Shard]:
    receipt = shards.read_receipt(store.root, recipe.name)
    return shards.standing_shards(store.root, recipe.name, receipt) if receipt else []


def write_dataset(
    recipe: Recipe, plan: Plan, store: Store, state: Survey, draft: Draft
) -> dict[str, Any]:
    """Write splits, shards and, last, the receipt, which is returned.

    Shards hold the entries that have everything that was asked for, and every column that
    all of these have; the receipt names every model that has a part in them. Shards whose rows
    are the same as before stay as they are.
    """
    lock = locks.current(store.ledger, recipe.name)
    lock.check()
    manifests.write_splits(store.manifests, recipe.name, draft.splits)
    label, column_facts = label_of(recipe), [column.describe() for column in draft.columns]
    schema = arrow_schema(draft.columns, label)
    writer = shards.ShardWriter(store.root, recipe.name, schema, draft.shard_bytes)
    load = _loader(recipe, draft, store, state)
    shard_files = writer.update(draft.outlines, load, _standing_shards(recipe, store))
    counts = Counter(outline.split for outline in draft.outlines)
    reasons = Counter(result.reason for result in state.rejected.values())
    receipt = {
        "dataset": recipe.name,
        "schema": label,
        "schema_digest": digest([label, column_facts]),
        "columns": [column.name for column in draft.columns],
        "described": column_facts,
        "artifacts": [use.makes for use in plan.uses],
        "made_by": {
            use.makes: use.step.name for use in recipe.known if use.makes in state.complete
        },
        "state": draft.state,
        "entries": len({outline.entry_id for outline in draft.outlines}),
        "left_out": len(state.entries) - len(state.made) - len(state.rejected),
        "splits": {name: counts[name] for name in recipe.shares},
        "rejections": dict(sorted(reasons.items())),
        "models": [
            {"slot": slot, **asdict(model)}
            for (slot, _), model in sorted(_models_of(recipe, state.whole or plan, state).items())
        ],
        "shard_bytes": draft.shard_bytes,
        "shards": shards.as_plain(shard_files),
        **trimming.facts_of(recipe, state, draft.trims),
        **_corrected(state),
    }
    if recipe.clips:
        receipt |= {
            "clips": clip_facts(recipe.clips),
            **clip_tables.facts_of(draft.cut),
            clip_tables.FIELD: clip_tables.write_table(store.root, recipe.name, draft.cut),
        }
    receipt |= metadata.facts_of(store.root, recipe.name, receipt)
    # Writing shards takes a while; who lost the lock meanwhile names none of them.
    lock.check()
    shards.write_receipt(store.root, recipe.name, receipt)
    return receipt


def _corrected(state: Survey) -> dict[str, dict[str, int]]:
    """Count by artifact the entries of which people corrected a record that rows are made of."""
    counts = Counter(
        artifact for entry in state.made for artifact in state.works[entry.entry_id].corrected
    )
    return {"corrections": dict(sorted(counts.items()))} if counts else {}


def _models_of(recipe: Recipe, plan: Plan, state: Survey) -> dict[tuple[str, str], ModelIdentity]:
    """List the models of everything that stands, and of what that was made of."""
    uses = recipe.needed_for(sorted(state.complete))
    used = {(use.step.slot, use.model) for use in uses}
    return {name: model for name, model in plan.models.items() if name in used}


def _loader(
    recipe: Recipe, draft: Draft, store: Store, state: Survey
) -> Callable[[shards.Outline], Row]:
    """Make what loads the row of an outline; `StopRun` where one of its results is gone.

    The ledger forgets that result then, so that the next build makes it anew.
    """
    artifacts = {column.artifact for column in draft.columns} - BUILT_IN_ARTIFACTS
    needed = sorted({*artifacts, *clip_reads(recipe, state)})
    sidecars = Sidecars(store.root, recipe.name)
    entries = {entry.entry_id: entry for entry in state.made}

    # The rows of an entry come one after another: its records are read once for all of its clips.
    @lru_cache(maxsize=1)
    def records_of(name: str) -> dict[str, Any]:
        keys, records = state.keys(name), {}
        for artifact in needed:
            try:
                records[artifact] = sidecars.load(name, artifact, keys[artifact])[0]
            except KeyError as error:
                store.ledger.forget_results(recipe.name, name, artifact)
                raise MissingResult(recipe.name, name, artifact, store.root.shown) from error
        return records

    @lru_cache(maxsize=1)
    def clips_of(name: str) -> dict[str, Clip]:
        entry = draft.clips.get(name)
        return {clip.id_of(name): clip for clip in (entry.clips if entry else ())}

    def load(outline: shards.Outline) -> Row:
        name = outline.entry_id
        records, clip = {artifact: records_of(name)[artifact] for artifact in artifacts}, None
        if recipe.clips:
            clip = clips_of(name)[outline.clip_id]
            records = cut_records(records, clip)
        elif (span := draft.trims.get(name)) is not None:
            records = cut_records(records, span)
        return assemble_row(draft.columns, entries[name], outline.split, records, clip)

    return load
