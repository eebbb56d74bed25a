"""One copy of a model of pictures for all workers of a build, in a process of its own.

A card holds one network then instead of one a worker, and sees the pictures of many videos in one
forward, while the workers decode on. `wire` says how they speak, `server` is the process, `proxy`
what a worker has in the model's place.

Keys know nothing of this: the model is the same. On a card, values differ from those of a worker's
own copy as they do between batches of different sizes, by rounding.
"""

import multiprocessing as mp
import os
import secrets
import socket
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from symmv_builder.backends import ModelHome, ModelLoader, backend_class, load
from symmv_builder.backends.clip_server.proxy import Address, Proxy, class_for
from symmv_builder.backends.clip_server.server import serve
from symmv_builder.backends.clip_server.wire import TOKEN_BYTES
from symmv_builder.backends.slots import ClipModel, SplitClip
from symmv_builder.errors import CannotWrite, ModelLost, StopRun
from symmv_builder.pipeline.pool import start
from symmv_builder.pipeline.run import LoadModel

ANSWER_S = 120.0
_LEAVE_S = 5.0
# A process that was killed closes its sockets before its parent is told of its end.
_ENDS_WITHIN_S = 2.0


def models_to_serve(
    models: Iterable[tuple[str, str]], home: ModelHome, workers: int
) -> tuple[str, ...]:
    """Name the models, of some slots and names, of which all workers should use one copy.

    These are models of pictures, where several workers share a card. It depends on what a person
    chose and not on how much there is to do, so that a build that goes on makes the same bits.
    """
    if not home.device.startswith("cuda") or workers < 2:
        return ()
    return tuple(
        name
        for slot, name in models
        if slot == ClipModel.slot and issubclass(backend_class(slot, name), SplitClip)
    )


@dataclass(frozen=True, slots=True)
class ProxyLoader:
    """Gives models as `ModelLoader` does, but for those that another process runs."""

    home: ModelHome
    addresses: Mapping[str, Address]
    answer_s: float = ANSWER_S

    def __call__(self, slot: str, name: str) -> Any:
        address = self.addresses.get(name) if slot == ClipModel.slot else None
        if address is None:
            return load(slot, name, self.home)
        if address not in _proxies:
            _proxies[address] = class_for(name)(self.home, address, self.answer_s)
        return _proxies[address]


# Once a process, as models are loaded.
_proxies: dict[Address, Proxy] = {}


@contextmanager
def one_copy(
    names: Iterable[str], home: ModelHome, *, patience_s: float = 2 * ANSWER_S
) -> Iterator[LoadModel]:
    """Give a loader for workers; models of `names` run in one process each until the block ends.

    `patience_s` is that of a step: a process that stands still is noticed before. `ModelLost`, or
    what the process met, where it ended before; whatever was made until then is stored, and the
    same build goes on. Without names it is the usual loader.
    """
    with ExitStack() as opened:
        servers = {name: opened.enter_context(_Server(name, home)) for name in names}
        if not servers:
            yield ModelLoader(home)
            return
        addresses = {name: server.address for name, server in servers.items()}
        try:
            yield ProxyLoader(home, addresses, min(ANSWER_S, patience_s / 2))
        except ModelLost as lost:
            raise servers[lost.model].reason(lost) from lost


class _Server:
    """The process of one model; its parent's side."""

    def __init__(self, name: str, home: ModelHome) -> None:
        self._name, self._home = name, home
        self._opened = ExitStack()

    def __enter__(self) -> "_Server":
        with ExitStack() as opened:
            # Nobody else may enter this folder, which is what keeps strangers from the socket.
            temporary = tempfile.TemporaryDirectory(prefix="symmv-", ignore_cleanup_errors=True)
            folder = opened.enter_context(temporary)
            self.address = Address(str(Path(folder, "clip")), secrets.token_bytes(TOKEN_BYTES))
            self._process, self._control = self._begin()
            opened.callback(self._end)
            self._opened = opened.pop_all()
        return self

    def __exit__(self, *raised: object) -> None:
        self._opened.close()

    def _begin(self) -> tuple[Any, Connection]:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            try:
                listener.bind(self.address.path)
            except OSError as error:
                # Such as a folder for temporary files whose path is too long for a socket.
                raise CannotWrite(self.address.path, str(error)) from error
            # Workers may connect from now on, and wait.
            listener.listen()
            context = mp.get_context("spawn")
            control, child_end = context.Pipe()
            process = context.Process(
                target=serve,
                args=(child_end, listener, self.address.token, self._name, self._home, os.getpid()),
                daemon=True,
            )
            start(process, self._home)
            child_end.close()
        return process, control

    def _end(self) -> None:
        self._control.close()
        self._process.join(_LEAVE_S)
        self._process.kill()
        self._process.join()

    def reason(self, lost: ModelLost) -> StopRun:
        """Say why workers lost the process, as far as it or its end tells."""
        with suppress(EOFError, OSError):
            if self._control.poll():
                error = self._control.recv()
                if isinstance(error, StopRun):
                    return error
        self._process.join(_ENDS_WITHIN_S)
        code = self._process.exitcode
        return lost if code is None else ModelLost(self._name, f"ended with exit code {code}")
