"""What tests of flows share: one Prefect server a session, and toys that workers can import."""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

pytest.importorskip("prefect", reason="Prefect is not installed: symmv-builder[flows]")

from tests.flows.toys import FOLDERS, make_toys

sys.path[:0] = [folder for folder in FOLDERS if folder not in sys.path]
os.environ["PYTHONPATH"] = os.pathsep.join(
    [*FOLDERS, *filter(None, [os.environ.get("PYTHONPATH")])]
)

import flows  # noqa: E402, F401 (before prefect: it switches reports to outside off)

SERVICES = (
    "CANCELLATION_CLEANUP", "CLEANUP_RECONCILER", "FOREMAN", "LATE_RUNS",
    "PAUSE_EXPIRATIONS", "REPOSSESSOR", "SCHEDULER", "TRIGGERS",
)  # fmt: skip


@pytest.fixture(scope="session", autouse=True)
def quick_processes() -> Iterator[None]:
    """Prefect's process pools fork a server that has imported Prefect: spawned ones take 3 s each.

    A process in which flows run has threads of Prefect's, and is not one to fork.
    """
    import multiprocessing as mp
    from types import SimpleNamespace

    from prefect import task_runners

    mp.set_forkserver_preload(["prefect", "pandas", "flows.build", "toy_flow"])
    stand_in = SimpleNamespace(
        **{name: getattr(mp, name) for name in dir(mp) if not name.startswith("__")}
    )
    stand_in.get_context = lambda _: mp.get_context("forkserver")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(task_runners, "multiprocessing", stand_in)
        yield


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[None]:
    """A server of Prefect's for the session, with a database of its own.

    What it does of itself (schedules, late runs, automations) would take a twentieth of a core
    until the session ends. Tests that look at it start a server of their own.
    """
    from prefect.testing.utilities import prefect_test_harness

    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            for service in SERVICES:
                patch.setenv(f"PREFECT_SERVER_SERVICES_{service}_ENABLED", "false")
            # A machine that is busy takes long to start one.
            stack.enter_context(prefect_test_harness(server_startup_timeout=180))
        yield


@pytest.fixture
def media(tmp_path: Path) -> Path:
    """Twelve entries of the toy recipe, two of which are to be rejected."""
    return make_toys(tmp_path / "media", 12)
