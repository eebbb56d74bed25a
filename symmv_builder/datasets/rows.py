"""The rows of a dataset: every entry that is made, in the order of splits and ids, to shards."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from symmv_builder.assemble import assemble_row
from symmv_builder.datasets.recipe import Recipe
from symmv_builder.datasets.survey import Survey
from symmv_builder.pipeline.keys import Plan, digest
from symmv_builder.schema import arrow_schema, describe
from symmv_builder.storage import manifests, shards
from symmv_builder.storage.sidecars import Sidecars
from symmv_builder.storage.store import Store


def fingerprint(recipe: Recipe, found: Survey) -> str:
    """What shards and receipt depend on: schema, shares, entries, keys, rejections."""
    settled = []
    for entry in found.entries:
        state = found.states.get(entry.entry_id)
        if state and state.is_settled:
            reason = state.rejection.reason if state.rejection else ""
            settled.append([asdict(entry), dict(state.keys), reason])
    return digest([describe(recipe.name), dict(recipe.shares), settled])


def write_dataset(recipe: Recipe, plan: Plan, store: Store, found: Survey) -> dict[str, Any]:
    """Write splits, shards and, last, the receipt, which is returned."""
    frozen = manifests.read_splits(store.manifests, recipe.name)
    songs = (entry.song_id for entry in found.made)
    splits = manifests.assign_splits(songs, frozen, recipe.shares)
    manifests.write_splits(store.manifests, recipe.name, splits)
    writer = shards.ShardWriter(store.root, recipe.name, arrow_schema(recipe.name))
    written = writer.write(_rows(recipe, store, found, splits))
    counts = Counter(splits[entry.song_id] for entry in found.made)
    reasons = Counter(result.reason for result in found.rejected.values())
    receipt = {
        "dataset": recipe.name,
        "schema": f"{recipe.name}/v{describe(recipe.name)['version']}",
        "schema_digest": digest(describe(recipe.name)),
        "state": fingerprint(recipe, found),
        "entries": len(found.made),
        "splits": {name: counts[name] for name in recipe.shares},
        "rejections": dict(sorted(reasons.items())),
        "models": [
            {"slot": slot, **asdict(model)} for (slot, _), model in sorted(plan.models.items())
        ],
        "shards": shards.as_plain(written),
    }
    shards.write_receipt(store.root, recipe.name, receipt)
    return receipt


def _rows(
    recipe: Recipe, store: Store, found: Survey, splits: dict[str, str]
) -> Iterator[shards.Row]:
    order = list(recipe.shares)
    needed = sorted({column.take.split(".")[0] for column in recipe.columns} - {"entry", "song"})
    sidecars = Sidecars(store.root, recipe.name)
    in_order = sorted(found.made, key=lambda e: (order.index(splits[e.song_id]), e.entry_id))
    for entry in in_order:
        keys = found.states[entry.entry_id].keys
        records = {name: sidecars.load(entry.entry_id, name, keys[name])[0] for name in needed}
        yield assemble_row(recipe.columns, entry, splits[entry.song_id], records)
