"""A trained model out of a run's folder, ready to be asked."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from symmv_builder.training.amt.config import AmtConfig
from symmv_builder.training.amt.model import ChordModel
from symmv_builder.training.checkpoint import Checkpoint, load_module, read, understood
from symmv_builder.training.configs import from_plain
from symmv_builder.training.ranks import device_of

KIND = "amt"


@dataclass(frozen=True, slots=True)
class LoadedAmt:
    """A model in evaluation mode on its device, with what its checkpoint says of it."""

    model: ChordModel
    config: AmtConfig
    about: Mapping[str, Any]
    folder: Path
    device: torch.device

    @property
    def video_width(self) -> int:
        return int(self.about["video_width"])


def load(run: Path, device: str = "cpu") -> LoadedAmt:
    """Load the best model of a run, or that of a checkpoint's folder.

    `StopRun` where it is none.
    """
    return load_checkpoint(read(run, KIND), device)


def load_checkpoint(checkpoint: Checkpoint, device: str) -> LoadedAmt:
    """Load the model of a checkpoint for evaluation; `StopRun` where it does not fit."""
    place = device_of(device)
    config = from_plain(AmtConfig, checkpoint.config)
    with understood(checkpoint):
        model = ChordModel(config, int(checkpoint.about["video_width"]))
    load_module(checkpoint, model)
    return LoadedAmt(model.to(place).eval(), config, checkpoint.about, checkpoint.folder, place)
