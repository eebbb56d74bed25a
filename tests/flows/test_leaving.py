"""A run that is left early is gone within five seconds, and the ledger knows what was done."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import toy_build
import toy_flow
from prefect.settings import PREFECT_API_URL
from standing import ended, recorded, shards_of

from tests.flows.toys import make_toys

pytestmark = [pytest.mark.usefixtures("prefect_server"), pytest.mark.timeout(300)]
COUNT = 18


@contextmanager
def building(root: Path, media: Path, runner: str) -> Iterator[subprocess.Popen[str]]:
    """The toy's build as a program of its own."""
    root.mkdir(exist_ok=True)
    environment = {
        **os.environ,
        "PREFECT_API_URL": PREFECT_API_URL.value() or "",
        "SYMMV_TOY_PAUSE_S": "0.4",
    }
    log = root.with_suffix(".log").open("w+")
    process = subprocess.Popen(
        [sys.executable, "-m", "toy_flow", str(root), str(media), runner, "5"],
        env=environment,
        stdout=log,
        stderr=log,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    except BaseException:
        log.seek(0)
        print(log.read())
        raise
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        log.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("runner", "number"),
    [
        pytest.param("local", signal.SIGTERM, marks=pytest.mark.long),
        pytest.param("threads", signal.SIGINT, marks=pytest.mark.long),
        ("threads", signal.SIGTERM),
        ("processes", signal.SIGTERM),
        pytest.param("dask", signal.SIGTERM, marks=pytest.mark.long),
        pytest.param(
            "ray",
            signal.SIGTERM,
            marks=pytest.mark.skipif(
                "SYMMV_TEST_RAY" not in os.environ,
                reason="test_clusters has a cluster of Ray's; set SYMMV_TEST_RAY for this too",
            ),
        ),
    ],
)
def test_a_run_that_is_told_to_end_does_and_loses_nothing(
    tmp_path: Path, runner: str, number: signal.Signals
) -> None:
    media, root, plain = make_toys(tmp_path / "media", COUNT), tmp_path / "root", tmp_path / "plain"
    plain.mkdir()
    toy_build.run(str(plain), media, ledger_url=f"sqlite:///{plain}/l.sqlite", workers=0)
    with building(root, media, runner) as process:
        until = time.monotonic() + 120
        while len(ended(root)) < 4:
            assert process.poll() is None, "it ended by itself"
            assert time.monotonic() < until, "it never began"
            time.sleep(0.1)
        family = psutil.Process(process.pid).children(recursive=True)
        told = time.monotonic()
        process.send_signal(number)
        process.wait(30)
        took_s = time.monotonic() - told
        assert took_s < 5
        assert process.returncode in (128 + number, -number)
        _, alive = psutil.wait_procs(family, 5 - took_s)
        assert not [one.cmdline() for one in alive]
    done = ended(root)
    assert 4 <= len(done) < COUNT
    assert recorded(root) == done
    summary = toy_flow.toy(str(root), str(media), "threads", None, 8)
    assert (summary.unfinished, shards_of(root / "toy")) == (0, shards_of(plain / "toy"))
