"""Log records of worker processes, on their way to the handlers of the parent.

A worker has no handlers of its own: whoever configured logging did so in the parent, with a file or
a terminal that one process writes to. So records travel through the pipe by which a worker answers.
"""

import logging
import threading
from collections.abc import Callable
from logging.handlers import QueueHandler
from multiprocessing.connection import Connection
from typing import Any

PACKAGE = logging.getLogger("symmv_builder")


def wanted_level() -> int:
    """Find the lowest level that anybody in this process wants of this package's records."""
    return PACKAGE.getEffectiveLevel()


class _ToParent(QueueHandler):
    """Sends records as they can be pickled: their message and traceback made text."""

    def __init__(self, send: Callable[[Any], None]) -> None:
        super().__init__(queue=None)  # type: ignore[arg-type]
        self._send = send

    def enqueue(self, record: logging.LogRecord) -> None:
        self._send(record)

    def handleError(self, record: logging.LogRecord) -> None:
        """Leave with a parent that is gone and reads nothing."""


def answering(pipe: Connection, level: int) -> Callable[[Any], None]:
    """Make what a worker sends answers by, from any thread; log records of `level` go along."""
    lock = threading.Lock()

    def send(message: Any) -> None:
        with lock:
            pipe.send(message)

    PACKAGE.addHandler(_ToParent(send))
    PACKAGE.setLevel(level)
    return send


def log_as_own(record: logging.LogRecord) -> None:
    """Hand a worker's record to the handlers of this process; it keeps its process and time."""
    logging.getLogger(record.name).handle(record)
