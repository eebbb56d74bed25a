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
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import toy_build
from conftest import FOLDERS, make_toys
from standing import ended, recorded, shards_of

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
      - interval: 10
"""


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
        answer = httpx.request(method, f"{self.api}{path}", json=body or None, timeout=30)
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


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    made = Programs(tmp_path)
    try:
        yield made
    finally:
        made.kill_all()
        # Shown by pytest where the test has failed.
        print(made.log.read_text()[-20_000:])


def test_what_dies_goes_on_and_what_is_cancelled_does_not(
    tmp_path: Path, programs: Programs
) -> None:
    media, plain = make_toys(tmp_path / "media", COUNT), tmp_path / "plain"
    plain.mkdir()
    toy_build.run(str(plain), media, ledger_url=f"sqlite:///{plain}/l.sqlite", workers=0)
    served = tmp_path / "served.yaml"
    served.write_text(SERVED)
    started = time.monotonic()

    def told(what: str) -> None:
        print(f"{time.monotonic() - started:6.1f} s  {what}", file=sys.stderr)

    serving = programs.start("flows.serve", str(served))
    server = programs.start_server()
    told("the server is up, and was waited for")

    cancelled = programs.begin(tmp_path / "a", media)
    process = programs.process_of(cancelled)
    family = process.children(recursive=True)
    programs.ask(
        "POST", f"/flow_runs/{cancelled}/set_state", state={"type": "CANCELLING"}, force=True
    )
    _, alive = psutil.wait_procs([process, *family], 5)
    assert not alive
    assert ended(tmp_path / "a") == recorded(tmp_path / "a")
    wait_for(lambda: programs.run(cancelled)["state_type"] == "CANCELLED", 30)
    told("a run is cancelled")

    killed = programs.begin(tmp_path / "b", media)
    programs.process_of(killed).kill()
    programs.wait_until_complete(killed)
    told(f"a run that was killed goes on: {programs.history(killed)}")

    alone = programs.begin(tmp_path / "c", media)
    process = programs.process_of(alone)
    programs.kill(server)
    told("the server is away")
    psutil.wait_procs([process], 120)
    told("the run has ended without it")
    programs.start_server()
    programs.wait_until_complete(alone)
    told(f"a run whose server was away goes on: {programs.history(alone)}")
    assert serving.poll() is None

    orphan = programs.begin(tmp_path / "d", media)
    for child in psutil.Process(serving.pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            child.kill()
    programs.kill(serving)
    told("the machine is gone")
    programs.start("flows.serve", str(served))
    programs.wait_until_complete(orphan)
    told(f"a run whose machine was gone goes on: {programs.history(orphan)}")

    for root in "bcd":
        assert shards_of(tmp_path / root / "toy") == shards_of(plain / "toy")
    for run in (killed, alone, orphan):
        assert "Crashed" in programs.history(run)
    assert programs.run(cancelled)["state_type"] == "CANCELLED"
    assert len(ended(tmp_path / "a")) < COUNT
