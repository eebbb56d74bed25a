"""Programs of others that read and write our annotations, in environments of their own.

Their packages cannot be installed beside ours, or bring a database. Whoever has made an environment
with one names its Python in ``SYMMV_TEST_PACKAGE``; docs/how-to/annotation-tools.md says how.
"""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest


def python_with(package: str) -> str:
    """Find the Python of an environment with a package; without one the test is skipped."""
    variable = f"SYMMV_TEST_{package.upper()}"
    python = os.environ.get(variable)
    if not python:
        pytest.skip(f"{package} needs an environment of its own: {variable} names no Python of one")
    return python


def run(python: str, code: str, *arguments: str | Path, home: Path) -> Any:
    """What a program in such an environment prints last, as JSON."""
    home.mkdir(exist_ok=True)
    env = {"HOME": str(home), "PATH": os.environ["PATH"], "FIFTYONE_DO_NOT_TRACK": "true"}
    command = [python, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=home, env=env, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])
