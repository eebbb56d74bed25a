"""Training steps of the Affective Multimodal Transformer in songs a second, side by side.

    python benchmarks/amt.py [--device cpu] [--batches 32,1] [--steps 3] [--width 512] [--layers 6]

Songs of 300 s, the paper's sizes, both losses, backward and Adam. ``ours`` is the model of
`symmv_builder.training.amt`, on a GPU in bfloat16 and compiled, as it trains. ``reference`` is
the released code's arithmetic put together anew out of torch's own modules: `torch.nn.Transformer`
layers behind the residual sum, a decoder whose self-attention writes its softmax out, no masks but
the causal one, and one song at a time, since its key flag is a single number. ``naive`` is the
same with a vector for every pair of positions, as relative attention was before it was skewed
(Shaw et al. 2018). Both take float32. ``reference`` beside a batch of 32 is what masks of its
own and a flag a song would have given it.
"""

import argparse
import math
import time
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn

from symmv_builder.training.amt.config import PRESETS, AmtConfig
from symmv_builder.training.amt.losses import sum_losses
from symmv_builder.training.amt.model import ChordModel, sinusoids
from symmv_builder.training.amt.vocabulary import OUTPUTS, QUALITIES, ROOTS, START, matching_table
from symmv_builder.training.ranks import autocast

VIDEO, SECONDS = 776, 300
Step = Callable[[], None]


