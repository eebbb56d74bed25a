"""Tokens, and where and how fast they are, as vectors."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from symmv_builder.training.vmusprod.tempo import TEMPO_SIZE, TIMING_SIZE
from symmv_builder.training.vmusprod.tokens import FIELDS, POSITIONS, QUALITY, ROOT, SIZES
from symmv_builder.vocab import SYMMV_QUALITIES

# Semitones above the root, in the spelling of `vocab.SYMMV_QUALITIES`.
INTERVALS: dict[str, tuple[int, ...]] = {
    "M": (0, 4, 7),
    "m": (0, 3, 7),
    "o": (0, 3, 6),
    "+": (0, 4, 8),
    "7": (0, 4, 7, 10),
    "M7": (0, 4, 7, 11),
    "m7": (0, 3, 7, 10),
    "o7": (0, 3, 6, 9),
    "sus2": (0, 2, 7),
    "sus4": (0, 5, 7),
}


@dataclass(frozen=True, slots=True)
class TokenBatch:
    """Sequences of one batch: `tokens` int64 ``[b, t, 6]``; the others ``[b, t]``.

    `places` counts the tokens of the piece from 0, also where the sequence is a stretch of it;
    `bars` counts from 0 and never falls, `beats` is the 16th in the bar (0-15), `timing` the
    share of the piece that has gone by in percent (0-100), `mask` True for real tokens.
    """

    tokens: Tensor
    places: Tensor
    bars: Tensor
    beats: Tensor
    timing: Tensor
    mask: Tensor

    def upto(self, end: int) -> "TokenBatch":
        """Cut to the tokens before place `end`, which counts from the end if negative."""
        parts = (self.tokens, self.places, self.bars, self.beats, self.timing, self.mask)
        return TokenBatch(*(part[:, :end] for part in parts))


def chroma_table() -> Tensor:
    """Tabulate the pitch classes of chords: ``[roots, qualities, 12]`` by the fields' numbers."""
    table = torch.zeros(SIZES["root"], SIZES["quality"], 12)
    for root in range(12):
        for number, quality in enumerate(SYMMV_QUALITIES):
            table[1 + root, 1 + number, [(root + i) % 12 for i in INTERVALS[quality]]] = 1.0
    return table


def sinusoids(positions: Tensor, width: int) -> Tensor:
    """Sines and cosines of positions ``[...]`` as in "Attention is all you need": ``[..., width]``.

    Computed, not looked up: a piece may grow longer than any that was learned from.
    """
    half = torch.arange(width // 2, device=positions.device, dtype=torch.float32)
    angles = positions.float().unsqueeze(-1) * torch.exp(half * (-math.log(1e4) * 2 / width))
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


class ScoreEmbedding(nn.Module):
    """Embeds each token as a sum of embeddings (V-MusProd, section 4.2, figure 4).

    Its fields, for chords their 12 pitch classes too, its place in the sequence, its bar and
    beat, the tempo, and with `timing` the Timing Encoding of CMT (Di et al., 2021). Bars from
    `max_bars` on share one embedding.
    """

    chroma: Tensor

    def __init__(self, width: int, *, max_bars: int, timing: bool, dropout: float) -> None:
        super().__init__()
        self.width = width
        self.fields = nn.ModuleList(nn.Embedding(SIZES[name], width) for name in FIELDS)
        self.register_buffer("chroma", chroma_table(), persistent=False)
        self.sounds = nn.Linear(12, width, bias=False)
        self.bars = nn.Embedding(max_bars, width)
        self.beats = nn.Embedding(POSITIONS, width)
        self.tempo = nn.Embedding(TEMPO_SIZE, width)
        self.timing = nn.Embedding(TIMING_SIZE, width) if timing else None
        self.dropout = nn.Dropout(dropout)

    def forward(self, score: TokenBatch, tempo: Tensor) -> Tensor:
        """Embed a batch as ``[b, t, width]``; `tempo` ``[b]`` holds bins of `tempo.tempo_bin`."""
        tokens = score.tokens
        x = torch.stack([embed(tokens[..., i]) for i, embed in enumerate(self.fields)]).sum(0)
        x = x + self.sounds(self.chroma[tokens[..., ROOT], tokens[..., QUALITY]])
        x = x + sinusoids(score.places, self.width)
        x = x + self.bars(score.bars.clamp(max=self.bars.num_embeddings - 1))
        x = x + self.beats(score.beats) + self.tempo(tempo)[:, None]
        if self.timing is not None:
            x = x + self.timing(score.timing)
        out: Tensor = self.dropout(x)
        return out
