"""Where Prefect and the package meet: states, tasks, runners.

The three errors of the package become three things that a person sees in Prefect.
`RetryLater` is tried again after a while, and nothing else ever is. `StopRun` ends the run
as `Stopped` with its one line. A rejection is no failure: it is part of an outcome. A run whose
server went away ends as `Waiting`, which is a crash: the deployment `resume` starts it again.
Anything else is a bug, and Prefect shows its traceback.
"""

import functools
import importlib
import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, CancelledError
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar
from urllib.parse import urlsplit

import httpx
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.exceptions import CancelledRun, CrashedRun, TerminationSignal
from prefect.futures import PrefectFuture
from prefect.states import Cancelled, Crashed, Failed
from prefect.task_runners import ProcessPoolTaskRunner, TaskRunner, ThreadPoolTaskRunner
from prefect.tasks import Task

from symmv_builder.api.options import checked
from symmv_builder.api.works import default_workers
from symmv_builder.errors import RetryLater, StopRun, UnknownName, WrongArguments
from symmv_builder.packages import missing_package
from symmv_builder.text import harmless

from .advice import advised
from .leaving import INTERRUPTED, asked_until_heard, leave_soon
from .life import signs_of_life

P = ParamSpec("P")
R = TypeVar("R")

RUNNERS = ("local", "threads", "processes", "dask", "ray")
# What answers at the address of a runner, with the address of an example.
_CLUSTERS = {
    "dask": ("Dask scheduler", "tcp://HOST:8786"),
    "ray": ("Ray cluster", "ray://HOST:10001"),
}
# Of addresses that a plain connection reaches, if anything does; "" where none is written.
_SCHEMES = ("", "tcp", "tls", "ws", "wss", "ray")
_ANSWERS_WITHIN_S = 3.0
_RETRY_DELAYS_S = [10.0, 30.0, 90.0]
# Stopping tasks and closing what they ran on, each; a run that is cancelled is gone after five.
_STOPPED_WITHIN_S = 1.0
# The workers of a process look twice a second whether it is still there.
_ORPHANS_GONE_S = 0.7


def whole_run(work: Callable[P, R]) -> Callable[P, R]:
    """Make a function the body of a flow: it shows signs of life, and says how it ended."""
    stopped = stopping(work)

    @functools.wraps(work)
    def run(*arguments: P.args, **named: P.kwargs) -> Any:
        try:
            with signs_of_life(), asked_until_heard():
                return stopped(*arguments, **named)
        except (KeyboardInterrupt, CancelledRun):
            return Cancelled(message=INTERRUPTED)
        except TerminationSignal:
            leave_soon(128 + signal.SIGTERM)
            raise
        except Exception as error:
            if not _is_away(error):
                raise
            return Crashed(name="Waiting", message=f"{type(error).__name__}: {error}")

    return run


def _is_away(error: BaseException | None) -> bool:
    """Check whether it is the world that failed: a server that is away, a process that was lost."""
    while error is not None:
        if isinstance(error, (RetryLater, CrashedRun, httpx.TransportError)):
            return True
        if isinstance(error, httpx.HTTPStatusError) and error.response.is_server_error:
            return True
        # Prefect says so in an error of its own, out of one of these.
        error = error.__cause__ or error.__context__
    return False


def stopping(work: Callable[P, R]) -> Callable[P, R]:
    """End a flow or a task as `Stopped`, and not as crashed, where the package says `StopRun`.

    So does a package that is not installed. Whoever asks for the result is given the `StopRun`.
    """

    @functools.wraps(work)
    def run(*arguments: P.args, **named: P.kwargs) -> Any:
        try:
            return work(*arguments, **named)
        except StopRun as error:
            return Failed(name="Stopped", message=advised(error), data=error)
        except ModuleNotFoundError as error:
            missing = missing_package(error)
            if missing is None:
                raise
            return Failed(name="Stopped", message=str(missing), data=missing)

    return run


