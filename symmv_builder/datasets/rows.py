"""The rows of a dataset: every entry that is made, in the order of splits and ids, to shards."""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from symmv_builder.assemble import assemble_row
from symmv_builder.datasets.recipe import Recipe
from symmv_builder.datasets.schemas import label_of
from symmv_builder.datasets.survey import Survey
from symmv_builder.errors import MissingResult
from symmv_builder.pipeline.keys import ModelIdentity, Plan, digest
from symmv_builder.schema import OF_ENTRY, Column, arrow_schema
from symmv_builder.storage import locks, manifests, shards
from symmv_builder.storage.sidecars import Sidecars
from symmv_builder.storage.store import Store
from symmv_builder.storage.tables import Row


def standing_columns(recipe: Recipe, found: Survey) -> tuple[Column, ...]:
    """The columns whose values every made entry has: those that shards hold.

    A modality that is missing is an absent column, never one of zeros.
    """
    there = OF_ENTRY | set(found.complete)
    return tuple(column for column in recipe.columns if column.artifact in there)


@dataclass(frozen=True, slots=True)
class Draft:
    """What shards and receipt will hold, known before any row is loaded.

    `outlines` are the rows in their order, `shard_bytes` the size of a shard on average. `state`
    is a digest of all that shards and receipt depend on.
    """

    columns: tuple[Column, ...]
    splits: Mapping[str, str]
    outlines: Sequence[shards.Outline]
    shard_bytes: int
    state: str


def draft_dataset(
    recipe: Recipe, store: Store, found: Survey, shard_bytes: int | None = None
) -> Draft:
    """Outline the rows of every entry that is made, by entries, splits and keys alone.

    Without `shard_bytes` shards stay as large as the standing receipt says.
    """
    receipt = shards.read_receipt(store.root, recipe.name) or {}
    size = int(shard_bytes or receipt.get("shard_bytes", shards.TARGET_BYTES))
    frozen = manifests.read_splits(store.manifests, recipe.name)
    splits = manifests.assign_splits((entry.song_id for entry in found.made), frozen, recipe.shares)
    columns = standing_columns(recipe, found)
    described = [column.described() for column in columns]
    layout = digest([label_of(recipe), described, size])
    taken = sorted({column.artifact for column in columns} - OF_ENTRY)
    # Also of what has no column: the receipt names every model that has a part.
    all_of_it = sorted({*taken, *(use.makes for use in found.plan.uses)})
    outlines, whole = [], hashlib.sha256()
    for entry in found.made:
        keys, split = found.keys(entry.entry_id), splits[entry.song_id]
        parts = [layout, split, manifests.entry_fields(entry), [keys[name] for name in taken]]
        outlines.append(shards.Outline(split, entry.entry_id, digest(parts)))
        whole.update("".join(keys[name] for name in all_of_it).encode())
    order = {name: number for number, name in enumerate(recipe.shares)}
    outlines.sort(key=lambda outline: (order[outline.split], outline.entry_id))
    rejected = sorted((name, r.artifact, r.key, r.reason) for name, r in found.rejected.items())
    state = digest(
        [
            layout,
            dict(recipe.shares),
            all_of_it,
            shards.digest_of(outlines),
            whole.hexdigest(),
            rejected,
            len(found.entries),
        ]
    )
    return Draft(columns, splits, outlines, size, state)


def rows_to_load(recipe: Recipe, store: Store, draft: Draft) -> set[str]:
    """The entries whose rows are in no shard that can stay as it is."""
    standing = _standing(recipe, store)
    return {outline.entry_id for outline in shards.uncovered(draft.outlines, standing)}


def _standing(recipe: Recipe, store: Store) -> list[shards.Shard]:
    receipt = shards.read_receipt(store.root, recipe.name)
    return shards.standing_shards(store.root, recipe.name, receipt) if receipt else []


def write_dataset(
    recipe: Recipe, plan: Plan, store: Store, found: Survey, draft: Draft
) -> dict[str, Any]:
    """Write splits, shards and, last, the receipt, which is returned.

    Shards hold the entries that have everything that was asked for, and every column that
    all of these have; the receipt names every model that has a part in them. Shards whose rows
    are the same as before stay as they are.
    """
    lock = locks.current(store.ledger, recipe.name)
    lock.check()
    manifests.write_splits(store.manifests, recipe.name, draft.splits)
    label, described = label_of(recipe), [column.described() for column in draft.columns]
    schema = arrow_schema(draft.columns, label)
    writer = shards.ShardWriter(store.root, recipe.name, schema, draft.shard_bytes)
    load = _loader(recipe, draft, store, found)
    written = writer.update(draft.outlines, load, _standing(recipe, store))
    counts = Counter(outline.split for outline in draft.outlines)
    reasons = Counter(result.reason for result in found.rejected.values())
    receipt = {
        "dataset": recipe.name,
        "schema": label,
        "schema_digest": digest([label, described]),
        "columns": [column.name for column in draft.columns],
        "described": described,
        "artifacts": [use.makes for use in plan.uses],
        "made_by": {
            use.makes: use.step.name for use in recipe.known if use.makes in found.complete
        },
        "state": draft.state,
        "entries": len(found.made),
        "left_out": len(found.entries) - len(found.made) - len(found.rejected),
        "splits": {name: counts[name] for name in recipe.shares},
        "rejections": dict(sorted(reasons.items())),
        "models": [
            {"slot": slot, **asdict(model)}
            for (slot, _), model in sorted(_models_of(recipe, found.whole or plan, found).items())
        ],
        "shard_bytes": draft.shard_bytes,
        "shards": shards.as_plain(written),
    }
    # Writing shards takes a while; who lost the lock meanwhile names none of them.
    lock.check()
    shards.write_receipt(store.root, recipe.name, receipt)
    return receipt


def _models_of(recipe: Recipe, plan: Plan, found: Survey) -> dict[tuple[str, str], ModelIdentity]:
    """The models of everything that stands, and of what that was made of."""
    uses = recipe.needed_for(sorted(found.complete))
    used = {(use.step.slot, use.model) for use in uses}
    return {name: model for name, model in plan.models.items() if name in used}


def _loader(
    recipe: Recipe, draft: Draft, store: Store, found: Survey
) -> Callable[[shards.Outline], Row]:
    """What loads the row of an outline; `StopRun` where one of its results is gone.

    The ledger forgets that result then, so that the next build makes it anew.
    """
    needed = sorted({column.artifact for column in draft.columns} - OF_ENTRY)
    sidecars = Sidecars(store.root, recipe.name)
    entries = {entry.entry_id: entry for entry in found.made}

    def load(outline: shards.Outline) -> Row:
        name, keys = outline.entry_id, found.keys(outline.entry_id)
        records = {}
        for artifact in needed:
            try:
                records[artifact] = sidecars.load(name, artifact, keys[artifact])[0]
            except KeyError as error:
                store.ledger.forget_results(recipe.name, name, artifact)
                raise MissingResult(recipe.name, name, artifact, store.root.shown) from error
        return assemble_row(draft.columns, entries[name], outline.split, records)

    return load
