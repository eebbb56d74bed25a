"""One function in a process of its own, so that what it is given cannot take us along.

Media files come from anywhere; a decoder may crash or hang on one. The process is started
once and keeps what the function has loaded; it is replaced only when it dies or is killed.
What happens before the function is at its work (the start of the process, the loading of
models) has a limit of its own, and no argument is blamed for it.
"""

import logging
import multiprocessing as mp
import os
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any

from symmv_builder.errors import Reason, RejectEntry, StopRun, SymMVError, WorkerBug, WorkersLost
from symmv_builder.pipeline.events import Event
from symmv_builder.pipeline.faults import bug_of, in_short, machine_fault
from symmv_builder.pipeline.logs import answering, log_as_own, wanted_level
from symmv_builder.pipeline.pool import LOADING_PATIENCE_S, leave_with, sendable, start
from symmv_builder.pipeline.run import Tell

_LEAVE_S = 5.0
_LOSSES_ALLOWED = 2

Function = Callable[[Any, Tell], Any]


class _Lost(Exception):
    """The process was lost before the function was at its work, in `doing`."""

    def __init__(self, doing: str, how: str) -> None:
        super().__init__(f"{doing} {how}")
        self.doing = doing


class Guarded:
    """``with Guarded(function, patience_s=60) as guarded: guarded(argument)``.

    Calls ``function(argument, tell)``; the function tells a `load` event before it loads a
    model, and a `begin` event after that. Gives what the function gives and raises what it
    raises, if that is a `SymMVError`; `RejectEntry` with CRASHED or TIMED_OUT where its
    process died or outlasted the patience; `StopRun` where that happens twice while it starts
    or loads; `WorkerBug` for anything else. Function, argument and result must be picklable.
    """

    def __init__(
        self,
        function: Function,
        *,
        patience_s: float,
        loading_patience_s: float = LOADING_PATIENCE_S,
    ) -> None:
        self._function = function
        self._patience_s = patience_s
        self._loading_patience_s = loading_patience_s
        self._process: Any = None
        self._pipe: Connection | None = None

    def __enter__(self) -> "Guarded":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._pipe is not None and kind is None:
            # Left alone it ends by itself, and frees what its libraries hold.
            self._pipe.close()
            self._process.join(_LEAVE_S)
        self._end()

    def __call__(self, argument: Any) -> Any:
        for losses in range(1, _LOSSES_ALLOWED + 1):
            try:
                answer = self._ask(argument)
                break
            except _Lost as error:
                if losses == _LOSSES_ALLOWED:
                    reason = f"{error}, and that was so {losses} times running"
                    raise WorkersLost(error.doing, reason) from None
        if isinstance(answer, SymMVError | WorkerBug):
            raise answer
        return answer

    def _ask(self, argument: Any) -> Any:
        """Ask the process; what it is at meanwhile decides how long it may take."""
        if self._process is not None and not self._process.is_alive():
            self._end()
        doing = "what precedes the work" if self._pipe else "the start of a process"
        pipe = self._pipe or self._start()
        is_at_work, work_s, since = False, 0.0, time.monotonic()
        try:
            pipe.send(argument)
            while True:
                limit_s = self._patience_s - work_s if is_at_work else self._loading_patience_s
                if not pipe.poll(max(0.0, since + limit_s - time.monotonic())):
                    self._end()
                    if not is_at_work:
                        raise _Lost(doing, f"took longer than {self._loading_patience_s:g} s")
                    detail = f"it took longer than {self._patience_s:g} s"
                    raise RejectEntry(Reason.TIMED_OUT, detail)
                answer = pipe.recv()
                if isinstance(answer, logging.LogRecord):
                    log_as_own(answer)
                    continue
                if not isinstance(answer, Event):
                    return answer
                work_s += time.monotonic() - since if is_at_work else 0.0
                since, is_at_work = time.monotonic(), answer.kind != "load"
                doing = f"loading {answer.detail}"
        except (EOFError, ConnectionError):
            self._process.join()
            code = self._process.exitcode
            self._end()
            if not is_at_work:
                raise _Lost(doing, f"ended with exit code {code}") from None
            raise RejectEntry(Reason.CRASHED, f"its process ended with exit code {code}") from None

    def _start(self) -> Connection:
        context = mp.get_context("spawn")
        self._pipe, child_end = context.Pipe()
        self._process = context.Process(
            target=_serve,
            args=(child_end, self._function, os.getpid(), wanted_level()),
            daemon=True,
        )
        start(self._process, self._function)
        child_end.close()
        return self._pipe

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
        if self._pipe is not None:
            self._pipe.close()
        self._process = self._pipe = None


def _serve(pipe: Connection, function: Function, parent: int, level: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What a step or a model prints is no part of the answer that a command prints.
    os.dup2(2, 1)
    threading.Thread(target=leave_with, args=(parent,), daemon=True).start()
    send = answering(pipe, level)
    while True:
        try:
            argument = pipe.recv()
        except EOFError:
            return
        try:
            send(Event("begin", ""))
            send(function(argument, send))
        except RejectEntry as error:
            send(machine_fault(error) or error)
        except StopRun as error:
            send(sendable(error))
        except SymMVError as error:
            send(error)
        except Exception as error:  # noqa: BLE001 (the parent raises what it is given)
            send(machine_fault(error) or WorkerBug(in_short(error), bug_of(error)))
