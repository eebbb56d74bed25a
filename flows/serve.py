"""Serve the deployments of prefect.yaml on this machine: `python -m symmv_builder.flows.serve`.

Prefect's server must be there (`prefect server start`, and PREFECT_API_URL). It may go away
and come back: serving waits and begins again, and runs that were under way go on meanwhile. A
server that answers and says no, and a file that cannot be served, end it with one line.
"""

import argparse
import inspect
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import yaml
from prefect import get_client, serve
from prefect.deployments.runner import RunnerDeployment
from prefect.events import DeploymentTriggerTypes
from prefect.exceptions import PrefectException
from prefect.flows import Flow, load_flow_from_entrypoint
from prefect.schedules import Cron, Interval, Schedule
from prefect.settings import PREFECT_API_URL
from prefect.types.entrypoint import EntrypointType
from pydantic import TypeAdapter

from symmv_builder.errors import StopRun
from symmv_builder.settings import read_settings

from . import metrics

DEPLOYMENTS = Path(__file__).with_name("prefect.yaml")
_ASKED_EVERY_S = 3.0
_TRIGGERS: TypeAdapter[DeploymentTriggerTypes] = TypeAdapter(DeploymentTriggerTypes)
_FAULTS = (OSError, yaml.YAMLError, KeyError, TypeError, ValueError, ImportError, PrefectException)
# What a server answers that is busy or begins to go away; whatever else it refuses, it refuses.
_AWAY = (408, 425, 429, 500, 502, 503, 504)


def read_deployments(path: Path) -> list[RunnerDeployment]:
    """Read every deployment of a prefect.yaml, its flow really imported; `StopRun` on any fault."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return [read_deployment(each) for each in content["deployments"]]
    except _FAULTS as error:
        message = " ".join(str(error).split())
        raise StopRun(f"{path} cannot be read: {type(error).__name__}: {message}") from error


def read_deployment(entry: Mapping[str, Any]) -> RunnerDeployment:
    """Read one entry of a prefect.yaml as a deployment, its flow really imported."""
    flow: Flow[..., Any] = load_flow_from_entrypoint(
        entry["entrypoint"], use_placeholder_flow=False
    )
    check_parameters(flow, entry["name"], entry.get("parameters") or {})
    deployment = flow.to_deployment(
        name=entry["name"],
        description=entry.get("description"),
        tags=entry.get("tags"),
        parameters=entry.get("parameters"),
        schedules=[read_schedule(each) for each in entry.get("schedules", [])],
        triggers=[_TRIGGERS.validate_python(each) for each in entry.get("triggers", [])],
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    if not isinstance(deployment, RunnerDeployment):
        raise TypeError("a deployment was promised and not made")
    return deployment


def check_parameters(flow: Flow[..., Any], name: str, values: Mapping[str, Any]) -> None:
    """Raise `ValueError` where a flow does not take these parameters, or not as they are."""
    accepted = inspect.signature(flow.fn).parameters
    unknown = sorted(set(values) - set(accepted))
    if unknown:
        raise ValueError(
            f"{name}: {flow.name} has no parameter {', '.join(unknown)}; "
            f"it has {', '.join(accepted)}"
        )
    missing = [
        parameter.name
        for parameter in accepted.values()
        if parameter.default is parameter.empty and parameter.name not in values
    ]
    if missing:
        raise ValueError(f"{name}: {flow.name} needs the parameter {', '.join(missing)}")
    try:
        flow.validate_parameters(dict(values))
    except PrefectException as error:
        raise ValueError(f"{name}: {error}") from error


def read_schedule(entry: Mapping[str, Any]) -> Schedule:
    """Read a schedule as prefect.yaml writes it, by cron or by interval in seconds."""
    named = {"timezone": entry.get("timezone"), "active": entry.get("active", True)}
    if "cron" in entry:
        return Cron(entry["cron"], **named)
    return Interval(timedelta(seconds=entry["interval"]), **named)


def wait_for_server() -> None:
    """Return when Prefect's server answers; `StopRun` where it says no, or none is named."""
    if not PREFECT_API_URL.value():
        raise StopRun("no server is named: set PREFECT_API_URL, as in http://127.0.0.1:4200/api")
    is_waiting = False
    while True:
        try:
            with get_client(sync_client=True) as client:
                client.hello().raise_for_status()
            return
        except (httpx.HTTPError, RuntimeError) as error:
            _stop_at_no(error)
            if not is_waiting:
                where = PREFECT_API_URL.value()
                sys.stderr.write(f"flows.serve: {where} does not answer; waiting for it\n")
                is_waiting = True
            time.sleep(_ASKED_EVERY_S)


def _stop_at_no(error: BaseException) -> None:
    """Raise `StopRun` where a server has answered, and refuses what it was asked."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, httpx.HTTPStatusError) and cause.response.status_code not in _AWAY:
            message = " ".join(f"{cause.response.status_code} {cause.response.text}".split())[:500]
            raise StopRun(f"Prefect's server refuses this: {message}") from error
        if isinstance(cause, httpx.HTTPError):
            return
        cause = cause.__cause__
    raise StopRun(" ".join(str(error).split())) from error


def serve_for_ever(deployments: Sequence[RunnerDeployment], limit: int) -> None:
    """Serve until this program is told to end, however often the server goes away meanwhile."""
    while True:
        wait_for_server()
        try:
            serve(*deployments, limit=limit, pause_on_shutdown=False)
            return
        except BaseExceptionGroup as group:
            for error in _leaves(group):
                if not isinstance(error, (httpx.HTTPError, RuntimeError, PrefectException)):
                    raise
                _stop_at_no(error)
        except (httpx.HTTPError, RuntimeError, PrefectException) as error:
            _stop_at_no(error)
        sys.stderr.write("flows.serve: the server went away; serving begins again\n")
        time.sleep(_ASKED_EVERY_S)


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


def main(arguments: Sequence[str] | None = None) -> int:
    options = argparse.ArgumentParser(prog=f"python -m {__name__}", description=__doc__)
    options.add_argument("file", nargs="?", type=Path, default=DEPLOYMENTS)
    options.add_argument("--limit", type=int, default=1, help="runs at once; others wait")
    metrics.add_option(options)
    options.add_argument(
        "--print", action="store_true", help="print the file instead: a start for one of your own"
    )
    values = options.parse_args(arguments)
    if values.print:
        sys.stdout.write(values.file.read_text(encoding="utf-8"))
        return 0
    try:
        deployments = read_deployments(values.file)
        metrics.export_if_asked(read_settings(), values.metrics_port)
        serve_for_ever(deployments, values.limit)
    except StopRun as error:
        sys.stderr.write(f"flows.serve: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    from .serve import main as run_main

    sys.exit(run_main())
