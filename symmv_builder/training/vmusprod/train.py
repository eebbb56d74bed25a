"""The training loop of V-MusProd: its stages one after the other, each on its own (section 4.3).

Each stage has a run's folder of its own below ``request.out``. All that a step draws comes from
the step's number, so a run that was killed goes on to the losses that it would have had.
"""

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from symmv_builder.pipeline.events import Tick
from symmv_builder.training import checkpoint
from symmv_builder.training.configs import as_plain
from symmv_builder.training.data import Batch, Loader, on_device
from symmv_builder.training.journal import Journal
from symmv_builder.training.learned_from import data_of, resume
from symmv_builder.training.ranks import Ranks, autocast, join, seed_step, share, total
from symmv_builder.training.rates import learning_rate
from symmv_builder.training.runs import BY_SIGNAL, Outcome, Request, outcome_of
from symmv_builder.training.stopping import Ending, is_best, require_finite
from symmv_builder.training.vmusprod.config import Stage, VMusProd, kind_of
from symmv_builder.training.vmusprod.corpus import (
    Corpus,
    about,
    design_for,
    loaders_of,
    motion_of,
    open_corpus,
)
from symmv_builder.training.vmusprod.examples import inputs_of
from symmv_builder.training.vmusprod.layers import Layer
from symmv_builder.training.vmusprod.models import StageModel
from symmv_builder.training.vmusprod.tokens import FIELDS

# How much of a limited time a stage may take, beside the other stages that are still to come.
_SHARES: dict[Stage, float] = {"chord": 1.0, "melody": 2.0, "accompaniment": 4.0, "music": 4.0}
_START: dict[str, Any] = {
    "step": 0,
    "epoch": 0,
    "best": None,
    "stale": 0,
    "loss": None,
    "ended": "",
}


@dataclass(slots=True)
class _Run:
    """The parts that a stage's training works with; `state` is what a checkpoint keeps of it."""

    stage: Stage
    config: VMusProd
    request: Request
    ranks: Ranks
    loader: Loader
    held_out: Loader | None
    model: StageModel
    learner: nn.Module
    optimizer: torch.optim.Optimizer
    about: dict[str, Any]
    steps: int
    patience: int | None
    state: dict[str, Any]

    @property
    def part(self) -> str:
        return self.stage if self.held_out else f"{self.stage} (no validation)"

    @property
    def out(self) -> Path:
        return self.request.out / self.stage


def train(config: VMusProd, request: Request) -> Outcome:
    """Train the chosen stages on the split train, each into ``request.out/STAGE``.

    Goes on from each stage's last checkpoint, which must be of this configuration; a stage that
    is done is left alone. A time limit is shared by what the stages usually take, so that a short
    training still has all of them. The split validation, where it has rows, chooses the best.
    `StopRun` where data, device or checkpoint do not fit, or a loss is no number any more.
    """
    began = time.monotonic()
    with join(request.device) as ranks:
        if ranks.device.type == "cuda":
            torch.set_float32_matmul_precision("high")
        corpus = open_corpus(config, request)
        remembered = about(config, corpus)
        outcomes: dict[Stage, Outcome] = {}
        for place, stage in enumerate(config.stages_to_train):
            portion = _SHARES[stage] / sum(
                _SHARES[later] for later in config.stages_to_train[place:]
            )
            remaining_s = request.max_s and max(request.max_s - (time.monotonic() - began), 0.0)
            deadline = (
                time.monotonic() + remaining_s * portion if remaining_s is not None else math.inf
            )
            # Nothing keeps the model: what shares its gradients must go before the ranks part.
            outcomes[stage] = _loop(
                _begin(stage, config, request, ranks, corpus, remembered), deadline
            )
            if outcomes[stage].ended in BY_SIGNAL:
                break
        endings = [outcome.ended for outcome in outcomes.values()]
        last = outcomes[stage]
        losses = {str(stage): outcome.losses["loss"] for stage, outcome in outcomes.items()}
        ended = next((e for e in (*BY_SIGNAL, "time", "early") if e in endings), "steps")
        left_out = dict(corpus.left_out.reasons)
        return Outcome(last.checkpoint, last.best, last.step, losses, ended, left_out)


def _loop(run: _Run, deadline: float) -> Outcome:
    """Learn, tell, validate, end, keep."""
    config, state, ranks = run.config, run.state, run.ranks
    with (
        Journal(run.out, state["step"], silent=not ranks.is_first) as journal,
        Ending(ranks, run.steps, run.patience, deadline, run.request.checkpoint_s) as ending,
    ):
        batches = iter(run.loader)
        since, examples = time.monotonic(), 0
        while not state["ended"]:
            step = state["step"] = state["step"] + 1
            state["epoch"] = run.loader.state_dict()["epoch"]
            batch = next(batches)
            totals = _learn(run, batch)
            examples += len(batch["index"]) * ranks.world
            if step % config.log_every == 0 or step == run.steps:
                speed = examples / (time.monotonic() - since)
                since, examples = time.monotonic(), 0
                _log(run, journal, totals, speed)
            if step % config.validate_every == 0 or step == run.steps:
                _validate(run, journal)
            state["ended"] = ending.behind(state)
            if ending.is_due(step, config.checkpoint_every) or state["ended"]:
                if state["loss"] is None:
                    state["loss"] = _losses(totals)["loss"]
                _save(run)
    return outcome_of(run.out, state, {"loss": state["loss"]}, run.loader.left_out.reasons)


