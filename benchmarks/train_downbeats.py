"""The network of `symmv_builder/music/tempo_level/downbeats.py`, fitted; `beats.py --fit` does it.

The loss is that of a conditional random field: the log likelihood of a song's bars among all rows
of bars of their metre, which may break off at a price, with a little of the cross-entropy of
single beats, so that the odds keep their scale. POP909 has no waltzes: bars of three are
learned from the pieces of `exercises.py`.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from symmv_builder.music.tempo_level.downbeats import BREAK_PRICE
from symmv_builder.records import Floats

NETWORKS, HIDDEN, REACH = 3, 16, 8
EPOCHS, BATCH, LONGEST = 40, 48, 96
RATE, DECAY, DROPPED = 3e-3, 1e-3, 0.3
SHARE_OF_BARS = 0.95


@dataclass(frozen=True, slots=True)
class Bars:
    """A song to learn from: features ``[beats, f]``, which beats begin bars, beats in a bar."""

    features: Floats
    downbeats: NDArray[np.bool_]
    metre: int


class BarLoss(torch.autograd.Function):
    """Minus the log likelihood ``[b]`` of bars under log odds ``[b, n]`` of each beat.

    ``marks`` and ``known`` ``[b, n]`` are 1 on beats that begin bars, and on beats at all. The
    gradient is the probability that a beat begins a bar, by the forward-backward algorithm, less
    the truth.
    """

    @staticmethod
    def forward(ctx: Any, odds: Tensor, marks: Tensor, mask: Tensor, metre: int) -> Tensor:
        z = odds.detach().double().numpy()
        truth, there = marks.double().numpy(), mask.numpy() > 0
        songs, beats = z.shape
        moves = np.full((metre, metre), np.exp(-BREAK_PRICE))
        moves[np.arange(metre), (np.arange(metre) + 1) % metre] += 1
        ahead, behind = np.zeros((2, beats, songs, metre))
        ahead[0, :, 0] = z[:, 0]
        for i in range(1, beats):
            score = _passed(ahead[i - 1], moves)
            score[:, 0] += z[:, i]
            ahead[i] = np.where(there[:, i : i + 1], score, ahead[i - 1])
        for i in range(beats - 2, -1, -1):
            score = behind[i + 1].copy()
            score[:, 0] += z[:, i + 1]
            score = _passed(score, moves.T)
            behind[i] = np.where(there[:, i + 1 : i + 2], score, behind[i + 1])
        total = np.logaddexp.reduce(ahead[-1], axis=1)
        likely = np.exp(ahead[:, :, 0] + behind[:, :, 0] - total).T
        ctx.save_for_backward(torch.from_numpy((likely - truth) * there).float())
        return torch.from_numpy(total - (z * truth * there).sum(axis=1)).float()

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, None, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * slopes[0][:, None], None, None, None


def _passed(scores: Floats, moves: Floats) -> Floats:
    largest = scores.max(axis=1, keepdims=True)
    return np.asarray(np.log(np.exp(scores - largest) @ moves) + largest)


def fit_downbeats(songs: list[Bars]) -> dict[str, NDArray[np.float16]]:
    """Weights of all networks, as `downbeat_odds` takes them; each starts from another seed."""
    torch.set_num_threads(1)
    each = [_fit_one(songs, seed) for seed in range(NETWORKS)]
    return {name: np.stack([w[name] for w in each]).astype(np.float16) for name in each[0]}


def _fit_one(songs: list[Bars], seed: int) -> dict[str, Floats]:
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    kernel = nn.Conv1d(songs[0].features.shape[1], HIDDEN, 2 * REACH + 1, padding=REACH)
    out = nn.Conv1d(HIDDEN, 1, 1)
    network = nn.Sequential(nn.Dropout(DROPPED), kernel, nn.ReLU(), nn.Dropout(DROPPED), out)
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY)
    steps = EPOCHS * -(-len(songs) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    for _ in range(EPOCHS):
        order = random.permutation(len(songs))
        for first in range(0, len(order), BATCH):
            batch = [songs[i] for i in order[first : first + BATCH]]
            loss = torch.zeros(())
            for metre in (3, 4):
                some = [song for song in batch if song.metre == metre]
                if some:
                    loss = loss + _loss(network, some, random) / len(batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return {
        "kernel": kernel.weight.detach().numpy(),
        "bias": kernel.bias.detach().numpy(),
        "out": out.weight[0, :, 0].detach().numpy(),
        "out_bias": out.bias[0].detach().numpy(),
    }


def _loss(network: nn.Module, songs: list[Bars], random: np.random.Generator) -> Tensor:
    """Summed loss of songs of one metre, of each as many beats from a random one on."""
    features = np.zeros((len(songs), songs[0].features.shape[1], LONGEST), np.float32)
    marks, mask = np.zeros((2, len(songs), LONGEST), np.float32)
    for row, song in enumerate(songs):
        first = int(random.integers(max(1, len(song.downbeats) - LONGEST + 1)))
        part = slice(first, first + LONGEST)
        count = len(song.downbeats[part])
        features[row, :, :count] = song.features[part].T
        marks[row, :count] = song.downbeats[part]
        mask[row, :count] = 1
    truth, there = torch.from_numpy(marks), torch.from_numpy(mask)
    odds = network(torch.from_numpy(features))[:, 0]
    single = nn.functional.binary_cross_entropy_with_logits(odds, truth, reduction="none")
    bars = BarLoss.apply(odds, truth, there, songs[0].metre)
    return SHARE_OF_BARS * bars.sum() + (1 - SHARE_OF_BARS) * (single * there).sum()
