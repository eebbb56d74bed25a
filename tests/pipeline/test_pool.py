"""Worker processes: deaths, hangs and stops, none of which may lose finished work."""

from pathlib import Path

import pytest
import toy

from symmv_builder.errors import Reason, StopRun
from symmv_builder.pipeline.pool import Effort, WorkerBug, run_entries
from symmv_builder.pipeline.run import Outcome
from symmv_builder.storage.root import Root
from symmv_builder.storage.sidecars import Sidecars


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return Root(str(tmp_path / "root"))


def outcomes(root: Root, folder: Path, texts: dict[str, str], effort: Effort) -> dict[str, Outcome]:
    works = [toy.work(root, folder, name, text) for name, text in texts.items()]
    found = run_entries(works, toy.plan(), root.url, toy.load_model, effort=effort)
    return {outcome.entry_id: outcome for outcome in found}


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_every_entry_comes_to_its_end(root: Root, tmp_path: Path, workers: int) -> None:
    texts = {f"e{number}": "x" * number for number in range(1, 7)} | {"r": "reject"}
    found = outcomes(root, tmp_path, texts, Effort(workers=workers))
    assert found.keys() == texts.keys()
    assert found["r"].rejection is not None
    assert found["r"].rejection.reason is Reason.SILENT
    assert all(outcome.rejection is None for name, outcome in found.items() if name != "r")


def test_a_step_that_crashes_its_worker_twice_turns_its_entry_away(
    root: Root, tmp_path: Path
) -> None:
    found = outcomes(root, tmp_path, {"bad": "segfault", "good": "fine"}, Effort(workers=1))
    assert found["bad"].rejection is not None
    assert found["bad"].rejection.reason is Reason.CRASHED
    assert found["good"].rejection is None
    key = toy.plan().keys(toy.work(root, tmp_path, "bad", "segfault"))["measured"]
    assert Sidecars(root, "toy").rejection("bad", "measured", key) == found["bad"].rejection


def test_a_worker_killed_from_outside_is_not_the_fault_of_its_entry(
    root: Root, tmp_path: Path
) -> None:
    found = outcomes(root, tmp_path, {"killed": "outside", "good": "fine"}, Effort(workers=1))
    assert found["killed"].rejection is None
    assert "memory" in found["killed"].retry
    assert found["good"].rejection is None
    assert not found["good"].retry


def test_a_step_that_hangs_is_killed_and_its_entry_turned_away(root: Root, tmp_path: Path) -> None:
    effort = Effort(workers=1, patience_s=0.5)
    found = outcomes(root, tmp_path, {"slow": "sleep", "good": "fine"}, effort)
    assert found["slow"].rejection is not None
    assert found["slow"].rejection.reason is Reason.TIMED_OUT
    assert found["good"].rejection is None


def test_a_stop_ends_the_run_with_its_own_words(root: Root, tmp_path: Path) -> None:
    with pytest.raises(StopRun, match="the weights are gone"):
        outcomes(root, tmp_path, {"a": "stop"}, Effort(workers=1))


def test_a_bug_is_raised_with_its_traceback(root: Root, tmp_path: Path) -> None:
    with pytest.raises(WorkerBug, match="KeyError"):
        outcomes(root, tmp_path, {"a": "bug"}, Effort(workers=1))
