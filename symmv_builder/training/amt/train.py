"""The training loop of the Affective Multimodal Transformer and its baselines.

Adam with the warm-up of Vaswani et al. 2017 (Video2Music, section 5.2), both losses over the
positions that exist. Every step's randomness comes from its number, so a run that was killed
and goes on from its last checkpoint writes the losses that it would have written.
"""

import time
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from symmv_builder.pipeline.events import Tick
from symmv_builder.training import checkpoint
from symmv_builder.training.amt.config import AmtConfig
from symmv_builder.training.amt.examples import PADDING, columns_of, prepare
from symmv_builder.training.amt.loading import KIND
from symmv_builder.training.amt.losses import LossSums, sum_losses
from symmv_builder.training.amt.model import ChordModel
from symmv_builder.training.amt.score import (
    ask,
    average,
    each_song,
    evenly,
    song_scores,
    video_width,
)
from symmv_builder.training.amt.vocabulary import PAD, matching_table
from symmv_builder.training.configs import as_plain
from symmv_builder.training.data import Batch, Batching, Loader, Rows, on_device
from symmv_builder.training.journal import Journal
from symmv_builder.training.learned_from import data_of, resume
from symmv_builder.training.ranks import Ranks, autocast, join, seed_step, share, total
from symmv_builder.training.runs import Outcome, Request, outcome_of
from symmv_builder.training.stopping import Ending, is_best, require_finite
from symmv_builder.training.usable import LeftOut

VALIDATION_BATCH = 16
_START: dict[str, Any] = {
    "step": 0,
    "epoch": 0,
    "best": None,
    "stale": 0,
    "losses": {},
    "ended": "",
}


@dataclass(slots=True)
class _Run:
    """The parts that a run works with; `state` is what a checkpoint keeps of where it stands.

    `held_out` is `None` where the split validation is empty, as a small dataset's may be: then
    nothing ends the run early, and its best model is its last.
    """

    config: AmtConfig
    request: Request
    ranks: Ranks
    loader: Loader
    held_out: Loader | None
    model: ChordModel
    learner: nn.Module
    optimizer: torch.optim.Optimizer
    table: Tensor
    about: dict[str, Any]
    state: dict[str, Any]

    @property
    def part(self) -> str:
        return KIND if self.held_out else f"{KIND} (no validation)"


