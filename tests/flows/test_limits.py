"""Slots are held by one at a time, and outlive both their holders and their server."""

import threading
import time
from contextlib import suppress
from functools import partial
from typing import Any
from uuid import uuid4

import httpx
import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitUpdate
from prefect.concurrency.sync import rate_limit
from prefect.exceptions import ObjectNotFound

from flows import limits
from symmv_builder.errors import RetryLater, StopRun

pytestmark = pytest.mark.usefixtures("prefect_server")


def active(name: str) -> float:
    with get_client(sync_client=True) as client:
        return client.read_global_concurrency_limit_by_name(name).active_slots


def test_limits_are_made_once_and_a_person_s_change_stands() -> None:
    limits.set_up_limits(items_an_hour=150)
    with get_client(sync_client=True) as client:
        rate = client.read_global_concurrency_limit_by_name("network-rate")
        assert rate.slot_decay_per_second == pytest.approx(150 / 3600)
        client.update_global_concurrency_limit("gpu", GlobalConcurrencyLimitUpdate(limit=4))
        limits.set_up_limits()
        assert client.read_global_concurrency_limit_by_name("gpu").limit == 4
        client.delete_global_concurrency_limit_by_name("gpu")


def test_a_slot_is_held_by_one_at_a_time_and_given_back() -> None:
    limits.set_up_limits()
    order = []

    def second() -> None:
        with limits.slot("network"):
            order.append("second")

    with limits.slot("network"):
        assert active("network") == 1
        waiting = threading.Thread(target=second)
        waiting.start()
        time.sleep(1.0)
        order.append("first")
    waiting.join(20)
    assert order == ["first", "second"]
    assert active("network") == 0


def test_a_slot_is_given_back_where_the_work_fails() -> None:
    limits.set_up_limits()
    with pytest.raises(KeyError), limits.slot("network"):
        raise KeyError("a bug")
    assert active("network") == 0


def test_a_slot_comes_back_from_a_server_that_forgot_who_holds_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As after its restart: slots are in its database, leases were in its memory."""

    def take_without_a_lease(client: SyncPrefectClient, name: str) -> Any:
        client.increment_concurrency_slots([name], 1, "concurrency")
        return uuid4()

    limits.set_up_limits()
    monkeypatch.setattr(limits, "_take", take_without_a_lease)
    with limits.slot("network"):
        assert active("network") == 1
    assert active("network") == 0


def test_a_limit_that_is_not_there_is_an_error_and_not_a_free_pass() -> None:
    with pytest.raises(StopRun, match="no-such-limit"), limits.slot("no-such-limit"):
        pytest.fail("worked without a limit")


def test_the_rate_holds_back_what_comes_too_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "rate_limit", partial(rate_limit, timeout_seconds=1.0))
    with get_client(sync_client=True) as client, suppress(ObjectNotFound):
        client.delete_global_concurrency_limit_by_name("network-rate")
    limits.set_up_limits(items_an_hour=20)
    limits.take_turn()
    with pytest.raises(TimeoutError):
        limits.take_turn()


def test_a_server_that_is_away_is_a_reason_to_try_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise httpx.ConnectError("connection refused")

    monkeypatch.setattr(limits, "rate_limit", away)
    with pytest.raises(RetryLater, match="does not answer"):
        limits.take_turn()


def test_the_processor_needs_no_slot_of_the_gpu() -> None:
    with limits.gpu_slot("cpu"):
        pass
