"""Flows that are served on a real server of Prefect's, and whatever dies under them.

One server and one `flows.serve` go through all of it: runs are cancelled, killed, orphaned by the
program that started them, and left alone by their server. Each of the first is gone within five
seconds; each of the others goes on by itself, because `resume` comes on its schedule.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import toy_build
import yaml
from standing import ended, recorded, shards_of

from flows.serve import DEPLOYMENTS
from tests.flows.toys import FOLDERS, make_toys

pytestmark = pytest.mark.timeout(600)
COUNT = 16
SERVED = """
deployments:
  - name: toy
    entrypoint: toy_flow:toy
    parameters: {root: "", media: "", runner: threads, address: "", batch_size: 4}
  - name: resume
    entrypoint: flows.resume:resume
    parameters: {flows: [toy], patience_s: 12}
    schedules:
      - interval: 20
"""


def served_deployments() -> str:
    """The toy's deployments, and `notify` as prefect.yaml has it, listening to the toy."""
    deployments = yaml.safe_load(SERVED)["deployments"]
    [notify] = [
        entry
        for entry in yaml.safe_load(DEPLOYMENTS.read_text())["deployments"]
        if entry["name"] == "notify"
    ]
    notify["triggers"][0]["match_related"]["prefect.resource.name"] = ["toy"]
    return str(yaml.safe_dump({"deployments": [*deployments, notify]}))


class Programs:
    """Programs in the background, killed with all their children at the latest at the end."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as chosen:
            chosen.bind(("127.0.0.1", 0))
            self.port = str(chosen.getsockname()[1])
        self.api = f"http://127.0.0.1:{self.port}/api"
        self.folder = folder
        self.log = folder / "log"
        inherited = {n: value for n, value in os.environ.items() if not n.startswith("PREFECT_")}
        self.environment = {
            **inherited,
            "PYTHONPATH": os.pathsep.join(FOLDERS),
            "PREFECT_HOME": str(folder / "prefect"),
            "PREFECT_API_URL": self.api,
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_RUNNER_POLL_FREQUENCY": "2",
            "DO_NOT_TRACK": "1",
            "SYMMV_TOY_PAUSE_S": "0.5",
        }
        self.running: list[subprocess.Popen[Any]] = []

    def start(self, *words: str) -> subprocess.Popen[Any]:
        with self.log.open("ab") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", *words],
                env=self.environment,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        self.running.append(process)
        return process

    def start_server(self) -> subprocess.Popen[Any]:
        words = ("prefect", "server", "start", "--host", "127.0.0.1", "--port", self.port)
        process = self.start(*words)
        wait_for(self.is_up, 120)
        return process

    def is_up(self) -> bool:
        try:
            return httpx.get(f"{self.api}/health", timeout=5).is_success
        except httpx.HTTPError:
            return False

    def kill(self, process: subprocess.Popen[Any]) -> None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def kill_all(self) -> None:
        for process in reversed(self.running):
            self.kill(process)

    def ask(self, method: str, path: str, **body: Any) -> Any:
        """The server's answer; one that says that it is busy is asked again, as its clients do."""
        until = time.monotonic() + 30
        while True:
            answer = httpx.request(method, f"{self.api}{path}", json=body or None, timeout=30)
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE or time.monotonic() > until:
                break
            time.sleep(0.5)
        answer.raise_for_status()
        return answer.json()

    def begin(self, root: Path, media: Path) -> str:
        """A run of the toy's deployment that is in the middle of its work; its id."""
        root.mkdir()
        toy = wait_for(self.deployment, 60)
        parameters = {**toy["parameters"], "root": str(root), "media": str(media)}
        created = self.ask(
            "POST", f"/deployments/{toy['id']}/create_flow_run", parameters=parameters
        )
        run = str(created["id"])
        wait_for(lambda: len(ended(root)) >= 3, 120)
        return run

    def deployment(self) -> Any:
        """The toy's deployment, once it is served."""
        try:
            return self.ask("GET", "/deployments/name/toy/toy")
        except httpx.HTTPStatusError:
            return None

    def run(self, run: str) -> dict[str, Any]:
        found: dict[str, Any] = self.ask("GET", f"/flow_runs/{run}")
        return found

    def runs_of(self, flow: str) -> list[dict[str, Any]]:
        """Every run of the flow of that name."""
        chosen = {"name": {"any_": [flow]}}
        found: list[dict[str, Any]] = self.ask("POST", "/flow_runs/filter", flows=chosen)
        return found

    def process_of(self, run: str) -> psutil.Process:
        """The process of a run that is at work, as its signs of life name it."""
        return psutil.Process(int(str(self.run(run)["infrastructure_pid"]).rpartition(":")[2]))

    def history(self, run: str) -> list[str]:
        found = httpx.get(f"{self.api}/flow_run_states/", params={"flow_run_id": run}).json()
        return [state["name"] for state in sorted(found, key=lambda one: one["timestamp"])]

    def wait_until_complete(self, run: str) -> None:
        wait_for(lambda: self.run(run)["state_type"] == "COMPLETED", 180)


