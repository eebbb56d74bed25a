"""A command that is stopped at any of its writes, or meets a full disk there, loses nothing."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
_IN_MEMORY = Path("/dev/shm")
LONG = {("build", "full"), ("takedown", "full")}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: every place costs two runs and several flushes."""
    is_there = os.access(_IN_MEMORY, os.W_OK)
    with tempfile.TemporaryDirectory(dir=_IN_MEMORY if is_there else tmp_path) as name:
        media = Path(name, "media")
        media.mkdir()
        for number in range(2):
            (media / f"clip{number}.mp4").write_bytes(bytes([number]) * 300)
        (media / "clip2.mp4").write_bytes(b"reject")
        yield Path(name)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "how"),
    [
        pytest.param(command, how, marks=pytest.mark.long if (command, how) in LONG else ())
        for command in ("take_in", "import", "build", "release", "takedown", "promote")
        for how in ("exit", "full")
    ],
)
def test_the_same_command_again_ends_as_if_it_had_not_been_stopped(
    command: str, how: str, folder: Path
) -> None:
    program = [sys.executable, str(HERE / "stopping.py"), command, how, str(folder)]
    run = subprocess.run(program, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-4000:]
    # Each command writes at many more places than this; a count of none would prove nothing.
    assert int(run.stdout.split()[-1]) >= 15
