"""The video controller: what the picture shows, as keys and values of the Chord Transformer.

V-MusProd, section 4.1: semantic and colour features go through transformer encoders of their
own, are put one behind the other with a learned mark of which is which, and through a third
encoder that fuses them.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from symmv_builder.training.vmusprod.embedding import sinusoids
from symmv_builder.training.vmusprod.layers import Memory, Shape, Stack

SEMANTIC = 512
COLOUR = 3 * 64 * 64


@dataclass(frozen=True, slots=True)
class Video:
    """Features of the videos of a batch; `None` where the dataset or the model has none.

    `semantic` ``[b, s, 512]`` (CLIP) and `colour` ``[b, c, 12288]`` (square roots of the
    shares of the RGB-uv histogram, so that each row has length 1), both on an even grid over
    the whole video; masks ``[b, s]`` and ``[b, c]``, True for real rows.
    """

    semantic: Tensor | None = None
    semantic_mask: Tensor | None = None
    colour: Tensor | None = None
    colour_mask: Tensor | None = None


class FeatureEncoder(nn.Module):
    """Encodes features ``[b, s, size]``: projection, positional encoding, transformer encoder.

    Features are brought to length ``sqrt(size)`` first: a histogram's shares are so small that
    a layer made for numbers around 1 would not see them.
    """

    def __init__(self, size: int, shape: Shape, layers: int) -> None:
        super().__init__()
        self.scale = math.sqrt(size)
        self.width = shape.width
        self.project = nn.Linear(size, shape.width)
        self.dropout = nn.Dropout(shape.dropout)
        self.encoder = Stack(shape, layers, causal=False)

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        features = nn.functional.normalize(features.float(), dim=-1) * self.scale
        places = torch.arange(features.shape[1], device=features.device)
        x = self.project(features) + sinusoids(places, self.width)
        out: Tensor = self.encoder(self.dropout(x), mask)
        return out


class Controller(nn.Module):
    """Encodes and fuses the kinds of video features that it is made for, one kind at least."""

    def __init__(self, shape: Shape, layers: int, *, semantic: bool, colour: bool) -> None:
        super().__init__()
        if not (semantic or colour):
            raise ValueError("a controller without features controls nothing")
        self.semantic = FeatureEncoder(SEMANTIC, shape, layers) if semantic else None
        self.colour = FeatureEncoder(COLOUR, shape, layers) if colour else None
        self.kinds = nn.Embedding(2, shape.width)
        self.fusion = Stack(shape, layers, causal=False)

    def forward(self, video: Video) -> Memory:
        """Encode a batch of videos as keys and values ``[b, s + c, width]`` with their mask.

        `ValueError` where the video lacks a kind of features that the controller was made for.
        """
        inputs = (
            (self.semantic, video.semantic, video.semantic_mask),
            (self.colour, video.colour, video.colour_mask),
        )
        parts, masks = [], []
        for kind, (encoder, features, mask) in enumerate(inputs):
            if encoder is None:
                continue
            if features is None or mask is None:
                raise ValueError("the video lacks features that the model was trained with")
            parts.append(encoder(features, mask) + self.kinds.weight[kind])
            masks.append(mask)
        mask = torch.cat(masks, dim=1)
        return Memory(self.fusion(torch.cat(parts, dim=1), mask), mask)
