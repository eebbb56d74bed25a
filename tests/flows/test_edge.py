"""What the package raises becomes the state that a person sees; slots survive their server."""

from functools import partial
from typing import Any

import httpx
import pytest
from prefect import flow

from flows import edge
from symmv_builder.errors import Reason, RejectEntry, RetryLater, SessionBlocked, StopRun

pytestmark = pytest.mark.usefixtures("prefect_server")


def attempt(monkeypatch: pytest.MonkeyPatch, error: Exception | None) -> tuple[Any, int]:
    """The final state of a task that raises, and how often it was tried."""
    monkeypatch.setattr(edge, "_RETRY_DELAYS_S", [0.0, 0.0])
    tries = []

    @edge.tried_again("attempt", "network")
    def work() -> int:
        tries.append(1)
        if error:
            raise error
        return 7

    ended = []

    @flow(name="attempting")
    def attempting() -> None:
        ended.append(work(return_state=True))

    attempting()
    return ended[0], len(tries)


def test_only_what_may_pass_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    for error in (RetryLater("busy"), SessionBlocked("bot check")):
        state, tries = attempt(monkeypatch, error)
        assert (state.is_failed(), tries) == (True, 3)
    for bug in (ValueError("a bug"), RejectEntry(Reason.SILENT, "no sound")):
        state, tries = attempt(monkeypatch, bug)
        assert (state.name, tries) == ("Failed", 1)


def test_a_stopped_task_says_so_and_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    state, tries = attempt(monkeypatch, StopRun("no weights for CLIP"))
    assert (state.name, state.message, tries) == ("Stopped", "no weights for CLIP", 1)


def test_a_task_that_goes_well_is_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    state, tries = attempt(monkeypatch, None)
    assert (state.is_completed(), tries) == (True, 1)


def test_a_slot_is_held_by_one_at_a_time_and_given_back() -> None:
    from prefect.client.orchestration import get_client

    edge.set_up_limits()
    with get_client(sync_client=True) as client:
        with edge.slot("network"):
            assert client.read_global_concurrency_limit_by_name("network").active_slots == 1
        assert client.read_global_concurrency_limit_by_name("network").active_slots == 0


def test_a_limit_that_is_not_there_is_an_error_and_not_a_free_pass() -> None:
    with pytest.raises(Exception, match="must be created"), edge.slot("no-such-limit"):
        pytest.fail("worked without a limit")


def test_the_rate_holds_back_what_comes_too_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge, "rate_limit", partial(edge.rate_limit, timeout_seconds=1.0))
    edge.set_up_limits(items_an_hour=20)
    edge.take_turn()
    with pytest.raises(TimeoutError):
        edge.take_turn()


def test_a_server_that_is_away_is_a_reason_to_try_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise httpx.ConnectError("connection refused")

    monkeypatch.setattr(edge, "rate_limit", away)
    with pytest.raises(RetryLater, match="does not answer"):
        edge.take_turn()


def test_a_slot_that_cannot_be_given_back_does_not_undo_the_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Held:
        def __enter__(self) -> None: ...

        def __exit__(self, *_: Any) -> None:
            raise httpx.ConnectError("connection refused")

    monkeypatch.setattr(edge, "concurrency", lambda *_, **__: Held())
    with edge.slot("network"):
        done = True
    assert done


def test_the_processor_needs_no_slot_of_the_gpu() -> None:
    with edge.gpu_slot("cpu"):
        pass
