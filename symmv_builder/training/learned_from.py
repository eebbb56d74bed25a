"""Where a run goes on: what its checkpoint remembers of it and of its data, and what changed."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from symmv_builder.errors import DataChanged
from symmv_builder.text import amount
from symmv_builder.training.checkpoint import (
    Checkpoint,
    load_module,
    load_optimizer,
    understood,
)
from symmv_builder.training.data import Loader
from symmv_builder.training.rows import Rows
from symmv_builder.training.runs import Request
from symmv_builder.training.stopping import reached

# How many entries a line names.
_NAMED = 5


def data_of(*splits: Rows | None) -> dict[str, Any]:
    """Tell shards, columns and entries of each split that has rows, as JSON can hold them."""
    return {
        rows.split: {
            "shards": rows.shards,
            "columns": sorted(rows.columns),
            "entries": rows.entries(),
        }
        for rows in splits
        if rows is not None and len(rows)
    }


def resume(
    saved: Checkpoint | None,
    start: Mapping[str, Any],
    data: dict[str, Any],
    request: Request,
    loader: Loader,
    module: nn.Module,
    optimizer: torch.optim.Optimizer | None,
    steps: int,
    patience: int | None,
) -> dict[str, Any]:
    """Give a run's state: its `start`, or the checkpoint `saved`, which is then put back.

    Weights, the optimiser where there is one, and the place in the data are as they were.
    ``ended`` says which of its limits the run has reached already (`stopping.reached`).
    `DataChanged` where the data are others than they were and the request does not say to go on. A
    best loss over other rows of validation is forgotten.
    """
    if saved is None:
        return {**start, "data": data}
    with understood(saved):
        changed = changed_splits(saved, data, request)
        loader.load_state_dict(saved.state["loader"], changed=bool(changed))
        state = {name: saved.state[name] for name in start}
    if "validation" in changed:
        state |= {"best": None, "stale": 0}
    load_module(saved, module)
    if optimizer is not None:
        load_optimizer(saved, optimizer)
    with understood(saved):
        return state | {"data": data, "ended": reached(state, steps, patience)}


def changed_splits(saved: Checkpoint, now: Mapping[str, Any], request: Request) -> set[str]:
    """List the splits whose rows are no longer those that a checkpoint learned from.

    `DataChanged` where there are some and the request does not say to go on with them; else what
    changed is noted.
    """
    before = saved.state["data"]
    changed = {split for split in {*before, *now} if before.get(split) != now.get(split)}
    if changed:
        words = "; ".join(
            f"{split}: {_in_words(before.get(split, {}), now.get(split, {}))}"
            for split in sorted(changed)
        )
        error = DataChanged(request.dataset, saved.folder, words)
        if not request.data_changed:
            raise error
        request.note(f"{error}; going on with the rows as they are now, from the next epoch on")
    return changed


def _in_words(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    sentences = []
    for kind, noun in (("entries", "entry"), ("columns", "column")):
        old, new = before.get(kind, []), now.get(kind, [])
        for verb, names in (
            ("added", sorted(set(new) - set(old))),
            ("removed", sorted(set(old) - set(new))),
        ):
            if names:
                sentences.append(f"{amount(len(names), noun)} {verb} ({_some(names)})")
    old, new = before.get("shards", {}), now.get("shards", {})
    others = set(new.items()) - set(old.items())
    if others:
        sentences.append(f"{len(others)} of {len(new)} shards hold something else")
    return ", ".join(sentences) or "the order of its rows"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
