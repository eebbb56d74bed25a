"""When a training's loop ends, when it keeps where it stands, and which of its models is the best.

A signal does not break into a step: the loop finishes it, writes a checkpoint and ends. A second
signal ends the process at once, as both did before the loop began.

What a loop goes by is its state, a mapping of which a checkpoint keeps a copy: `step`, the last one
that is done, `best`, the lowest loss of validation, and `stale`, validations since. Where a
configuration has `patience`, so many stale validations in a row end a run before it overfits.
"""

import math
import signal
import threading
import time
from collections.abc import Mapping
from types import FrameType
from typing import Any

import torch

from symmv_builder.errors import LossNotFinite
from symmv_builder.training.ranks import Ranks

ENDINGS: Mapping[int, str] = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}
# torchrun passes on what a terminal has already sent to all: so soon after it is the same signal.
_SAME_SIGNAL_S = 1.0


def reached(state: Mapping[str, Any], steps: int, patience: int | None) -> str:
    """Name the limit a run has reached: ``steps``, ``early`` (`patience` is out), or none, empty.

    Time that was up is another time now, and steps or patience may be more than they were. Without
    `patience` no run ends early.
    """
    if state["step"] >= steps:
        return "steps"
    return "early" if patience is not None and state["stale"] >= patience else ""


def is_best(state: dict[str, Any], loss: float, *, counts: bool = True) -> bool:
    """Take a validation into the state; whether its loss is below all before it.

    A validation that does not count, as in a warm-up, takes no patience away.
    """
    if state["best"] is None or loss < state["best"]:
        state.update(best=loss, stale=0)
        return True
    state["stale"] += counts
    return False


def require_finite(loss: float, step: int, what: str = "the loss") -> None:
    """Raise `LossNotFinite` where a loss is no number any more."""
    if not math.isfinite(loss):
        raise LossNotFinite(what, loss, step)


class Ending:
    """The reason why a loop ends, asked behind each step: ``with Ending(ranks, ...) as ending``.

    It ends when `steps` are done, when validation has not fallen for `patience` times (`reached`),
    at the `deadline`, which is on the clock of `time.monotonic`, or at a signal. Signals are heeded
    in a process's main thread alone; elsewhere, as in a flow's, they are somebody else's. It also
    says when a checkpoint is due: every `checkpoint_s` seconds at least.
    """

    def __init__(
        self,
        ranks: Ranks,
        steps: int,
        patience: int | None,
        deadline: float,
        checkpoint_s: float,
    ) -> None:
        self._ranks, self._steps, self._patience = ranks, steps, patience
        self._deadline, self._checkpoint_s = deadline, checkpoint_s
        self._checkpoint_at_s = time.monotonic()
        self._signal = 0
        self._since = 0.0
        self._before: dict[int, object] = {}

    def __enter__(self) -> "Ending":
        if threading.current_thread() is threading.main_thread():
            for number in ENDINGS:
                # Whoever ignores a signal, as programs under nohup do, goes on ignoring it.
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._heed)
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _heed(self, number: int, frame: FrameType | None) -> None:
        if not self._signal:
            self._signal, self._since = number, time.monotonic()
        elif time.monotonic() - self._since > _SAME_SIGNAL_S:
            signal.signal(number, signal.SIG_DFL)
            if number == signal.SIGINT:
                raise KeyboardInterrupt
            signal.raise_signal(number)

    def behind(self, state: Mapping[str, Any]) -> str:
        """Tell why the loop ends behind the step of a state, empty where it goes on.

        ``steps``, ``early``, ``interrupted``, ``terminated`` or ``time``, in this order. All ranks
        say the same, and every rank asks once a step.
        """
        limit = reached(state, self._steps, self._patience)
        if limit == "steps":
            return limit
        late, is_early, number = time.monotonic() >= self._deadline, bool(limit), self._signal
        if self._ranks.world > 1:
            flags = [float(number), float(late), float(is_early)]
            signals = torch.tensor(flags, device=self._ranks.device)
            torch.distributed.all_reduce(signals, op=torch.distributed.ReduceOp.MAX)
            number, late, is_early = (
                int(signals[0].item()),
                bool(signals[1].item()),
                bool(signals[2].item()),
            )
        return "early" if is_early else ENDINGS.get(number, "time" if late else "")

    def is_due(self, step: int, every: int) -> bool:
        """Check whether a checkpoint is due behind this step: by its number, or by time."""
        due = step % every == 0 or time.monotonic() - self._checkpoint_at_s >= self._checkpoint_s
        if due:
            self._checkpoint_at_s = time.monotonic()
        return due
