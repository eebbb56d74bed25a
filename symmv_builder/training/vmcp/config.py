"""How the video-music models are built and trained, with the presets."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from symmv_builder.training.configs import require_counts


@dataclass(frozen=True, slots=True)
class VmcpConfig:
    """Size, data and schedule; `ValueError` where they contradict each other.

    `objective` is the video-music CLIP (``vmcp``) or GVMGen's evaluation model (``gvmgen``). A
    segment is `windows` times the three seconds of the `embedding` model; a song of more than
    `max_segments` is cropped at random in training. `temperature` is where the learnable one of
    ``vmcp`` begins, and what ``gvmgen`` keeps. `joint` is the width of the space in which video
    and music are compared, `layers` are those of each encoder; ``gvmgen`` has neither layers nor
    heads, but one attention of `width`. `sound` says how the music of a row is heard: its notes as
    a piano plays them, or its recording. `pairs` says which segment of the video belongs to one of
    the music: the one that the row's alignment names, where it has one, or, as in the paper, the
    one of the same number. `initial` is the folder of a run to begin from, whose features of
    videos may have been of another width: the paper trains on music videos at large, then "with a
    small learning rate" on SymMV.

    The papers name the temperature of GVMGen alone; sizes and schedule are chosen here: AdamW, a
    linear rise over `warmup` steps, then half a cosine down to zero. `patience` counts
    validations without a lower loss; `None` goes on to the end.
    """

    objective: Literal["vmcp", "gvmgen"] = "vmcp"
    embedding: str = "musicnn"
    sound: Literal["rendered", "recording"] = "rendered"
    pairs: Literal["aligned", "numbered"] = "aligned"
    windows: int = 1
    max_segments: int = 64
    width: int = 512
    hidden: int = 2048
    heads: int = 8
    layers: int = 4
    joint: int = 256
    dropout: float = 0.1
    temperature: float = 0.07
    initial: str | None = None
    seed: int = 0
    batch_size: int = 32
    buckets: int = 0
    steps: int = 20_000
    lr: float = 1e-4
    weight_decay: float = 0.01
    warmup: int = 500
    clip_norm: float | None = 1.0
    validate_every: int = 200
    checkpoint_every: int = 200
    log_every: int = 20
    patience: int | None = 20
    compile: bool = True

    def __post_init__(self) -> None:
        if self.width % self.heads or self.width % 2:
            raise ValueError(f"width {self.width} must be even and a multiple of heads")
        if self.temperature <= 0:
            raise ValueError(f"temperature {self.temperature} must be above 0")
        counts = ("windows", "max_segments", "heads", "layers", "joint", "batch_size", "steps",
                  "validate_every", "checkpoint_every", "log_every")  # fmt: skip
        require_counts(self, counts)
        if not 0 <= self.warmup < self.steps:
            raise ValueError(f"warmup {self.warmup} must be less than {self.steps} steps")

    def rate(self, step: int) -> float:
        """Give the learning rate of a step, the first of which is 1."""
        if step <= self.warmup:
            return self.lr * step / self.warmup
        share = (step - self.warmup) / (self.steps - self.warmup)
        return self.lr * (1 + math.cos(math.pi * share)) / 2


# What of the paper's can be had; docs/differences.md says what cannot.
WAYS: Mapping[str, Mapping[str, str]] = {"paper": {"sound": "recording", "pairs": "numbered"}}

PRESETS: Mapping[str, VmcpConfig] = {
    "paper": VmcpConfig(),
    "small": VmcpConfig(
        width=256,
        hidden=1024,
        heads=4,
        layers=2,
        joint=128,
        dropout=0.2,
        batch_size=16,
        steps=4_000,
        lr=3e-4,
        warmup=200,
        validate_every=100,
        checkpoint_every=100,
    ),
    "smoke": VmcpConfig(
        width=64,
        hidden=128,
        heads=4,
        layers=1,
        joint=32,
        batch_size=8,
        steps=300,
        lr=1e-3,
        warmup=30,
        validate_every=50,
        checkpoint_every=50,
        log_every=10,
        patience=None,
        compile=False,
    ),
}
