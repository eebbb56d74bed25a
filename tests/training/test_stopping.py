"""A signal ends a training behind its step with a checkpoint; the run goes on to the same losses.

All four trainers, in this process: a training raises the signal at a step that it tells of.
"""

import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from symmv_builder import backends
from symmv_builder.errors import StopRun
from symmv_builder.pipeline.events import Tick
from symmv_builder.storage.root import Root
from symmv_builder.training import run_folders
from symmv_builder.training.journal import read_metrics
from symmv_builder.training.ranks import Ranks
from symmv_builder.training.runs import Request, start
from symmv_builder.training.stopping import Ending, is_best, reached, require_finite
from tests.training.amt import amt_rows
from tests.training.amt.regressor import songs
from tests.training.vmcp import clip_rows, tones
from tests.training.vmusprod import song_rows

ROOT = Path(__file__).resolve().parents[2]
ALONE = Ranks(0, 1, torch.device("cpu"))


@dataclass(frozen=True)
class Case:
    """A trainer on a small dataset: the part of it that is interrupted, and the run's folder."""

    trainer: str
    dataset: str
    config: Any
    data: Callable[[Path], Root]
    part: str
    stage: str = ""


CASES = (
    Case("vmusprod", "symmv", song_rows.tiny(), song_rows.small_dataset, "melody", "melody"),
    Case("amt", "muvisync", amt_rows.TINY, amt_rows.small_dataset, "amt"),
    Case("regressor", "muvisync", songs.configured(steps="6"), songs.dataset, "regressor"),
    Case("vmcp", "symmv", clip_rows.TINY, clip_rows.small_dataset, "vmcp"),
)
every_trainer = pytest.mark.parametrize("case", CASES, ids=lambda case: case.trainer)


@pytest.fixture(autouse=True)
def hears_tones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(backends.TABLE, ("audio_embedding", tones.NAME), f"{tones.__name__}:Tones")


def lines(run: Path) -> list[dict[str, Any]]:
    return [{k: v for k, v in line.items() if k != "examples_per_s"} for line in read_metrics(run)]


@pytest.mark.slow
@every_trainer
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_keeps_the_step_that_a_training_is_in(
    case: Case, number: signal.Signals, tmp_path: Path
) -> None:
    # Checkpoints by steps are too rare to help.
    config = replace(case.config, checkpoint_every=100)
    root = case.data(tmp_path / "data")

    def interrupt(tick: Tick) -> None:
        if (tick.part, tick.step, tick.is_validation) == (case.part, 4, False):
            signal.raise_signal(number)

    whole = start(case.trainer, config, Request(root, case.dataset, tmp_path / "whole"))
    request = Request(root, case.dataset, tmp_path / "torn", tell=interrupt)
    before = signal.getsignal(number)
    first = start(case.trainer, config, request)
    assert signal.getsignal(number) == before
    ended = "interrupted" if number == signal.SIGINT else "terminated"
    assert (first.step, first.ended) == (4, ended)
    assert first.checkpoint == tmp_path / "torn" / case.stage / "checkpoints" / "00000004"
    assert first.checkpoint.is_dir()
    second = start(case.trainer, config, Request(root, case.dataset, tmp_path / "torn"))
    assert (second.step, second.ended, second.losses) == (whole.step, "steps", whole.losses)
    assert lines(tmp_path / "torn" / case.stage) == lines(tmp_path / "whole" / case.stage)
    files = [out / case.stage / "checkpoints" for out in (tmp_path / "torn", tmp_path / "whole")]
    torn, never = (folder / "00000006" / "model.safetensors" for folder in files)
    assert torn.read_bytes() == never.read_bytes()


@pytest.mark.slow
@every_trainer
def test_checkpoints_come_by_time_too(case: Case, tmp_path: Path) -> None:
    config = replace(case.config, checkpoint_every=100)
    root = case.data(tmp_path / "data")
    seen: list[str] = []

    def look(tick: Tick) -> None:
        if tick.part == case.part:
            place = run_folders.latest(tmp_path / "run" / case.stage)
            seen.append(place.name if place else "")

    request = Request(root, case.dataset, tmp_path / "run", tell=look, checkpoint_s=0.0)
    start(case.trainer, config, request)
    assert {"00000001", "00000002", "00000005"} <= set(seen)


def test_a_clock_that_was_just_looked_at_is_not_due() -> None:
    state = {"step": 3, "stale": 0}
    ending = Ending(ALONE, 9, None, time.monotonic() + 3600, 3600.0)
    assert [ending.is_due(step, 2) for step in (1, 2, 3, 4)] == [False, True, False, True]
    assert ending.behind(state) == ""
    assert Ending(ALONE, 9, None, time.monotonic(), 3600.0).behind(state) == "time"


def test_what_was_to_be_done_goes_before_time() -> None:
    late = time.monotonic()
    assert Ending(ALONE, 3, None, late, 3600.0).behind({"step": 3, "stale": 0}) == "steps"
    assert Ending(ALONE, 9, 2, late, 3600.0).behind({"step": 3, "stale": 2}) == "early"


@pytest.mark.parametrize(
    ("state", "steps", "patience", "ended"),
    [
        ({"step": 3, "stale": 0}, 9, None, ""),
        ({"step": 9, "stale": 0}, 9, None, "steps"),
        ({"step": 9, "stale": 0}, 12, None, ""),
        ({"step": 9, "stale": 0}, 6, None, "steps"),
        ({"step": 5, "stale": 4}, 9, 4, "early"),
        ({"step": 5, "stale": 4}, 9, 8, ""),
        ({"step": 5, "stale": 4}, 9, None, ""),
    ],
)
def test_a_run_is_over_where_a_limit_is_reached(
    state: dict[str, Any], steps: int, patience: int | None, ended: str
) -> None:
    assert reached(state, steps, patience) == ended


def test_the_best_is_the_lowest_and_others_take_patience() -> None:
    state: dict[str, Any] = {"best": None, "stale": 0}
    asked = [(3.0, True), (3.0, True), (4.0, False), (math.nan, True), (2.0, True), (2.5, True)]
    found = [is_best(state, loss, counts=counts) for loss, counts in asked]
    assert found == [True, False, False, False, True, False]
    assert state == {"best": 2.0, "stale": 1}


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_no_number_is_one_line(loss: float) -> None:
    require_finite(1e300, 7)
    with pytest.raises(StopRun, match=rf"the loss is {loss} behind step 7; lower lr or raise"):
        require_finite(loss, 7)


# A step that never ends: the first signal waits for it, the second does not.
STUCK = """
import math, signal, time, torch
# A shell that begins the tests in the background has them ignore interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)
from symmv_builder.training.ranks import Ranks
from symmv_builder.training.stopping import Ending
state = {"step": 1, "stale": 0}
with Ending(Ranks(0, 1, torch.device("cpu")), 9, None, math.inf, 300.0) as ending:
    print("begun", flush=True)
    while True:
        time.sleep(0.05)
        if ending.behind(state):
            print(ending.behind(state), flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_ends_at_once(number: signal.Signals) -> None:
    stuck = subprocess.Popen(
        [sys.executable, "-c", STUCK],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert stuck.stdout
    try:
        assert stuck.stdout.readline() == "begun\n"
        stuck.send_signal(number)
        assert stuck.stdout.readline() in ("interrupted\n", "terminated\n")
        # The same signal passed on by whoever started both is no second one.
        stuck.send_signal(number)
        time.sleep(1.2)
        assert stuck.poll() is None
        stuck.send_signal(number)
        assert stuck.wait(timeout=10) == -number
    finally:
        stuck.kill()
        stuck.stdout.close()
        stuck.wait()
