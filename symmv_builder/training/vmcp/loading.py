"""A trained video-music model out of a run's folder, and music to ask it about."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from symmv_builder.backends import ModelHome
from symmv_builder.errors import OtherFeatures
from symmv_builder.storage.root import Root
from symmv_builder.training import checkpoint
from symmv_builder.training.configs import from_plain
from symmv_builder.training.data import Rows
from symmv_builder.training.ranks import Ranks, device_of
from symmv_builder.training.run_folders import described_in, kind_at
from symmv_builder.training.usable import LeftOut
from symmv_builder.training.vmcp.alignment import AlignmentModel, alignment_sums
from symmv_builder.training.vmcp.config import VmcpConfig
from symmv_builder.training.vmcp.hearing import (
    MusicFeatures,
    Sounding,
)
from symmv_builder.training.vmcp.model import VideoMusicClip, clip_sums

Sums: TypeAlias = Callable[[tuple[Tensor, ...], Tensor, Ranks], tuple[Tensor, Tensor]]
Model: TypeAlias = VideoMusicClip | AlignmentModel


@dataclass(frozen=True, slots=True)
class Objective:
    """A model, what a batch adds to its loss, and the kind of its checkpoints.

    `model` is made of the widths of video features, that of music features, and a configuration.
    """

    kind: str
    model: Callable[[Sequence[int], int, VmcpConfig], Model]
    sums: Sums


OBJECTIVES: Mapping[str, Objective] = {
    "vmcp": Objective("vmcp", VideoMusicClip, clip_sums),
    "gvmgen": Objective("vmcp.gvmgen", AlignmentModel, alignment_sums),
}


@dataclass(frozen=True, slots=True)
class LoadedVmcp:
    """A model in evaluation mode on its device, with what its checkpoint says of it."""

    model: nn.Module
    config: VmcpConfig
    about: Mapping[str, Any]
    folder: Path
    device: torch.device


def objective_of(run: Path) -> str:
    """Name the objective that a run, or a checkpoint's folder, was trained for.

    ``vmcp`` for a folder of anything else: `load` says what it is.
    """
    kinds = {kind_at(place) for place in described_in(run)}
    return next((name for name, loss in OBJECTIVES.items() if loss.kind in kinds), "vmcp")


def load(run: Path, objective: str, device: str = "cpu") -> LoadedVmcp:
    """Load the best model of a run of this objective, or that of a checkpoint's folder.

    `StopRun` where the folder holds none, or one of another kind.
    """
    place = device_of(device)
    loss = OBJECTIVES[objective]
    saved = checkpoint.read(run, loss.kind)
    config = from_plain(VmcpConfig, saved.config)
    with checkpoint.understood(saved):
        music_width = int(saved.about["music_width"])
    model = loss.model(video_widths(saved), music_width, config)
    checkpoint.load_module(saved, model)
    return LoadedVmcp(model.to(place).eval(), config, saved.about, saved.folder, place)


def video_widths(saved: checkpoint.Checkpoint) -> list[int]:
    """List the widths of the video features that a model has an entrance for."""
    with checkpoint.understood(saved):
        return [int(width) for width in saved.about["videos"]]


def about_rows(rows: Rows, music: MusicFeatures) -> dict[str, Any]:
    """Read what a checkpoint says of the features that it learned from.

    ``videos`` maps each width of video features that the model has an entrance for to the model
    behind them; ``video_width`` is that of the run's own.
    """
    return {
        "video_width": video_width(rows),
        "videos": {str(video_width(rows)): video_model(rows)},
        "sound": music.sound,
        "music_width": music.width,
        "music_model": asdict(music.identity),
        "dataset": rows.dataset,
        "songs": len(rows),
    }


def video_width(rows: Rows) -> int:
    """Give the width of the rows' video features; `StopRun` without a row."""
    if not len(rows):
        raise LeftOut().no_rows(rows.dataset, rows.split)
    return int(rows.row(0)["semantic"].shape[1])


def video_model(rows: Rows) -> dict[str, Any] | None:
    """Name the model behind `semantic` as the receipt does; `None` where it does not."""
    models = [model for model in rows.receipt.get("models", ()) if model.get("slot") == "clip"]
    return dict(models[0]) if models else None


def features_for(
    loaded: LoadedVmcp, root: Root, rows: Rows, sound: Sounding | None = None
) -> MusicFeatures:
    """Open music features as the model learned from; `StopRun` where these or the rows' are others.

    With `sound` the music is heard otherwise than in training.
    """
    home = ModelHome(device=str(loaded.device))
    config = loaded.config
    music = MusicFeatures(root, rows.dataset, config.embedding, home, sound or config.sound)
    ours, learned = about_rows(rows, music), loaded.about
    [(width, seen_by)] = ours["videos"].items()
    if width not in learned["videos"]:
        choices = f"videos of width {' or '.join(learned['videos'])}"
        raise OtherFeatures(
            rows.dataset, f"videos of width {width}", loaded.folder, choices, can_begin=True
        )
    for name, theirs, own in (
        ("video_model", learned["videos"][width], seen_by),
        ("music_width", learned.get("music_width"), ours["music_width"]),
        ("music_model", learned.get("music_model"), ours["music_model"]),
    ):
        if theirs is not None and own is not None and theirs != own:
            actual, choices = (f"{name} {_short(about)}" for about in (own, theirs))
            raise OtherFeatures(rows.dataset, actual, loaded.folder, choices)
    return music


def _short(about: Any) -> str:
    if not isinstance(about, Mapping):
        return str(about)
    return f"{about.get('backend')} {str(about.get('weights_sha256'))[:12]}"
