"""The training loop of CMT: words of music, told from those before them.

All that a step draws comes from the step's number, so a run that was killed goes on to the losses
that it would have had.
"""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from symmv_builder.training import checkpoint
from symmv_builder.training.cmt.config import KIND, CmtConfig
from symmv_builder.training.cmt.control import VIDEO_COLUMNS, video_in, video_quantiles
from symmv_builder.training.cmt.examples import (
    CmtExamples,
    score_in,
)
from symmv_builder.training.cmt.model import CmtModel
from symmv_builder.training.cmt.tokens import FIELDS, MOST_NOTES, POSITIONS
from symmv_builder.training.configs import as_plain
from symmv_builder.training.data import Batch, Batching, Loader
from symmv_builder.training.journal import Journal
from symmv_builder.training.learned_from import data_of, resume
from symmv_builder.training.ranks import Ranks, autocast, join, seed_step, share, total
from symmv_builder.training.rates import learning_rate
from symmv_builder.training.rows import Rows
from symmv_builder.training.runs import Outcome, Request, Tick, outcome_of
from symmv_builder.training.stopping import Ending, is_best, require_finite
from symmv_builder.training.usable import LeftOut
from symmv_builder.training.vmusprod.songs import COLUMNS, song_in_fours
from symmv_builder.training.vmusprod.tempo import quantiles_of

# A column whose lists say how long an example is; small, so that it is read fast.
_LENGTH_COLUMN = "parts_pitches"
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
    """The parts that a run works with; `state` is what a checkpoint keeps of where it stands."""

    config: CmtConfig
    request: Request
    ranks: Ranks
    loader: Loader
    held_out: Loader | None
    model: CmtModel
    learner: nn.Module
    optimizer: torch.optim.Optimizer
    about: dict[str, Any]
    state: dict[str, Any]

    @property
    def part(self) -> str:
        return KIND if self.held_out else f"{KIND} (no validation)"


def train(config: CmtConfig, request: Request) -> Outcome:
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
    patience = config.patience or None
    with (
        Journal(out, state["step"], silent=not ranks.is_first) as journal,
        Ending(ranks, config.steps, patience, deadline, run.request.checkpoint_s) as ending,
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
    return outcome_of(out, state, state["losses"], run.loader.left_out.reasons)


def _begin(config: CmtConfig, request: Request, ranks: Ranks) -> _Run:
    """Make model, data and optimiser, as the last checkpoint left them."""
    left_out = LeftOut()
    loader, held_out = _loaders(config, request, ranks, left_out)
    remembered = about(request, left_out)
    torch.manual_seed(config.seed)
    model = CmtModel(config).to(ranks.device)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=config.lr, betas=(0.9, 0.98), weight_decay=config.weight_decay
    )
    saved = checkpoint.standing(request.out, KIND, as_plain(config))
    data = data_of(loader.rows, held_out.rows if held_out else None)
    limits = config.steps, config.patience or None
    state = resume(saved, _START, data, request, loader, model, optimizer, *limits)
    learner = share(model, ranks)
    return _Run(
        config, request, ranks, loader, held_out, model, learner, optimizer, remembered, state
    )


def _learn(run: _Run, batch: Batch) -> Tensor:
    """Take one step of the optimiser.

    Sums and counts of cross-entropies over all ranks ``[2, 7]``.
    """
    step, config = run.state["step"], run.config
    seed_step(config.seed, step, run.ranks.rank)
    for group in run.optimizer.param_groups:
        group["lr"] = learning_rate(config, step, config.steps)
    run.learner.train()
    with autocast(run.ranks.device):
        sums, counts = run.learner(*_inputs(batch, run.ranks.device))
    totals = total(torch.stack([sums.detach(), counts.to(sums.dtype)]), run.ranks)
    # Gradients are averaged over the ranks, and the mean of a field is one over all of them.
    loss = (sums * run.ranks.world / totals[1].clamp(min=1)).sum()
    run.optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(run.model.parameters(), config.clip_norm)
    run.optimizer.step()
    return totals


def _log(run: _Run, journal: Journal, totals: Tensor, speed: float) -> None:
    """Write a step down and tell it; `StopRun` where its loss is no number."""
    config, state = run.config, run.state
    step, epoch, losses = state["step"], state["epoch"], losses_of(totals)
    require_finite(losses["loss"], step)
    if state["best"] is None:
        state["losses"] = losses
    journal.write("train", step, epoch, losses)
    if run.ranks.is_first:
        run.request.tell(Tick(run.part, step, config.steps, epoch, losses, speed))


