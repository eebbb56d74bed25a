"""A stage's model as sampling asks for it: one token at a time, with as few operations as can be.

`models.StageModel.step` says what a step is, in the words of the layers. Here the same numbers
come out of weights that were put together once: queries, keys and values are one product, all that
is known of a token is one look into one table, and a layer's sums are changed where they lie. A
step of a small model costs what its calls cost and hardly what it computes, so that half the calls
are half the time. Weights and sums are float32, whatever the checkpoint holds.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from symmv_builder.training.vmusprod.attention import EPS, AttentionSums, phi
from symmv_builder.training.vmusprod.embedding import sinusoids
from symmv_builder.training.vmusprod.layers import Layer
from symmv_builder.training.vmusprod.models import AFTER, Context, StageModel
from symmv_builder.training.vmusprod.tokens import QUALITY, ROOT, SIZES

# Sines of places are made for so many tokens at once.
_PLACES = 1024


@dataclass(frozen=True, slots=True)
class _Affine:
    """A linear layer, weight ``[out, in]`` and bias ``[out]``."""

    weight: Tensor
    bias: Tensor

    @classmethod
    def of(cls, *layers: torch.nn.Linear) -> "_Affine":
        """Layers of one input as one, their outputs side by side."""
        weight = torch.cat([layer.weight.detach().float() for layer in layers])
        return cls(weight, torch.cat([layer.bias.detach().float() for layer in layers]))

    def __call__(self, x: Tensor) -> Tensor:
        return functional.linear(x, self.weight, self.bias)


class _Layer:
    """The weights of a decoder's layer, and its step."""

    def __init__(self, layer: Layer) -> None:
        self.own_norm, self.norm = layer.own_norm, layer.norm
        self.heads = layer.own.heads
        self.own = _Affine.of(layer.own.query, layer.own.key, layer.own.value)
        self.own_out = _Affine.of(layer.own.out)
        self.cross_norm = layer.cross_norm
        if layer.cross is not None:
            self.query, self.cross_out = _Affine.of(layer.cross.query), _Affine.of(layer.cross.out)
        self.widen, self.narrow = _Affine.of(layer.widen), _Affine.of(layer.narrow)

    def step(
        self, x: Tensor, own: AttentionSums, cross: AttentionSums | None, at: Tensor | None
    ) -> Tensor:
        """Read the token ``[b, width]`` of bars `at` behind `own`, which takes it in."""
        b, width = x.shape
        projected = self.own(self.own_norm(x)).view(b, 3, self.heads, -1)
        q, k = phi(projected[:, :2]).unbind(1)
        own.kv.addcmul_(k.unsqueeze(-1), projected[:, 2].unsqueeze(-2))
        own.k.add_(k)
        x = x + self.own_out(_read(q, own.kv, own.k).view(b, width))
        if self.cross_norm is not None and cross is not None:
            q = phi(self.query(self.cross_norm(x)).view(b, self.heads, -1))
            kv, sums = cross.kv, cross.k
            if at is not None:
                rows = torch.arange(b, device=x.device)
                kv, sums = kv[rows, :, at], sums[rows, :, at]
            x = x + self.cross_out(_read(q, kv, sums).view(b, width))
        return x + self.narrow(functional.gelu(self.widen(self.norm(x))))


def _read(q: Tensor, kv: Tensor, k: Tensor) -> Tensor:
    """Do `attention.read` for one query a head: ``[b, h, d]`` from ``[b, h, d, e]``."""
    values = (q.unsqueeze(-2) @ kv).squeeze(-2)
    return values.div_((q * k).sum(-1, keepdim=True).add_(EPS))


@dataclass(slots=True)
class StepState:
    """The state of sampling: tokens read, and each layer's sums, which a step changes in place."""

    position: int
    own: tuple[AttentionSums, ...]
    cross: tuple[AttentionSums | None, ...]


