"""Work in batches: one task of Prefect's for some entries, which gives back their outcomes.

A task gets what a batch is (ids, contents, a plan) and where the data root is; recordings
and features never pass through Prefect. Each task works in a child process of its own, which
a hostile file may kill. A worker that dies takes nothing with it: what it had made is stored,
and its batch is given out again, one entry at a time.
"""

import logging
import multiprocessing
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import BrokenExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from typing import Any
from uuid import UUID, uuid4

from prefect import get_run_logger
from prefect.futures import PrefectFuture
from prefect.task_runners import TaskRunner

from symmv_builder.api.works import (
    Assignment,
    EntryOutcome,
    Event,
    Plan,
    Run,
    Store,
    Work,
    assignment,
    from_plain,
    waiting,
)
from symmv_builder.errors import RetryLater
from symmv_builder.settings import Settings
from symmv_builder.text import harmless

from .artifacts import SAID_EVERY_S, log_events
from .edge import Place, tried_again
from .limits import gpu_slot

_DEATHS_ALLOWED = 3
# Runs whose tasks in this process are to end. A process of a cluster may serve several runs.
_RUNS_OVER: set[str] = set()


class _RunOver(Exception):
    """The run that a batch belongs to is over."""


def leave(run: str) -> None:
    """Make the batches of a run that are in this process end within a second."""
    _RUNS_OVER.add(run)


@tried_again("build a batch", "gpu")
def build_batch(job: Assignment, works: Sequence[Work], run: str) -> list[dict[str, Any]]:
    """Bring a batch of entries as far as they go; gives outcomes as plain data.

    `run` names the run that wants them: where that is left, they are as far as they are.
    """
    job = job.on_this_machine()
    follower = _Follower(run, len(works), get_run_logger())
    answers: list[dict[str, Any]] = []
    with gpu_slot(job.home.device), suppress(_RunOver):
        for outcome in job.do(works, follower.tell):
            answers.append(outcome)
            follower.done += 1
    return answers


class _Follower:
    """Follows a batch: logs how far it is now and then, and ends it where its run is over."""

    def __init__(
        self, run: str, total: int, logger: "logging.Logger | logging.LoggerAdapter[Any]"
    ) -> None:
        self.run = run
        self.total = total
        self.done = 0
        self._logger = logger
        self._log_event = log_events(logger)
        self._at = ""
        self._logged_at_s = time.monotonic()

    def tell(self, event: Event) -> None:
        if event.kind == "beat":
            self._beat()
        elif event.kind == "begin":
            self._at = f", {harmless(event.entry_id)} in {event.step}"
        self._log_event(event)

    def _beat(self) -> None:
        # A pool's process outlives a flow that was killed, and is nobody's then.
        parent = multiprocessing.parent_process()
        if self.run in _RUNS_OVER or (parent is not None and not parent.is_alive()):
            raise _RunOver
        if time.monotonic() - self._logged_at_s > SAID_EVERY_S:
            self._logged_at_s = time.monotonic()
            self._logger.info("%d of %d entries of a batch%s", self.done, self.total, self._at)


@dataclass(slots=True)
class _Batch:
    works: tuple[Work, ...]
    deaths: int = 0


# Tasks that are given out, by the ids of their runs.
_Running = dict[UUID, tuple[PrefectFuture[Any], _Batch]]


def in_tasks(
    plan: Plan,
    store: Store,
    settings: Settings,
    place: Place,
    *,
    batch_size: int,
    patience_s: float,
    loading_patience_s: float,
) -> Run:
    """Make the function that runs works as tasks of Prefect's, for `datasets.build.build`."""
    job = assignment(
        plan,
        store.root,
        settings.home,
        patience_s=patience_s,
        load_patience_s=loading_patience_s,
        threads_each=place.threads_each,
    )
    fixed = {"job": job, "run": uuid4().hex}

    def run(works: Sequence[Work]) -> Iterator[EntryOutcome]:
        batches = deque(
            _Batch(tuple(works[start : start + batch_size]))
            for start in range(0, len(works), batch_size)
        )
        while batches:
            # A pool of processes that has lost one takes no more work: each round has its own.
            with place.running() as runner, place.asking(settings.home.device):
                yield from _round(runner, batches, fixed, place)

    return run


def _round(
    runner: TaskRunner[Any],
    batches: deque[_Batch],
    fixed: dict[str, Any],
    place: Place,
) -> Iterator[EntryOutcome]:
    """Submit batches, give outcomes as they come; ends early where the runner is of no more use."""
    running: _Running = {}
    try:
        yield from _give_out(runner, batches, fixed, place, running)
    except BaseException:
        futures = [future for future, _ in running.values()]
        place.stop(runner, futures, partial(leave, fixed["run"]))
        raise


def _give_out(
    runner: TaskRunner[Any],
    batches: deque[_Batch],
    fixed: dict[str, Any],
    place: Place,
    running: _Running,
) -> Iterator[EntryOutcome]:
    ended: SimpleQueue[PrefectFuture[Any]] = SimpleQueue()
    deaths, is_broken = place.deaths, False
    while running or (batches and not is_broken):
        while batches and len(running) < place.most_given_out and not is_broken:
            batch = batches.popleft()
            try:
                future = runner.submit(build_batch, {**fixed, "works": batch.works})
            except deaths:
                batches.appendleft(batch)
                is_broken = True
                break
            running[future.task_run_id] = future, batch
            future.add_done_callback(ended.put)
        if not running:
            break
        future = ended.get()
        _, batch = running.pop(future.task_run_id)
        try:
            yield from map(from_plain, future.result())
        except RetryLater as error:
            yield from waiting(batch.works, str(error))
        except deaths as error:
            is_broken = is_broken or isinstance(error, BrokenExecutor)
            yield from _bury(batch, batches, error)


def _bury(batch: _Batch, batches: deque[_Batch], error: BaseException) -> Iterator[EntryOutcome]:
    """Give a dead worker's entries out again, one by one, until that has happened too often."""
    deaths = batch.deaths + 1
    if deaths < _DEATHS_ALLOWED:
        batches.extend(_Batch((work,), deaths) for work in batch.works)
        return
    yield from waiting(batch.works, f"{deaths} workers died of it ({error})")
