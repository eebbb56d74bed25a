"""The transformers of V-MusProd's stages: Chord, Melody, Accompaniment (section 4.2).

One class: a causal decoder of tokens that attends to nothing (chords without video), to the
fused video features (chords; all notes of the Video2music ablation), or bar by bar to an
encoder of another sequence (melody from chords, accompaniment from both, and all notes from
chords in the Video2chord2music ablation).
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from symmv_builder.training.vmusprod import attention, tokens
from symmv_builder.training.vmusprod.attention import AttentionSums
from symmv_builder.training.vmusprod.controller import Controller, Video
from symmv_builder.training.vmusprod.embedding import ScoreEmbedding, TokenBatch
from symmv_builder.training.vmusprod.layers import Memory, Shape, Stack, initialise
from symmv_builder.training.vmusprod.masks import pack

# Which token type must be chosen, and which field of it, before a field can be.
AFTER = {"barbeat": None, "pitch": None, "root": None, "duration": "pitch", "quality": "root"}

Condition = Literal["nothing", "video", "score"]


@dataclass(frozen=True, slots=True)
class Design:
    """The design of a stage's model; plain values, as a checkpoint's configuration has them.

    `semantic` and `colour` tell what the controller of condition ``video`` reads.
    """

    condition: Condition
    width: int
    heads: int
    feedforward: int
    encoder_layers: int
    decoder_layers: int
    controller_layers: int
    dropout: float
    max_bars: int
    timing: bool
    semantic: bool = False
    colour: bool = False


@dataclass(frozen=True, slots=True)
class Context:
    """The context of a piece.

    Tempo bins ``[b]``, and by the model's condition a score or a video.
    """

    tempo: Tensor
    score: TokenBatch | None = None
    video: Video | None = None


@dataclass(frozen=True, slots=True)
class LayerState:
    """The state of sampling: how many tokens were read, the sums of each layer, the tempo."""

    position: int
    own: tuple[AttentionSums, ...]
    cross: tuple[AttentionSums | None, ...]


class StageModel(nn.Module):
    """An autoregressive model of one stage: each token from those before it and the context."""

    def __init__(self, design: Design) -> None:
        super().__init__()
        self.design = design
        shape = Shape(design.width, design.heads, design.feedforward, design.dropout)
        self.embedding = _embedding(design)
        self.source_embedding: ScoreEmbedding | None = None
        self.encoder: Stack | None = None
        self.controller: Controller | None = None
        if design.condition == "score":
            self.source_embedding = _embedding(design)
            self.encoder = Stack(shape, design.encoder_layers, causal=False)
        elif design.condition == "video":
            self.controller = Controller(
                shape, design.controller_layers, semantic=design.semantic, colour=design.colour
            )
        self.decoder = Stack(
            shape,
            design.decoder_layers,
            causal=True,
            crosses=design.condition != "nothing",
            by_bar=design.condition == "score",
        )
        self.heads = Heads(design.width)
        initialise(self)

    def forward(self, score: TokenBatch, context: Context) -> tuple[Tensor, Tensor]:
        """Sum cross-entropies in nats over the batch, and count them: two ``[6]``, by field.

        Of each token but the first, its type is told from the tokens before it, and those of
        its fields that it has (``tokens.FIELDS``) from them and from what stands before the
        field in the token. Padding does not count.
        """
        before = score.upto(-1)
        bars = self._bars(score, context)
        memory = self._memory(context, bars)
        if memory is not None and memory.keys is not None:
            queries = pack(before.bars, before.mask, bars)
            memory = Memory(memory.x, memory.mask, memory.keys, queries)
        hidden = self.decoder(self.embedding(before, context.tempo), before.mask, memory)
        losses: tuple[Tensor, Tensor] = self.heads(hidden, score.tokens[:, 1:], score.mask[:, 1:])
        return losses

    def begin(self, batch_size: int, context: Context) -> LayerState:
        """Encode the context, before the first token of `batch_size` pieces."""
        memory = self._memory(context, None)
        device = context.tempo.device
        heads = self.design.heads
        d = self.design.width // heads
        return LayerState(
            0,
            tuple(attention.nothing(batch_size, heads, d, d, device) for _ in self.decoder.layers),
            tuple(
                None if memory is None else layer.crossed(memory)  # type: ignore[operator]
                for layer in self.decoder.layers
            ),
        )

    def step(
        self,
        tokens: Tensor,
        bars: Tensor,
        beats: Tensor,
        tempo: Tensor,
        timing: Tensor,
        state: LayerState,
    ) -> tuple[Tensor, LayerState]:
        """Read one token ``[b, 6]`` and its place (each ``[b]``): hidden ``[b, width]`` from
        which the next is told, and the state behind it. Costs the same for every token."""
        present = torch.ones_like(bars, dtype=torch.bool)
        place = torch.full_like(bars, state.position)
        one = TokenBatch(*(x.unsqueeze(1) for x in (tokens, place, bars, beats, timing, present)))
        x = self.embedding(one, tempo)
        at = bars if self.design.condition == "score" else None
        own = []
        for layer, sums, cross in zip(self.decoder.layers, state.own, state.cross, strict=True):
            x, sums = layer.step(x, sums, cross, at)  # type: ignore[operator]
            own.append(sums)
        hidden = self.decoder.norm(x)[:, 0]
        return hidden, LayerState(state.position + 1, tuple(own), state.cross)

    def type_logits(self, hidden: Tensor) -> Tensor:
        """Compute logits of the next token's type, ``[..., 6]``."""
        return self.heads.type_logits(hidden)

    def decided(self, hidden: Tensor, kind: Tensor) -> Tensor:
        """Give the hidden vector that predicts the fields of a token of type `kind` ``[...]``."""
        return self.heads.decided(hidden, kind)

    def field_logits(self, name: str, decided: Tensor, before: Tensor | None) -> Tensor:
        """Compute logits of a field ``[..., size]``.

        `before` is the value of the one before it (AFTER).
        """
        return self.heads.field_logits(name, decided, before)

    def _bars(self, score: TokenBatch, context: Context) -> int:
        """Give a number of bars above every bar.

        Only the bar-wise memory asks, and waits for it.
        """
        if context.score is None:
            return 0
        return int(torch.stack([score.bars.max(), context.score.bars.max()]).max().item()) + 1

    def _memory(self, context: Context, bars: int | None) -> Memory | None:
        if self.design.condition == "nothing":
            return None
        if self.controller is not None:
            if context.video is None:
                raise ValueError("this model makes music for videos: it needs their features")
            fused: Memory = self.controller(context.video)
            return fused
        source = context.score
        if source is None or self.source_embedding is None or self.encoder is None:
            raise ValueError("this model goes on from another sequence: it needs it")
        x = self.encoder(self.source_embedding(source, context.tempo), source.mask)
        count = bars if bars is not None else int(source.bars.max().item()) + 2
        return Memory(x, source.mask, pack(source.bars, source.mask, count))


