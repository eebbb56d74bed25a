"""The transformer between the branches of Hybrid Transformer Demucs: each attends to the other.

Rouard, Massa and Defossez, "Hybrid Transformers for Music Source Separation" (ICASSP 2023), section
2.2. Names of modules are those of the published weights.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_PERIOD = 10_000.0


class Scale(nn.Module):
    """A factor for each channel of ``[..., c]``, or of ``[b, c, t]`` where `channels_first`."""

    def __init__(self, channels: int, *, channels_first: bool = False) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.zeros(channels))
        self._channels_first = channels_first

    def forward(self, x: Tensor) -> Tensor:
        return x * (self.scale[:, None] if self._channels_first else self.scale)


class _Block(nn.Module):
    """Attention and two linear layers, each normalised before it and scaled behind it.

    With `crosses` it attends to another sequence, else to its own.
    """

    def __init__(self, width: int, heads: int, hidden: int, *, crosses: bool) -> None:
        super().__init__()
        attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.add_module("cross_attn" if crosses else "self_attn", attention)
        self._attention = [attention]
        self.linear1, self.linear2 = nn.Linear(width, hidden), nn.Linear(hidden, width)
        for number in range(1, 4 if crosses else 3):
            self.add_module(f"norm{number}", nn.LayerNorm(width))
        self.norm_out = nn.GroupNorm(1, width)
        self.gamma_1, self.gamma_2 = Scale(width), Scale(width)
        self._crosses = crosses

    def forward(self, x: Tensor, other: Tensor) -> Tensor:
        """Sequence ``[b, t, c]`` out of itself and, where it crosses, ``[b, s, c]``."""
        parts: Any = self
        query = parts.norm1(x)
        key = parts.norm2(other) if self._crosses else query
        attended = self._attention[0](query, key, key, need_weights=False)[0]
        x = x + self.gamma_1(attended)
        normed = parts.norm3(x) if self._crosses else parts.norm2(x)
        x = x + self.gamma_2(self.linear2(F.gelu(self.linear1(normed))))
        # One group: over time and channels together.
        whole: Tensor = self.norm_out(x.transpose(1, 2))
        return whole.transpose(1, 2)


class CrossTransformer(nn.Module):
    """Blocks in turn for the spectrum and for the samples; every second one looks across."""

    def __init__(self, width: int, heads: int, hidden: int, layers: int) -> None:
        super().__init__()
        self.norm_in, self.norm_in_t = nn.LayerNorm(width), nn.LayerNorm(width)
        self.layers, self.layers_t = (
            nn.ModuleList(_Block(width, heads, hidden, crosses=i % 2 == 1) for i in range(layers))
            for _ in range(2)
        )

    def forward(self, spectrum: Tensor, samples: Tensor) -> tuple[Tensor, Tensor]:
        """Transform features ``[b, c, f, t]`` and ``[b, c, s]``, both to the same shapes again."""
        _, width, bins, steps = spectrum.shape
        x = spectrum.permute(0, 3, 2, 1).flatten(1, 2)
        x = self.norm_in(x) + places_in_plane(width, bins, steps).to(x)
        y = samples.transpose(1, 2)
        y = self.norm_in_t(y) + places_in_line(width, samples.shape[2]).to(y)
        for layer, layer_t in zip(self.layers, self.layers_t, strict=True):
            x, y = layer(x, y), layer_t(y, x)
        x = x.reshape(-1, steps, bins, width).permute(0, 3, 2, 1)
        return x, y.transpose(1, 2)


def places_in_line(width: int, length: int) -> Tensor:
    """Make cosines, then sines, of each place, ``[length, width]``."""
    half = width // 2
    rates = _PERIOD ** -(torch.arange(half) / (half - 1))
    phases = torch.arange(length)[:, None] * rates
    return torch.cat([phases.cos(), phases.sin()], dim=1)


def places_in_plane(width: int, bins: int, steps: int) -> Tensor:
    """Sines and cosines in turn, of the time and then of the frequency, ``[steps * bins, width]``.

    The bins of one time stand together.
    """
    half = width // 2
    rates = torch.exp(torch.arange(0.0, half, 2) * -(math.log(_PERIOD) / half))

    def waves(length: int) -> Tensor:
        phases = torch.arange(float(length))[:, None] * rates
        return torch.stack([phases.sin(), phases.cos()], dim=2).flatten(1)

    times = waves(steps)[:, None].expand(-1, bins, -1)
    frequencies = waves(bins)[None].expand(steps, -1, -1)
    return torch.cat([times, frequencies], dim=2).flatten(0, 1)
