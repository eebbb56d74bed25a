"""One function in a process of its own, so that what it is given cannot take us along.

Media files come from anywhere; a decoder may crash or hang on one. The process is started
once and keeps what the function has loaded; it is replaced only when it dies or is killed.
"""

import multiprocessing as mp
import os
import signal
import threading
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any

from symmv_builder.errors import Reason, RejectEntry, SymMVError
from symmv_builder.pipeline.pool import WorkerBug, leave_with

_LEAVE_S = 5.0


class Guarded:
    """``with Guarded(function, patience_s=60) as guarded: guarded(argument)``.

    Gives what the function gives and raises what it raises, if that is a `SymMVError`;
    `RejectEntry` with CRASHED or TIMED_OUT where its process died or outlasted the patience;
    `WorkerBug` for anything else. Function, argument and result must be picklable.
    """

    def __init__(self, function: Callable[[Any], Any], *, patience_s: float) -> None:
        self._function = function
        self._patience_s = patience_s
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
        if self._process is not None and not self._process.is_alive():
            self._end()
        pipe = self._pipe or self._start()
        pipe.send(argument)
        if not pipe.poll(self._patience_s):
            self._end()
            raise RejectEntry(Reason.TIMED_OUT, f"it took longer than {self._patience_s:g} s")
        try:
            answer = pipe.recv()
        except (EOFError, ConnectionError):
            self._process.join()
            code = self._process.exitcode
            self._end()
            raise RejectEntry(Reason.CRASHED, f"its process ended with exit code {code}") from None
        if isinstance(answer, SymMVError):
            raise answer
        if isinstance(answer, _Bug):
            raise WorkerBug(f"a worker met a bug:\n{answer.trace}")
        return answer

    def _start(self) -> Connection:
        context = mp.get_context("spawn")
        self._pipe, there = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(there, self._function, os.getpid()), daemon=True
        )
        self._process.start()
        there.close()
        return self._pipe

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
        if self._pipe is not None:
            self._pipe.close()
        self._process = self._pipe = None


class _Bug:
    def __init__(self, trace: str) -> None:
        self.trace = trace


def _serve(pipe: Connection, function: Callable[[Any], Any], parent: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=leave_with, args=(parent,), daemon=True).start()
    while True:
        try:
            argument = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send(function(argument))
        except SymMVError as error:
            pipe.send(error)
        except Exception:  # noqa: BLE001 (a bug is not handled here: the parent raises it)
            pipe.send(_Bug(traceback.format_exc()))
