"""Many entries in worker processes, each of which can be killed without loss.

A worker loads a model once and keeps it. The parent knows which step every worker is in
and since when: one that takes longer than the patience allows is killed, one that dies
is replaced. A step that kills its worker twice turns its entry away; a worker that was
killed from outside (out of memory, an operator) is not the entry's fault.
"""

import multiprocessing as mp
import os
import signal
import threading
import time
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any

from symmv_builder.errors import Reason, StopRun
from symmv_builder.pipeline.events import Event
from symmv_builder.pipeline.keys import Plan, Work
from symmv_builder.pipeline.run import LoadModel, Outcome, Tell, run_entry
from symmv_builder.records import Rejection
from symmv_builder.storage.ledger import Result
from symmv_builder.storage.root import Root
from symmv_builder.storage.sidecars import Sidecars


class WorkerBug(Exception):
    """A worker raised what nobody planned for; the message is its traceback."""


_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_DEATHS_ALLOWED = 2
_LEAVE_S = 5.0
# The environment that a worker starts with is the process's own: one pool at a time sets it.
_STARTING = threading.Lock()
# What one worker needs at its widest: a transcription model and a decoded recording.
_WORKER_BYTES = 3 * 2**30


@dataclass(frozen=True, slots=True)
class Effort:
    """How hard to run; never part of a key.

    `workers` 0 runs in this process (for tests and debuggers: nothing can be killed then).
    `patience_s` is the longest that one step may take on one entry. `threads_each` is for
    whoever runs several pools on one machine; 0 shares its cores among the workers of this.
    """

    workers: int = 1
    patience_s: float = 1800.0
    threads_each: int = 0

    @property
    def threads(self) -> int:
        """Threads of each worker: it depends on the machine and the flag alone, because
        float sums depend on it and a resumed build must give the same bytes."""
        return self.threads_each or max(1, (os.cpu_count() or 1) // max(1, self.workers))


def default_workers() -> int:
    """One worker a core, fewer where memory is short."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(1, min(os.cpu_count() or 1, memory // _WORKER_BYTES))


@dataclass(slots=True)
class _Worker:
    process: Any
    pipe: Connection
    work: Work | None = None
    step: str = ""
    since: float = field(default_factory=time.monotonic)


def run_entries(
    works: Sequence[Work],
    plan: Plan,
    root_url: str,
    load_model: LoadModel,
    *,
    effort: Effort,
    tell: Tell = lambda _: None,
) -> Iterator[Outcome]:
    """Run every entry and give outcomes as they come; order is not promised."""
    if effort.workers == 0:
        root = Root(root_url)
        for work in works:
            outcome = run_entry(work, plan, root, load_model, tell)
            _tell_end(tell, outcome)
            yield outcome
        return
    pool = _Pool(deque(works), plan, root_url, load_model, effort, tell)
    try:
        yield from pool.run()
    finally:
        pool.close()


class _Pool:
    def __init__(
        self,
        queue: deque[Work],
        plan: Plan,
        root_url: str,
        load_model: LoadModel,
        effort: Effort,
        tell: Tell,
    ) -> None:
        self.queue = queue
        self.plan = plan
        self.root_url = root_url
        self.load_model = load_model
        self.effort = effort
        self.tell = tell
        self.deaths: Counter[tuple[str, str]] = Counter()
        self.workers: list[_Worker] = []

    def run(self) -> Iterator[Outcome]:
        for _ in range(min(self.effort.workers, len(self.queue))):
            self.workers.append(self.start())
        while any(worker.work for worker in self.workers):
            ready = wait([worker.pipe for worker in self.workers if worker.work], timeout=0.5)
            self.tell(Event("beat", ""))
            for worker in list(self.workers):
                if worker.pipe in ready:
                    yield from self.hear(worker)
                elif worker.work and self.overdue(worker):
                    yield from self.give_up(worker)

    def start(self) -> _Worker:
        context = mp.get_context("spawn")
        here, there = context.Pipe()
        process = context.Process(
            target=_serve,
            args=(there, self.plan, self.root_url, self.load_model, os.getpid()),
            daemon=True,
        )
        with _STARTING, _few_threads(self.effort.threads):
            process.start()
        there.close()
        worker = _Worker(process, here)
        self.hand_out(worker)
        return worker

    def hand_out(self, worker: _Worker) -> None:
        worker.work = self.queue.popleft() if self.queue else None
        worker.step = ""
        worker.since = time.monotonic()
        if worker.work:
            # One that died in the meantime is noticed, and its entry saved, by `bury`.
            with suppress(ConnectionError):
                worker.pipe.send(worker.work)

    def overdue(self, worker: _Worker) -> bool:
        return bool(worker.step) and time.monotonic() - worker.since > self.effort.patience_s

    def hear(self, worker: _Worker) -> Iterator[Outcome]:
        try:
            message = worker.pipe.recv()
        except (EOFError, ConnectionError):
            yield from self.bury(worker)
            return
        if isinstance(message, Event):
            if message.kind == "begin":
                worker.step, worker.since = message.step, time.monotonic()
            elif message.kind == "step":
                worker.step = ""
            self.tell(message)
        elif isinstance(message, Outcome):
            _tell_end(self.tell, message)
            self.hand_out(worker)
            yield message
        elif isinstance(message, StopRun):
            raise message
        else:
            raise WorkerBug(f"a worker met a bug:\n{message}")

    def give_up(self, worker: _Worker) -> Iterator[Outcome]:
        """A step outlasted the patience: kill it and turn its entry away."""
        worker.process.kill()
        worker.process.join()
        detail = f"{worker.step} took longer than {self.effort.patience_s:g} s"
        yield self.reject(worker, Reason.TIMED_OUT, detail)
        self.replace(worker)

    def bury(self, worker: _Worker) -> Iterator[Outcome]:
        """A worker died on its own: try its entry again, or turn it away."""
        worker.process.join()
        if worker.work is None:
            return
        code = worker.process.exitcode
        place = (worker.work.entry_id, worker.step)
        self.deaths[place] += 1
        if self.deaths[place] < _DEATHS_ALLOWED:
            self.queue.appendleft(worker.work)
        elif code in (-signal.SIGKILL, -signal.SIGTERM) or not worker.step:
            text = f"its worker was killed (exit code {code}; out of memory?) in {worker.step}"
            outcome = Outcome(worker.work.entry_id, retry=text)
            _tell_end(self.tell, outcome)
            yield outcome
        else:
            yield self.reject(worker, Reason.CRASHED, f"{worker.step} ended with exit code {code}")
        self.replace(worker)

    def reject(self, worker: _Worker, reason: Reason, detail: str) -> Outcome:
        """Store what the dead worker could not: the rejection, under the key of its step."""
        work = worker.work
        if work is None:
            raise WorkerBug("a worker without an entry was blamed on one")
        artifact = worker.step.split("+")[0]
        use = next(use for use in self.plan.uses if use.makes == artifact)
        key = self.plan.keys(work)[artifact]
        rejection = Rejection(use.step.name, reason, detail)
        Sidecars(Root(self.root_url), self.plan.dataset).reject(
            work.entry_id, artifact, key, rejection
        )
        result = Result(
            work.entry_id, artifact, use.step.name, key, use.model or "", 0.0, reason, detail
        )
        outcome = Outcome(work.entry_id, (result,), rejection=rejection)
        _tell_end(self.tell, outcome)
        return outcome

    def replace(self, worker: _Worker) -> None:
        worker.pipe.close()
        self.workers.remove(worker)
        if self.queue:
            self.workers.append(self.start())

    def close(self) -> None:
        """Let idle workers leave by themselves, which frees what their libraries hold."""
        for worker in self.workers:
            worker.pipe.close()
            if worker.work:
                worker.process.kill()
        for worker in self.workers:
            worker.process.join(_LEAVE_S)
            worker.process.kill()
            worker.process.join()


@contextmanager
def _few_threads(threads: int) -> Iterator[None]:
    """Numeric libraries of processes that are started now use this many threads each."""
    before = {name: os.environ.get(name) for name in _THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(_THREAD_VARIABLES, str(threads)))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _tell_end(tell: Callable[[Event], None], outcome: Outcome) -> None:
    if outcome.rejection:
        by = outcome.rejection
        tell(Event("rejected", outcome.entry_id, by.step, reason=by.reason, detail=by.detail))
    elif outcome.retry:
        tell(Event("note", outcome.entry_id, detail=f"not finished: {outcome.retry}"))
    else:
        tell(Event("entry", outcome.entry_id))


def _serve(pipe: Connection, plan: Plan, root_url: str, load_model: LoadModel, parent: int) -> None:
    """A worker's life: take an entry, run it, say what became of it."""
    # Ctrl-C reaches the whole process group; the parent alone decides what happens then.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=leave_with, args=(parent,), daemon=True).start()
    root = Root(root_url)
    while True:
        try:
            work = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send(run_entry(work, plan, root, load_model, pipe.send))
        except StopRun as error:
            pipe.send(error)
        except Exception:  # noqa: BLE001 (a bug is not handled here: the parent raises it)
            pipe.send(traceback.format_exc())


def leave_with(parent: int) -> None:
    """End this process soon after its parent was killed, whatever it is doing."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
