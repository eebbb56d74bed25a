"""A guarded function: its crash or hang is a rejection, its errors are its own."""

import os
import signal
import time

import pytest

from symmv_builder.errors import Reason, RejectEntry, RetryLater, StopRun, WorkerBug
from symmv_builder.pipeline.events import Event
from symmv_builder.pipeline.guard import Guarded
from symmv_builder.pipeline.run import Tell


def obey(order: str, tell: Tell) -> str:
    """Do as told; gives the process's number, so that a test sees which one answered."""
    if order.startswith("load"):
        tell(Event("load", "", detail="the model clip"))
        if order == "load and hang":
            time.sleep(60)
        if order == "load and crash":
            os._exit(7)
        tell(Event("begin", ""))
    if order == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if order == "hang":
        time.sleep(60)
    if order == "reject":
        raise RejectEntry(Reason.SILENT, "as told")
    if order == "stop":
        raise StopRun("as told")
    if order == "memory":
        raise MemoryError
    if order == "bug":
        raise KeyError("as told")
    return str(os.getpid())


def test_a_guarded_function_answers_from_one_process_that_is_not_ours() -> None:
    with Guarded(obey, patience_s=30) as guarded:
        first, second = guarded("go"), guarded("go")
    assert first == second != str(os.getpid())


def test_after_a_crash_the_next_call_has_a_new_process() -> None:
    with Guarded(obey, patience_s=30) as guarded:
        before = guarded("go")
        with pytest.raises(RejectEntry) as caught:
            guarded("crash")
        assert caught.value.reason is Reason.CRASHED
        assert guarded("go") != before


def test_a_hang_is_ended_by_the_patience() -> None:
    with Guarded(obey, patience_s=3) as guarded:
        guarded("go")
        with pytest.raises(RejectEntry) as caught:
            guarded("hang")
    assert caught.value.reason is Reason.TIMED_OUT


def test_errors_pass_as_they_are() -> None:
    with Guarded(obey, patience_s=30) as guarded:
        with pytest.raises(RejectEntry, match="as told"):
            guarded("reject")
        with pytest.raises(StopRun, match="as told"):
            guarded("stop")
        with pytest.raises(WorkerBug, match="KeyError") as caught:
            guarded("bug")
        assert caught.value.last_line == "KeyError: 'as told'"
        assert "in obey" in caught.value.bug.place
        with pytest.raises(RetryLater, match="out of memory"):
            guarded("memory")


def test_loading_a_model_has_a_patience_of_its_own() -> None:
    with Guarded(obey, patience_s=60, loading_patience_s=4) as guarded:
        first = guarded("load")
        with pytest.raises(StopRun, match="loading the model clip took longer than 4 s"):
            guarded("load and hang")
        assert guarded("load") != first


def test_a_process_that_dies_while_it_loads_stops_the_run() -> None:
    with (
        Guarded(obey, patience_s=60) as guarded,
        pytest.raises(StopRun, match="loading the model clip ended with exit code 7"),
    ):
        guarded("load and crash")


def test_a_process_that_is_halted_before_its_work_is_replaced() -> None:
    with Guarded(obey, patience_s=60, loading_patience_s=4) as guarded:
        halted = guarded("go")
        os.kill(int(halted), signal.SIGSTOP)
        assert guarded("go") != halted