def _validate(run: _Run, journal: Journal) -> None:
    """Measure the losses of the split validation; the model of the lowest is kept as the best."""
    config, state = run.config, run.state
    if run.held_out is None:
        return
    step, epoch = state["step"], state["epoch"]
    totals = count_losses(run.model, run.held_out, run.ranks.device)
    losses = state["losses"] = losses_of(total(totals, run.ranks))
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


def _loaders(
    config: CmtConfig, request: Request, ranks: Ranks, left_out: LeftOut
) -> tuple[Loader, Loader | None]:
    """Shuffled batches of the split train, and validation's in order with nothing drawn anew."""

    def loader(rows: Rows, *, learns: bool) -> Loader:
        return Loader(
            rows,
            CmtExamples(config.max_tokens, config.timing, config.transpose and learns),
            Batching(
                config.batch_size,
                config.seed,
                shuffle=learns,
                buckets=config.buckets if learns else 0,
                workers=request.workers,
            ),
            rank=ranks.rank,
            world=ranks.world,
            left_out=left_out,
            length_of=_LENGTH_COLUMN,
            pin=ranks.device.type == "cuda",
        )

    rows, held_out = (
        request.rows(split, COLUMNS, ["entry_id"]) for split in ("train", "validation")
    )
    validation = loader(held_out, learns=False) if len(held_out) else None
    return loader(rows, learns=True), validation


def about(request: Request, left_out: LeftOut) -> dict[str, Any]:
    """Tell what whoever makes music with a model must know of the music that it learned from.

    How often each density of a bar (0-16) and each strength of a simu-note (1-20) occurs,
    quantiles of tempos and lengths, which instruments there are, and what a video's values are
    compared with (`control.video_quantiles`). `StopRun` where no row of the split train holds
    a song.
    """
    rows = request.rows("train", COLUMNS, ["entry_id", *VIDEO_COLUMNS])
    densities = np.zeros(POSITIONS + 1, dtype=np.int64)
    strengths = np.zeros(1 + MOST_NOTES, dtype=np.int64)
    tempos, bars, instruments, videos = [], [], set[int](), []
    for row in rows:
        song = left_out.use(row, song_in_fours)
        if song is None:
            continue
        score = score_in(song)
        densities += np.bincount(score.densities(), minlength=len(densities))
        _, played, counts = score.simu_notes()
        strengths += np.bincount(counts, minlength=len(strengths))
        instruments.update(played.tolist())
        tempos.append(song.tempo_bpm)
        bars.append(song.bars)
        # Rows are views of a table that is not kept.
        video = left_out.use(row, video_in) or {}
        videos.append({name: values.copy() for name, values in video.items()})
    if not tempos:
        raise left_out.no_rows(rows.dataset, rows.split)
    flow, salience = video_quantiles(videos)
    receipt = rows.receipt
    return {
        "dataset": rows.dataset,
        "shards": {shard["path"]: shard["sha256"] for shard in receipt["shards"]},
        "schema": receipt.get("schema"),
        "models": receipt.get("models"),
        "songs": len(tempos),
        "tempo_quantiles": quantiles_of(tempos),
        "bars_quantiles": quantiles_of(bars),
        "instruments": sorted(instruments),
        "densities": densities.tolist(),
        "strengths": strengths[1:].tolist(),
        "flow_quantiles": flow,
        "salience_quantiles": salience,
        "has_video": any(videos),
    }


def count_losses(model: CmtModel, loader: Loader, device: torch.device) -> Tensor:
    """Sum and count a split's cross-entropies on this rank, ``[2, 7]``; nothing is learned."""
    totals = torch.zeros(2, len(FIELDS), device=device, dtype=torch.float64)
    model.eval()
    with torch.no_grad(), autocast(device):
        for batch in loader.epoch(0):
            sums, counts = model(*_inputs(batch, device))
            totals += torch.stack([sums.double(), counts.double()])
    return totals


def losses_of(totals: Tensor) -> dict[str, float]:
    """Average each attribute's loss, where it occurs; gives their sum too (nats)."""
    sums, counts = totals.tolist()
    means = {f: s / c for f, s, c in zip(FIELDS, sums, counts, strict=True) if c}
    return {"loss": sum(means.values()), **means}


def _inputs(batch: Batch, device: torch.device) -> tuple[Tensor, ...]:
    """Give what the model's ``forward`` takes. Rows that only fill a batch count nothing."""
    mask = batch["tokens_mask"] & batch["real"][:, None]
    inputs = (batch["tokens"], batch["steps"], batch["timing"], mask)
    return tuple(tensor.to(device, non_blocking=True) for tensor in inputs)
