"""Five networks that hear from the pictures how many notes there are and how loud they are.

Kang, Poria, Herremans, "Video2Music", 2024, section 4.2.1. ``fc``: a linear layer to 512 with
ReLU and a second one to the output. ``lstm``, ``gru`` and their ``bi`` forms: two layers of 64
units, in each direction, and a linear output. Density and loudness are estimated jointly, as
the section says, so the output is two wide; of ``fc`` it also says "a single output unit", and
the released code has no ``fc``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import dropout
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from symmv_builder.errors import OtherFeatures
from symmv_builder.training import checkpoint
from symmv_builder.training.amt.regressor.config import RegressorConfig
from symmv_builder.training.configs import from_plain
from symmv_builder.training.ranks import device_of

KIND = "regressor"
# Density and loudness.
OUTPUTS = 2

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class FeatureStatistics:
    """Mean and deviation of each input ``[w]`` and of each target ``[2]`` over a split."""

    input_mean: Floats
    input_std: Floats
    target_mean: Floats
    target_std: Floats


class Regressor(nn.Module):
    """Video ``[b, t, w]`` to standardised density and loudness ``[b, t, 2]``.

    How inputs and targets are standardised travels with the weights, as buffers.
    """

    input_mean: Tensor
    input_std: Tensor
    target_mean: Tensor
    target_std: Tensor

    def __init__(
        self, config: RegressorConfig, width: int, statistics: FeatureStatistics | None = None
    ) -> None:
        super().__init__()
        self.dropout = config.dropout
        self.recurrent: nn.LSTM | nn.GRU | None = None
        if config.model == "fc":
            self.hidden: nn.Linear | None = nn.Linear(width, config.hidden)
            features = config.hidden
        else:
            both = config.model.startswith("bi")
            kind = nn.LSTM if config.model.endswith("lstm") else nn.GRU
            self.recurrent = kind(
                width, config.units, config.layers, batch_first=True, bidirectional=both
            )
            features = config.units * (2 if both else 1)
        self.output = nn.Linear(features, OUTPUTS)
        for name, size in (("input", width), ("target", OUTPUTS)):
            self.register_buffer(f"{name}_mean", torch.zeros(size))
            self.register_buffer(f"{name}_std", torch.ones(size))
        if statistics is not None:
            self.target_mean.copy_(torch.from_numpy(statistics.target_mean))
            self.target_std.copy_(torch.from_numpy(statistics.target_std))
            if config.standardise_input:
                self.input_mean.copy_(torch.from_numpy(statistics.input_mean))
                self.input_std.copy_(torch.from_numpy(statistics.input_std))

    def forward(self, video: Tensor, lengths: Tensor) -> Tensor:
        """Estimate targets; `lengths` are the real seconds of each video, int64 ``[b]`` on the CPU.

        Sequences are packed: what reads backwards begins at a video's own last second, and a
        video gives the same beside a longer one as alone. Behind its end values mean nothing.
        """
        x = dropout((video - self.input_mean) / self.input_std, self.dropout, self.training)
        if self.recurrent is None:
            hidden: Tensor = torch.relu(self.hidden(x))  # type: ignore[misc]
            return self._out(hidden)
        # Sharing among ranks moves whatever a module is given onto the rank's GPU.
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        states, _ = self.recurrent(packed)
        hidden, _ = pad_packed_sequence(states, batch_first=True, total_length=video.shape[1])
        return self._out(hidden)

    def _out(self, hidden: Tensor) -> Tensor:
        estimated: Tensor = self.output(hidden)
        return estimated

    def standardise(self, targets: Tensor) -> Tensor:
        """Density and loudness ``[..., 2]`` as the network estimates them."""
        return (targets - self.target_mean) / self.target_std

    def in_units(self, estimated: Tensor) -> Tensor:
        """Estimates ``[..., 2]`` as notes, not below 0, and loudness from 0 to 1."""
        values = estimated * self.target_std + self.target_mean
        density, loudness = values.unbind(-1)
        return torch.stack([density.clamp(min=0), loudness.clamp(0, 1)], dim=-1)


@dataclass(frozen=True, slots=True)
class LoadedRegressor:
    """A trained regressor, ready to estimate, and what its checkpoint says of it."""

    model: Regressor
    config: RegressorConfig
    about: Mapping[str, Any]
    device: torch.device


def load(run: Path, device: str = "cpu") -> LoadedRegressor:
    """Load the regressor of a run's folder (its best) or a checkpoint's.

    `StopRun` where none is.
    """
    saved = checkpoint.read(run, KIND)
    config = from_plain(RegressorConfig, saved.config)
    with checkpoint.understood(saved):
        width = int(saved.about["input_width"])
    model = Regressor(config, width)
    checkpoint.load_module(saved, model)
    place = device_of(device)
    return LoadedRegressor(model.to(place).eval(), config, saved.about, place)


@torch.inference_mode()
def predict(regressor: LoadedRegressor | Path, features: NDArray[Any]) -> tuple[Floats, Floats]:
    """Density in notes, 0 and above, and loudness, 0 to 1, both float32 ``[t]``, of a video.

    `features` are `features.video_input`'s ``[t, w]``, of any length. `StopRun` where they are
    not as wide as those that it was trained with.
    """
    loaded = load(regressor) if isinstance(regressor, Path) else regressor
    width = len(loaded.model.input_mean)
    if features.ndim != 2 or features.shape[1] != width:
        actual = f"features of shape {list(features.shape)}"
        raise OtherFeatures("this video", actual, "the regressor", f"features {width} wide")
    if not len(features):
        return np.zeros(0, dtype=np.float32), np.zeros(0, dtype=np.float32)
    video = torch.from_numpy(np.array(features, dtype=np.float32))[None].to(loaded.device)
    estimated = loaded.model.in_units(loaded.model(video, torch.tensor([len(features)])))[0]
    density, loudness = estimated.float().cpu().numpy().T
    return np.ascontiguousarray(density), np.ascontiguousarray(loudness)
