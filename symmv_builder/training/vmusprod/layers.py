"""Transformer layers on linear attention, in the parallel form and one token at a time.

Norms stand before what they feed ("pre-norm"), which trains without care for the learning
rate; the paper does not say where its stand.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from symmv_builder.training.vmusprod import attention
from symmv_builder.training.vmusprod.attention import AttentionSums
from symmv_builder.training.vmusprod.masks import Packing


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes that all layers of a model share."""

    width: int
    heads: int
    feedforward: int
    dropout: float


@dataclass(frozen=True, slots=True)
class Memory:
    """The memory that a decoder attends to: `x` ``[b, s, d]``, `mask` ``[b, s]``.

    With packings of its tokens (`keys`) and of the decoder's (`queries`), over the same
    number of bars, a token of a bar sees that bar and the two beside it; without, all.
    """

    x: Tensor
    mask: Tensor
    keys: Packing | None = None
    queries: Packing | None = None


class _Heads(nn.Module):
    """Projections to heads and back."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads = shape.heads
        self.query = nn.Linear(shape.width, shape.width)
        self.key = nn.Linear(shape.width, shape.width)
        self.value = nn.Linear(shape.width, shape.width)
        self.out = nn.Linear(shape.width, shape.width)

    def split(self, x: Tensor) -> Tensor:
        """Reshape ``[b, t, width]`` to ``[b, heads, t, d]``."""
        b, t, width = x.shape
        # Contiguous, or the compiler plans the way back for strides that it does not meet.
        return x.view(b, t, self.heads, width // self.heads).transpose(1, 2).contiguous()

    def join(self, x: Tensor) -> Tensor:
        """Join ``[b, heads, t, d]`` to ``[b, t, width]``, projected."""
        b, heads, t, d = x.shape
        out: Tensor = self.out(x.transpose(1, 2).reshape(b, t, heads * d))
        return out


class SelfAttention(_Heads):
    """Multi-head linear attention among the tokens of one sequence."""

    def forward(self, x: Tensor, mask: Tensor | None, *, causal: bool) -> Tensor:
        q, k, v = (self.split(project(x)) for project in (self.query, self.key, self.value))
        return self.join((attention.causal if causal else attention.full)(q, k, v, mask))

    def step(self, x: Tensor, sums: AttentionSums) -> tuple[Tensor, AttentionSums]:
        """Compute the next token ``[b, 1, width]`` of the causal form."""
        q, k, v = (self.split(project(x)) for project in (self.query, self.key, self.value))
        out, sums = attention.step(q[:, :, 0], k[:, :, 0], v[:, :, 0], sums)
        return self.join(out.unsqueeze(2)), sums


class CrossAttention(_Heads):
    """Attention to a `Memory`, whose sums are made once.

    Of the three bars that a token sees, each has a learned mark. The paper has absolute bars
    alone; linear attention, which weighs softly, is slow to find the current one by those.
    """

    def __init__(self, shape: Shape, *, by_bar: bool = False) -> None:
        super().__init__(shape)
        size = (3, shape.heads, shape.width // shape.heads)
        self.marks = nn.Parameter(torch.randn(size) * 0.5) if by_bar else None

    def sums(self, memory: Memory) -> AttentionSums:
        k, v = self.split(self.key(memory.x)), self.split(self.value(memory.x))
        if memory.keys is not None:
            return attention.bar_sums(k, v, memory.keys, self.marks)
        return attention.summed(k, v, memory.mask)

    def forward(self, x: Tensor, sums: AttentionSums, queries: Packing | None) -> Tensor:
        q = self.split(self.query(x))
        if queries is not None:
            return self.join(attention.across_bars(q, sums, queries, x.dtype))
        return self.join(attention.read(q, sums, x.dtype))

    def step(self, x: Tensor, sums: AttentionSums, bars: Tensor | None) -> Tensor:
        """Compute the token ``[b, 1, width]`` that lies in `bars` ``[b]``."""
        q = self.split(self.query(x))
        if bars is None:
            return self.join(attention.read(q, sums, x.dtype))
        return self.join(attention.step_across_bars(q[:, :, 0], sums, bars).unsqueeze(2))


class Layer(nn.Module):
    """Self-attention, cross-attention where the model has a memory, and a feed-forward net."""

    def __init__(self, shape: Shape, *, crosses: bool, by_bar: bool) -> None:
        super().__init__()
        self.own_norm = nn.LayerNorm(shape.width)
        self.own = SelfAttention(shape)
        self.cross_norm = nn.LayerNorm(shape.width) if crosses else None
        self.cross = CrossAttention(shape, by_bar=by_bar) if crosses else None
        self.norm = nn.LayerNorm(shape.width)
        self.widen = nn.Linear(shape.width, shape.feedforward)
        self.narrow = nn.Linear(shape.feedforward, shape.width)
        self.dropout = nn.Dropout(shape.dropout)

    def forward(
        self, x: Tensor, mask: Tensor | None, memory: Memory | None, *, causal: bool
    ) -> Tensor:
        x = x + self.dropout(self.own(self.own_norm(x), mask, causal=causal))
        if self.cross is not None and self.cross_norm is not None and memory is not None:
            crossed = self.cross(self.cross_norm(x), self.cross.sums(memory), memory.queries)
            x = x + self.dropout(crossed)
        return self._feed(x)

    def step(
        self, x: Tensor, own: AttentionSums, cross: AttentionSums | None, bars: Tensor | None
    ) -> tuple[Tensor, AttentionSums]:
        """Compute the next token ``[b, 1, width]`` of the causal form, and the sums with it."""
        attended, own = self.own.step(self.own_norm(x), own)
        x = x + self.dropout(attended)
        if self.cross is not None and self.cross_norm is not None and cross is not None:
            x = x + self.dropout(self.cross.step(self.cross_norm(x), cross, bars))
        return self._feed(x), own

    def crossed(self, memory: Memory) -> AttentionSums | None:
        """Prepare what `step` reads of a memory; `None` in a layer without cross-attention."""
        return None if self.cross is None else self.cross.sums(memory)

    def into_stream(self) -> list[nn.Linear]:
        """List the projections whose output is added to the residual stream."""
        crossed = [] if self.cross is None else [self.cross.out]
        return [self.own.out, *crossed, self.narrow]

    def _feed(self, x: Tensor) -> Tensor:
        hidden = self.dropout(functional.gelu(self.widen(self.norm(x))))
        out: Tensor = x + self.dropout(self.narrow(hidden))
        return out


class Stack(nn.Module):
    """A stack of layers with a final norm: an encoder, or with `causal` a decoder."""

    def __init__(
        self,
        shape: Shape,
        layers: int,
        *,
        causal: bool,
        crosses: bool = False,
        by_bar: bool = False,
    ) -> None:
        super().__init__()
        self.causal = causal
        self.layers = nn.ModuleList(
            Layer(shape, crosses=crosses, by_bar=by_bar) for _ in range(layers)
        )
        self.norm = nn.LayerNorm(shape.width)

    def forward(self, x: Tensor, mask: Tensor | None, memory: Memory | None = None) -> Tensor:
        for layer in self.layers:
            x = layer(x, mask, memory, causal=self.causal)
        out: Tensor = self.norm(x)
        return out


def initialise(module: nn.Module) -> None:
    """Initialise the weights.

    Embeddings are so large that what a token is counts as much as where it stands (sines of
    size 0.7). What layers add to the residual stream is scaled down by their number, so that
    a deep stack begins near the identity.
    """
    for part in module.modules():
        if isinstance(part, nn.Linear):
            nn.init.xavier_uniform_(part.weight)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
        elif isinstance(part, nn.Embedding):
            nn.init.normal_(part.weight, std=0.3)
    for stack in [part for part in module.modules() if isinstance(part, Stack)]:
        gain = 1.0 / math.sqrt(2 * max(len(stack.layers), 1))
        for layer in stack.layers:
            if isinstance(layer, Layer):
                for projection in layer.into_stream():
                    projection.weight.data.mul_(gain)
