"""The training loop of the video-music CLIP and of GVMGen's evaluation model.

First every song is played and listened to once (`features`); then AdamW on InfoNCE over the
segments, or songs, of all ranks' batches. Every step's randomness comes from its number, so a
run that was killed and goes on from its last checkpoint writes the losses that it would have
written.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from symmv_builder.backends import ModelHome
from symmv_builder.pipeline.events import Tick
from symmv_builder.training import checkpoint
from symmv_builder.training.configs import as_plain
from symmv_builder.training.data import Batch, Batching, Loader
from symmv_builder.training.journal import Journal
from symmv_builder.training.learned_from import data_of, resume
from symmv_builder.training.ranks import Ranks, autocast, join, seed_step, share, total
from symmv_builder.training.runs import Outcome, Request, outcome_of
from symmv_builder.training.stopping import Ending, is_best, require_finite
from symmv_builder.training.usable import LeftOut
from symmv_builder.training.vmcp.config import VmcpConfig
from symmv_builder.training.vmcp.features import columns, listen, prepare
from symmv_builder.training.vmcp.hearing import MusicFeatures
from symmv_builder.training.vmcp.loading import OBJECTIVES, Model, about_rows, video_widths

VALIDATION_BATCH = 64
# By what songs of like length are found without their features being read.
_LENGTHS: Mapping[str, str | Callable[[dict[str, Any]], int]] = {
    "rendered": "notes_starts_s",
    "recording": lambda row: int(row["music_duration_s"]),
}
_START: dict[str, Any] = {
    "step": 0,
    "epoch": 0,
    "best": None,
    "stale": 0,
    "losses": {},
    "ended": "",
}
NAMES = {"vmcp": "vmcp", "gvmgen": "gvmgen evaluation"}


@dataclass(slots=True)
class _Run:
    """The parts that a run works with; `state` is what a checkpoint keeps of where it stands.

    `held_out` is `None` where the split validation is empty: then nothing ends the run early, and
    its best model is its last.
    """

    config: VmcpConfig
    request: Request
    ranks: Ranks
    loader: Loader
    held_out: Loader | None
    model: Model
    learner: nn.Module
    optimizer: torch.optim.Optimizer
    about: dict[str, Any]
    state: dict[str, Any]

    @property
    def part(self) -> str:
        name = NAMES[self.config.objective]
        return name if self.held_out else f"{name} (no validation)"


def train(config: VmcpConfig, request: Request) -> Outcome:
    """Train on the rows of the split train, choose by those of validation.

    Goes on from the last checkpoint in ``request.out``, which must be of this configuration.
    Listening to the songs is not cut short by `max_s`; what was heard is kept. Without rows of
    validation there is no early stopping, and the best model is the last. `StopRun` where data,
    device or checkpoint do not fit, or the loss is no number any more.
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


def _begin(config: VmcpConfig, request: Request, ranks: Ranks) -> _Run:
    """Make model, data and optimiser, as the last checkpoint left them."""
    loader, held_out, about = _loaders(config, request, ranks)
    saved, first = _earlier(config, request, about)
    torch.manual_seed(config.seed)
    model = _make_model(config, about, first).to(ranks.device)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=config.lr, weight_decay=config.weight_decay
    )
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
        about=about,
        state=state,
    )


def _learn(run: _Run, batch: Batch) -> Tensor:
    """Take one step of the optimiser.

    Sums and counts of all ranks ``[5]``, as `_losses` takes them.
    """
    step, config = run.state["step"], run.config
    seed_step(config.seed, step, run.ranks.rank)
    for group in run.optimizer.param_groups:
        group["lr"] = config.rate(step)
    run.learner.train()
    sums, counts = _sums(run.learner, batch, config, run.ranks)
    totals = total(torch.cat((sums.detach(), counts)), run.ranks)
    # DDP averages the ranks' gradients; the loss is a mean over all that they hold.
    pairs, songs = totals[3:].clamp(min=1) / run.ranks.world
    run.optimizer.zero_grad(set_to_none=True)
    (sums[0] / pairs + sums[1] / songs).backward()
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
    """Measure losses over the whole split, on each rank for itself; the best is kept.

    Crops are the same every time. InfoNCE depends on how many it chooses among: batches are always
    of the same size, whatever that of training and the number of ranks.
    """
    config, state = run.config, run.state
    if run.held_out is None:
        _save(run, best=True)
        return
    step, epoch = state["step"], state["epoch"]
    alone = Ranks(0, 1, run.ranks.device)
    totals = torch.zeros(5, device=run.ranks.device)
    run.model.eval()
    with torch.no_grad():
        for batch in run.held_out.epoch(0):
            totals += torch.cat(_sums(run.model, batch, config, alone))
    losses = state["losses"] = _losses(totals, config)
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
        kind=OBJECTIVES[run.config.objective].kind,
        config=as_plain(run.config),
        state=run.state | {"loader": run.loader.state_dict()},
        about=run.about,
        module=run.model,
        optimizer=run.optimizer,
        best=best,
    )


