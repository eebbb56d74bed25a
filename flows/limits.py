"""Limit how many tasks use sites and the GPU over all machines, by Prefect's global limits.

A slot is held by a lease that its holder renews, so that one who is killed gives it back
within a minute. Prefect's server forgets its leases when it is restarted, and not that the
slots are taken: a holder who finds its lease forgotten gives the slot back without it, and
what nobody gives back decays.
"""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from uuid import UUID

import httpx
from prefect import get_client
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
from prefect.concurrency.sync import rate_limit
from prefect.exceptions import ObjectNotFound

from symmv_builder.errors import RetryLater, StopRun

# Slots, and how long one is kept at most.
_LIMITS = {"network": (1, 3600.0), "gpu": (1, 4 * 3600.0)}
_RATE = "network-rate"
# The server takes no shorter leases.
_LEASE_S = 60.0
_RENEW_EVERY_S = 20.0
_ASK_EVERY_S = 3.0
_GIVE_UP_AFTER_S = 60.0


def set_up_limits(*, items_an_hour: int | None = None) -> None:
    """Make the limits that are not there; those that a person changed stay as they are.

    `items_an_hour` is for crawls: how many recordings all of them together take up, after a
    small start.
    """
    with _retry_later_without_server(), get_client(sync_client=True) as client:
        for name, (slots, longest_s) in _LIMITS.items():
            try:
                client.read_global_concurrency_limit_by_name(name)
            except ObjectNotFound:
                client.create_global_concurrency_limit(
                    GlobalConcurrencyLimitCreate(
                        name=name, limit=slots, slot_decay_per_second=slots / longest_s
                    )
                )
        if items_an_hour is not None:
            client.upsert_global_concurrency_limit_by_name(
                _RATE,
                limit=max(1, items_an_hour // 20),
                slot_decay_per_second=items_an_hour / 3600,
            )


@contextmanager
def slot(name: str) -> Iterator[None]:
    """Hold one slot of a limit, waiting for it first; `StopRun` where there is no such limit.

    A server that goes away meanwhile does not end the work.
    """
    with get_client(sync_client=True) as client:
        with _retry_later_without_server():
            lease = _take(client, name)
        since = time.monotonic()
        is_over = threading.Event()
        keeper = threading.Thread(target=_keep, args=(lease, is_over), daemon=True)
        keeper.start()
        try:
            yield
        finally:
            is_over.set()
            keeper.join()
            _give_back(client, name, lease, since)


def gpu_slot(device: str) -> AbstractContextManager[None]:
    """Hold a slot of the GPU for models that run there.

    The CPU is shared by the runner's own count.
    """
    return slot("gpu") if device.startswith("cuda") else nullcontext()


def take_turn() -> None:
    """Wait until the crawl may take up one more recording."""
    with _retry_later_without_server():
        rate_limit(_RATE, strict=True)


def _take(client: SyncPrefectClient, name: str) -> UUID:
    """Ask until there is a slot. The server's own advice when to ask again goes by the decay."""
    while True:
        try:
            answer = client.increment_concurrency_slots_with_lease(
                [name], 1, "concurrency", _LEASE_S
            ).json()
        except httpx.HTTPStatusError as error:
            if error.response.status_code != httpx.codes.LOCKED:
                raise
            time.sleep(_ASK_EVERY_S * random.uniform(0.5, 1.5))
            continue
        if not answer["limits"]:
            raise StopRun(f"Prefect's server has no limit {name!r}; run the flow from its start")
        return UUID(answer["lease_id"])


def _keep(lease: UUID, is_over: threading.Event) -> None:
    """Renew a lease until the work is done; a server that is away is asked again."""
    while not is_over.wait(_RENEW_EVERY_S):
        with suppress(httpx.HTTPError), get_client(sync_client=True) as client:
            client.renew_concurrency_lease(lease, _LEASE_S)


def _give_back(client: SyncPrefectClient, name: str, lease: UUID, since: float) -> None:
    """Release a slot that is held since then, by its lease or, where that is forgotten, without."""
    until = time.monotonic() + _GIVE_UP_AFTER_S
    while True:
        try:
            if _is_known(client, lease):
                client.release_concurrency_slots_with_lease(lease)
            else:
                held_s = max(0.001, time.monotonic() - since)
                client.release_concurrency_slots([name], 1, held_s)
            return
        except httpx.HTTPError:
            if time.monotonic() > until:
                return
            time.sleep(_ASK_EVERY_S)


def _is_known(client: SyncPrefectClient, lease: UUID) -> bool:
    """Check whether the server still has a lease, by renewing it."""
    try:
        client.renew_concurrency_lease(lease, _LEASE_S)
    except httpx.HTTPStatusError as error:
        if error.response.status_code == httpx.codes.GONE:
            return False
        raise
    return True


@contextmanager
def _retry_later_without_server() -> Iterator[None]:
    """Turn errors of the connection to Prefect's server into `RetryLater`."""
    try:
        yield
    except httpx.HTTPError as error:
        raise RetryLater(f"Prefect's server does not answer: {error}") from error
