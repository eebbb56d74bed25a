"""The regressors' training: one loop, from top to bottom.

Each step the mean square error of standardised density and loudness over the real seconds of
a batch, Adam, now and then a validation and a checkpoint. Everything is float32: sixty-four
units gain nothing from bfloat16, and torch.compile does not enter a recurrent layer.
"""

import time
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from symmv_builder.pipeline.events import Tick
from symmv_builder.training import checkpoint
from symmv_builder.training.amt.regressor.config import RegressorConfig
from symmv_builder.training.amt.regressor.examples import COLUMNS, OPTIONAL, prepare, survey
from symmv_builder.training.amt.regressor.model import KIND, OUTPUTS, Regressor
from symmv_builder.training.configs import as_plain
from symmv_builder.training.data import Batch, Batching, Example, Loader
from symmv_builder.training.journal import Journal
from symmv_builder.training.learned_from import data_of, resume
from symmv_builder.training.ranks import Ranks, join, seed_step, share, total
from symmv_builder.training.runs import Outcome, Request, outcome_of
from symmv_builder.training.stopping import Ending, is_best, require_finite
from symmv_builder.training.usable import LeftOut

VALIDATION_BATCH = 16
_SURVEY = f"{KIND} statistics"
_SURVEY_EVERY = 50
# What of its state a checkpoint keeps; epoch and ending follow from the place in the data.
_START: dict[str, Any] = {"step": 0, "best": None, "stale": 0, "losses": {}}


@dataclass(slots=True)
class _Run:
    """The parts that a run works with; `state` holds where it stands.

    `held_out` is `None` where the split validation is empty: then nothing ends the run early, and
    its best model is its last.
    """

    config: RegressorConfig
    request: Request
    ranks: Ranks
    loader: Loader
    held_out: Loader | None
    model: Regressor
    learner: nn.Module
    optimizer: torch.optim.Optimizer
    about: dict[str, Any]
    state: dict[str, Any]

    @property
    def part(self) -> str:
        return KIND if self.held_out else f"{KIND} (no validation)"


def train(config: RegressorConfig, request: Request) -> Outcome:
    """Train a regressor, or go on with the run that stands in ``request.out``.

    `StopRun` where the dataset lacks a column, the run there is of another configuration or
    of other shards, or a loss is no longer a number.
    """
    began = time.monotonic()
    with join(request.device) as ranks:
        return _loop(_begin(config, request, ranks), request.deadline(began))


def _loop(run: _Run, deadline: float) -> Outcome:
    """Learn, tell, validate, end, keep."""
    config, state, ranks, out = run.config, run.state, run.ranks, run.request.out
    with (
        Journal(out, state["step"], silent=not ranks.is_first) as journal,
        Ending(ranks, config.steps, config.patience, deadline, run.request.checkpoint_s) as ending,
    ):
        batches = iter(run.loader)
        since, examples = time.monotonic(), 0
        while not state["ended"]:
            step = state["step"] = state["step"] + 1
            state["epoch"] = run.loader.state_dict()["epoch"]
            batch = next(batches)
            totals = _learn(run, batch)
            examples += len(batch["index"]) * ranks.world
            if step % config.log_every == 0 or step == config.steps:
                speed = examples / (time.monotonic() - since)
                since, examples = time.monotonic(), 0
                _log(run, journal, totals, speed)
            if step % config.validate_every == 0 or step == config.steps:
                _validate(run, journal)
            state["ended"] = ending.behind(state)
            if ending.is_due(step, config.checkpoint_every) or state["ended"]:
                _save(run)
    if run.held_out is None:
        _save(run, best=True)
    return outcome_of(out, state, state["losses"], run.loader.left_out.reasons)


def _begin(config: RegressorConfig, request: Request, ranks: Ranks) -> _Run:
    """Make model, data and optimiser, as the last checkpoint left them."""
    loader, held_out = _loaders(config, request, ranks)
    saved = checkpoint.standing(request.out, KIND, as_plain(config))
    if saved is None:
        model, about = _make_model(loader, config, request, ranks)
    else:
        about = dict(saved.about)
        with checkpoint.understood(saved):
            model = Regressor(config, int(about["input_width"]))
    model.to(ranks.device)
    optimizer = torch.optim.Adam(model.parameters(), config.lr, weight_decay=config.weight_decay)
    data = data_of(loader.rows, held_out.rows if held_out else None)
    limits = config.steps, config.patience
    state = resume(saved, _START, data, request, loader, model, optimizer, *limits)
    state = {"epoch": 0, "ended": ""} | state
    return _Run(
        config=config,
        request=request,
        ranks=ranks,
        loader=loader,
        held_out=held_out,
        model=model,
        learner=share(model, ranks),
        optimizer=optimizer,
        about=about,
        state=state,
    )


def _learn(run: _Run, batch: Batch) -> Tensor:
    """Take one step of the optimiser.

    Gives square errors by target and seconds of all ranks ``[3]``.
    """
    step, config = run.state["step"], run.config
    seed_step(config.seed, step, run.ranks.rank)
    for group in run.optimizer.param_groups:
        group["lr"] = config.rate(step)
    run.learner.train()
    errors, seconds = square_errors(run.learner, batch, run.ranks.device)
    totals = total(torch.cat((errors.detach(), seconds[None])), run.ranks)
    # Gradients are averaged over ranks, so each rank's loss is its share of all seconds.
    loss = errors.sum() * run.ranks.world / (OUTPUTS * totals[OUTPUTS])
    run.optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    if config.clip_norm is not None:
        nn.utils.clip_grad_norm_(run.model.parameters(), config.clip_norm)
    run.optimizer.step()
    return totals


