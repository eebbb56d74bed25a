"""The network of CMT: words embedded attribute by attribute, a causal linear transformer, heads.

Di et al. (2021), section 4. The attributes' embeddings stand side by side, as wide as each needs,
and are mapped to the model's width; a timing encoding, the share of the video that has passed, and
the position on the 16th grid are added. The type of the next word is told first, then its other
attributes given its type. Layers and attention are V-MusProd's, which follows CMT in them.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from symmv_builder.training.cmt.config import CmtConfig
from symmv_builder.training.cmt.tokens import BAR, BARBEAT, DENSITY, FIELDS, SIZES, TYPE
from symmv_builder.training.vmusprod import attention
from symmv_builder.training.vmusprod.attention import AttentionSums
from symmv_builder.training.vmusprod.embedding import sinusoids
from symmv_builder.training.vmusprod.layers import Shape, Stack, initialise
from symmv_builder.training.vmusprod.tempo import TIMING_SIZE

# Width of each attribute's embedding in the released model, which is 512 wide.
_WIDTHS: Mapping[str, int] = {
    "type": 32,
    "barbeat": 64,
    "density": 64,
    "strength": 64,
    "instrument": 32,
    "pitch": 512,
    "duration": 128,
}
_RELEASED_WIDTH = 512
_LEAST_WIDTH = 8


class CmtModel(nn.Module):
    """Words of a piece, each from those before it."""

    def __init__(self, config: CmtConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        widths = {n: max(_LEAST_WIDTH, w * width // _RELEASED_WIDTH) for n, w in _WIDTHS.items()}
        self.fields = nn.ModuleList(nn.Embedding(SIZES[n], widths[n]) for n in FIELDS)
        self.blend = nn.Linear(sum(widths.values()), width)
        self.timing = nn.Embedding(TIMING_SIZE, width)
        self.dropout = nn.Dropout(config.dropout)
        shape = Shape(width, config.heads, config.feedforward, config.dropout)
        self.decoder = Stack(shape, config.layers, causal=True)
        self.kind = nn.Linear(width, SIZES["type"])
        self.given_kind = nn.Linear(width + widths["type"], width)
        self.heads = nn.ModuleDict({n: nn.Linear(width, SIZES[n]) for n in FIELDS[1:]})
        initialise(self)

    def forward(
        self, tokens: Tensor, steps: Tensor, timing: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Cross-entropies in nats summed over the batch, and how many there were: two ``[7]``.

        `tokens` int64 ``[b, t, 7]``; `steps` 16ths, `timing` 0-100 and `mask` ``[b, t]``. Of each
        word but the first, its type is told and the attributes that it has. The density of a
        16th counts down and is no guess: that of bars alone counts.
        """
        x = self._embed(tokens[:, :-1], steps[:, :-1], timing[:, :-1])
        hidden = self.decoder(x, mask[:, :-1])
        targets, real = tokens[:, 1:], mask[:, 1:]
        decided = self.decided(hidden, targets[..., TYPE])
        losses, counts = [], []
        for place, name in enumerate(FIELDS):
            logits = self.kind(hidden) if place == TYPE else self.heads[name](decided)
            labels = targets[..., place] * real
            if place == DENSITY:
                labels = labels * (targets[..., BARBEAT] == BAR)
            # 0 is "none": such an attribute is not there, and no padding has any.
            loss = functional.cross_entropy(
                logits.float().flatten(0, -2), labels.flatten(), ignore_index=0, reduction="sum"
            )
            losses.append(loss)
            counts.append((labels > 0).sum())
        return torch.stack(losses), torch.stack(counts)

    def begin(self, batch_size: int, device: torch.device) -> list[AttentionSums]:
        """Make the state before the first word of `batch_size` pieces."""
        heads, d = self.config.heads, self.config.width // self.config.heads
        return [attention.nothing(batch_size, heads, d, d, device) for _ in self.decoder.layers]

    def step(
        self, tokens: Tensor, steps: Tensor, timing: Tensor, sums: list[AttentionSums]
    ) -> tuple[Tensor, list[AttentionSums]]:
        """Read one word ``[b, 7]`` and its place (each ``[b]``): hidden ``[b, width]`` from which
        the next is told, and the sums behind it."""
        x = self._embed(tokens[:, None], steps[:, None], timing[:, None])
        after = []
        for layer, own in zip(self.decoder.layers, sums, strict=True):
            x, own = layer.step(x, own, None, None)  # type: ignore[operator]
            after.append(own)
        return self.decoder.norm(x)[:, 0], after

    def decided(self, hidden: Tensor, kind: Tensor) -> Tensor:
        """Compute what attributes are told from once the type ``[...]`` is known: ``[..., w]``."""
        context = torch.cat([hidden, self.fields[TYPE](kind)], dim=-1)
        out: Tensor = self.given_kind(context)
        return out

    def _embed(self, tokens: Tensor, steps: Tensor, timing: Tensor) -> Tensor:
        parts = [embed(tokens[..., place]) for place, embed in enumerate(self.fields)]
        x = self.blend(torch.cat(parts, dim=-1)) + self.timing(timing)
        out: Tensor = self.dropout(x + sinusoids(steps, self.config.width))
        return out
