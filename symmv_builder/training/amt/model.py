"""The Affective Multimodal Transformer and its baselines (Video2Music, sections 4.1 and 5.1).

An encoder reads the video, a decoder writes chords: it attends to the chords so far with
relative positions and to the whole video. Layers normalise behind the residual sum, as in
Vaswani et al. 2017. Without video there is a decoder alone.
"""

import math
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from symmv_builder.training.amt.attention import Attention, Cache, CausalSelfAttention
from symmv_builder.training.amt.config import AmtConfig
from symmv_builder.training.amt.vocabulary import OUTPUTS, QUALITIES, ROOTS, input_tables


class EncoderLayer(nn.Module):
    """Self-attention and a position-wise network."""

    def __init__(self, config: AmtConfig) -> None:
        super().__init__()
        self.attention = Attention(config.width, config.heads, config.dropout)
        self.network = _network(config)
        self.norms = nn.ModuleList(nn.LayerNorm(config.width) for _ in range(2))
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, allowed: Tensor | None) -> Tensor:
        x = self.norms[0](x + self.dropout(self.attention(x, x, allowed)))
        out: Tensor = self.norms[1](x + self.dropout(self.network(x)))
        return out


class DecoderLayer(nn.Module):
    """Causal self-attention, attention to the video if there is one, a position-wise network."""

    def __init__(self, config: AmtConfig) -> None:
        super().__init__()
        width, heads, dropout = config.width, config.heads, config.dropout
        self.attention = CausalSelfAttention(width, heads, dropout, config.length, config.relative)
        self.cross = Attention(width, heads, dropout) if config.sees_video else None
        self.network = _network(config)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3 if self.cross else 2))
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, x: Tensor, allowed: Tensor | None, video: Tensor | None, visible: Tensor | None
    ) -> Tensor:
        x = self.norms[0](x + self.dropout(self.attention(x, x, allowed)))
        if self.cross is not None and video is not None:
            x = self.norms[1](x + self.dropout(self.cross(x, video, visible)))
        out: Tensor = self.norms[-1](x + self.dropout(self.network(x)))
        return out

    def step(self, x: Tensor, own: Cache, film: Cache) -> Tensor:
        """Compute the next row of `forward`, with what was seen before in caches."""
        x = self.norms[0](x + self.attention.step(x, own))
        if self.cross is not None and film.keys is not None and film.values is not None:
            query = self.cross.split(self.cross.query(x))
            x = self.norms[1](x + self.cross.weigh(query, film.keys, film.values, None))
        out: Tensor = self.norms[-1](x + self.network(x))
        return out


@dataclass(slots=True)
class DecodingState:
    """The state of a decoder that writes one chord at a time."""

    key: Tensor
    own: list[Cache]
    film: list[Cache]
    position: int = 0