def only_later(task: Any, run: Any, state: State[Any]) -> bool:
    """Check whether a failed task is worth another try."""
    try:
        state.result(raise_on_failure=True, _sync=True)  # type: ignore[call-overload]
    except RetryLater:
        return True
    except Exception:  # noqa: BLE001 (asked what it is, not handled: the task's state keeps it)
        return False
    return False


def tried_again(name: str, tag: str) -> Callable[[Callable[P, R]], Task[P, R]]:
    """Make a task whose `RetryLater` waits and whose `StopRun` stops; nothing of it is cached.

    Prefect's own cache and result files are left out: our keys are the cache.
    """

    def make(work: Callable[P, R]) -> Task[P, R]:
        return Task(
            stopping(work),
            name=name,
            tags=[tag],
            cache_policy=NO_CACHE,
            persist_result=False,
            retries=len(_RETRY_DELAYS_S),
            retry_delay_seconds=_RETRY_DELAYS_S,
            retry_condition_fn=only_later,
        )

    return make


@dataclass(frozen=True, slots=True)
class Place:
    """The place of work: a runner by name, a cluster's address, how many tasks at once here."""

    runner: str
    address: str | None = None
    workers: int | None = None

    def __post_init__(self) -> None:
        if self.runner not in RUNNERS:
            raise UnknownName("runner", self.runner, RUNNERS)
        checked("workers", self.workers)
        if self.address and self.runner not in _CLUSTERS:
            raise WrongArguments(
                f"`address` is for dask and ray; {self.runner} runs on this machine"
            )

    @property
    def at_once(self) -> int:
        return self.workers or default_workers()

    @property
    def most_given_out(self) -> int:
        """How many tasks a runner is given before one has ended.

        A pool of processes that breaks takes down all that it was given, so it is given no more
        than it works on.
        """
        return self.at_once if self.runner == "processes" else 256

    @property
    def threads_each(self) -> int:
        """Threads of a task's numeric libraries.

        On a cluster one: float sums depend on their number, and whichever machine does the work,
        the bytes must be the same.
        """
        if self.address:
            return 1
        return max(1, (os.cpu_count() or 1) // self.at_once)

    def check_answers(self) -> None:
        """Connect to the cluster and hang up; `StopRun` where nobody answers within seconds.

        Dask alone would ask for half a minute, and then show a traceback.
        """
        if not self.address or self.address in ("auto", "local"):
            return
        try:
            parts = urlsplit(self.address if "://" in self.address else f"//{self.address}")
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise self._no_answer(error) from error
        if parts.scheme not in _SCHEMES:
            return
        if not host or not port:
            raise self._no_answer("it names no host or no port")
        try:
            socket.create_connection((host, port), timeout=_ANSWERS_WITHIN_S).close()
        except OSError as error:
            raise self._no_answer(error.strerror or error) from error

    def _no_answer(self, cause: object) -> StopRun:
        what, example = _CLUSTERS[self.runner]
        return StopRun(
            f"no {what} answers at {self.address} ({harmless(cause, 200)}); "
            f"an address looks like {example}"
        )

    @contextmanager
    def running(self) -> Iterator[TaskRunner[Any]]:
        """Open a runner. A cluster that does not answer does not keep a run that is left early."""
        self.check_answers()
        runner = self.open()
        with _same_signals():
            try:
                runner.__enter__()
            except (OSError, ValueError) as error:
                # Something answers there that is no cluster, or none was found by itself.
                if self.address:
                    raise self._no_answer(error) from error
                raise
        try:
            yield runner
        except BaseException as error:
            _within(_STOPPED_WITHIN_S, runner.__exit__, type(error), error, error.__traceback__)
            raise
        runner.__exit__(None, None, None)

    def stop(
        self,
        runner: TaskRunner[Any],
        futures: Sequence[PrefectFuture[Any]],
        leave: Callable[[], None],
    ) -> None:
        """Make tasks end within a second. `leave` is called in every process that has threads of
        them; other processes are killed, and the workers that these started leave with them."""
        leave()
        if self.runner == "processes":
            for child in multiprocessing.active_children():
                child.kill()
        if self.runner == "dask":
            client = runner.client  # type: ignore[attr-defined]
            given_out = [future.wrapped_future for future in futures]  # type: ignore[attr-defined]
            _within(_STOPPED_WITHIN_S, client.run, leave, on_error="ignore")
            _within(_STOPPED_WITHIN_S, client.cancel, given_out, force=True)
        if self.runner == "ray":
            ray = _extra("ray", "ray")
            for future in futures:
                # One that has ended needs no stopping.
                with suppress(ray.exceptions.RayError, ValueError):
                    ray.cancel(future.wrapped_future, force=True)  # type: ignore[attr-defined]
        if self.runner in ("processes", "ray"):
            time.sleep(_ORPHANS_GONE_S)

    def open(self) -> TaskRunner[Any]:
        """Make a runner of Prefect's, to be entered."""
        if self.runner == "threads":
            return ThreadPoolTaskRunner(max_workers=self.at_once)
        if self.runner == "processes":
            return ProcessPoolTaskRunner(max_workers=self.at_once)
        if self.runner == "dask":
            return self._dask()
        return self._ray()

    def _dask(self) -> TaskRunner[Any]:
        dask_runner = _extra("prefect_dask.task_runners", "dask").DaskTaskRunner
        if self.address:
            return dask_runner(address=self.address)  # type: ignore[no-any-return]
        cluster = {
            "n_workers": self.at_once,
            "threads_per_worker": 1,
            "dashboard_address": None,
        }
        return dask_runner(cluster_kwargs=cluster)  # type: ignore[no-any-return]

    def _ray(self) -> TaskRunner[Any]:
        ray_runner = _extra("prefect_ray.task_runners", "ray").RayTaskRunner
        if self.address == "auto":
            return ray_runner(init_kwargs={"address": "auto"})  # type: ignore[no-any-return]
        if self.address:
            return ray_runner(address=self.address)  # type: ignore[no-any-return]
        local_options = {"num_cpus": self.at_once, "include_dashboard": False}
        return ray_runner(init_kwargs=local_options)  # type: ignore[no-any-return]

    def asking(self, device: str) -> AbstractContextManager[Any]:
        """Submit within this: Ray hides the GPUs from a task that did not ask for one."""
        if self.runner == "ray" and device.startswith("cuda"):
            options: AbstractContextManager[Any] = _extra(
                "prefect_ray.context", "ray"
            ).remote_options(num_gpus=1)
            return options
        return nullcontext()

    @property
    def deaths(self) -> tuple[type[BaseException], ...]:
        """What is raised for a task whose worker died."""
        deaths: list[type[BaseException]] = [BrokenExecutor, CancelledError, CrashedRun]
        if self.runner == "dask":
            deaths.append(_extra("distributed", "dask").KilledWorker)
        if self.runner == "ray":
            ray = _extra("ray.exceptions", "ray")
            deaths += [ray.WorkerCrashedError, ray.NodeDiedError, ray.ObjectLostError]
            deaths += [ray.OutOfMemoryError, ray.LocalRayletDiedError]
        return tuple(deaths)


def _extra(module: str, extra: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        if missing := missing_package(error, extra):
            raise missing from error
        raise StopRun(f"{extra} cannot be used: {error}") from error


@contextmanager
def _same_signals() -> Iterator[None]:
    """Ray puts its own handlers in the place of Prefect's, which end a run that is cancelled."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    if threading.current_thread() is threading.main_thread():
        for number, handler in before.items():
            signal.signal(number, handler)


def _within(seconds: float, call: Callable[..., object], *arguments: Any, **named: Any) -> None:
    """Call something and wait so long for it; it is left behind where that is not enough."""
    calling = threading.Thread(target=call, args=arguments, kwargs=named, daemon=True)
    calling.start()
    calling.join(seconds)
