"""The process that runs one model of pictures for all workers of a build.

It loads the model when the first worker asks for it. Requests wait in one line; the first ones of
one kind are seen in one forward. Its shape never changes: what is missing to `ROWS` pictures is
zeros. So a picture is computed by the same kernels whoever else's pictures it travels with.

Each worker has two threads here, one that reads its requests and one that sends its answers: one
that stands still or sends nonsense harms nobody else. What is no request is hung up on.
"""

import hmac
import os
import shutil
import signal
import socket
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends import ModelHome, ModelLoader
from symmv_builder.backends.clip_server.wire import (
    HEADER,
    MOST_PICTURES,
    MOST_TEXT_BYTES,
    MOST_UNANSWERED,
    SCALE,
    TOKEN_BYTES,
    Kind,
    fill,
    read,
    split_class,
    unpack_words,
)
from symmv_builder.backends.slots import SplitClip
from symmv_builder.errors import StopRun, SymMVError
from symmv_builder.pipeline.faults import in_short, machine_fault
from symmv_builder.pipeline.pool import sendable
from symmv_builder.pipeline.run import load

# Pictures of a forward, however many wait. `benchmarks/gpu.py` measures other sizes.
ROWS = 64
_TOKEN_WITHIN_S = 10.0
_LOOKS_EVERY_S = 0.5


@dataclass(frozen=True, slots=True)
class Request:
    """A request of a worker: inputs ``[n, ...]`` or texts, and the queue of its answers."""

    kind: Kind
    inputs: NDArray[Any] | None
    words: list[str]
    answers: "SimpleQueue[bytes | memoryview | None]"

    @property
    def rows(self) -> int:
        return 0 if self.inputs is None else len(self.inputs)


def next_forward(waiting: deque[Request]) -> list[Request]:
    """Take the first request, and those behind it that are seen in the same forward.

    Nobody is overtaken, so answers come in the order of the requests.
    """
    first = waiting.popleft()
    together, rows = [first], first.rows
    while first.rows and waiting and waiting[0].kind is first.kind:
        rows += waiting[0].rows
        if rows > ROWS:
            break
        together.append(waiting.popleft())
    return together


class Network:
    """A model's second half in forwards of one shape."""

    def __init__(self, model: SplitClip) -> None:
        self._model = model
        self._inputs = np.zeros((ROWS, *model.input_shape), model.input_type)

    def answer(self, requests: list[Request]) -> None:
        """Answer what `next_forward` gave."""
        first = requests[0]
        if first.kind is Kind.HELLO:
            first.answers.put(SCALE.pack(self._model.scale))
        elif first.kind is Kind.WORDS:
            first.answers.put(np.ascontiguousarray(self._model.embed_words(first.words)).data)
        else:
            self._see(requests)

    def _see(self, requests: list[Request]) -> None:
        filled = 0
        for request in requests:
            if request.inputs is not None:
                self._inputs[filled : filled + request.rows] = request.inputs
                filled += request.rows
        self._inputs[filled:] = 0
        embedded = self._model.start_inputs(
            self._inputs, patches=requests[0].kind is Kind.PATCHES
        )()
        filled = 0
        for request in requests:
            rows = embedded[filled : filled + request.rows]
            request.answers.put(np.ascontiguousarray(rows).data)
            filled += request.rows


class _Worker:
    """A connection from a worker: its requests go into the line, its answers come by `answers`."""

    def __init__(
        self, connection: socket.socket, kind: type[SplitClip], token: bytes, line: Any
    ) -> None:
        self._connection, self._model_class, self._token = connection, kind, token
        self._line: SimpleQueue[Request] = line
        self._answers: SimpleQueue[bytes | memoryview | None] = SimpleQueue()
        self._free = threading.Semaphore(MOST_UNANSWERED)
        for run in (self._listen, self._reply):
            threading.Thread(target=run, daemon=True).start()

    def _listen(self) -> None:
        # Whatever comes that is no request, or ends in the middle of one, ends the connection.
        with suppress(OSError, ValueError, RecursionError):
            self._connection.settimeout(_TOKEN_WITHIN_S)
            if not hmac.compare_digest(read(self._connection, TOKEN_BYTES), self._token):
                raise ValueError("a stranger")
            self._connection.settimeout(None)
            while True:
                self._line.put(self._request())
        self._answers.put(None)

    def _request(self) -> Request:
        """Read the next request; `ValueError` where it is malformed or one too many."""
        number, count = HEADER.unpack(read(self._connection, HEADER.size))
        kind = Kind(number)
        if not self._free.acquire(blocking=False):
            raise ValueError("more requests than a worker may have unanswered")
        if kind in (Kind.IMAGES, Kind.PATCHES) and 1 <= count <= MOST_PICTURES:
            shape, type_ = self._model_class.input_shape, self._model_class.input_type
            inputs = np.empty((count, *shape), type_)
            fill(self._connection, inputs.data)
            return Request(kind, inputs, [], self._answers)
        knows_words = self._model_class.knows_words
        if kind is Kind.WORDS and knows_words and 1 <= count <= MOST_TEXT_BYTES:
            words = unpack_words(read(self._connection, count))
            return Request(kind, None, words, self._answers)
        if kind is Kind.HELLO and count == 0:
            return Request(kind, None, [], self._answers)
        raise ValueError(f"no request {number} of {count}")

    def _reply(self) -> None:
        # A worker that is gone needs no answer.
        with suppress(OSError):
            while (answer := self._answers.get()) is not None:
                # Before it is sent: whoever has it may ask for more at once.
                self._free.release()
                self._connection.sendall(answer)
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()


def serve(
    control: Connection,
    listener: socket.socket,
    token: bytes,
    name: str,
    home: ModelHome,
    parent: int,
) -> None:
    """Run the model `name` for whoever connects and knows the token, until the parent hangs up.

    What goes wrong is sent to the parent, and ends this process: workers notice by that.
    """
    # Ctrl-C reaches the whole process group; the parent alone decides what happens then.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What a model prints is no part of the answer that a command prints.
    os.dup2(2, 1)
    folder = Path(listener.getsockname()).parent
    threading.Thread(target=_leave_with, args=(control, parent, folder), daemon=True).start()
    try:
        _run(listener, token, name, home)
    except StopRun as error:
        control.send(sendable(error))
    except Exception as error:  # noqa: BLE001 (the parent raises what it is given)
        problem: SymMVError | str = machine_fault(error) or in_short(error)
        control.send(StopRun(f"the process that runs {name} for all workers ended: {problem}"))


def _run(listener: socket.socket, token: bytes, name: str, home: ModelHome) -> None:
    kind = split_class(name)
    line: SimpleQueue[Request] = SimpleQueue()
    threading.Thread(target=_welcome, args=(listener, kind, token, line), daemon=True).start()
    waiting = deque([line.get()])
    network = Network(load(ModelLoader(home), kind.slot, name))
    while True:
        if not waiting:
            waiting.append(line.get())
        with suppress(Empty):
            while True:
                waiting.append(line.get_nowait())
        network.answer(next_forward(waiting))


def _welcome(
    listener: socket.socket, kind: type[SplitClip], token: bytes, line: SimpleQueue[Request]
) -> None:
    while True:
        connection, _ = listener.accept()
        _Worker(connection, kind, token, line)


def _leave_with(control: Connection, parent: int, folder: Path) -> None:
    """End this process when the parent closes its end of the pipe, or was killed.

    The socket's folder goes, too, which a parent that was killed left behind.
    """
    with suppress(OSError):
        while os.getppid() == parent and not control.poll(_LOOKS_EVERY_S):
            pass
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)
