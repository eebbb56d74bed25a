"""Many entries in worker processes, each of which can be killed without loss.

A worker loads a model once and keeps it. The parent knows which step every worker is in
and since when: one that takes longer than the patience allows is killed, one that dies
is replaced. A step that kills its worker twice turns its entry away; a worker that was
killed from outside (out of memory, an operator) is not the entry's fault. Nor is what
happens outside of steps, while a worker starts or loads a model: that has a limit of its
own, and stops the run when it happens twice.
"""

import logging
import multiprocessing as mp
import os
import signal
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from multiprocessing.reduction import ForkingPickler
from types import ModuleType
from typing import Any

from symmv_builder.errors import Reason, RetryLater, StopRun, SymMVError, WorkerBug, WorkersLost
from symmv_builder.pipeline.events import Event
from symmv_builder.pipeline.faults import bug_of, check_recordings, in_short, machine_fault
from symmv_builder.pipeline.keys import Plan, Work
from symmv_builder.pipeline.logs import answering, log_as_own, wanted_level
from symmv_builder.pipeline.run import EntryOutcome, LoadModel, Tell, run_entry
from symmv_builder.pipeline.step import RECORDINGS, Use
from symmv_builder.records import Rejection
from symmv_builder.storage.assets import open_asset
from symmv_builder.storage.results import Result
from symmv_builder.storage.root import Root
from symmv_builder.storage.sidecars import Sidecars

LOG = logging.getLogger(__name__)
LOADING_PATIENCE_S = 1800.0
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
# Threads that wait sleep: by default they spin, which takes the cores from other workers. On two
# busy cores a picture took CLIP 130 ms of CPU with spinning threads, and 70 ms with these.
_WAITING = {"OMP_WAIT_POLICY": "PASSIVE", "OPENBLAS_THREAD_TIMEOUT": "4"}
_DEATHS_ALLOWED = 2
# An operator may kill a worker now and then; whoever kills all of them before they are at
# work is the machine, for want of memory.
_KILLS_ALLOWED = 6
_STARTING_UP = "the start of a worker"
_LEAVE_S = 5.0
# Environment and main module that a worker starts with are the process's own: one thread at a time
# sets them.
_STARTING = threading.RLock()
# What one worker needs at its widest: a transcription model and a decoded recording.
_WORKER_BYTES = 3 * 2**30