def _embedding(design: Design) -> ScoreEmbedding:
    return ScoreEmbedding(
        design.width, max_bars=design.max_bars, timing=design.timing, dropout=design.dropout
    )


class Heads(nn.Module):
    """Predicts the fields of the next token from hidden vectors, each given those before it.

    First the type; then, given the type, BarBeat, pitch or root; then, given pitch or root
    too, duration or quality. The cross-entropies of the fields add up to the whole token's.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        sizes = tokens.SIZES
        self.kind = nn.Linear(width, sizes["type"])
        self.given_kind = nn.Embedding(sizes["type"], width)
        self.given = nn.ModuleDict(
            {name: nn.Embedding(sizes[name], width) for name in AFTER.values() if name}
        )
        self.first = nn.Linear(2 * width, width)
        self.second = nn.Linear(2 * width, width)
        self.fields = nn.ModuleDict({name: nn.Linear(width, sizes[name]) for name in AFTER})

    def type_logits(self, hidden: Tensor) -> Tensor:
        out: Tensor = self.kind(hidden)
        return out

    def decided(self, hidden: Tensor, kind: Tensor) -> Tensor:
        """Give the hidden vector conditioned on the token's type."""
        return functional.gelu(self.first(torch.cat([hidden, self.given_kind(kind)], dim=-1)))

    def field_logits(self, name: str, decided: Tensor, before: Tensor | None) -> Tensor:
        """Compute logits of one field.

        `before` is the value of the field before it (AFTER), if any.
        """
        after = AFTER[name]
        if after is not None and before is not None:
            context = torch.cat([decided, self.given[after](before)], dim=-1)
            decided = functional.gelu(self.second(context))
        out: Tensor = self.fields[name](decided)
        return out

    def forward(self, hidden: Tensor, targets: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Sum and count the cross-entropies of `targets` ``[b, t, 6]`` by field: two ``[6]``."""
        by_field = dict(zip(tokens.FIELDS, targets.unbind(-1), strict=True))
        logits = {"type": self.type_logits(hidden)}
        decided = self.decided(hidden, by_field["type"])
        for name, after in AFTER.items():
            before = by_field[after] if after else None
            logits[name] = self.field_logits(name, decided, before)
        # 0 is "none": such a field is not there, and no padding has any.
        losses, counts = [], []
        for name in tokens.FIELDS:
            labels = (by_field[name] * mask).flatten()
            losses.append(
                functional.cross_entropy(
                    logits[name].float().flatten(0, -2), labels, ignore_index=0, reduction="sum"
                )
            )
            counts.append((labels > 0).sum())
        return torch.stack(losses), torch.stack(counts)


def design_of(plain: Mapping[str, object]) -> Design:
    """Read a design from a checkpoint's JSON."""
    names = {field.name for field in fields(Design)}
    return Design(**{name: value for name, value in plain.items() if name in names})  # type: ignore[arg-type]
