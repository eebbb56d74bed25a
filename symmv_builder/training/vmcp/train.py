"""The training loop of the video-music CLIP and of GVMGen's evaluation model.

First every song is played and listened to once (`features`); then AdamW on InfoNCE over the
segments, or songs, of all ranks' batches. Every step's randomness comes from its number, so a
run that was killed and goes on from its last checkpoint writes the losses that it would have
written.
"""

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from symmv_builder.backends import ModelHome
from symmv_builder.errors import StopRun
from symmv_builder.pipeline.events import Tick
from symmv_builder.training import checkpoint
from symmv_builder.training.configs import as_plain
from symmv_builder.training.data import Batch, Batching, Loader
from symmv_builder.training.journal import Journal
from symmv_builder.training.learned_from import data_of, go_on
from symmv_builder.training.ranks import Ranks, agree, autocast, join, seed_step, share, total
from symmv_builder.training.runs import BY_SIGNAL, Outcome, Request
from symmv_builder.training.stopping import Vigil
from symmv_builder.training.usable import LeftOut
from symmv_builder.training.vmcp.config import Config
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


def train(config: Config, request: Request) -> Outcome:
    """Train on the rows of the split train, choose by those of validation.

    Goes on from the last checkpoint in ``request.out``, which must be of this configuration.
    Listening to the songs is not cut short by `max_s`; what was heard is kept. Without rows of
    validation there is no early stopping, and the best model is the last. `StopRun` where data,
    device or checkpoint do not fit, or the loss is no number any more.
    """
    began = time.monotonic()
    objective, part = OBJECTIVES[config.objective], NAMES[config.objective]
    with join(request.device) as ranks:
        loader, held_out, about = _loaders(config, request, ranks)
        part += ", no validation" * (held_out is None)
        held, first = _earlier(config, request, about)
        torch.manual_seed(config.seed)
        model = _make_model(config, about, first).to(ranks.device)
        optimizer = torch.optim.AdamW(
            model.parameters(), lr=config.lr, weight_decay=config.weight_decay
        )
        data = data_of(loader.rows, held_out.rows if held_out else None)
        state = _resume(config, request, held, model, optimizer, loader, data)
        learner = _wrapped(model, config, ranks)

        def save(best: bool = False) -> None:
            if ranks.is_first:
                checkpoint.save(
                    request.out,
                    kind=objective.kind,
                    config=as_plain(config),
                    state=state | {"loader": loader.state_dict()},
                    about=about,
                    module=model,
                    optimizer=optimizer,
                    best=best,
                )

        def validate() -> None:
            if held_out is None:
                save(best=True)
                return
            values = _validate(model, held_out, config, ranks)
            journal.write("validation", state["step"], state["epoch"], values)
            request.tell(
                Tick(part, state["step"], config.steps, state["epoch"], values, is_validation=True)
            )
            state["losses"] = values
            if state["best"] is None or values["loss"] < state["best"]:
                state.update(best=values["loss"], stale=0)
                save(best=True)
            elif state["step"] > config.warmup:
                state["stale"] += 1

        deadline = math.inf if request.max_s is None else began + request.max_s
        with (
            Journal(request.out, state["step"], silent=not ranks.is_first) as journal,
            Vigil(ranks, deadline, request.checkpoint_s) as vigil,
        ):
            batches = iter(loader)
            since, songs = time.monotonic(), 0
            while not state["ended"]:
                step = state["step"] = state["step"] + 1
                seed_step(config.seed, step, ranks.rank)
                state["epoch"] = loader.state_dict()["epoch"]
                batch = next(batches)
                everywhere = _learn(learner, optimizer, batch, config, ranks, config.rate(step))
                songs += len(batch["index"]) * ranks.world

                if step % config.log_every == 0 or step == config.steps:
                    values = _losses(everywhere, config)
                    speed = songs / (time.monotonic() - since)
                    since, songs = time.monotonic(), 0
                    _require_number(values["loss"], step)
                    if held_out is None:
                        state["losses"] = values
                    journal.write("train", step, state["epoch"], values | {"lr": config.rate(step)},
                                  speed)  # fmt: skip
                    request.tell(Tick(part, step, config.steps, state["epoch"], values, speed))
                ending = "steps" if step >= config.steps else vigil.ending()
                # Time that is up does not bring a validation forward, or the run that goes on
                # would choose otherwise than one that was never stopped; but one there must be.
                is_needed = ending == "steps" or (ending == "time" and state["best"] is None)
                if step % config.validate_every == 0 or is_needed:
                    validate()
                state["ended"] = ending or _has_stalled(config, state, ranks)
                if vigil.is_due(step, config.checkpoint_every) or state["ended"]:
                    save()
        last = request.out / "checkpoints" / f"{state['step']:08d}"
        best = last if state["ended"] in BY_SIGNAL else request.out / "best"
        left_out = dict(loader.left_out.reasons)
        return Outcome(last, best, state["step"], state["losses"], state["ended"], left_out)


def _loaders(
    config: Config, request: Request, ranks: Ranks
) -> tuple[Loader, Loader | None, dict[str, Any]]:
    """Train in shuffled batches of this rank, validation in order and whole, and `about`."""
    on_gpu = ranks.device.type == "cuda"
    wanted = columns(config.sound)
    rows, held_out = (request.rows(split, *wanted) for split in ("train", "validation"))
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


