"""The learning rate of a step: a warm-up, then constant or falling."""

import math
from typing import Literal, Protocol


class Schedule(Protocol):
    """The fields of a configuration that set its rate."""

    @property
    def lr(self) -> float: ...

    @property
    def warmup(self) -> int: ...

    @property
    def decay(self) -> Literal["constant", "cosine"]: ...


def learning_rate(config: Schedule, step: int, steps: int) -> float:
    """Compute the rate of step `step` (from 1) of `steps`: linear warm-up, then as `decay` says."""
    if step <= config.warmup:
        return config.lr * step / config.warmup
    if config.decay == "constant":
        return config.lr
    progress = (step - config.warmup) / max(steps - config.warmup, 1)
    return config.lr * (0.1 + 0.45 * (1 + math.cos(math.pi * min(progress, 1.0))))
