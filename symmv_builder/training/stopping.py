"""When a training's loop keeps where it stands, and when it ends before its steps are done.

A signal does not break into a step: the loop finishes it, writes a checkpoint and ends. A second
signal ends the process at once, as both did before the loop began.
"""

import signal
import threading
import time
from collections.abc import Mapping
from types import FrameType, TracebackType

import torch

from symmv_builder.training.ranks import Ranks

ENDINGS: Mapping[int, str] = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}
# torchrun passes on what a terminal has already sent to all: so soon after it is the same signal.
_SAME_SIGNAL_S = 1.0


class Vigil:
    """Watches clock and signals while a loop runs: ``with Vigil(ranks, ...) as vigil``.

    `deadline` is on the clock of `time.monotonic`. Signals are heeded in a process's main thread
    alone; elsewhere, as in a flow's, they are somebody else's.
    """

    def __init__(self, ranks: Ranks, deadline: float, checkpoint_s: float) -> None:
        self._ranks, self._deadline, self._checkpoint_s = ranks, deadline, checkpoint_s
        self._kept = time.monotonic()
        self._signal = 0
        self._since = 0.0
        self._before: dict[int, object] = {}

    def __enter__(self) -> "Vigil":
        if threading.current_thread() is threading.main_thread():
            for number in ENDINGS:
                # Whoever ignores a signal, as programs under nohup do, goes on ignoring it.
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._heed)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
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

    def ending(self) -> str:
        """Why the loop is to end behind this step, empty where it goes on; all ranks say the same.

        ``interrupted``, ``terminated`` or ``time``; every rank asks once a step.
        """
        late = time.monotonic() >= self._deadline
        number = self._signal
        if self._ranks.world > 1:
            said = torch.tensor([float(number), float(late)], device=self._ranks.device)
            torch.distributed.all_reduce(said, op=torch.distributed.ReduceOp.MAX)
            number, late = int(said[0].item()), bool(said[1].item())
        return ENDINGS.get(number, "time" if late else "")

    def is_due(self, step: int, every: int) -> bool:
        """Whether a checkpoint is due behind this step: by its number, or by time."""
        due = step % every == 0 or time.monotonic() - self._kept >= self._checkpoint_s
        if due:
            self._kept = time.monotonic()
        return due