class WrittenOut(nn.Module):
    """Relative self-attention with every intermediate matrix kept, skewed or pair by pair."""

    def __init__(self, config: AmtConfig, naive: bool) -> None:
        super().__init__()
        self.heads, self.naive = config.heads, naive
        self.inwards = nn.Linear(config.width, 3 * config.width)
        self.out = nn.Linear(config.width, config.width)
        self.dropout = nn.Dropout(config.dropout)
        self.distances = nn.Parameter(torch.rand(SECONDS, config.width // config.heads))

    def forward(self, x: Tensor) -> Tensor:
        b, t, width = x.shape
        parts = self.inwards(x).reshape(b, t, 3, self.heads, width // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        query = query / math.sqrt(query.shape[-1])
        place = torch.arange(t, device=x.device)
        gaps = (SECONDS - 1 - (place[:, None] - place)).clamp(0, SECONDS - 1)
        if self.naive:
            pairs = self.distances[gaps]
            relative = torch.einsum("bhid,ijd->bhij", query, pairs)
        else:
            by_distance = query @ self.distances[SECONDS - t :].T
            relative = nn.functional.pad(by_distance, (1, 0)).reshape(b, self.heads, t + 1, t)
            relative = relative[:, :, 1:]
        scores = query @ key.transpose(-1, -2) + relative
        scores = scores + torch.full((t, t), -math.inf, device=x.device).triu(1)
        attended = self.dropout(scores.softmax(-1)) @ value
        out: Tensor = self.out(attended.transpose(1, 2).reshape(b, t, width))
        return out


class ReferenceLayer(nn.Module):
    """A decoder layer: relative self-attention, attention to the video, two linear layers."""

    def __init__(self, config: AmtConfig, naive: bool) -> None:
        super().__init__()
        width = config.width
        self.own = WrittenOut(config, naive)
        self.cross = nn.MultiheadAttention(width, config.heads, config.dropout, batch_first=True)
        self.inner, self.outer = nn.Linear(width, config.hidden), nn.Linear(config.hidden, width)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, film: Tensor) -> Tensor:
        x = self.norms[0](x + self.dropout(self.own(x)))
        x = self.norms[1](x + self.dropout(self.cross(x, film, film)[0]))
        hidden = self.dropout(self.inner(x).relu())
        out: Tensor = self.norms[2](x + self.dropout(self.outer(hidden)))
        return out


class Reference(nn.Module):
    """Roots, qualities, one key flag, video; 159 logits at each position."""

    def __init__(self, config: AmtConfig, naive: bool) -> None:
        super().__init__()
        width = config.width
        self.root, self.quality = nn.Embedding(ROOTS, width), nn.Embedding(QUALITIES, width)
        self.chord, self.video = nn.Linear(width + 1, width), nn.Linear(VIDEO, width)
        layer = nn.TransformerEncoderLayer(
            width, config.heads, config.hidden, config.dropout, batch_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, config.layers, nn.LayerNorm(width))
        self.decoder = nn.ModuleList(ReferenceLayer(config, naive) for _ in range(config.layers))
        self.norm, self.out = nn.LayerNorm(width), nn.Linear(width, OUTPUTS)
        self.dropout = nn.Dropout(config.dropout)
        self.positions = nn.Buffer(sinusoids(SECONDS, width))

    def forward(self, inputs: Tensor, key: Tensor, video: Tensor) -> Tensor:
        # START has no place in the reference; any chord costs the same.
        numbers = inputs.clamp(max=156)
        chord = self.root((numbers + 12) // 13) + self.quality((numbers - 1).clamp(0) % 13 + 1)
        flag = key[:, None, None].expand(*inputs.shape, 1)
        x = self.dropout(self.chord(torch.cat([chord, flag], -1)) + self.positions)
        film = self.encoder(self.dropout(self.video(video) + self.positions))
        for layer in self.decoder:
            x = layer(x, film)
        logits: Tensor = self.out(self.norm(x))
        return logits


def stepper(name: str, config: AmtConfig, batch: int, device: torch.device) -> Step:
    """One training step of a model on random songs, as a function without arguments."""
    torch.manual_seed(0)
    ours = name == "ours"
    model: nn.Module = ChordModel(config, VIDEO) if ours else Reference(config, name == "naive")
    model = model.to(device).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, betas=(0.9, 0.98), eps=1e-9)
    ask = torch.compile(model) if ours and device.type == "cuda" else model
    targets = torch.randint(0, 157, (batch, SECONDS), device=device)
    inputs = torch.cat([torch.full_like(targets[:, :1], START), targets[:, :-1]], 1)
    key, video = torch.ones(batch, device=device), torch.randn(batch, SECONDS, VIDEO, device=device)
    real = torch.ones_like(targets, dtype=torch.bool)
    emotions = torch.randint(0, 5, (batch, SECONDS), device=device)
    table = torch.from_numpy(matching_table()).to(device)

    def step() -> None:
        if ours:
            with autocast(device):
                logits = ask(inputs, key, real, video, real)
        else:
            logits = ask(inputs, key, video)
        sums = sum_losses(logits, targets, emotions, table)
        optimizer.zero_grad(set_to_none=True)
        sums.total(config.chord_weight, sums.chords, sums.emotions).backward()
        optimizer.step()

    return step


def songs_a_second(step: Step, batch: int, steps: int, device: torch.device) -> float:
    """Median over steps, after one that warms up."""
    times = []
    for _ in range(steps + 1):
        began = time.perf_counter()
        step()
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - began)
    return batch / sorted(times[1:])[len(times[1:]) // 2]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batches", default="32,1")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--layers", type=int, default=6)
    arguments = parser.parse_args()
    device = torch.device(arguments.device)
    config = replace(
        PRESETS["paper"], width=arguments.width, hidden=2 * arguments.width, layers=arguments.layers
    )
    print(
        f"{arguments.layers}+{arguments.layers} layers, {arguments.width} wide, "
        f"{SECONDS} s, {device}"
    )
    print(f"{'model':12s} {'batch':>6s} {'songs/s':>9s}")
    for name in ("ours", "reference", "naive"):
        for batch in map(int, arguments.batches.split(",")):
            speed = songs_a_second(
                stepper(name, config, batch, device), batch, arguments.steps, device
            )
            print(f"{name:12s} {batch:6d} {speed:9.2f}", flush=True)


if __name__ == "__main__":
    main()
