"""What a long build tells of itself while it runs.

The pool that runs entries makes events; whoever shows progress takes them. Neither
knows the other: an event is plain data and may cross a process.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to one entry.

    ``begin``: the entry enters `step` (several joined by ``+`` share one pass).
    ``step``: a step of the entry is done (`step`, `seconds` of work, `reused` if it was
    found finished). ``entry``: the entry is whole. ``rejected``: it was put aside by
    `step` for `reason`, with `detail`. ``note``: a line for people, in `detail`.
    """

    kind: Literal["begin", "step", "entry", "rejected", "note"]
    entry_id: str
    step: str = ""
    seconds: float = 0.0
    reused: bool = False
    reason: str = ""
    detail: str = ""
