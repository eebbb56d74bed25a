"""What a run learned from, as its checkpoints remember it, and what has changed since."""

from collections.abc import Mapping, Sequence
from typing import Any

from symmv_builder.errors import StopRun
from symmv_builder.training.checkpoint import Checkpoint, understood
from symmv_builder.training.data import Loader
from symmv_builder.training.rows import Rows
from symmv_builder.training.runs import Request

# How many entries a line names.
_NAMED = 5


def data_of(*splits: Rows | None) -> dict[str, Any]:
    """Shards, columns and entries of each split that has rows, as JSON can hold them."""
    return {
        rows.split: {
            "shards": rows.shards,
            "columns": sorted(rows.columns),
            "entries": rows.entries(),
        }
        for rows in splits
        if rows is not None and len(rows)
    }


def go_on(
    held: Checkpoint,
    start: Mapping[str, Any],
    data: dict[str, Any],
    request: Request,
    loader: Loader,
) -> dict[str, Any]:
    """The state of a checkpoint, and the loader moved there; `start` names what a state has.

    `StopRun` where the data are others than they were, and the request does not say to go on. A
    best loss over other rows of validation is forgotten.
    """
    with understood(held):
        changed = changed_splits(held, data, request)
        loader.load_state_dict(held.state["loader"], changed=bool(changed))
        state = {name: held.state[name] for name in start}
    if "validation" in changed:
        state |= {"best": None, "stale": 0}
    return state | {"data": data}


def changed_splits(held: Checkpoint, now: Mapping[str, Any], request: Request) -> set[str]:
    """The splits whose rows are no longer those that a checkpoint learned from.

    `StopRun` where there are some and the request does not say to go on with them; else what
    changed is noted.
    """
    before = held.state["data"]
    changed = {split for split in {*before, *now} if before.get(split) != now.get(split)}
    if changed:
        words = "; ".join(
            f"{split}: {_in_words(before.get(split, {}), now.get(split, {}))}"
            for split in sorted(changed)
        )
        what = f"{request.dataset} has changed since {held.folder} was written ({words})"
        if not request.data_changed:
            raise StopRun(
                f"{what}; add --data-changed to go on with the rows as they are now, or begin a "
                "new run in another folder"
            )
        request.note(f"{what}; going on with the rows as they are now, from the next epoch on")
    return changed


def _in_words(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    said = []
    for kind in ("entries", "columns"):
        old, new = before.get(kind, []), now.get(kind, [])
        for verb, names in (
            ("added", sorted(set(new) - set(old))),
            ("removed", sorted(set(old) - set(new))),
        ):
            if names:
                said.append(f"{len(names)} {kind} {verb} ({_some(names)})")
    old, new = before.get("shards", {}), now.get("shards", {})
    others = set(new.items()) - set(old.items())
    if others:
        said.append(f"{len(others)} of {len(new)} shards hold something else")
    return ", ".join(said) or "the order of its rows"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
