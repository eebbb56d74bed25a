"""What the tests share: PostgreSQL, and where the development samples lie, if they are here."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

# Workers that run side by side share the cores: each computes with one thread.
if "PYTEST_XDIST_WORKER" in os.environ:
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "tests"))

from postgres import PostgresServer, find_programs, serving  # noqa: E402

from tests.forks import forked_workers  # noqa: E402

# Tests of how workers start, live and die: theirs start as the product starts them.
SPAWNED = (ROOT / "tests" / "pipeline", ROOT / "tests" / "flows")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is slow comes first, so that no process is left alone with it at the end."""
    slow = {
        item.path
        for item in items
        if item.get_closest_marker("slow") or item.get_closest_marker("long")
    }
    items.sort(key=lambda item: (item.path.name != "test_documentation.py", item.path not in slow))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One process more than there are cores: a quarter of the time of a test it only waits.

    Each takes up to 2 GB, so there are four at most.
    """
    return min(4, len(os.sched_getaffinity(0)) + 1)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Share the tests among processes by files and pages."""
    if config.getoption("dist") != "loadfile":
        return None
    from tests.sharing import ByFilesAndPages

    return ByFilesAndPages(config, log)


@pytest.fixture(autouse=True)
def quick_workers(request: pytest.FixtureRequest) -> Iterator[None]:
    """Workers are forks of the process of the tests, but for tests that are about workers."""
    if set(SPAWNED) & set(request.path.parents):
        yield
        return
    with forked_workers():
        yield


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One PostgreSQL server for the session; `postgres.url()` is a new database each time."""
    pytest.importorskip("psycopg", reason="psycopg is not installed: symmv-builder[postgres]")
    try:
        programs = find_programs()
    except LookupError as error:
        pytest.skip(str(error))
    with serving(programs) as server:
        yield server


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> str:
    """Where a new ledger goes in PostgreSQL: a database that nobody has used."""
    return str(postgres.url())


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a new ledger goes, in either database."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{tmp_path}/ledger.sqlite"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real samples beside the checkout; the test is skipped where it is absent."""
    folder = Path(os.environ.get("SYMMV_SHARED", ROOT.parent / "shared")) / "data"
    if not folder.is_dir():
        pytest.skip(f"the development samples are not at {folder} (set SYMMV_SHARED)")
    return folder
