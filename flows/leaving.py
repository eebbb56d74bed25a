"""How a run is left before its work is done: cancelled, terminated, interrupted.

Prefect raises `TerminationSignal` in a flow that is cancelled or whose process is told to end;
Ctrl-C raises `KeyboardInterrupt`. First the workers are stopped, then the ledger is told of every
entry that had come to its end, then the process goes: within five seconds, whatever else hangs.
"""

import os
import signal
import sys
import threading
from argparse import ArgumentParser
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

import httpx
from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext
from prefect.exceptions import PrefectException, TerminationSignal

from symmv_builder.api.works import EntryOutcome, Plan, Run, Store, Work, record_ended
from symmv_builder.errors import StopRun

from .advice import advised, as_typed

INTERRUPTED = "interrupted; finished work is kept, run the same command to go on"
_GONE_WITHIN_S = 4.5
_ASKED_AGAIN_S = 0.8


@contextmanager
def accounted(
    run: Run, plan: Plan, store: Store, count: Callable[[EntryOutcome], object]
) -> Iterator[Run]:
    """Wrap a run so that `count` is called for every outcome.

    Left by an exception, its workers are stopped, and entries that they had brought to their
    end are recorded, though nobody was told of them any more.
    """
    waiting: dict[str, Work] = {}
    begun: list[Iterator[EntryOutcome]] = []

    def running(works: Sequence[Work]) -> Iterator[EntryOutcome]:
        waiting.update((work.entry_id, work) for work in works)
        outcomes = run(works)
        begun.append(outcomes)
        for outcome in outcomes:
            count(outcome)
            yield outcome
            # Asked for the next one, so this one is recorded.
            waiting.pop(outcome.entry_id, None)

    try:
        yield running
    except BaseException as error:
        if isinstance(error, TerminationSignal):
            leave_soon(128 + signal.SIGTERM)
        for outcomes in begun:
            if isinstance(outcomes, Generator):
                outcomes.close()
        record_ended(store, plan, waiting.values())
        raise


@contextmanager
def asked_until_heard() -> Iterator[None]:
    """Repeat a SIGTERM until it has ended the block.

    Its handler raises wherever the main thread happens to be; in a destructor, for example,
    Python prints what is raised and goes on.
    """
    handler = signal.getsignal(signal.SIGTERM)
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or not callable(handler):
        yield
        return
    heard = threading.Event()

    def ask_again() -> None:
        if not heard.wait(_ASKED_AGAIN_S):
            os.kill(os.getpid(), signal.SIGTERM)

    def ask(number: int, frame: Any) -> None:
        threading.Thread(target=ask_again, daemon=True).start()
        handler(number, frame)

    signal.signal(signal.SIGTERM, ask)
    try:
        yield
    finally:
        heard.set()
        signal.signal(signal.SIGTERM, handler)


def leave_soon(code: int) -> None:
    """End this process with an exit code in a few seconds, whatever it still waits for."""
    leaving = threading.Timer(_GONE_WITHIN_S, os._exit, (code,))
    leaving.daemon = True
    leaving.start()


def leave_now(code: int) -> NoReturn:
    """End this process and its children; workers of ours also leave by themselves.

    A server of Prefect's that was started for this run alone does not.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    for path in Path("/proc/self/task").glob("*/children"):
        for child in path.read_text().split():
            with suppress(ProcessLookupError):
                os.kill(int(child), signal.SIGTERM)
    os._exit(code)


def obey_signals() -> None:
    """Make Ctrl-C and SIGTERM end this program soon and in order, and a second one at once."""

    def at_once(number: int, _: object) -> None:
        sys.stderr.write(f"\n{INTERRUPTED}\n")
        leave_now(128 + number)

    def in_order(number: int, frame: object) -> None:
        if FlowRunContext.get() is None:
            at_once(number, frame)
        signal.signal(signal.SIGINT, at_once)
        leave_soon(128 + number)
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, in_order)
    # While a flow runs Prefect catches it, ends the run, and hands it on to this.
    signal.signal(signal.SIGTERM, at_once)


@contextmanager
def refusing(options: ArgumentParser) -> Iterator[None]:
    """End the program with one line and exit code 2 where the block raises `StopRun`."""
    try:
        yield
    except StopRun as error:
        options.exit(2, f"{options.prog}: error: {as_typed(error, advised(error))}\n")


def run_program(flow: Callable[..., Any], *arguments: Any, **named: Any) -> int:
    """Run a flow as a program that obeys signals: its last line, and its exit code.

    Where Prefect has no server to run it with, that is one line and exit code 2.
    """
    obey_signals()
    try:
        state = flow(*arguments, **named, return_state=True)
    except (httpx.HTTPError, PrefectException, RuntimeError) as error:
        # What a flow itself raises is its state; this is Prefect that could not begin or go on.
        message = " ".join(str(error).split()) or type(error).__name__
        sys.stderr.write(f"Prefect's server cannot be used: {message[:500]}\n")
        return 2
    return finish(state)


def finish(state: State[Any]) -> int:
    """Print a run's last line; gives `symmv`'s exit code: 1 where work is left, 2 for `Stopped`."""
    sys.stderr.flush()
    if state.is_completed():
        sys.stdout.write(f"{state.message}\n")
        return int(state.name in ("Unfinished", "Failing"))
    message = state.message or ""
    if state.name == "Stopped":
        error = state.result(raise_on_failure=False, _sync=True)  # type: ignore[call-overload]
        message = as_typed(error, message)
    sys.stderr.write(f"{state.name}: {message}\n")
    if state.is_cancelled():
        leave_now(128 + signal.SIGINT)
    return {"Stopped": 2, "Unreachable": 1}.get(state.name or "", 3)