def train(config: AmtConfig, request: Request) -> Outcome:
    """Train on the rows of the split train, choose by those of validation.

    Goes on from the last checkpoint in ``request.out``, which must be of this configuration.
    `StopRun` where data, device or checkpoint do not fit, or the loss is no number any more.
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
            # Time that is up brings no validation forward, or the run that goes on would choose
            # otherwise than one that was never stopped; but one there must be.
            if state["ended"] == "time" and state["best"] is None:
                _validate(run, journal)
            if ending.is_due(step, config.checkpoint_every) or state["ended"]:
                _save(run)
    return outcome_of(out, state, state["losses"], run.loader.left_out.reasons)


def _begin(config: AmtConfig, request: Request, ranks: Ranks) -> _Run:
    """Make model, data and optimiser, as the last checkpoint left them."""
    loader, held_out = _loaders(config, request, ranks)
    torch.manual_seed(config.seed)
    model = ChordModel(config, video_width(loader.rows, config)).to(ranks.device)
    optimizer = torch.optim.Adam(model.parameters(), betas=(config.beta1, config.beta2), eps=1e-9)
    saved = checkpoint.standing(request.out, KIND, as_plain(config))
    data = data_of(loader.rows, held_out.rows if held_out else None)
    limits = config.steps, config.patience
    state = resume(saved, _START, data, request, loader, model, optimizer, *limits)
    return _Run(
        config=config,
        request=request,
        ranks=ranks,
        loader=loader,
        held_out=held_out,
        model=model,
        learner=share(model, ranks, compiled=config.compile),
        optimizer=optimizer,
        table=torch.from_numpy(matching_table()).to(ranks.device),
        about=_about(loader.rows, model),
        state=state,
    )


def _learn(run: _Run, batch: Batch) -> Tensor:
    """Take one step of the optimiser.

    Gives sums and counts of both losses over all ranks ``[4]``.
    """
    step, config = run.state["step"], run.config
    seed_step(config.seed, step, run.ranks.rank)
    for group in run.optimizer.param_groups:
        group["lr"] = config.rate(step)
    run.learner.train()
    batch = on_device(batch, run.ranks.device)
    with autocast(run.ranks.device):
        logits = ask(run.learner, batch)
    sums = sum_losses(logits, _targets(batch), batch["emotions"], run.table)
    totals = total(_counts(sums), run.ranks)
    # DDP averages the ranks' gradients, and the loss is a mean over the positions of all.
    chords, emotions = totals[2:] / run.ranks.world
    loss = sums.total(config.loss_weight, chords, emotions)
    run.optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    if config.clip_norm is not None:
        nn.utils.clip_grad_norm_(run.model.parameters(), config.clip_norm)
    run.optimizer.step()
    return totals


def _log(run: _Run, journal: Journal, totals: Tensor, speed: float) -> None:
    """Write a step down and tell it; `StopRun` where its loss is no number."""
    config, state = run.config, run.state
    step, epoch, losses = state["step"], state["epoch"], _losses(totals, config)
    require_finite(losses["loss"], step)
    if run.held_out is None:
        state["losses"] = losses
    journal.write("train", step, epoch, losses | {"lr": config.rate(step)}, speed)
    if run.ranks.is_first:
        run.request.tell(Tick(run.part, step, config.steps, epoch, losses, speed))


def _validate(run: _Run, journal: Journal) -> None:
    """Measure losses over the split's positions, metrics averaged over its songs.

    Keeps the best.
    """
    config, state = run.config, run.state
    if run.held_out is None:
        _save(run, best=True)
        return
    step, epoch = state["step"], state["epoch"]
    totals, songs = torch.zeros(4, device=run.ranks.device), []
    allowed = run.table.cpu().numpy()
    run.model.eval()
    with torch.no_grad(), autocast(run.ranks.device):
        for batch in run.held_out.epoch(0):
            moved = on_device(batch, run.ranks.device)
            logits = ask(run.model, moved)
            totals += _counts(sum_losses(logits, _targets(moved), moved["emotions"], run.table))
            songs += [song_scores(*song, allowed) for song in each_song(logits, batch)]
    losses = state["losses"] = _losses(totals, config) | average(songs)
    journal.write("validation", step, epoch, losses)
    if run.ranks.is_first:
        run.request.tell(Tick(run.part, step, config.steps, epoch, losses, is_validation=True))
    if is_best(state, losses["loss"], counts=step > config.warmup):
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
        optimizer=run.optimizer,
        best=best,
    )


def _loaders(config: AmtConfig, request: Request, ranks: Ranks) -> tuple[Loader, Loader | None]:
    """Make loaders: train in shuffled batches of this rank; validation in order, whole on each."""
    columns, optional = columns_of(config)
    on_gpu, left_out = ranks.device.type == "cuda", LeftOut()
    rows, held_out = (request.rows(split, columns, optional) for split in ("train", "validation"))
    loader = Loader(
        rows,
        lambda row, rng: prepare(row, config, rng),
        Batching(config.batch_size, config.seed, buckets=config.buckets, workers=request.workers),
        rank=ranks.rank,
        world=ranks.world,
        pad=PADDING,
        length_of="normalised_chords_labels" if config.buckets else None,
        # One shape for the compiler, which would make a program for each length else.
        multiple=config.length if config.compile and on_gpu else 1,
        pin=on_gpu,
        left_out=left_out,
    )
    if not len(held_out):
        return loader, None
    in_order = Batching(VALIDATION_BATCH, config.seed, shuffle=False, workers=request.workers)
    return loader, Loader(
        held_out, evenly(config), in_order, pad=PADDING, pin=on_gpu, left_out=left_out
    )


def _about(rows: Rows, model: ChordModel) -> dict[str, Any]:
    """Tell what a checkpoint says of the rows that its model learned from."""
    receipt = {name: rows.receipt[name] for name in ("schema", "models") if name in rows.receipt}
    return {
        "video_width": model.video_width,
        "dataset": rows.dataset,
        "songs": len(rows),
        "receipt": receipt,
    }


def _targets(batch: Batch) -> Tensor:
    """Give the targets that count: a row that only fills a batch is padding throughout."""
    return batch["targets"].masked_fill(~batch["real"][:, None], PAD)


def _counts(sums: LossSums) -> Tensor:
    """Sum both losses and the numbers of their positions, without gradients."""
    parts = (sums.chord, sums.emotion, sums.chords, sums.emotions)
    return torch.stack([part.detach().float() for part in parts])


def _losses(totals: Tensor, config: AmtConfig) -> dict[str, float]:
    chord, emotion, chords, emotions = totals.tolist()
    chord, emotion = chord / max(chords, 1), emotion / max(emotions, 1)
    weight = config.loss_weight
    return {"loss": weight * chord + (1 - weight) * emotion, "chord": chord, "emotion": emotion}