def _loaders(
    config: VmcpConfig, request: Request, ranks: Ranks
) -> tuple[Loader, Loader | None, dict[str, Any]]:
    """Train in shuffled batches of this rank, validation in order and whole, and `about`."""
    on_gpu = ranks.device.type == "cuda"
    names = columns(config.sound)
    rows, held_out = (request.rows(split, *names) for split in ("train", "validation"))
    home = ModelHome(device=str(ranks.device))
    music = MusicFeatures(request.root, request.dataset, config.embedding, home, config.sound)
    about = about_rows(rows, music)

    def tell(done: int, songs: int) -> None:
        request.tell(Tick("music features", done, songs, 0, {}))

    left_out = LeftOut()
    listen((rows, held_out), music, tell, left_out, rank=ranks.rank, world=ranks.world)
    if ranks.world > 1:
        torch.distributed.barrier()
    loader = Loader(
        rows,
        prepare(music, config),
        Batching(config.batch_size, config.seed, buckets=config.buckets, workers=request.workers),
        rank=ranks.rank,
        world=ranks.world,
        length_of=_LENGTHS[config.sound] if config.buckets else None,
        # One shape for the compiler, which would make a program for each length else.
        multiple=config.max_segments if config.compile and on_gpu else 1,
        pin=on_gpu,
        left_out=left_out,
    )
    if not len(held_out):
        return loader, None, about
    in_order = Batching(VALIDATION_BATCH, config.seed, shuffle=False, workers=request.workers)
    whole = Loader(held_out, prepare(music, config), in_order, pin=on_gpu, left_out=left_out)
    return loader, whole, about


def _earlier(
    config: VmcpConfig, request: Request, about: dict[str, Any]
) -> tuple[checkpoint.Checkpoint | None, checkpoint.Checkpoint | None]:
    """Find the run's last checkpoint, or where there is none the best one of the run to begin from.

    The features of videos that they learned from are added to those of `about`.
    """
    kind = OBJECTIVES[config.objective].kind
    saved, first = checkpoint.standing(request.out, kind, as_plain(config)), None
    if saved is None and config.initial is not None:
        first = checkpoint.read(Path(config.initial), kind)
    if earlier := saved or first:
        with checkpoint.understood(earlier):
            about["videos"] = dict(earlier.about["videos"]) | about["videos"]
    return saved, first


def _make_model(
    config: VmcpConfig, about: Mapping[str, Any], first: checkpoint.Checkpoint | None
) -> Model:
    """Make a model with an entrance for each width of `about`, that of this run's videos trained.

    Of the weights of another run to begin from, only entrances that it lacks are not taken.
    """
    widths = [int(width) for width in about["videos"]]
    model = OBJECTIVES[config.objective].model(widths, about["music_width"], config)
    if first is not None:
        new_widths = {*widths} - {*video_widths(first)}
        names = [f"{model.entrances_name}.{width}." for width in new_widths]
        checkpoint.load_module(first, model, new=names)
    model.entrances.train_only(about["video_width"])
    return model


def _sums(
    model: nn.Module, batch: Batch, config: VmcpConfig, ranks: Ranks
) -> tuple[Tensor, Tensor]:
    """Compute what a batch adds to the loss and is counted by; filled-in rows do not count."""
    names = ("video", "music", "video_mask", "real")
    video, music, mask, real = (batch[name].to(ranks.device, non_blocking=True) for name in names)
    with autocast(ranks.device):
        outputs = model(video, music, mask)
    return OBJECTIVES[config.objective].sums(outputs, mask & real[:, None], ranks)


def _losses(everywhere: Tensor, config: VmcpConfig) -> dict[str, float]:
    nce, missed, hits, pairs, songs = everywhere.tolist()
    nce, missed, accuracy = nce / max(pairs, 1), missed / max(songs, 1), hits / max(pairs, 1)
    values = {"loss": nce + missed, "accuracy": accuracy}
    return values | ({"nce": nce, "off_diagonal": missed} if config.objective == "gvmgen" else {})
