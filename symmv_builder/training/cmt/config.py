"""Configurations of CMT's training.

Sizes of the ``paper`` preset are those of the released model: 12 layers of linear attention, 512
wide, 8 heads, feed-forward 2048, dropout 0.1. Optimiser and schedule are V-MusProd's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from symmv_builder.training.vmusprod.tempo import Rounding

KIND = "cmt"


@dataclass(frozen=True, slots=True)
class CmtConfig:
    """One training. `ValueError` where fields contradict each other.

    Songs of more than `max_tokens` words are cut at bars. `transpose` shifts each song of the
    training split at random by -5 to 6 semitones. `timing` is how the share of the piece that has
    passed becomes a whole number. Training takes `steps` optimiser steps; it ends early when the
    loss of validation, computed every `validate_every` steps, was not below its least for
    `patience` times; 0 never does.
    """

    width: int = 512
    heads: int = 8
    feedforward: int = 2048
    layers: int = 12
    dropout: float = 0.1
    max_tokens: int = 4096
    transpose: bool = False
    timing: Rounding = "round"
    batch_size: int = 8
    buckets: int = 4
    steps: int = 40_000
    lr: float = 3e-4
    warmup: int = 400
    decay: Literal["constant", "cosine"] = "cosine"
    weight_decay: float = 0.0
    clip_norm: float = 1.0
    patience: int = 0
    validate_every: int = 500
    checkpoint_every: int = 500
    log_every: int = 20
    seed: int = 0

    def __post_init__(self) -> None:
        if self.width % (2 * self.heads):
            raise ValueError(f"width {self.width} is no multiple of twice the {self.heads} heads")
        if self.max_tokens < 64:
            raise ValueError("max_tokens below 64 leaves no room for a bar of music")


PRESETS: Mapping[str, CmtConfig] = {
    "paper": CmtConfig(),
    # An hour or so on one GPU.
    "small": CmtConfig(
        width=256,
        heads=4,
        feedforward=1024,
        layers=6,
        steps=6000,
        lr=6e-4,
        patience=10,
        validate_every=200,
        checkpoint_every=200,
    ),
    # A minute on two processor cores: shows that everything works.
    "smoke": CmtConfig(
        width=64,
        heads=2,
        feedforward=128,
        layers=2,
        max_tokens=256,
        batch_size=4,
        steps=300,
        lr=2e-3,
        warmup=10,
        validate_every=100,
        checkpoint_every=100,
        log_every=10,
    ),
}
