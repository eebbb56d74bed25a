"""How the regressors of density and loudness are built and trained, with the presets."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from symmv_builder.training.configs import require_counts

ModelName = Literal["fc", "lstm", "bilstm", "gru", "bigru"]


@dataclass(frozen=True, slots=True)
class RegressorConfig:
    """Size, data and schedule; `ValueError` where they contradict each other.

    `model` is one of the five of Video2Music's Table 2; `units` and `layers` are those of the
    recurrent ones (twice as many units where they read both ways), `hidden` those of ``fc``.
    The paper says nothing of how they are trained: batch, rate, decay and the dropout of the
    inputs of the defaults are those of the released code, whose 20 epochs of 597 songs are
    about as many steps. `length` is how many seconds of a song are learned, from its start.

    Targets are always standardised, since densities of ten or twenty would leave nothing to
    loudness in a common mean square; `standardise_input` does the same to the video, which
    neither paper nor code does. `patience` counts validations without a lower loss; `None`
    goes on to the end. `warmup` steps raise the rate to `lr`.
    """

    model: ModelName = "bigru"
    units: int = 64
    layers: int = 2
    hidden: int = 512
    dropout: float = 0.1
    standardise_input: bool = False
    length: int = 300
    seed: int = 0
    batch_size: int = 1
    buckets: int = 0
    steps: int = 12_000
    lr: float = 1e-3
    weight_decay: float = 1e-5
    warmup: int = 0
    clip_norm: float | None = None
    validate_every: int = 600
    checkpoint_every: int = 600
    log_every: int = 20
    patience: int | None = None

    def __post_init__(self) -> None:
        counts = ("units", "layers", "hidden", "length", "batch_size", "steps", "validate_every",
                  "checkpoint_every", "log_every")  # fmt: skip
        require_counts(self, counts)
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout {self.dropout} is not from 0 to below 1")
        if not self.lr > 0:
            raise ValueError(f"lr {self.lr} is not above 0")

    def rate(self, step: int) -> float:
        """Give the learning rate of a step, the first of which is 1."""
        return self.lr * min(1.0, step / self.warmup) if self.warmup else self.lr


# The paper says nothing that the defaults do not do.
WAYS: Mapping[str, Mapping[str, str]] = {"paper": {}}

PRESETS: Mapping[str, RegressorConfig] = {
    "paper": RegressorConfig(),
    "small": RegressorConfig(
        dropout=0.3,
        standardise_input=True,
        batch_size=16,
        buckets=4,
        steps=3_000,
        warmup=100,
        clip_norm=1.0,
        validate_every=50,
        checkpoint_every=50,
        patience=20,
    ),
    "smoke": RegressorConfig(
        units=16,
        dropout=0.2,
        standardise_input=True,
        length=120,
        batch_size=8,
        steps=200,
        warmup=20,
        clip_norm=1.0,
        validate_every=25,
        checkpoint_every=25,
        log_every=10,
    ),
}