class FusedStepper:
    """A `sampling.Stepper` of a stage's model, whose weights it holds in another arrangement."""

    def __init__(self, model: StageModel) -> None:
        self._model = model
        self._by_bar = model.design.condition == "score"
        with torch.no_grad():
            self._layers = [_Layer(layer) for layer in model.decoder.layers]  # type: ignore[arg-type]
            self._norm = model.decoder.norm
            self._make_table(model)
            self._make_heads(model)
        self._places = torch.empty(0, device=self._table.device)

    def begin(self, batch_size: int, context: Context) -> StepState:
        """Encode the context, before the first token of `batch_size` pieces."""
        begun = self._model.begin(batch_size, context)
        return StepState(0, begun.own, begun.cross)

    def step(
        self,
        tokens: Tensor,
        bars: Tensor,
        beats: Tensor,
        tempo: Tensor,
        timing: Tensor,
        state: StepState,
    ) -> tuple[Tensor, StepState]:
        """Step as `models.StageModel.step` does; `state` is changed and given back."""
        sounds = tokens[:, ROOT] * SIZES["quality"] + tokens[:, QUALITY]
        indices = [sounds, bars.clamp(max=self._last_bar), beats, tempo, timing]
        indices = indices if self._has_timing else indices[:-1]
        places = torch.cat((tokens, torch.stack(indices, dim=1)), dim=1) + self._offsets
        x = functional.embedding_bag(places, self._table, mode="sum")
        x = x + self._place(state.position)
        at = bars if self._by_bar else None
        for layer, own, cross in zip(self._layers, state.own, state.cross, strict=True):
            x = layer.step(x, own, cross, at)
        state.position += 1
        return self._norm(x), state

    def type_logits(self, hidden: Tensor) -> Tensor:
        """Compute logits of the next token's type, ``[b, 6]``."""
        return self._kind(hidden)

    def decided(self, hidden: Tensor, kind: Tensor) -> Tensor:
        """Give the hidden vector ``[b, width]`` for the fields of a token of type ``[b]``."""
        return functional.gelu(functional.linear(hidden, self._first) + self._given_kind[kind])

    def field_logits(self, name: str, decided: Tensor, before: Tensor | None) -> Tensor:
        """Compute logits of a field ``[b, size]``.

        `before` is the value of the one before it.
        """
        if before is not None:
            context = functional.linear(decided, self._second) + self._given[name][before]
            decided = functional.gelu(context)
        return self._fields[name](decided)

    def _make_table(self, model: StageModel) -> None:
        """Make one table of all that is known of a token, and where each part of it begins."""
        embed = model.embedding
        sounds = (embed.chroma.float() @ embed.sounds.weight.float().T).flatten(0, 1)
        parts: list[Tensor] = [part.weight for part in embed.fields]  # type: ignore[misc]
        parts += [sounds, embed.bars.weight, embed.beats.weight, embed.tempo.weight]
        self._has_timing = embed.timing is not None
        if embed.timing is not None:
            parts.append(embed.timing.weight)
        self._table = torch.cat([part.detach().float() for part in parts])
        sizes = torch.tensor([0, *(len(part) for part in parts[:-1])], device=self._table.device)
        self._offsets = sizes.cumsum(0)
        self._last_bar = embed.bars.num_embeddings - 1

    def _make_heads(self, model: StageModel) -> None:
        """Make the heads; what they add for a known value is looked up and not computed."""
        heads, width = model.heads, model.design.width
        self._kind = _Affine.of(heads.kind)
        first, second = _Affine.of(heads.first), _Affine.of(heads.second)
        self._first, self._second = first.weight[:, :width], second.weight[:, :width]
        rest = first.weight[:, width:]
        self._given_kind = heads.given_kind.weight.float() @ rest.T + first.bias
        rest = second.weight[:, width:]
        self._given: Mapping[str, Tensor] = {
            name: heads.given[before].weight.float() @ rest.T + second.bias  # type: ignore[operator]
            for name, before in AFTER.items()
            if before
        }
        self._fields = {name: _Affine.of(layer) for name, layer in heads.fields.items()}  # type: ignore[arg-type]

    def _place(self, position: int) -> Tensor:
        if position >= len(self._places):
            places = torch.arange(position + _PLACES, device=self._table.device)
            self._places = sinusoids(places, self._model.design.width)
        return self._places[position]


@contextmanager
def one_thread(device: torch.device) -> Iterator[None]:
    """Small products on a CPU in one thread: threads that wait for each other cost more."""
    before = torch.get_num_threads()
    if device.type == "cpu":
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
