"""Worker processes of tests that are forks, and so have what their parent imported.

The product spawns its workers: each imports torch, pandas or Prefect anew, in .5-5 s of CPU. Most
tests ask what workers do, not how they start; `tests/pipeline` starts them as the product does.
"""

import multiprocessing as mp
import multiprocessing.context as contexts
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any


class _Process(contexts.ForkProcess):
    """A worker that is a fork; it drops its siblings' ends of pipes, which a spawned one lacks."""

    def run(self) -> None:
        for end in _Forks.ends:
            end.close()
        super().run()


class _Forks(contexts.ForkContext):
    """Stands for `spawn`."""

    ends: list[Connection] = []  # noqa: RUF012 (one list for the process)
    Process = _Process

    def Pipe(self, duplex: bool = True) -> Any:
        own, child = super().Pipe(duplex)
        self.ends[:] = [end for end in self.ends if not end.closed]
        self.ends.append(own)
        return own, child


@contextmanager
def forked_workers() -> Iterator[None]:
    """Workers that this process starts are forks of it, until the end of the block."""
    known: dict[str, Any] = mp.context._concrete_contexts  # type: ignore[attr-defined]
    before = known["spawn"]
    known["spawn"] = _Forks()
    try:
        yield
    finally:
        known["spawn"] = before
