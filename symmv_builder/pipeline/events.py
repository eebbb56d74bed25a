"""What a long build or training tells of itself while it runs.

The pool that runs entries makes events, a training loop makes ticks; whoever shows progress
takes them. Neither knows the other: both are plain data and may cross a process.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to one entry.

    ``load``: what `detail` names, a model, is loaded for `step`. ``begin``: the entry enters
    `step` (several joined by ``+`` share one pass). ``step``: a step of the entry is done
    (`step`, `seconds` of work, `reused` if it was found finished). ``entry``: the entry is
    whole. ``rejected``: it was put aside by `step` for `reason`, with `detail`. ``note``: a
    line for people, in `detail`. ``beat``: a pool is at work, told at least every half second
    and of no entry; whoever is told may raise, which ends the pool.
    """

    kind: Literal["load", "begin", "step", "entry", "rejected", "note", "beat"]
    entry_id: str
    step: str = ""
    seconds: float = 0.0
    reused: bool = False
    reason: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Tick:
    """One line of a training: losses by name, after `step` of `steps` optimiser steps.

    `part` is what is being trained, where a trainer trains several models in a row.
    """

    part: str
    step: int
    steps: int
    epoch: int
    losses: Mapping[str, float]
    examples_per_s: float = 0.0
    is_validation: bool = False
