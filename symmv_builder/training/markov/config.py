"""Configurations of Markov chains: there is nothing to choose but how the unseen is measured."""

from collections.abc import Mapping
from dataclasses import dataclass

KIND = "markov"


@dataclass(frozen=True, slots=True)
class MarkovConfig:
    """One counting of the split train, `batch_size` songs a step, each once.

    `smoothing` is added to every count where songs are measured (`chains.nats_of`).
    """

    batch_size: int = 32
    smoothing: float = 0.1
    checkpoint_every: int = 50
    log_every: int = 1
    seed: int = 0


# Counting takes no choice of a size: all presets are one.
PRESETS: Mapping[str, MarkovConfig] = {name: MarkovConfig() for name in ("paper", "small", "smoke")}
