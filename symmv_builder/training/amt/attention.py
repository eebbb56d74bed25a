"""Attention with and without relative positions, in parallel and one step at a time.

Relative positions: Shaw et al. 2018 in the memory-saving form of Huang et al., "Music
Transformer", 2018, section 3.4.1. A query meets one learned vector for every distance; the
products, laid out by distance, are skewed so that they lie by key. The Affective Multimodal
Transformer (section 4.1.3) adds them to the product of query and key before scaling.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from symmv_builder.training.amt.config import RelativeTables


class Cache:
    """Keys and values ``[b, heads, t, d]`` of the positions that a decoder has seen."""

    def __init__(self) -> None:
        self.keys: Tensor | None = None
        self.values: Tensor | None = None

    def add(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Append one or more positions; all that are held."""
        if self.keys is not None and self.values is not None:
            keys = torch.cat([self.keys, keys], dim=2)
            values = torch.cat([self.values, values], dim=2)
        self.keys, self.values = keys, values
        return keys, values


class Attention(nn.Module):
    """Multi-head attention (Vaswani et al. 2017) from one sequence to another or to itself."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def split(self, values: Tensor) -> Tensor:
        """Reshape ``[b, t, width]`` to ``[b, heads, t, width / heads]``."""
        b, t, _ = values.shape
        return values.reshape(b, t, self.heads, -1).transpose(1, 2)

    def forward(self, x: Tensor, source: Tensor, allowed: Tensor | None) -> Tensor:
        """Attend from ``x [b, t, width]`` to ``source [b, s, width]``.

        `allowed` (bool, true where a query may look) broadcasts to ``[b, heads, t, s]``; every
        query must be allowed one key at least.
        """
        keys, values = self.split(self.key(source)), self.split(self.value(source))
        return self.weigh(self.split(self.query(x)), keys, values, allowed)

    def weigh(self, query: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
        dropout = self.dropout if self.training else 0.0
        attended = functional.scaled_dot_product_attention(
            query, keys, values, attn_mask=mask, dropout_p=dropout
        )
        out: Tensor = self.out(attended.transpose(1, 2).flatten(2))
        return out


class CausalSelfAttention(Attention):
    """Attention of each position to itself and those before it.

    `relative` gives every head its own vectors (``each``) or one set to all (``shared``);
    with `None` there are none. `length` is the longest sequence.
    """

    def __init__(
        self, width: int, heads: int, dropout: float, length: int, relative: RelativeTables | None
    ) -> None:
        super().__init__(width, heads, dropout)
        self.length = length
        self.distances: nn.Parameter | None = None
        if relative is not None:
            sets = heads if relative == "each" else 1
            # Row length - 1 - d is the vector of distance d: a query's own is the last.
            self.distances = nn.Parameter(0.02 * torch.randn(sets, length, width // heads))

    def forward(self, x: Tensor, source: Tensor, allowed: Tensor | None) -> Tensor:
        """Attend as `Attention.forward`; `source` is the same sequence as `x`, at most `length`."""
        t = x.shape[1]
        causal = torch.ones(t, t, dtype=torch.bool, device=x.device).tril()
        mask = causal if allowed is None else causal & allowed
        query = self.split(self.query(x))
        keys, values = self.split(self.key(source)), self.split(self.value(source))
        if self.distances is not None:
            mask = self._bias(query).masked_fill(~mask, float("-inf"))
        return self.weigh(query, keys, values, mask)

    def _bias(self, query: Tensor) -> Tensor:
        """Products with the vectors of distances, skewed to lie by key and scaled ``[.., t, t]``.

        What lies behind the diagonal is no product of anything and has to be masked.
        """
        if self.distances is None:
            raise ValueError("this attention has no relative positions")
        t = query.shape[2]
        if t > self.length:
            raise ValueError(f"{t} positions, but distances are known for {self.length}")
        by_distance = query @ self.distances[:, self.length - t :].transpose(1, 2)
        return skew(by_distance) / math.sqrt(query.shape[-1])

    def step(self, x: Tensor, cache: Cache) -> Tensor:
        """Compute the last row of `forward` for one more position ``x [b, 1, width]``."""
        query = self.split(self.query(x))
        keys, values = cache.add(self.split(self.key(x)), self.split(self.value(x)))
        bias = None
        if self.distances is not None:
            t = keys.shape[2]
            products = query @ self.distances[:, self.length - t :].transpose(1, 2)
            bias = products / math.sqrt(query.shape[-1])
        return self.weigh(query, keys, values, bias)


def skew(by_distance: Tensor) -> Tensor:
    """Turn ``[.., i, t - 1 - d]`` into ``[.., i, i - d]``, for d up to i."""
    *front, t, _ = by_distance.shape
    padded = functional.pad(by_distance, (1, 0))
    skewed: Tensor = padded.reshape(*front, t + 1, t)[..., 1:, :]
    return skewed