def _begin(
    stage: Stage,
    config: VMusProd,
    request: Request,
    ranks: Ranks,
    corpus: Corpus,
    remembered: dict[str, Any],
) -> _Run:
    """Make a stage's model, data and optimiser, as its last checkpoint left them.

    `StopRun` where its folder holds another configuration's run.
    """
    design = design_for(stage, config, corpus)
    motion = motion_of(config, remembered)
    loader, held_out = loaders_of(stage, config, corpus, design, request, ranks, motion)
    torch.manual_seed(config.seed)
    model = StageModel(design).to(ranks.device)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=config.lr, betas=(0.9, 0.98), weight_decay=config.weight_decay
    )
    steps = config.steps or config.epochs(stage) * loader.batches(0)
    # Which stages are trained, and how long, changes nothing of what this one has learned.
    free = ["stages", *(name for name in as_plain(config) if name.endswith("_epochs"))]
    saved = checkpoint.standing(request.out / stage, kind_of(stage), as_plain(config), free=free)
    data = data_of(loader.rows, held_out.rows if held_out else None)
    patience = config.patience or None
    state = resume(saved, _START, data, request, loader, model, optimizer, steps, patience)
    if config.compile and ranks.device.type == "cuda":
        compile_layers(model)
    return _Run(
        stage=stage,
        config=config,
        request=request,
        ranks=ranks,
        loader=loader,
        held_out=held_out,
        model=model,
        learner=share(model, ranks),
        optimizer=optimizer,
        about=remembered | {"design": as_plain(design)},
        steps=steps,
        patience=patience,
        state=state,
    )


def _learn(run: _Run, batch: Batch) -> Tensor:
    """Take one step of the optimiser.

    Sums and counts of cross-entropies over all ranks ``[2, 6]``.
    """
    step, config = run.state["step"], run.config
    seed_step(config.seed, step, run.ranks.rank)
    for group in run.optimizer.param_groups:
        group["lr"] = learning_rate(config, step, run.steps)
    run.learner.train()
    with autocast(run.ranks.device):
        sums, counts = run.learner(*inputs_of(on_device(batch, run.ranks.device)))
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
    state = run.state
    step, epoch, losses = state["step"], state["epoch"], _losses(totals)
    require_finite(losses["loss"], step, f"the loss of stage {run.stage}")
    if state["best"] is None:
        state["loss"] = losses["loss"]
    journal.write("train", step, epoch, losses)
    if run.ranks.is_first:
        run.request.tell(Tick(run.part, step, run.steps, epoch, losses, speed))


def _validate(run: _Run, journal: Journal) -> None:
    """Measure the losses of the split validation; the model of the lowest is kept as the best."""
    state = run.state
    if run.held_out is None:
        return
    step, epoch = state["step"], state["epoch"]
    totals = torch.zeros(2, len(FIELDS), device=run.ranks.device, dtype=torch.float64)
    run.model.eval()
    with torch.no_grad(), autocast(run.ranks.device):
        for batch in run.held_out.epoch(0):
            sums, counts = run.model(*inputs_of(on_device(batch, run.ranks.device)))
            totals += torch.stack([sums.double(), counts.double()])
    losses = _losses(total(totals, run.ranks))
    state["loss"] = losses["loss"]
    journal.write("validation", step, epoch, losses)
    if run.ranks.is_first:
        run.request.tell(Tick(run.part, step, run.steps, epoch, losses, is_validation=True))
    if is_best(state, losses["loss"], counts=step > run.config.warmup):
        _save(run, best=True)


def _save(run: _Run, best: bool = False) -> None:
    if not run.ranks.is_first:
        return
    checkpoint.save(
        run.out,
        kind=kind_of(run.stage),
        config=as_plain(run.config),
        state=run.state | {"loader": run.loader.state_dict()},
        about=run.about,
        module=run.model,
        optimizer=run.optimizer,
        best=best,
    )


def _losses(totals: Tensor) -> dict[str, float]:
    """Average each field's loss, where it occurs; gives their sum too (nats)."""
    sums, counts = totals.tolist()
    means = {f: s / c for f, s, c in zip(FIELDS, sums, counts, strict=True) if c}
    return {"loss": sum(means.values()), **means}


def compile_layers(model: nn.Module, backend: str = "inductor") -> None:
    """Make one program of an encoder's layers and one of a decoder's, for whatever lengths.

    Layers differ in their weights alone, so a deep stack takes no longer to compile; the model
    as a whole would be compiled anew for many a shape.
    """
    torch.compiler.reset()
    for part in model.modules():
        if isinstance(part, Layer):
            part.compile(dynamic=True, backend=backend)
