"""The services of compose.yaml, run as processes of this machine in place of containers.

PostgreSQL and a stand-in for the object store are real servers; what compose.yaml starts of ours is
started with its own words and variables, of which only addresses and ports are changed.
"""

import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from tests import postgres, s3
from tests.songs import song

pytest.importorskip("psycopg", reason="psycopg is not installed: symmv-builder[postgres]")

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]
ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
DATABASE = re.compile(r"(postgresql[+a-z]*)://postgres:[^@]*@postgres:5432/(\w+)")
GIVEN = re.compile(r"\$\{(\w+):[?-]([^}]*)\}")
VALUES = {"POSTGRES_PASSWORD": "secret", "STORE_SECRET": "secret", "SYMMV_DEVICE": "cpu"}


def free_port() -> str:
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        return str(chosen.getsockname()[1])


@dataclass(frozen=True)
class Stack:
    """The services as processes; `changes` are the addresses that differ from the containers'."""

    folder: Path
    databases: dict[str, str]
    changes: dict[str, str]
    ports: dict[str, str]
    running: list[subprocess.Popen[bytes]]

    def here(self, text: str) -> str:
        """A word or a value of compose.yaml as it is on this machine."""
        text = GIVEN.sub(lambda found: VALUES[found[1]], text)
        text = DATABASE.sub(lambda found: f"{found[1]}{self.databases[found[2]]}", text)
        for there, here in self.changes.items():
            text = text.replace(there, here)
        return self.ports.get(text, text)

    def environment(self, service: str) -> dict[str, str]:
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PREFECT_", "SYMMV_", "AWS_"))
        }
        own = COMPOSE["services"][service].get("environment", {})
        programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return {
            **inherited,
            **{name: self.here(str(value)) for name, value in own.items()},
            "PATH": programs,
            "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
            "PREFECT_HOME": str(self.folder / "prefect"),
            "PREFECT_WORKER_QUERY_SECONDS": "2",
        }

    def start(self, service: str, *words: str) -> subprocess.Popen[bytes]:
        """A service, or another command in its container; its output goes to the log."""
        what = COMPOSE["services"][service]
        listed = words or [*what.get("entrypoint", []), *what.get("command", [])]
        with (self.folder / "log").open("ab") as out:
            process = subprocess.Popen(
                [self.here(str(word)) for word in listed],
                env=self.environment(service),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        self.running.append(process)
        return process

    def run(self, service: str, *words: str) -> None:
        assert self.start(service, *words).wait(300) == 0, service

    def stop(self) -> None:
        for process in reversed(self.running):
            with ExitStack() as ignoring:
                ignoring.callback(process.wait)
                if process.poll() is None:
                    family = [*psutil.Process(process.pid).children(recursive=True), process]
                    for each in family:
                        each.kill()


def whole_postgres() -> Path:
    """Programs of a PostgreSQL with its extensions, of which Prefect needs `pg_trgm`."""
    for place in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        extensions = Path("/usr/share/postgresql", place.parent.name, "extension")
        if (extensions / "pg_trgm.control").is_file() and (place / "initdb").is_file():
            return place
    pytest.skip("no PostgreSQL with the extension pg_trgm: apt install postgresql")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Everything up, in the order that compose.yaml demands."""
    folder = tmp_path_factory.mktemp("stack")
    with postgres.serving(whole_postgres()) as database, s3.serving() as store:
        urls = {name: database.url() for name in ("prefect", "symmv")}
        ports = {"4200": free_port(), "9464": free_port()}
        stack = Stack(
            folder,
            {name: url.partition("postgresql+psycopg")[2] for name, url in urls.items()},
            {
                "http://store:8333": store,
                "http://prefect:4200": f"http://127.0.0.1:{ports['4200']}",
                "/cache": str(folder / "cache"),
                "0.0.0.0": "127.0.0.1",
            },
            ports,
            [],
        )
        try:
            stack.run("bucket")
            stack.start("prefect")
            wait_for(f"http://127.0.0.1:{ports['4200']}/api/health", 120)
            stack.run("deployments")
            stack.start("worker")
            stack.start("metrics")
            yield stack
        finally:
            stack.stop()
            print((folder / "log").read_text(errors="replace")[-20_000:])


def wait_for(url: str, seconds: float) -> str:
    until = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return str(answer.read().decode())
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.5)


def test_a_build_in_the_worker_writes_the_store_the_ledger_and_the_metrics(
    stack: Stack, tmp_path: Path
) -> None:
    for number in range(3):
        song(tmp_path / "midi", f"song{number}.mid", number)
    code = "from symmv_builder.cli import main; main()"
    words = ("import", "midi", str(tmp_path / "midi"), "--beats", "file", "--workers", "1")
    stack.run("worker", "python", "-c", code, *words)
    command = ("deployment", "run", "build/weekly", "--param", "dataset=midi", "--watch")
    stack.run("worker", "prefect", *command)

    metrics = wait_for(f"http://127.0.0.1:{stack.ports['9464']}/metrics", 60)
    assert 'symmv_entries{dataset="midi",state="made"} 3.0' in metrics
    assert "symmv_up 1.0" in metrics
    stack.run("worker", "python", "-c", code, "verify", "midi")
    assert not list(stack.folder.rglob("*.parquet")), "shards are in the store, not on a disk"