def wait_for(found: Callable[[], Any], seconds: float) -> Any:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        value = found()
        if value:
            return value
        time.sleep(0.25)
    raise TimeoutError(f"not within {seconds} s")


@dataclass(frozen=True)
class Standing:
    """The server, what serves, and the shards that every run must come to."""

    programs: Programs
    served: Path
    server: subprocess.Popen[Any]
    serving: subprocess.Popen[Any]
    media: Path
    folder: Path
    shards: dict[str, bytes]


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standing]:
    folder = tmp_path_factory.mktemp("served")
    media, plain = make_toys(folder / "media", COUNT), folder / "plain"
    plain.mkdir()
    toy_build.run(str(plain), media, ledger_url=f"sqlite:///{plain}/l.sqlite", workers=0)
    served = folder / "served.yaml"
    served.write_text(served_deployments())
    programs = Programs(folder)
    try:
        # What serves is there first, and waits for its server.
        serving = programs.start("flows.serve", str(served))
        server = programs.start_server()
        shards = shards_of(plain / "toy")
        yield Standing(programs, served, server, serving, media, folder, shards)
    finally:
        programs.kill_all()
        print(programs.log.read_text()[-20_000:])


@pytest.mark.slow
def test_a_run_that_is_cancelled_is_gone_and_stays_so(standing: Standing) -> None:
    programs, root = standing.programs, standing.folder / "cancelled"
    run = programs.begin(root, standing.media)
    process = programs.process_of(run)
    family = process.children(recursive=True)
    state = {"type": "CANCELLING"}
    programs.ask("POST", f"/flow_runs/{run}/set_state", state=state, force=True)
    _, alive = psutil.wait_procs([process, *family], 5)
    assert not alive
    assert ended(root) == recorded(root)
    wait_for(lambda: programs.run(run)["state_type"] == "CANCELLED", 30)
    assert len(ended(root)) < COUNT


@pytest.mark.slow
def test_a_run_that_is_killed_goes_on(standing: Standing) -> None:
    programs, root = standing.programs, standing.folder / "killed"
    run = programs.begin(root, standing.media)
    programs.process_of(run).kill()
    programs.wait_until_complete(run)
    assert "Crashed" in programs.history(run)
    assert shards_of(root / "toy") == standing.shards


@pytest.mark.slow
def test_a_run_that_crashed_is_told_once_by_an_automation(standing: Standing) -> None:
    programs = standing.programs
    killed = {str(run["name"]) for run in programs.runs_of("toy")}

    def messages() -> list[dict[str, Any]]:
        return [run for run in programs.runs_of("notify") if "SIGKILL" in run["parameters"]["body"]]

    [told] = wait_for(messages, 150)
    assert told["parameters"]["subject"] == "toy ended as Crashed"
    assert told["parameters"]["body"].partition(":")[0] in killed
    assert told["parameters"]["block"] == ""
    wait_for(lambda: programs.run(told["id"])["state_name"] == "Logged", 150)


@pytest.mark.long
def test_a_run_goes_on_whose_machine_has_died_with_all_that_was_on_it(standing: Standing) -> None:
    programs, root = standing.programs, standing.folder / "orphan"
    run = programs.begin(root, standing.media)
    for child in psutil.Process(standing.serving.pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            child.kill()
    programs.kill(standing.serving)
    assert programs.run(run)["state_type"] == "RUNNING"
    programs.start("flows.serve", str(standing.served))
    programs.wait_until_complete(run)
    assert "Crashed" in programs.history(run)
    assert shards_of(root / "toy") == standing.shards


@pytest.mark.long
def test_a_run_goes_on_whose_server_was_away(standing: Standing) -> None:
    programs, root = standing.programs, standing.folder / "alone"
    run = programs.begin(root, standing.media)
    programs.kill(standing.server)
    time.sleep(15)
    programs.start_server()
    programs.wait_until_complete(run)
    assert shards_of(root / "toy") == standing.shards