def _wrapped(model: nn.Module, config: Config, ranks: Ranks) -> nn.Module:
    """The model as a step calls it: compiled on a GPU, then shared among ranks.

    In this order, because around shared gradients the compiler cuts the model into pieces.
    """
    if config.compile and ranks.device.type == "cuda":
        model = torch.compile(model)  # type: ignore[assignment]
    return share(model, ranks)


def _earlier(
    config: Config, request: Request, about: dict[str, Any]
) -> tuple[checkpoint.Checkpoint | None, checkpoint.Checkpoint | None]:
    """The run's last checkpoint, or where there is none the best one of the run to begin from.

    The features of videos that they learned from are added to those of `about`.
    """
    kind = OBJECTIVES[config.objective].kind
    held, first = checkpoint.standing(request.out, kind, as_plain(config)), None
    if held is None and config.initial is not None:
        first = checkpoint.read(Path(config.initial), kind)
    if earlier := held or first:
        with checkpoint.understood(earlier):
            about["videos"] = dict(earlier.about["videos"]) | about["videos"]
    return held, first


def _make_model(
    config: Config, about: Mapping[str, Any], first: checkpoint.Checkpoint | None
) -> Model:
    """A model with an entrance for each width of `about`, that of this run's videos to be trained.

    Of the weights of another run to begin from, only entrances that it lacks are not taken.
    """
    widths = [int(width) for width in about["videos"]]
    model = OBJECTIVES[config.objective].model(widths, about["music_width"], config)
    if first is not None:
        lacking = {*widths} - {*video_widths(first)}
        names = [f"{model.entrances_name}.{width}." for width in lacking]
        checkpoint.load_module(first, model, new=names)
    model.entrances.train_only(about["video_width"])
    return model


def _resume(
    config: Config,
    request: Request,
    held: checkpoint.Checkpoint | None,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    loader: Loader,
    data: dict[str, Any],
) -> dict[str, Any]:
    """Where the run stands: what its last checkpoint says, or the beginning."""
    if held is None:
        return _START | {"data": data}
    state = go_on(held, _START, data, request, loader)
    return checkpoint.restore(held, state, model, optimizer, config.steps, config.patience)


def _learn(
    learner: nn.Module,
    optimizer: torch.optim.Optimizer,
    batch: Batch,
    config: Config,
    ranks: Ranks,
    rate: float,
) -> Tensor:
    """One step of the optimiser; sums and counts of all ranks ``[5]``, as `_losses` takes them."""
    for group in optimizer.param_groups:
        group["lr"] = rate
    learner.train()
    sums, counts = _sums(learner, batch, config, ranks)
    everywhere = total(torch.cat((sums.detach(), counts)), ranks)
    # DDP averages the ranks' gradients; the loss is a mean over all that they hold.
    pairs, songs = everywhere[3:].clamp(min=1) / ranks.world
    optimizer.zero_grad(set_to_none=True)
    (sums[0] / pairs + sums[1] / songs).backward()
    if config.clip_norm is not None:
        nn.utils.clip_grad_norm_(learner.parameters(), config.clip_norm)
    optimizer.step()
    return everywhere


def _sums(model: nn.Module, batch: Batch, config: Config, ranks: Ranks) -> tuple[Tensor, Tensor]:
    """What a batch adds to the loss and what that is counted by; filled-in rows do not count."""
    names = ("video", "music", "video_mask", "real")
    video, music, mask, real = (batch[name].to(ranks.device, non_blocking=True) for name in names)
    with autocast(ranks.device):
        outputs = model(video, music, mask)
    return OBJECTIVES[config.objective].sums(outputs, mask & real[:, None], ranks)


def _losses(everywhere: Tensor, config: Config) -> dict[str, float]:
    nce, missed, hits, pairs, songs = everywhere.tolist()
    nce, missed, accuracy = nce / max(pairs, 1), missed / max(songs, 1), hits / max(pairs, 1)
    values = {"loss": nce + missed, "accuracy": accuracy}
    return values | ({"nce": nce, "off_diagonal": missed} if config.objective == "gvmgen" else {})


def _validate(model: nn.Module, loader: Loader, config: Config, ranks: Ranks) -> dict[str, float]:
    """Losses over the whole split, on each rank for itself; crops are the same every time.

    InfoNCE depends on how many it chooses among: batches are always of the same size, whatever
    that of training and the number of ranks.
    """
    alone = Ranks(0, 1, ranks.device)
    sums = torch.zeros(5, device=ranks.device)
    model.eval()
    with torch.no_grad():
        for batch in loader.epoch(0):
            sums += torch.cat(_sums(model, batch, config, alone))
    model.train()
    return _losses(sums, config)


def _has_stalled(config: Config, state: dict[str, Any], ranks: Ranks) -> str:
    if config.patience is None:
        return ""
    return "early" if agree(state["stale"] >= config.patience, ranks) else ""


def _require_number(loss: float, step: int) -> None:
    if not math.isfinite(loss):
        raise StopRun(f"the loss is {loss} behind step {step}; lower lr or raise warmup")
