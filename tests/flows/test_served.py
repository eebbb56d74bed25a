"""Served flows on a real server of Prefect's: runs come on schedule, and outlive its restart.

It takes about two minutes, so it runs where SYMMV_TEST_CLUSTERS=1 says so.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

pytest.importorskip("yt_dlp")

from loopback import CHANNEL, make_video, running, video_id

from symmv_builder.demo.catalogue import Upload

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        os.environ.get("SYMMV_TEST_CLUSTERS") != "1", reason="set SYMMV_TEST_CLUSTERS=1 to run"
    ),
]
DEPLOYMENT = """
deployments:
  - name: often
    entrypoint: flows.crawl:crawl
    parameters: {{dataset: muvisync, screen: false, root: {root}, sources: {sources}}}
    schedules:
      - interval: 5
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        port = chosen.getsockname()[1]
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")},
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_RUNNER_POLL_FREQUENCY": "3",
        "DO_NOT_TRACK": "1",
        "SYMMV_SITES": "demo",
    }


class Programs:
    """Programs in the background, killed with all their children at the latest at the end."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        self.environment = environment
        self.log = log
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
        api = self.environment["PREFECT_API_URL"]
        port = api.rsplit(":", 1)[1].partition("/")[0]
        words = ("prefect", "server", "start", "--host", "127.0.0.1", "--port", port)
        process = self.start(*words)
        wait_for(lambda: is_up(api), 120)
        return process

    def kill(self, process: subprocess.Popen[Any]) -> None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def kill_all(self) -> None:
        for process in reversed(self.running):
            self.kill(process)


def is_up(api: str) -> bool:
    try:
        return httpx.get(f"{api}/health", timeout=5).is_success
    except httpx.HTTPError:
        return False


def wait_for(found: Callable[[], Any], seconds: float) -> Any:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        value = found()
        if value:
            return value
        time.sleep(0.5)
    raise TimeoutError(f"not within {seconds} s")


def runs(api: str) -> dict[str, str]:
    """State of every run that is not yet to come, by its id."""
    answer = httpx.post(f"{api}/flow_runs/filter", json={"limit": 200}, timeout=30).json()
    return {run["id"]: run["state_type"] for run in answer if run["state_type"] != "SCHEDULED"}


def test_runs_come_on_schedule_and_outlive_a_restart_of_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    sources, served = tmp_path / "sources.toml", tmp_path / "served.yaml"
    sources.write_text('[[channel]]\nsite = "demo"\nref = "piano"\n')
    served.write_text(DEPLOYMENT.format(root=tmp_path / "root", sources=sources))
    upload = Upload(video_id(1), "Song", CHANNEL.name, make_video(tmp_path / "video.mp4"))
    api = environment["PREFECT_API_URL"]
    programs = Programs(environment, tmp_path / "log")
    started = time.monotonic()

    def told(what: str) -> None:
        print(f"{time.monotonic() - started:6.1f} s  {what}", file=sys.stderr)

    def now(state: str) -> set[str]:
        return {name for name, found in runs(api).items() if found == state}

    with running(monkeypatch, upload) as site:
        environment["SYMMV_DEMO_SITE"] = site.url
        try:
            server = programs.start_server()
            told("the server is up")
            serving = programs.start("flows.serve", str(served))
            wait_for(lambda: len(now("COMPLETED")) >= 2, 180)
            told("two runs are completed")
            under_way = wait_for(lambda: now("RUNNING"), 120)
            before = now("COMPLETED") | under_way
            programs.kill(server)
            told("a run was under way when the server was killed")
            time.sleep(5)
            programs.start_server()
            told("the server is up again")
            wait_for(lambda: len(now("COMPLETED") - before) >= 2, 240)
            told("two more runs are completed")
            told(f"the one that was under way is {[runs(api)[name] for name in under_way]}")
            assert serving.poll() is None
        finally:
            programs.kill_all()
