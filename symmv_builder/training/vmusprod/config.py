"""Configurations of V-MusProd's training.

From the paper (section 4.3): linear attention, cross-entropy, 200, 200 and 400 epochs for
chords, melody and accompaniment. It leaves sizes and optimiser to an appendix that is not
part of it; ours are those of a base transformer (512 wide, 8 heads, feed-forward 2048, dropout
0.1), six layers each, and AdamW at 3e-4 after a warm-up, falling as a cosine, with whole songs
as examples.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from symmv_builder.training.vmusprod.tempo import Rounding

Stage = Literal["chord", "melody", "accompaniment", "music"]

# The stages of a variant in the order in which they make a piece (section 6.4).
STAGES: Mapping[str, tuple[Stage, ...]] = {
    "full": ("chord", "melody", "accompaniment"),
    "video2music": ("music",),
    "video2chord2music": ("chord", "music"),
}


def kind_of(stage: Stage) -> str:
    """Give the `kind` that checkpoints of a stage have."""
    return f"vmusprod.{stage}"


@dataclass(frozen=True, slots=True)
class VMusProd:
    """One training, of all stages or of one. `ValueError` where fields contradict each other.

    `transpose` shifts each song of the training split at random by -5 to 6 semitones; ``auto``
    does so where no video is seen, because keys and colours of a pair belong together (section
    6.4). With ``white`` every song is moved to where most of its notes lie on white keys, so that
    a small model has one scale to learn in place of twelve and writes in C major or A minor. The
    tempo that a model learns from is that of each `song`, or what the `motion` of its
    video says, as when music is made (section 4.1). `timing` is how the share of the piece that
    has passed becomes a whole number. Videos are seen at `semantic_hz` and `colour_hz` (means
    of what the rows hold). Songs of more than `max_tokens` tokens are cut at bars. A stage
    takes `steps` optimiser steps, or its epochs where `steps` is none. `decay` says what
    becomes of the learning rate after `warmup` steps: it stays, or falls as a cosine to a
    tenth. Training ends early when the loss of the validation split, computed every
    `validate_every` steps, was not below its least for `patience` times; 0 never does.
    `compile` makes programs of the layers, on a GPU alone.
    """

    variant: Literal["full", "video2music", "video2chord2music"] = "full"
    stages: Literal["all", "chord", "melody", "accompaniment", "music"] = "all"
    without_semantic: bool = False
    without_colour: bool = False
    without_motion: bool = False
    width: int = 512
    heads: int = 8
    feedforward: int = 2048
    encoder_layers: int = 6
    decoder_layers: int = 6
    controller_layers: int = 2
    dropout: float = 0.1
    max_tokens: int = 4096
    max_bars: int = 256
    semantic_hz: float = 1.0
    colour_hz: float = 1.0
    transpose: Literal["auto", "on", "off", "white"] = "auto"
    tempo: Literal["song", "motion"] = "song"
    timing: Rounding = "floor"
    batch_size: int = 8
    buckets: int = 4
    chord_epochs: int = 200
    melody_epochs: int = 200
    accompaniment_epochs: int = 400
    music_epochs: int = 400
    steps: int | None = None
    lr: float = 3e-4
    warmup: int = 400
    decay: Literal["constant", "cosine"] = "cosine"
    weight_decay: float = 0.0
    clip_norm: float = 1.0
    patience: int = 0
    validate_every: int = 500
    checkpoint_every: int = 500
    log_every: int = 20
    compile: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        if self.width % (2 * self.heads):
            raise ValueError(f"width {self.width} is no multiple of twice the {self.heads} heads")
        if self.tempo == "motion" and self.without_motion:
            raise ValueError("tempo=motion needs what without_motion leaves out")
        if self.stages != "all" and self.stages not in STAGES[self.variant]:
            raise ValueError(
                f"{self.variant} has no stage {self.stages}: {', '.join(STAGES[self.variant])}"
            )
        least = {name: getattr(self, name) for name in _POSITIVE}
        wrong = [name for name, value in least.items() if value <= 0]
        if wrong:
            raise ValueError(f"{', '.join(wrong)} must be above 0")
        if self.max_tokens < 64:
            raise ValueError("max_tokens below 64 leaves no room for a bar of music")

    @property
    def stages_to_train(self) -> tuple[Stage, ...]:
        """The stages to be trained."""
        stages = STAGES[self.variant]
        return tuple(stage for stage in stages if self.stages in ("all", stage))

    def epochs(self, stage: Stage) -> int:
        return int(getattr(self, f"{stage}_epochs"))


_POSITIVE = (
    "width", "heads", "feedforward", "encoder_layers", "decoder_layers", "controller_layers",
    "max_bars", "semantic_hz", "colour_hz", "batch_size", "lr", "clip_norm", "validate_every",
    "checkpoint_every", "log_every",
)  # fmt: skip

# Values of the fields of other ways to train: ``paper`` where the defaults are not the paper's.
WAYS: Mapping[str, Mapping[str, str]] = {
    "paper": {"tempo": "motion", "timing": "round", "transpose": "off"},
}

PRESETS: Mapping[str, VMusProd] = {
    "paper": VMusProd(),
    # An hour or so on one GPU.
    "small": VMusProd(
        width=256,
        heads=4,
        feedforward=1024,
        encoder_layers=3,
        decoder_layers=4,
        controller_layers=1,
        steps=6000,
        lr=6e-4,
        warmup=400,
        patience=10,
        validate_every=200,
        checkpoint_every=200,
    ),
    # A minute for all stages on two processor cores: shows that everything works.
    "smoke": VMusProd(
        width=64,
        heads=2,
        feedforward=128,
        encoder_layers=1,
        decoder_layers=2,
        controller_layers=1,
        max_tokens=256,
        semantic_hz=0.5,
        colour_hz=0.25,
        batch_size=4,
        steps=320,
        lr=2e-3,
        warmup=10,
        validate_every=80,
        checkpoint_every=80,
        log_every=10,
    ),
}
