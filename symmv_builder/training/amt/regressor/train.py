"""The regressors' training: one loop, from top to bottom.

Each step the mean square error of standardised density and loudness over the real seconds of
a batch, Adam, now and then a validation and a checkpoint. Everything is float32: sixty-four
units gain nothing from bfloat16, and torch.compile does not enter a recurrent layer.
"""

import math
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from symmv_builder.errors import StopRun
from symmv_builder.training import checkpoint, ranks
from symmv_builder.training.amt.regressor.config import Config
from symmv_builder.training.amt.regressor.examples import COLUMNS, OPTIONAL, prepare, survey
from symmv_builder.training.amt.regressor.model import KIND, OUTPUTS, Regressor
from symmv_builder.training.checkpoint import Checkpoint
from symmv_builder.training.configs import as_plain, from_plain
from symmv_builder.training.data import Batch, Batching, Example, Loader, Rows
from symmv_builder.training.journal import Journal
from symmv_builder.training.learned_from import data_of, go_on
from symmv_builder.training.ranks import Ranks
from symmv_builder.training.runs import Outcome, Request, Tick
from symmv_builder.training.stopping import Vigil
from symmv_builder.training.usable import LeftOut

_START: dict[str, Any] = {"step": 0, "best": None, "stale": 0, "losses": {}}
_SURVEY = f"{KIND} statistics"
_SURVEY_EVERY = 50
VALIDATION_BATCH = 16


def train(config: Config, request: Request) -> Outcome:
    """Train a regressor, or go on with the run that stands in ``request.out``.

    `StopRun` where the dataset lacks a column, the run there is of another configuration or
    of other shards, or a loss is no longer a number.
    """
    with ranks.join(request.device) as here:
        return _train(config, request, here)


def _train(config: Config, request: Request, here: Ranks) -> Outcome:
    begun = time.monotonic()
    rows = request.rows("train", COLUMNS, OPTIONAL)
    held_out = request.rows("validation", COLUMNS, OPTIONAL)
    left_out = LeftOut()
    loader = _loader(rows, config, request.workers, here, left_out)
    standing = checkpoint.standing(request.out, KIND, as_plain(config))
    model, about = (
        _begin(rows, config, request, here, left_out) if standing is None else _go_on(standing)
    )
    model.to(here.device)
    optimizer = torch.optim.Adam(model.parameters(), config.lr, weight_decay=config.weight_decay)
    data = data_of(rows, held_out)
    state: dict[str, Any] = _START | {"data": data}
    if standing is not None:
        state = go_on(standing, _START, data, request, loader)
        checkpoint.load_optimizer(standing, optimizer)
    save = partial(
        checkpoint.save, request.out, kind=KIND, config=as_plain(config), about=about, module=model
    )
    shared = ranks.share(model, here)
    journal = Journal(request.out, state["step"], silent=not here.is_first)
    part = KIND if len(held_out) else f"{KIND}, no validation"
    seen, looped, ended = 0, time.monotonic(), _ended(config, state)
    steps = range(state["step"] + 1, config.steps + 1) if not ended else ()

    deadline = math.inf if request.max_s is None else begun + request.max_s
    with journal, Vigil(here, deadline, request.checkpoint_s) as vigil:
        for step, batch in zip(steps, loader, strict=False):
            ranks.seed_step(config.seed, step, here.rank)
            errors, seconds = _step(shared, optimizer, batch, config.rate(step), config, here)
            epoch, seen = loader.state_dict()["epoch"], seen + len(batch["index"]) * here.world
            state["step"] = step

            if step % config.log_every == 0 or step == config.steps:
                losses = in_words(ranks.total(errors, here), seconds, model)
                if not math.isfinite(losses["loss"]):
                    raise StopRun(f"the loss of step {step} is not a number; try a lower lr")
                if not len(held_out):
                    state["losses"] = losses
                speed = seen / (time.monotonic() - looped)
                _say(journal, request, here, Tick(part, step, config.steps, epoch, losses, speed))

            if len(held_out) and (step % config.validate_every == 0 or step == config.steps):
                losses = validate(model, held_out, config, here, left_out)
                is_best = _judge(state, losses)
                if is_best and here.is_first:
                    save(state=state, best=True)
                tick = Tick(KIND, step, config.steps, epoch, losses, is_validation=True)
                _say(journal, request, here, tick)

            ended = _ended(config, state) or vigil.ending()
            if here.is_first and (vigil.is_due(step, config.checkpoint_every) or ended):
                save(state=state | {"loader": loader.state_dict()}, optimizer=optimizer)
            if ended:
                break

    best, place = request.out / "best", request.out / "checkpoints" / f"{state['step']:08d}"
    if here.is_first and not len(held_out):
        save(state=state, best=True)
    best = best if best.is_dir() else place
    return Outcome(place, best, state["step"], state["losses"], ended, dict(left_out.reasons))


