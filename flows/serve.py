"""Serve the deployments of prefect.yaml on this machine: `python -m flows.serve`.

Prefect's server must be there (`prefect server start`, and PREFECT_API_URL). It may go away
and come back: serving begins again, and runs that were under way go on meanwhile.
"""

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import yaml
from prefect import serve
from prefect.deployments.runner import RunnerDeployment
from prefect.exceptions import PrefectException
from prefect.flows import Flow, load_flow_from_entrypoint
from prefect.schedules import Cron, Interval, Schedule
from prefect.types.entrypoint import EntrypointType

from symmv_builder.errors import StopRun

DEPLOYMENTS = Path(__file__).with_name("prefect.yaml")
_AGAIN_S = 10.0
_FAULTS = (OSError, yaml.YAMLError, KeyError, TypeError, ValueError, ImportError, PrefectException)


def read_deployments(path: Path) -> list[RunnerDeployment]:
    """Every deployment of a prefect.yaml, its flow really imported; `StopRun` on any fault."""
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
        return [read_deployment(each) for each in found["deployments"]]
    except _FAULTS as error:
        raise StopRun(f"{path} cannot be read: {type(error).__name__}: {error}") from error


def read_deployment(entry: Mapping[str, Any]) -> RunnerDeployment:
    flow: Flow[..., Any] = load_flow_from_entrypoint(
        entry["entrypoint"], use_placeholder_flow=False
    )
    deployment = flow.to_deployment(
        name=entry["name"],
        description=entry.get("description"),
        tags=entry.get("tags"),
        parameters=entry.get("parameters"),
        schedules=[read_schedule(each) for each in entry.get("schedules", [])],
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    if not isinstance(deployment, RunnerDeployment):
        raise TypeError("a deployment was promised and not made")
    return deployment


def read_schedule(entry: Mapping[str, Any]) -> Schedule:
    """A schedule as prefect.yaml writes it, by cron or by interval in seconds."""
    named = {"timezone": entry.get("timezone"), "active": entry.get("active", True)}
    if "cron" in entry:
        return Cron(entry["cron"], **named)
    return Interval(timedelta(seconds=entry["interval"]), **named)


def main(arguments: Sequence[str] | None = None) -> int:
    options = argparse.ArgumentParser(prog="python -m flows.serve", description=__doc__)
    options.add_argument("file", nargs="?", type=Path, default=DEPLOYMENTS)
    options.add_argument("--limit", type=int, default=1, help="runs at once; others wait")
    given = options.parse_args(arguments)
    try:
        deployments = read_deployments(given.file)
    except StopRun as error:
        sys.stderr.write(f"flows.serve: {error}\n")
        return 2
    while True:
        try:
            serve(*deployments, limit=given.limit, pause_on_shutdown=False)
            return 0
        except (httpx.HTTPError, RuntimeError) as error:
            sys.stderr.write(f"flows.serve: {error}; once more in {_AGAIN_S:.0f} s\n")
            time.sleep(_AGAIN_S)


if __name__ == "__main__":
    sys.exit(main())
