"""The rows of a dataset: every entry that is made, in the order of splits and ids, to shards."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from symmv_builder.assemble import assemble_row
from symmv_builder.datasets.recipe import Recipe
from symmv_builder.datasets.survey import Survey
from symmv_builder.errors import StopRun
from symmv_builder.pipeline.keys import ModelIdentity, Plan, digest
from symmv_builder.schema import SCHEMAS, Column, arrow_schema, describe
from symmv_builder.storage import manifests, shards
from symmv_builder.storage.sidecars import Sidecars
from symmv_builder.storage.store import Store


def standing_columns(recipe: Recipe, found: Survey) -> tuple[Column, ...]:
    """The columns whose values every made entry has: those that shards hold.

    A modality that is missing is an absent column, never one of zeros.
    """
    there = {"entry", "song", *found.complete}
    return tuple(column for column in recipe.columns if _artifact(column) in there)


def _artifact(column: Column) -> str:
    return column.take.split(".")[0]


def fingerprint(recipe: Recipe, found: Survey) -> str:
    """What shards and receipt depend on: schema, columns, shares, entries, keys, rejections."""
    columns = standing_columns(recipe, found)
    taken = {_artifact(column) for column in columns}
    settled = []
    rejected = found.rejected
    for entry in found.entries:
        state = found.states.get(entry.entry_id)
        if state and (state.is_made or entry.entry_id in rejected):
            by = rejected.get(entry.entry_id)
            more = {k: v for k, v in found.keys(entry.entry_id).items() if k in taken}
            settled.append([asdict(entry), {**more, **state.keys}, by.reason if by else ""])
    parts = [describe(recipe.schema_name), dict(recipe.shares), settled]
    if len(columns) < len(SCHEMAS[recipe.schema_name]):
        parts.append([column.name for column in columns])
    return digest(parts)


def write_dataset(
    recipe: Recipe, plan: Plan, store: Store, found: Survey, whole: Plan | None = None
) -> dict[str, Any]:
    """Write splits, shards and, last, the receipt, which is returned.

    Shards hold the entries that have everything that was asked for, and every column that
    all of these have; the receipt names every model that has a part in them.
    """
    frozen = manifests.read_splits(store.manifests, recipe.name)
    songs = (entry.song_id for entry in found.made)
    splits = manifests.assign_splits(songs, frozen, recipe.shares)
    manifests.write_splits(store.manifests, recipe.name, splits)
    columns = standing_columns(recipe, found)
    names = [column.name for column in columns]
    schema = arrow_schema(recipe.schema_name, names)
    writer = shards.ShardWriter(store.root, recipe.name, schema)
    written = writer.write(_rows(recipe, columns, store, found, splits))
    counts = Counter(splits[entry.song_id] for entry in found.made)
    rejected = found.rejected
    reasons = Counter(result.reason for result in rejected.values())
    receipt = {
        "dataset": recipe.name,
        "schema": f"{recipe.schema_name}/v{describe(recipe.schema_name)['version']}",
        "schema_digest": digest(describe(recipe.schema_name)),
        "columns": names,
        "artifacts": [use.makes for use in plan.uses],
        "made_by": {use.makes: use.step.name for use in recipe.uses if use.makes in found.complete},
        "state": fingerprint(recipe, found),
        "entries": len(found.made),
        "left_out": len(found.entries) - len(found.made) - len(rejected),
        "splits": {name: counts[name] for name in recipe.shares},
        "rejections": dict(sorted(reasons.items())),
        "models": [
            {"slot": slot, **asdict(model)}
            for (slot, _), model in sorted(_models_of(recipe, whole or plan, found).items())
        ],
        "shards": shards.as_plain(written),
    }
    shards.write_receipt(store.root, recipe.name, receipt)
    return receipt


def _models_of(recipe: Recipe, plan: Plan, found: Survey) -> dict[tuple[str, str], ModelIdentity]:
    """The models of everything that stands, and of what that was made of."""
    uses = recipe.needed_for(sorted(found.complete))
    used = {(use.step.slot, use.model) for use in uses}
    return {name: model for name, model in plan.models.items() if name in used}


def _rows(
    recipe: Recipe,
    columns: Sequence[Column],
    store: Store,
    found: Survey,
    splits: dict[str, str],
) -> Iterator[shards.Row]:
    order = list(recipe.shares)
    needed = sorted({_artifact(column) for column in columns} - {"entry", "song"})
    sidecars = Sidecars(store.root, recipe.name)
    in_order = sorted(found.made, key=lambda e: (order.index(splits[e.song_id]), e.entry_id))
    for entry in in_order:
        keys = found.keys(entry.entry_id)
        records = {}
        for name in needed:
            try:
                records[name] = sidecars.load(entry.entry_id, name, keys[name])[0]
            except KeyError as error:
                raise StopRun(
                    f"the {name} of {entry.entry_id} is gone from {store.root.shown}; "
                    f"run `symmv build {recipe.name} --only {name}`"
                ) from error
        yield assemble_row(columns, entry, splits[entry.song_id], records)
