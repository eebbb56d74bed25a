"""Counting as a training: a pass over the split train, which can stop anywhere and go on.

Its loss is that of music to come: how surprising the songs of a step are, in nats for an event, by
what was counted before them. Nothing is drawn, so every run over the same rows gives the same
bytes.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from symmv_builder.training import checkpoint
from symmv_builder.training.configs import as_plain
from symmv_builder.training.data import Batch, Batching, Example, Loader
from symmv_builder.training.journal import Journal
from symmv_builder.training.learned_from import data_of, resume
from symmv_builder.training.markov.chains import CELLS, TABLES, cells_of, nats_of
from symmv_builder.training.markov.config import KIND, MarkovConfig
from symmv_builder.training.ranks import Ranks, join, total
from symmv_builder.training.rows import Rows
from symmv_builder.training.runs import Outcome, Request, Tick, outcome_of
from symmv_builder.training.stopping import Ending, is_best, require_finite
from symmv_builder.training.usable import LeftOut, UnusableRow
from symmv_builder.training.vmusprod.songs import (
    CHORD_COLUMNS,
    COLUMNS,
    QuantisedSong,
    song_in_fours,
)
from symmv_builder.training.vmusprod.tempo import quantiles_of
from symmv_builder.training.vmusprod.tokens import Ints
from symmv_builder.vocab import MODES

NEEDED = (*COLUMNS, *CHORD_COLUMNS, "key_mode")
_KINDS = tuple(dict.fromkeys(str(table.kind) for table in TABLES.values()))
_START: dict[str, Any] = {
    "step": 0,
    "epoch": 0,
    "best": None,
    "stale": 0,
    "losses": {},
    "ended": "",
}


class Counts(nn.Module):
    """The counts, as what a checkpoint keeps: int64 ``[CELLS]``."""

    counts: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("counts", torch.zeros(CELLS, dtype=torch.int64))


@dataclass(slots=True)
class _Run:
    """The parts that a run works with; `state` is what a checkpoint keeps of where it stands."""

    config: MarkovConfig
    request: Request
    ranks: Ranks
    loader: Loader
    held_out: Loader | None
    model: Counts
    about: dict[str, Any]
    steps: int
    state: dict[str, Any]

    @property
    def part(self) -> str:
        return KIND if self.held_out else f"{KIND} (no validation)"


def train(config: MarkovConfig, request: Request) -> Outcome:
    """Count the rows of the split train, once each, and measure those of validation.

    Goes on from the last checkpoint in ``request.out``. `StopRun` where data or checkpoint do not
    fit.
    """
    began = time.monotonic()
    with join("cpu") as ranks:
        return _loop(_begin(config, request, ranks), request.deadline(began))


def _loop(run: _Run, deadline: float) -> Outcome:
    """Count, tell, measure at the end, keep."""
    config, state, ranks, out = run.config, run.state, run.ranks, run.request.out
    with (
        Journal(out, state["step"], silent=not ranks.is_first) as journal,
        Ending(ranks, run.steps, None, deadline, run.request.checkpoint_s) as ending,
    ):
        batches = iter(run.loader)
        while not state["ended"]:
            step = state["step"] = state["step"] + 1
            began = time.monotonic()
            batch = next(batches)
            losses = _learn(run, batch)
            state["epoch"] = run.loader.state_dict()["epoch"]
            if step % config.log_every == 0 or step == run.steps:
                speed = len(batch["index"]) * ranks.world / (time.monotonic() - began)
                _log(run, journal, losses, speed)
            if step == run.steps:
                _validate(run, journal)
            state["ended"] = ending.behind(state)
            if ending.is_due(step, config.checkpoint_every) or state["ended"]:
                _save(run)
    return outcome_of(out, state, state["losses"], run.loader.left_out.reasons)


def _begin(config: MarkovConfig, request: Request, ranks: Ranks) -> _Run:
    """Make counts and data, as the last checkpoint left them."""
    left_out = LeftOut()

    def loader(rows: Rows) -> Loader:
        batching = Batching(config.batch_size, config.seed, shuffle=False, workers=request.workers)
        return Loader(
            rows, _example, batching, rank=ranks.rank, world=ranks.world, left_out=left_out
        )

    rows, later = (request.rows(split, NEEDED, ["entry_id"]) for split in ("train", "validation"))
    learns, held_out = loader(rows), loader(later) if len(later) else None
    remembered = _about(request, left_out)
    steps = learns.batches(0)
    model = Counts()
    saved = checkpoint.standing(request.out, KIND, as_plain(config))
    data = data_of(learns.rows, held_out.rows if held_out else None)
    state = resume(saved, _START, data, request, learns, model, None, steps, None)
    return _Run(config, request, ranks, learns, held_out, model, remembered, steps, state)


def song_and_mode(row: Mapping[str, Any]) -> tuple[QuantisedSong, int]:
    """Read the song of a row with `NEEDED`, and its key's mode; `UnusableRow` without them."""
    song, mode = song_in_fours(row), str(row["key_mode"])
    if mode not in MODES:
        raise UnusableRow(f"the mode of its key is {mode!r}, not one of {', '.join(MODES)}")
    return song, MODES.index(mode)


