"""How the Affective Multimodal Transformer is built and trained, with the presets."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from symmv_builder.training.configs import require_counts

RelativeTables = Literal["each", "shared"]
ModelName = Literal["amt", "amt_without_emotion", "music_transformer", "transformer"]


@dataclass(frozen=True, slots=True)
class AmtConfig:
    """Size, loss, data and schedule; `ValueError` where they contradict each other.

    `model` is AMT or one of its baselines (Video2Music, section 5.1):
    ``amt_without_emotion`` minimises the cross-entropy alone; ``music_transformer`` and
    ``transformer`` read chords only, with and without relative positions.

    Where paper and released code differ the defaults are the paper's. The code's behaviour is
    had by ``key_flag=released`` (minor 1, major 0), ``relative_tables=shared`` (one set of
    distance vectors for all heads; the paper has them "within each attention head"),
    ``emotions=released`` (the strongest of six feelings, and ``neutral`` asks for silence of
    every chord, where the paper chooses among five), ``start=first_chord`` (no start symbol: a
    song's first chord is given and never predicted) and ``batch_size=1``. In both, relative
    positions are the decoder's alone, sinusoidal ones are added on both sides, and layers
    normalise behind their residual sum. Not to be had: counting padding in the emotion loss,
    attending to padding, END among the inputs.

    `crop` is what is taken of a song longer than `length`: its beginning, as in the paper, or a
    stretch drawn anew each epoch. `lr` multiplies the schedule of Vaswani et al. 2017, which
    rises for `warmup` steps to ``lr / sqrt(width * warmup)`` and falls with the root of the
    step. Neither batch size nor steps nor clipping are named by the paper: its code trains
    song by song, for fewer steps than the warm-up has. `patience` counts validations without a
    lower loss once the warm-up is over; `None` goes on to the end.
    """

    model: ModelName = "amt"
    layers: int = 6
    heads: int = 8
    width: int = 512
    hidden: int = 1024
    dropout: float = 0.1
    length: int = 300
    relative_tables: RelativeTables = "each"
    key_flag: Literal["paper", "released"] = "paper"
    start: Literal["symbol", "first_chord"] = "symbol"
    emotions: Literal["paper", "released"] = "paper"
    chord_weight: float = 0.4
    crop: Literal["start", "random"] = "start"
    seed: int = 0
    batch_size: int = 32
    buckets: int = 0
    steps: int = 12_000
    lr: float = 1.0
    warmup: int = 4_000
    beta1: float = 0.9
    beta2: float = 0.98
    clip_norm: float | None = 1.0
    validate_every: int = 200
    checkpoint_every: int = 200
    log_every: int = 20
    patience: int | None = 20
    compile: bool = True

    def __post_init__(self) -> None:
        if self.width % self.heads or self.width % 2:
            raise ValueError(f"width {self.width} must be even and a multiple of heads")
        if self.steps <= self.warmup:
            raise ValueError(
                f"{self.steps} steps end inside the warm-up of {self.warmup}: "
                "the learning rate would only ever rise; raise steps or lower warmup"
            )
        if not 0 < self.chord_weight <= 1:
            raise ValueError(f"chord_weight {self.chord_weight} is not between 0 and 1")
        counts = ("layers", "heads", "batch_size", "warmup", "validate_every",
                  "checkpoint_every", "log_every")  # fmt: skip
        if self.length < 2:
            raise ValueError("length must be 2 at least: a chord and what follows on it")
        require_counts(self, counts)

    @property
    def sees_video(self) -> bool:
        return self.model in ("amt", "amt_without_emotion")

    @property
    def relative(self) -> RelativeTables | None:
        return None if self.model == "transformer" else self.relative_tables

    @property
    def loss_weight(self) -> float:
        """Lambda of equation 5: only AMT itself minimises the emotion loss."""
        return self.chord_weight if self.model == "amt" else 1.0

    def rate(self, step: int) -> float:
        """Give the learning rate of a step, the first of which is 1."""
        return self.lr * float(min(step**-0.5, step * self.warmup**-1.5) / self.width**0.5)


# The defaults are the paper's.
WAYS: Mapping[str, Mapping[str, str]] = {
    "paper": {},
    "released": {
        "key_flag": "released",
        "relative_tables": "shared",
        "emotions": "released",
        "start": "first_chord",
        "batch_size": "1",
    },
}

PRESETS: Mapping[str, AmtConfig] = {
    "paper": AmtConfig(),
    "small": AmtConfig(
        layers=3,
        heads=4,
        width=256,
        hidden=512,
        dropout=0.2,
        crop="random",
        batch_size=16,
        buckets=4,
        steps=4_000,
        warmup=400,
        validate_every=100,
        checkpoint_every=100,
    ),
    "smoke": AmtConfig(
        layers=2,
        heads=4,
        width=64,
        hidden=128,
        crop="random",
        length=120,
        batch_size=8,
        steps=900,
        warmup=100,
        validate_every=100,
        checkpoint_every=100,
        log_every=10,
        patience=None,
        compile=False,
    ),
}
