"""What the package raises becomes the state that a person sees."""

from typing import Any

import pytest
from prefect import flow

from flows import edge
from symmv_builder.errors import Reason, RejectEntry, SessionBlocked, StopRun

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
    state, tries = attempt(monkeypatch, SessionBlocked("bot check"))
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