def _example(row: Mapping[str, Any], rng: np.random.Generator) -> Example:
    return {"cells": cells_of(*song_and_mode(row))}


def _learn(run: _Run, batch: Batch) -> dict[str, float]:
    """Count a batch over all ranks; how surprising it was before, in nats."""
    losses = _nats(run, batch)
    new = torch.bincount(_cells(batch), minlength=CELLS)
    run.model.counts += total(new, run.ranks)
    return losses


def _cells(batch: Batch) -> torch.Tensor:
    return batch["cells"][batch["cells_mask"] & batch["real"][:, None]]


def _nats(run: _Run, *batches: Batch) -> dict[str, float]:
    """Average nats of the events of batches, over all ranks, by kind (`chains.nats_of`)."""
    summed = torch.zeros(len(_KINDS), 2, dtype=torch.float64)
    counts: Ints = run.model.counts.numpy()
    for batch in batches:
        nats = nats_of(_cells(batch).numpy(), counts, run.config.smoothing)
        summed += torch.tensor([nats[kind] for kind in _KINDS], dtype=torch.float64)
    sums, numbers = total(summed, run.ranks).T.tolist()
    means = {k: s / n for k, s, n in zip(_KINDS, sums, numbers, strict=True) if n}
    return {"loss": sum(sums) / max(sum(numbers), 1.0), **means}


def _log(run: _Run, journal: Journal, losses: dict[str, float], speed: float) -> None:
    """Write a step down and tell it."""
    state = run.state
    require_finite(losses["loss"], state["step"])
    state["losses"] = losses
    journal.write("train", state["step"], state["epoch"], losses)
    if run.ranks.is_first:
        tick = Tick(run.part, state["step"], run.steps, state["epoch"], losses, speed)
        run.request.tell(tick)


def _validate(run: _Run, journal: Journal) -> None:
    """Measure how surprising the songs of validation are by all that was counted."""
    state = run.state
    if run.held_out is None:
        return
    losses = state["losses"] = _nats(run, *run.held_out.epoch(0))
    journal.write("validation", state["step"], state["epoch"], losses)
    if run.ranks.is_first:
        tick = Tick(run.part, state["step"], run.steps, state["epoch"], losses, is_validation=True)
        run.request.tell(tick)
    if is_best(state, losses["loss"]):
        _save(run, best=True)


def _save(run: _Run, best: bool = False) -> None:
    if not run.ranks.is_first:
        return
    checkpoint.save(
        run.request.out,
        kind=KIND,
        config=as_plain(run.config),
        state=run.state | {"loader": run.loader.state_dict()},
        about=run.about,
        module=run.model,
        best=best,
    )


def _about(request: Request, left_out: LeftOut) -> dict[str, Any]:
    """Tell what music with the chains must know of the songs: their tempos and lengths.

    `StopRun` where no row of the split train holds a song.
    """
    rows = request.rows("train", NEEDED, ["entry_id"])
    songs = [song for row in rows if (song := left_out.use(row, song_in_fours)) is not None]
    if not songs:
        raise left_out.no_rows(rows.dataset, rows.split)
    return {
        "dataset": rows.dataset,
        "schema": rows.receipt.get("schema"),
        "models": rows.receipt.get("models"),
        "songs": len(songs),
        "tempo_quantiles": quantiles_of([song.tempo_bpm for song in songs]),
        "bars_quantiles": quantiles_of([song.bars for song in songs]),
        # No video was seen, and no tempo is fixed (`piece.plan_piece`).
        "motion": None,
        "fixed_bpm": None,
    }