class ChordModel(nn.Module):
    """Logits of the 159 outputs at each second, from the chords before and from the video.

    `video_width` is 776 with the paper's features, 0 for a model that sees no video.
    """

    roots: Tensor
    qualities: Tensor
    positions: Tensor

    def __init__(self, config: AmtConfig, video_width: int) -> None:
        super().__init__()
        if config.sees_video != (video_width > 0):
            raise ValueError(f"{config.model} does not go with {video_width} video features")
        self.config = config
        self.video_width = video_width
        self.root = nn.Embedding(ROOTS, config.width)
        self.quality = nn.Embedding(QUALITIES, config.width)
        self.chord = nn.Linear(config.width + 1, config.width)
        self.decoder = nn.ModuleList(DecoderLayer(config) for _ in range(config.layers))
        self.decoder_norm = nn.LayerNorm(config.width)
        self.out = nn.Linear(config.width, OUTPUTS)
        self.dropout = nn.Dropout(config.dropout)
        if config.sees_video:
            self.video = nn.Linear(video_width, config.width)
            self.encoder = nn.ModuleList(EncoderLayer(config) for _ in range(config.layers))
            self.encoder_norm = nn.LayerNorm(config.width)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        roots, qualities = map(torch.from_numpy, input_tables())
        self.register_buffer("roots", roots, persistent=False)
        self.register_buffer("qualities", qualities, persistent=False)
        table = sinusoids(config.length, config.width)
        self.register_buffer("positions", table, persistent=False)

    def forward(
        self,
        inputs: Tensor,
        key: Tensor,
        inputs_mask: Tensor | None = None,
        video: Tensor | None = None,
        video_mask: Tensor | None = None,
    ) -> Tensor:
        """Compute logits ``[b, t, 159]``: row i is the output behind the inputs 0 to i.

        ``inputs`` int64 ``[b, t]``, ``key`` float32 ``[b]``, ``video`` float32 ``[b, s, w]``;
        masks are bool, true where something stands, `None` where nothing is padded.
        """
        film = None if video is None else self.watch(video, video_mask)
        allowed = None if inputs_mask is None else inputs_mask[:, None, None, :]
        visible = None if video_mask is None else video_mask[:, None, None, :]
        x = self.dropout(self._embed(inputs, key) + self.positions[: inputs.shape[1]])
        for layer in self.decoder:
            x = layer(x, allowed, film, visible)
        logits: Tensor = self.out(self.decoder_norm(x))
        return logits

    def watch(self, video: Tensor, video_mask: Tensor | None = None) -> Tensor:
        """Encode video ``[b, s, w]`` to ``[b, s, width]``."""
        allowed = None if video_mask is None else video_mask[:, None, None, :]
        x = self.dropout(self.video(video) + self.positions[: video.shape[1]])
        for layer in self.encoder:
            x = layer(x, allowed)
        out: Tensor = self.encoder_norm(x)
        return out

    def begin(self, key: Tensor, video: Tensor | None = None) -> DecodingState:
        """Start to write chords for one video or several of the same length, none padded."""
        film = [Cache() for _ in self.decoder]
        if video is not None:
            watched = self.watch(video)
            for layer, cache in zip(self._layers(), film, strict=True):
                cross = cast(Attention, layer.cross)
                cache.add(cross.split(cross.key(watched)), cross.split(cross.value(watched)))
        return DecodingState(key, [Cache() for _ in self.decoder], film)

    def step(self, inputs: Tensor, progress: DecodingState) -> Tensor:
        """Compute logits ``[b, 159]`` behind one more input ``[b]``.

        Equal to `forward`'s last row.
        """
        x = self._embed(inputs[:, None], progress.key) + self.positions[progress.position]
        for layer, own, film in zip(self._layers(), progress.own, progress.film, strict=True):
            x = layer.step(x, own, film)
        progress.position += 1
        logits: Tensor = self.out(self.decoder_norm(x))[:, 0]
        return logits

    def _layers(self) -> list[DecoderLayer]:
        return cast(list[DecoderLayer], list(self.decoder))

    def _embed(self, inputs: Tensor, key: Tensor) -> Tensor:
        """Equation 3 without its positions: root + quality, the key behind them, linear."""
        chord = self.root(self.roots[inputs]) + self.quality(self.qualities[inputs])
        flag = key.to(chord.dtype)[:, None, None].expand(-1, inputs.shape[1], 1)
        embedded: Tensor = self.chord(torch.cat([chord, flag], dim=-1))
        return embedded


def sinusoids(length: int, width: int) -> Tensor:
    """Make the positions of Vaswani et al. 2017, section 3.5: float32 ``[length, width]``."""
    place = torch.arange(length, dtype=torch.float32)[:, None]
    rates = torch.exp(torch.arange(0, width, 2, dtype=torch.float32) * (-math.log(1e4) / width))
    table = torch.empty(length, width)
    table[:, 0::2] = torch.sin(place * rates)
    table[:, 1::2] = torch.cos(place * rates)
    return table


def _network(config: AmtConfig) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(config.width, config.hidden),
        nn.ReLU(),
        nn.Dropout(config.dropout),
        nn.Linear(config.hidden, config.width),
    )