@dataclass(frozen=True, slots=True)
class Effort:
    """The effort of a run: workers and patience; never part of a key.

    `workers` 0 runs in this process (for tests and debuggers: nothing can be killed then).
    `patience_s` is the longest that one step may take on one entry, `loading_patience_s` the
    longest that a worker may be at anything else, such as loading a model or fetching its
    weights. `threads_each` is for
    whoever runs several pools on one machine; 0 shares its cores among the workers of this.
    """

    workers: int = 1
    patience_s: float = 1800.0
    threads_each: int = 0
    loading_patience_s: float = LOADING_PATIENCE_S

    @property
    def threads(self) -> int:
        """Threads of each worker: it depends on the machine and the flag alone, because
        float sums depend on it and a resumed build must give the same bytes."""
        return self.threads_each or max(1, (os.cpu_count() or 1) // max(1, self.workers))


def default_workers() -> int:
    """Choose one worker a core, fewer where memory is short."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(1, min(os.cpu_count() or 1, memory // _WORKER_BYTES))


@dataclass(slots=True)
class _Worker:
    """A process and what it is at: `step` of its entry, or outside of all steps `doing`."""

    process: Any
    pipe: Connection
    work: Work | None = None
    step: str = ""
    doing: str = _STARTING_UP
    since: float = field(default_factory=time.monotonic)

    def is_at(self, *, step: str = "", doing: str = "") -> None:
        self.step, self.doing, self.since = step, doing, time.monotonic()


def run_entries(
    works: Sequence[Work],
    plan: Plan,
    root_url: str,
    load_model: LoadModel,
    *,
    effort: Effort,
    tell: Tell = lambda _: None,
) -> Iterator[EntryOutcome]:
    """Run every entry and give outcomes as they come; order is not promised."""
    root = Root(root_url)
    root.check()
    if effort.workers == 0:
        for work in works:
            outcome = run_entry(work, plan, root, load_model, tell)
            _tell_end(tell, outcome)
            yield outcome
        return
    pool = _Pool(deque(works), plan, root, load_model, effort, tell)
    try:
        yield from pool.run()
    finally:
        pool.close()


class _Pool:
    def __init__(
        self,
        queue: deque[Work],
        plan: Plan,
        root: Root,
        load_model: LoadModel,
        effort: Effort,
        tell: Tell,
    ) -> None:
        self.queue = queue
        self.plan = plan
        self.root = root
        self.load_model = load_model
        self.effort = effort
        self.tell = tell
        self.deaths: Counter[tuple[str, str]] = Counter()
        # Workers that were lost outside of steps since the last entry came to its end.
        self.lost = self.killed = 0
        self.workers: list[_Worker] = []

    def run(self) -> Iterator[EntryOutcome]:
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
        self.root.check()
        context = mp.get_context("spawn")
        own_end, child_end = context.Pipe()
        process = context.Process(
            target=_serve,
            args=(
                child_end,
                self.plan,
                self.root.url,
                self.load_model,
                os.getpid(),
                wanted_level(),
            ),
            daemon=True,
        )
        with _STARTING, _few_threads(self.effort.threads):
            start(process, self.plan, self.load_model)
        child_end.close()
        LOG.debug("worker %d is started", process.pid)
        worker = _Worker(process, own_end)
        self.hand_out(worker)
        return worker

    def hand_out(self, worker: _Worker) -> None:
        worker.work = self.queue.popleft() if self.queue else None
        worker.is_at(doing=worker.doing)
        if worker.work:
            # One that died in the meantime is noticed, and its entry saved, by `bury`.
            with suppress(ConnectionError):
                worker.pipe.send(worker.work)

    def overdue(self, worker: _Worker) -> bool:
        limit_s = self.effort.patience_s if worker.step else self.effort.loading_patience_s
        return time.monotonic() - worker.since > limit_s

    def hear(self, worker: _Worker) -> Iterator[EntryOutcome]:
        try:
            message = worker.pipe.recv()
        except (EOFError, ConnectionError):
            yield from self.bury(worker)
            return
        if isinstance(message, logging.LogRecord):
            log_as_own(message)
        elif isinstance(message, Event):
            if message.kind == "load":
                LOG.info("%s: loading %s", message.entry_id, message.detail)
                worker.is_at(doing=f"loading {message.detail}")
            elif message.kind == "begin":
                worker.is_at(step=message.step)
            elif message.kind == "step":
                worker.is_at(doing=f"what follows {message.step}")
            self.tell(message)
        elif isinstance(message, EntryOutcome):
            self.lost = self.killed = 0
            _tell_end(self.tell, message)
            worker.doing = f"what follows {message.entry_id}"
            self.hand_out(worker)
            yield message
        else:
            raise message

    def give_up(self, worker: _Worker) -> Iterator[EntryOutcome]:
        """Kill a worker that outlasted the patience.

        Its entry is turned away if it was in a step.
        """
        at = worker.step or worker.doing
        LOG.info("worker %d outlasts its patience in %s: killed", worker.process.pid, at)
        worker.process.kill()
        worker.process.join()
        if worker.step:
            detail = f"{worker.step} took longer than {self.effort.patience_s:g} s"
            yield self.reject(worker, Reason.TIMED_OUT, detail)
            self.replace(worker)
        else:
            self.lose(worker, f"took longer than {self.effort.loading_patience_s:g} s")

    def lose(self, worker: _Worker, how: str) -> None:
        """Count a worker lost outside of a step: nothing in its entry can be the cause of that."""
        self.lost += 1
        if self.lost >= _DEATHS_ALLOWED:
            reason = f"{worker.doing} {how}, and that was so {self.lost} times running"
            raise WorkersLost(worker.doing, reason)
        if worker.work:
            self.queue.appendleft(worker.work)
        self.replace(worker)

    def bury(self, worker: _Worker) -> Iterator[EntryOutcome]:
        """Try the entry of a worker that died on its own again, or turn it away."""
        worker.process.join()
        if worker.work is None:
            return
        code = worker.process.exitcode
        at = worker.step or worker.doing
        LOG.info("worker %d ended in %s with exit code %s", worker.process.pid, at, code)
        was_killed = code in (-signal.SIGKILL, -signal.SIGTERM)
        if not worker.step and not was_killed:
            self.lose(worker, f"ended with exit code {code}")
            return
        if not worker.step:
            self.killed += 1
            if self.killed >= _KILLS_ALLOWED:
                reason = (
                    f"workers are killed in {worker.doing} ({self.killed} times running; out of "
                    "memory?)"
                )
                raise WorkersLost(worker.doing, reason, is_killed=True)
        place = (worker.work.entry_id, worker.step)
        self.deaths[place] += 1
        if self.deaths[place] < _DEATHS_ALLOWED:
            self.queue.appendleft(worker.work)
        elif was_killed:
            text = f"its worker was killed (exit code {code}; out of memory?) in {at}"
            yield self.left(worker.work, text)
        else:
            yield self.reject(worker, Reason.CRASHED, f"{worker.step} ended with exit code {code}")
        self.replace(worker)

    def left(self, work: Work, why: str) -> EntryOutcome:
        """Leave the entry for another run."""
        outcome = EntryOutcome(work.entry_id, retry=why)
        _tell_end(self.tell, outcome)
        return outcome

    def reject(self, worker: _Worker, reason: Reason, detail: str) -> EntryOutcome:
        """Store what the dead worker could not: the rejection, under the key of its step."""
        work = worker.work
        if work is None:
            raise RuntimeError("a worker without an entry was blamed on one")
        artifact = worker.step.split("+")[0]
        use = next(use for use in self.plan.uses if use.makes == artifact)
        try:
            self.check_recordings(work, use)
        except RetryLater as error:
            return self.left(work, str(error))
        key = self.plan.keys(work)[artifact]
        rejection = Rejection(use.step.name, reason, detail)
        Sidecars(self.root, self.plan.dataset).reject(work.entry_id, artifact, key, rejection)
        result = Result(
            work.entry_id,
            artifact,
            use.step.name,
            key,
            use.model or "",
            0.0,
            reason,
            rejection.detail,
        )
        outcome = EntryOutcome(work.entry_id, (result,), rejection=rejection)
        _tell_end(self.tell, outcome)
        return outcome

    def check_recordings(self, work: Work, use: Use) -> None:
        """Check recordings: a reader may die of bytes that a disk has changed, not by the entry."""
        contents = {work.source(name) for name in use.inputs if name in RECORDINGS}
        with ExitStack() as files:
            # What is remote would have to be fetched again while all workers wait.
            paths = {
                sha256: files.enter_context(open_asset(self.root, sha256))
                for sha256 in contents
                if self.root.is_local
            }
            check_recordings(self.root, contents, paths)

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
    before = {name: os.environ.get(name) for name in (*_THREAD_VARIABLES, *_WAITING)}
    os.environ.update(dict.fromkeys(_THREAD_VARIABLES, str(threads)))
    for name, how in _WAITING.items():
        os.environ.setdefault(name, how)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def start(process: SpawnProcess, *arguments: object) -> None:
    """Start a worker process that does not run the caller's program again.

    `spawn` imports the main module of its parent: a script that builds without
    ``if __name__ == "__main__"`` would build in every worker. A worker needs that module only
    where something that it is `arguments`, such as a step, is defined there.
    """
    with _STARTING:
        main = sys.modules["__main__"]
        if b"__main__" not in bytes(ForkingPickler.dumps(arguments)):
            sys.modules["__main__"] = ModuleType("__main__")
        try:
            process.start()
        finally:
            sys.modules["__main__"] = main


def _tell_end(tell: Callable[[Event], None], outcome: EntryOutcome) -> None:
    if outcome.rejection:
        by = outcome.rejection
        tell(Event("rejected", outcome.entry_id, by.step, reason=by.reason, detail=by.detail))
    elif outcome.retry:
        tell(Event("note", outcome.entry_id, detail=f"not finished: {outcome.retry}"))
    else:
        tell(Event("entry", outcome.entry_id))


def _serve(
    pipe: Connection, plan: Plan, root_url: str, load_model: LoadModel, parent: int, level: int
) -> None:
    """Live as a worker: take an entry, run it, say what became of it."""
    # Ctrl-C reaches the whole process group; the parent alone decides what happens then.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What a step or a model prints is no part of the answer that a command prints.
    os.dup2(2, 1)
    threading.Thread(target=leave_with, args=(parent,), daemon=True).start()
    send = answering(pipe, level)
    root = Root(root_url)
    while True:
        try:
            work = pipe.recv()
        except EOFError:
            return
        try:
            root.check()
            send(run_entry(work, plan, root, load_model, send))
        except StopRun as error:
            send(sendable(error))
        except Exception as error:  # noqa: BLE001 (the parent raises what it is given)
            fault = machine_fault(error)
            # For want of memory outside of all steps, there is no entry to come back to.
            stop = fault if fault is None or isinstance(fault, StopRun) else StopRun(str(fault))
            send(stop or WorkerBug(in_short(error), bug_of(error)))


def sendable(error: SymMVError) -> SymMVError:
    """Make an error sendable to another process: a `StopRun` of its words where it cannot pickle.

    Errors of other packages may hold anything in their fields.
    """
    try:
        ForkingPickler.loads(ForkingPickler.dumps(error))
    except Exception:  # noqa: BLE001 (whatever pickle meets in a stranger's object)
        return StopRun(str(error))
    return error


def leave_with(parent: int) -> None:
    """End this process soon after its parent was killed, whatever it is doing."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