def _step(
    shared: nn.Module,
    optimizer: torch.optim.Optimizer,
    batch: Batch,
    rate: float,
    config: Config,
    here: Ranks,
) -> tuple[Tensor, Tensor]:
    """One step: this rank's square errors by target ``[2]``, and the seconds of all ranks."""
    for group in optimizer.param_groups:
        group["lr"] = rate
    errors, seconds = square_errors(shared.train(), batch, here.device)
    everywhere = ranks.total(seconds, here)
    # Gradients are averaged over ranks, so each rank's loss is its share of all seconds.
    loss = errors.sum() * here.world / (OUTPUTS * everywhere)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    if config.clip_norm is not None:
        nn.utils.clip_grad_norm_(shared.parameters(), config.clip_norm)
    optimizer.step()
    return errors.detach(), everywhere


def square_errors(shared: nn.Module, batch: Batch, device: torch.device) -> tuple[Tensor, Tensor]:
    """Sums of square standardised errors by target ``[2]``, and of how many real seconds."""
    model = checkpoint.bare(shared)
    mask = batch["video_mask"] & batch["real"][:, None]
    lengths = batch["video_mask"].sum(dim=1)
    video, wanted, counts = (
        tensor.to(device, non_blocking=True) for tensor in (batch["video"], batch["targets"], mask)
    )
    off = shared(video, lengths) - model.standardise(wanted)  # type: ignore[operator]
    return (off.square() * counts[..., None]).sum(dim=(0, 1)), counts.sum().float()


@torch.inference_mode()
def validate(
    model: Regressor, rows: Rows, config: Config, here: Ranks, left_out: LeftOut | None = None
) -> dict[str, float]:
    """The losses of all songs of a split; every rank computes all, so that all decide alike."""
    batching = Batching(VALIDATION_BATCH, config.seed, shuffle=False)
    loader = Loader(rows, partial(_prepared, config), batching, left_out=left_out)
    errors = torch.zeros(OUTPUTS, device=here.device)
    seconds = torch.zeros((), device=here.device)
    model.eval()
    for batch in loader.epoch(0):
        more, count = square_errors(model, batch, here.device)
        errors, seconds = errors + more, seconds + count
    return in_words(errors, seconds, model)


def in_words(errors: Tensor, seconds: Tensor, model: Regressor) -> dict[str, float]:
    """``loss``, and root mean square errors in notes and in loudness, without any clipping."""
    mean = errors / seconds
    density, loudness = (mean.sqrt() * model.target_std).tolist()
    return {"loss": mean.mean().item(), "rmse_density": density, "rmse_loudness": loudness}


def _judge(state: dict[str, Any], losses: Mapping[str, float]) -> bool:
    """Take a validation into the state; whether it is the best so far."""
    is_best = state["best"] is None or losses["loss"] < state["best"]
    state["losses"], state["stale"] = dict(losses), 0 if is_best else state["stale"] + 1
    state["best"] = losses["loss"] if is_best else state["best"]
    return is_best


def _say(journal: Journal, request: Request, here: Ranks, tick: Tick) -> None:
    """Write a tick down and tell it; of several ranks the first one alone."""
    split = "validation" if tick.is_validation else "train"
    journal.write(split, tick.step, tick.epoch, tick.losses)
    if here.is_first:
        request.tell(tick)


def _loader(rows: Rows, config: Config, workers: int, here: Ranks, left_out: LeftOut) -> Loader:
    batching = Batching(config.batch_size, config.seed, buckets=config.buckets, workers=workers)
    return Loader(
        rows,
        partial(_prepared, config),
        batching,
        rank=here.rank,
        world=here.world,
        length_of="motion",
        pin=here.device.type == "cuda",
        left_out=left_out,
    )


def _prepared(config: Config, row: dict[str, Any], rng: np.random.Generator) -> Example:
    del rng  # Nothing is drawn: a song is learned from its start.
    return prepare(row, config)


def _begin(
    rows: Rows, config: Config, request: Request, here: Ranks, left_out: LeftOut
) -> tuple[Regressor, dict[str, Any]]:
    """A new model, standardised by the training split, and what it is to say of itself."""

    def tell(done: int, of: int) -> None:
        if here.is_first and (done % _SURVEY_EVERY == 0 or done == of):
            request.tell(Tick(_SURVEY, done, of, 0, {}))

    found = survey(rows, config, tell, left_out)
    torch.manual_seed(config.seed)
    model = Regressor(config, len(found.input_mean), found)
    return model, {
        "input_width": len(found.input_mean),
        "target_mean": dict(zip(("density", "loudness"), found.target_mean.tolist(), strict=True)),
        "target_std": dict(zip(("density", "loudness"), found.target_std.tolist(), strict=True)),
        "dataset": rows.dataset,
        "songs": len(rows),
        "models": rows.receipt.get("models", []),
    }


def _go_on(standing: Checkpoint) -> tuple[Regressor, dict[str, Any]]:
    about = dict(standing.about)
    with checkpoint.understood(standing):
        width = int(about["input_width"])
    model = Regressor(from_plain(Config, standing.config), width)
    checkpoint.load_module(standing, model)
    return model, about


def _ended(config: Config, state: Mapping[str, Any]) -> str:
    if state["step"] >= config.steps:
        return "steps"
    return "early" if config.patience is not None and state["stale"] >= config.patience else ""