def _log(run: _Run, journal: Journal, totals: Tensor, speed: float) -> None:
    """Write a step down and tell it; `StopRun` where its loss is no number."""
    config, state = run.config, run.state
    step, epoch, losses = state["step"], state["epoch"], _losses(totals, run.model)
    require_finite(losses["loss"], step)
    if run.held_out is None:
        state["losses"] = losses
    journal.write("train", step, epoch, losses)
    if run.ranks.is_first:
        run.request.tell(Tick(run.part, step, config.steps, epoch, losses, speed))


def _validate(run: _Run, journal: Journal) -> None:
    """Measure the losses of all songs of a split, on each rank for itself; the best is kept."""
    config, state = run.config, run.state
    if run.held_out is None:
        return
    step, epoch = state["step"], state["epoch"]
    totals = torch.zeros(OUTPUTS + 1, device=run.ranks.device)
    run.model.eval()
    with torch.no_grad():
        for batch in run.held_out.epoch(0):
            errors, seconds = square_errors(run.model, batch, run.ranks.device)
            totals += torch.cat((errors, seconds[None]))
    losses = state["losses"] = _losses(totals, run.model)
    journal.write("validation", step, epoch, losses)
    if run.ranks.is_first:
        run.request.tell(Tick(run.part, step, config.steps, epoch, losses, is_validation=True))
    if is_best(state, losses["loss"]):
        _save(run, best=True)


def _save(run: _Run, best: bool = False) -> None:
    if not run.ranks.is_first:
        return
    state = {name: run.state[name] for name in (*_START, "data")}
    checkpoint.save(
        run.request.out,
        kind=KIND,
        config=as_plain(run.config),
        state=state if best else state | {"loader": run.loader.state_dict()},
        about=run.about,
        module=run.model,
        optimizer=run.optimizer,
        best=best,
    )


def _loaders(
    config: RegressorConfig, request: Request, ranks: Ranks
) -> tuple[Loader, Loader | None]:
    """Make loaders: train in shuffled batches of this rank; validation in order, whole on each."""
    on_gpu, left_out = ranks.device.type == "cuda", LeftOut()
    rows, held_out = (request.rows(split, COLUMNS, OPTIONAL) for split in ("train", "validation"))
    loader = Loader(
        rows,
        partial(_prepared, config),
        Batching(config.batch_size, config.seed, buckets=config.buckets, workers=request.workers),
        rank=ranks.rank,
        world=ranks.world,
        length_of="motion",
        pin=on_gpu,
        left_out=left_out,
    )
    if not len(held_out):
        return loader, None
    in_order = Batching(VALIDATION_BATCH, config.seed, shuffle=False, workers=request.workers)
    return loader, Loader(
        held_out, partial(_prepared, config), in_order, pin=on_gpu, left_out=left_out
    )


def _prepared(config: RegressorConfig, row: dict[str, Any], rng: np.random.Generator) -> Example:
    del rng  # Nothing is drawn: a song is learned from its start.
    return prepare(row, config)


def _make_model(
    loader: Loader, config: RegressorConfig, request: Request, ranks: Ranks
) -> tuple[Regressor, dict[str, Any]]:
    """Make a model, standardised by the training split, and what it is to say of itself."""
    rows = loader.rows

    def tell(done: int, of: int) -> None:
        if ranks.is_first and (done % _SURVEY_EVERY == 0 or done == of):
            request.tell(Tick(_SURVEY, done, of, 0, {}))

    statistics = survey(rows, config, tell, loader.left_out)
    torch.manual_seed(config.seed)
    model = Regressor(config, len(statistics.input_mean), statistics)
    return model, {
        "input_width": len(statistics.input_mean),
        "target_mean": dict(
            zip(("density", "loudness"), statistics.target_mean.tolist(), strict=True)
        ),
        "target_std": dict(
            zip(("density", "loudness"), statistics.target_std.tolist(), strict=True)
        ),
        "dataset": rows.dataset,
        "songs": len(rows),
        "models": rows.receipt.get("models", []),
    }


def square_errors(shared: nn.Module, batch: Batch, device: torch.device) -> tuple[Tensor, Tensor]:
    """Sum square standardised errors by target ``[2]``; gives of how many real seconds."""
    model = checkpoint.bare(shared)
    mask = batch["video_mask"] & batch["real"][:, None]
    lengths = batch["video_mask"].sum(dim=1)
    video, expected, counts = (
        tensor.to(device, non_blocking=True) for tensor in (batch["video"], batch["targets"], mask)
    )
    off = shared(video, lengths) - model.standardise(expected)  # type: ignore[operator]
    return (off.square() * counts[..., None]).sum(dim=(0, 1)), counts.sum().float()


def _losses(totals: Tensor, model: Regressor) -> dict[str, float]:
    """Compute ``loss``, and root mean square errors in notes and loudness, without any clipping."""
    mean = totals[:OUTPUTS] / totals[OUTPUTS]
    density, loudness = (mean.sqrt() * model.target_std).tolist()
    return {"loss": mean.mean().item(), "rmse_density": density, "rmse_loudness": loudness}
