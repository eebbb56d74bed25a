"""Every quarter of an hour: runs whose process has died are marked as crashed, and go on.

A run of ours that stands as Running without a sign of life has lost its process. It is marked as
crashed, so that it holds nobody up. Then the last run of each deployment is looked at: where it
crashed, because its process was killed or its server was away, it is scheduled again, as itself
and with its parameters. What it had done is found, so it goes on where it was. A run that a
person cancelled, or that stopped for a reason that a person must mend, is left alone.
"""

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
from prefect import flow, get_client, get_run_logger
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.context import FlowRunContext
from prefect.states import AwaitingRetry, Cancelled, Completed, Crashed

from symmv_builder.errors import RetryLater

from .edge import whole_run

FLOWS = ("build", "crawl", "release", "train")
# Many times the seconds between two signs of life, and longer than a server takes to restart.
PATIENCE_S = 60.0
# A run that has crashed so often is a person's business.
MOST_TRIES = 8
_AT_WORK = [StateType.RUNNING, StateType.PENDING, StateType.CANCELLING]


@flow(name="resume", persist_result=False)
@whole_run
def resume(
    patience_s: float = PATIENCE_S, flows: Sequence[str] = FLOWS, most_tries: int = MOST_TRIES
) -> State[dict[str, Any]]:
    """Mark dead runs of our flows as crashed, and let the last run of each deployment go on."""
    logger = get_run_logger()
    try:
        with get_client(sync_client=True) as client:
            _skip_late_ones(client)
            dead = find_dead(client, flows, patience_s)
            for run in dead:
                end_dead(client, run)
                logger.warning("%s (%s) had lost its process", run.name, run.id)
            again = [run for run in find_crashed(client, flows) if run.run_count < most_tries]
            for run in again:
                client.set_flow_run_state(run.id, AwaitingRetry(), force=True)
                logger.info("%s (%s) goes on", run.name, run.id)
    except httpx.HTTPError as error:
        raise RetryLater(f"Prefect's server does not answer: {error}") from error
    plain = {"dead": [str(run.id) for run in dead], "again": [str(run.id) for run in again]}
    return Completed(message=f"{len(dead)} had died, {len(again)} go on", data=plain)


def find_dead(client: SyncPrefectClient, flows: Sequence[str], patience_s: float) -> list[FlowRun]:
    """Runs that are said to be at work and showed no sign of life for so long.

    They are looked at twice: when the server was away, those that live could not say so, and
    do it as soon as it is back.
    """
    silent = _silent(client, flows, patience_s)
    if not silent:
        return []
    time.sleep(patience_s)
    still = {run.id: run.updated for run in _silent(client, flows, patience_s)}
    return [run for run in silent if still.get(run.id) == run.updated]


def _silent(client: SyncPrefectClient, flows: Sequence[str], patience_s: float) -> list[FlowRun]:
    before = datetime.now(UTC) - timedelta(seconds=patience_s)
    runs = _read_runs(client, flows, FlowRunFilter(state=_of_type(_AT_WORK)))
    return [run for run in runs if run.updated is not None and run.updated < before]


def end_dead(client: SyncPrefectClient, run: FlowRun) -> None:
    """Say at the server how a run ended that cannot say it itself."""
    is_cancelled = run.state is not None and run.state.type == StateType.CANCELLING
    message = "its process is gone"
    state: State[Any] = Cancelled(message=message) if is_cancelled else Crashed(message=message)
    client.set_flow_run_state(run.id, state, force=True)


def find_crashed(client: SyncPrefectClient, flows: Sequence[str]) -> list[FlowRun]:
    """List the last run of each deployment, where that crashed."""
    crashed = _read_runs(client, flows, FlowRunFilter(state=_of_type([StateType.CRASHED])))
    deployments = {run.deployment_id for run in crashed if run.deployment_id}
    lasts = [_last_run(client, deployment) for deployment in sorted(deployments, key=str)]
    return [run for run in lasts if run and run.state and run.state.type == StateType.CRASHED]


def _last_run(client: SyncPrefectClient, deployment: UUID) -> FlowRun | None:
    """Read the latest run of a deployment that is due; others are to come."""
    due = FlowRunFilter(
        deployment_id=FlowRunFilterDeploymentId(any_=[deployment]),
        expected_start_time=_until_now(),
    )
    runs = client.read_flow_runs(
        flow_run_filter=due, sort=FlowRunSort.EXPECTED_START_TIME_DESC, limit=1
    )
    return runs[0] if runs else None


def _skip_late_ones(client: SyncPrefectClient) -> None:
    """Runs of this deployment that could not start while others were at work: one is enough."""
    context = FlowRunContext.get()
    own_run = context.flow_run if context else None
    if own_run is None or own_run.deployment_id is None:
        return
    late = FlowRunFilter(
        deployment_id=FlowRunFilterDeploymentId(any_=[own_run.deployment_id]),
        state=_of_type([StateType.SCHEDULED]),
        expected_start_time=_until_now(),
    )
    for run in client.read_flow_runs(flow_run_filter=late):
        if run.id != own_run.id:
            client.delete_flow_run(run.id)


def _until_now() -> FlowRunFilterExpectedStartTime:
    return FlowRunFilterExpectedStartTime.model_validate({"before_": datetime.now(UTC)})


def _of_type(types: list[StateType]) -> FlowRunFilterState:
    return FlowRunFilterState(type=FlowRunFilterStateType(any_=types))


def _read_runs(
    client: SyncPrefectClient, flows: Sequence[str], filters: FlowRunFilter
) -> list[FlowRun]:
    return client.read_flow_runs(
        flow_filter=FlowFilter(name=FlowFilterName(any_=list(flows))),
        flow_run_filter=filters,
        sort=FlowRunSort.EXPECTED_START_TIME_DESC,
        limit=200,
    )
