"""Every deployment of prefect.yaml can be served: its flow imports, its schedule can be read."""

import inspect
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.flows import Flow, load_flow_from_entrypoint

from flows import serve
from symmv_builder.datasets import NAMES
from symmv_builder.errors import StopRun

ENTRIES = yaml.safe_load(serve.DEPLOYMENTS.read_text())["deployments"]
SCHEDULED = [entry for entry in ENTRIES if "schedules" in entry]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: str(entry["name"]))
def test_the_flow_of_a_deployment_is_really_imported(entry: dict) -> None:  # type: ignore[type-arg]
    flow: Flow[..., Any] = load_flow_from_entrypoint(
        entry["entrypoint"], use_placeholder_flow=False
    )
    assert isinstance(flow, Flow)
    accepted = inspect.signature(flow.fn).parameters
    assert set(entry["parameters"]) <= set(accepted)
    assert entry["parameters"].get("dataset", NAMES[0]) in NAMES
    flow.validate_parameters(entry["parameters"])


def test_nights_weeks_and_months_are_what_they_are_called() -> None:
    gaps = {}
    for entry in SCHEDULED:
        [schedule] = entry["schedules"]
        first, second = dates(schedule)
        gaps[entry["name"]] = second - first
    day = timedelta(days=1)
    assert gaps["nightly"] == day
    assert gaps["weekly"] == 7 * day
    assert gaps["sundays"] == 7 * day
    assert 28 * day <= gaps["monthly"] <= 31 * day
    assert gaps["resume"] == timedelta(minutes=15)


def test_every_deployment_is_started_by_something() -> None:
    assert all("schedules" in entry or entry["triggers"] for entry in ENTRIES)


def test_a_failed_run_of_every_flow_but_the_messenger_is_told() -> None:
    [notify] = [entry for entry in ENTRIES if "triggers" in entry]
    told = notify["triggers"][0]["match_related"]["prefect.resource.name"]
    names = {entry["entrypoint"].rpartition(":")[2] for entry in SCHEDULED}
    assert set(told) == names - {"resume"}
    assert notify["name"] not in told


def dates(entry: dict) -> list[datetime]:  # type: ignore[type-arg]
    """The next two times of a schedule, by Prefect's own reckoning."""
    import asyncio

    from prefect.server.schemas.schedules import CronSchedule

    schedule = CronSchedule(cron=entry["cron"], timezone=entry["timezone"])
    return asyncio.run(schedule.get_dates(2, start=datetime(2026, 1, 1, tzinfo=UTC)))  # type: ignore[arg-type]


def test_what_is_served_is_what_the_file_says() -> None:
    made = serve.read_deployments(serve.DEPLOYMENTS)
    assert [one.name for one in made] == [entry["name"] for entry in ENTRIES]
    assert [one.entrypoint for one in made] == [
        entry["entrypoint"].replace(":", ".") for entry in ENTRIES
    ]
    for one, entry in zip(made, ENTRIES, strict=True):
        assert [bool(each.schedule) for each in one.schedules or []] == [True] * (
            "schedules" in entry
        )
        assert len(one.triggers) == len(entry.get("triggers", []))


@pytest.mark.parametrize(
    "text",
    [
        "deployments: [{name: a, entrypoint: 'flows.nothing:build'}]",
        "deployments: [{name: a, entrypoint: 'flows.build:nothing'}]",
        "deployments: [{name: a, entrypoint: 'flows.build:build', schedules: [{cron: 'often'}]}]",
        "deployments: [{entrypoint: 'flows.build:build'}]",
        "deployments: [{name: a, entrypoint: 'flows.build:build'}]",
        "deployments: [{name: a, entrypoint: 'flows.build:build', parameters: {dataste: symmv}}]",
        "deployments: [{name: a, entrypoint: 'flows.build:build', "
        "parameters: {dataset: symmv, workers: many}}]",
        "deployments: [{name: a, entrypoint: 'flows.resume:resume', triggers: [{type: none}]}]",
        "nothing: true",
        "{",
    ],
)
def test_a_file_that_cannot_be_served_is_one_clear_line(text: str, tmp_path: Path) -> None:
    path = tmp_path / "prefect.yaml"
    path.write_text(text)
    with pytest.raises(StopRun, match="cannot be read") as caught:
        serve.read_deployments(path)
    assert "\n" not in str(caught.value)
    assert serve.main([str(path)]) == 2
