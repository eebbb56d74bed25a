"""A process of the tests that dies costs the test that it died of, and the run still ends."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CONFTEST = """
from tests.sharing import ByFilesAndPages

def pytest_xdist_make_scheduler(config, log):
    return ByFilesAndPages(config, log)
"""
# The last files but one are begun by a process that has completed others.
TESTS = """
import os
from pathlib import Path
import pytest

@pytest.mark.parametrize("number", range(3))
def test_one(number):
    died = Path("died")
    if FILE == 5 and number == 1 and not died.exists():
        died.touch()
        os._exit(1)
"""


def test_a_run_ends_one_of_whose_processes_died(tmp_path: Path) -> None:
    pytest.importorskip("xdist")
    (tmp_path / "conftest.py").write_text(CONFTEST)
    for number in range(1, 7):
        (tmp_path / f"test_{number}.py").write_text(TESTS.replace("FILE", str(number)))
    command = "-m pytest -q -n 2 --dist loadfile --no-loadscope-reorder -p no:cacheprovider"
    environment = {n: v for n, v in os.environ.items() if not n.startswith("PYTEST_")}
    run = subprocess.run(
        [sys.executable, *command.split(), "-p", "no:anyio", "."],
        cwd=tmp_path,
        env=environment | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    # What it died of is tried again, and passes.
    assert "1 failed, 18 passed" in run.stdout, run.stdout + run.stderr
