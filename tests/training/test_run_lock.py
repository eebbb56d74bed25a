"""One writer for each run's folder: the second says who holds it, the dead hold nothing."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from symmv_builder.cli.advice import advised
from symmv_builder.errors import RunLocked, StopRun
from symmv_builder.training.run_lock import LOCK, hold_run

ROOT = Path(__file__).resolve().parents[2]
# Holds the folder, says so, and leaves when its standard input ends.
HOLDER = """
import sys
from pathlib import Path
from symmv_builder.training.run_lock import hold_run
sys.argv[0] = "a \\x1b[31mred\\n command"
with hold_run(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""
# Twenty times, four at once: how many got the folder, and what the others were told.
RACE = """
import os, sys
from pathlib import Path
from symmv_builder.cli.advice import advised
from symmv_builder.errors import RunLocked, StopRun
from symmv_builder.training.run_lock import hold_run

def come(folder, go, stay):
    os.read(go, 1)
    try:
        with hold_run(folder):
            (folder / "metrics.jsonl").open("a").write("trained\\n")
            os.read(stay, 1)
            return 0
    except StopRun as error:
        return 2 if "being trained by" in str(error) else 1

for number in range(20):
    folder, (go, start), (stay, end) = Path(sys.argv[1]) / str(number), os.pipe(), os.pipe()
    for _ in range(4):
        if os.fork() == 0:
            os.close(start)
            os.close(end)
            os._exit(come(folder, go, stay))
    # A pipe that nobody can write to any more is read at once.
    os.close(start)
    codes = [os.waitstatus_to_exitcode(os.wait()[1]) for _ in range(3)]
    os.close(end)
    codes.append(os.waitstatus_to_exitcode(os.wait()[1]))
    print(codes, (folder / "metrics.jsonl").read_text().count("trained"), flush=True)
"""


@contextmanager
def held_by_another(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, folder],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdin
    assert holder.stdout
    try:
        assert holder.stdout.readline() == "held\n"
        yield holder
    finally:
        holder.stdin.close()
        holder.wait(timeout=30)
        holder.stdout.close()


def test_the_second_is_told_who_holds_a_run_and_since_when(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with held_by_another(folder) as holder:
        with pytest.raises(RunLocked) as stop, hold_run(folder):
            pass
        said = str(stop.value)
        assert f"{folder} is being trained by process {holder.pid} on " in said
        assert "since 20" in said
        assert advised(stop.value).endswith("; wait for its end with --wait, or give another --out")
        assert "\x1b" not in said, "what another command line holds reaches no terminal"
        assert "\n" not in said
    with hold_run(folder):
        assert json.loads((folder / LOCK).read_text())["pid"] == os.getpid()


def test_the_dead_hold_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with held_by_another(folder) as holder:
        holder.send_signal(signal.SIGKILL)
        holder.wait(timeout=30)
        assert (folder / LOCK).is_file()
        with hold_run(folder):
            pass


def test_who_waits_comes_next(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    came: list[float] = []

    def come() -> None:
        with hold_run(folder, wait=True):
            came.append(time.monotonic())

    with held_by_another(folder):
        (folder / "metrics.jsonl").write_text("")
        waiting = threading.Thread(target=come)
        waiting.start()
        time.sleep(0.3)
        assert came == []
    waiting.join(timeout=30)
    assert len(came) == 1


def test_of_several_at_once_one_holds_a_run(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", RACE, tmp_path], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert done.stdout.splitlines() == ["[2, 2, 2, 0] 1"] * 20


def test_a_folder_in_which_nothing_was_written_goes_again(tmp_path: Path) -> None:
    with pytest.raises(StopRun, match="no shards"), hold_run(tmp_path / "new"):
        raise StopRun("no shards")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "old").mkdir()
    with hold_run(tmp_path / "old"):
        pass
    assert [path.name for path in (tmp_path / "old").iterdir()] == [LOCK]


def test_a_link_in_the_place_of_the_lock_is_not_followed(tmp_path: Path) -> None:
    mine = tmp_path / "mine.txt"
    mine.write_text("precious")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / LOCK).symlink_to(mine)
    with pytest.raises(StopRun, match="cannot write to") as stop, hold_run(tmp_path / "run"):
        pass
    assert "\n" not in str(stop.value)
    assert mine.read_text() == "precious"
