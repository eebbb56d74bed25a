"""Worker processes: deaths, hangs and stops, none of which may lose finished work."""

import multiprocessing as mp
import os
import signal
import threading
import time
from pathlib import Path

import pytest
import toy

from symmv_builder.errors import Reason, StopRun
from symmv_builder.pipeline.pool import Effort, run_entries
from symmv_builder.pipeline.run import EntryOutcome
from symmv_builder.storage.root import Root
from symmv_builder.storage.sidecars import Sidecars


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return Root(str(tmp_path / "root"))


def outcomes(
    root: Root, folder: Path, texts: dict[str, str], effort: Effort
) -> dict[str, EntryOutcome]:
    works = [toy.work(root, folder, name, text) for name, text in texts.items()]
    run = run_entries(works, toy.plan(), root.url, toy.load_model, effort=effort)
    return {outcome.entry_id: outcome for outcome in run}


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_every_entry_comes_to_its_end(root: Root, tmp_path: Path, workers: int) -> None:
    texts = {f"e{number}": "x" * number for number in range(1, 7)} | {"r": "reject"}
    by_id = outcomes(root, tmp_path, texts, Effort(workers=workers))
    assert by_id.keys() == texts.keys()
    assert by_id["r"].rejection is not None
    assert by_id["r"].rejection.reason is Reason.SILENT
    assert all(outcome.rejection is None for name, outcome in by_id.items() if name != "r")


def test_a_step_that_crashes_its_worker_twice_turns_its_entry_away(
    root: Root, tmp_path: Path
) -> None:
    by_id = outcomes(root, tmp_path, {"bad": "segfault", "good": "fine"}, Effort(workers=1))
    assert by_id["bad"].rejection is not None
    assert by_id["bad"].rejection.reason is Reason.CRASHED
    assert by_id["good"].rejection is None
    key = toy.plan().keys(toy.work(root, tmp_path, "bad", "segfault"))["measured"]
    assert Sidecars(root, "toy").rejection("bad", "measured", key) == by_id["bad"].rejection


def test_a_worker_killed_from_outside_is_not_the_fault_of_its_entry(
    root: Root, tmp_path: Path
) -> None:
    by_id = outcomes(root, tmp_path, {"killed": "outside", "good": "fine"}, Effort(workers=1))
    assert by_id["killed"].rejection is None
    assert "memory" in by_id["killed"].retry
    assert by_id["good"].rejection is None
    assert not by_id["good"].retry


def test_a_step_that_hangs_is_killed_and_its_entry_turned_away(root: Root, tmp_path: Path) -> None:
    effort = Effort(workers=1, patience_s=0.5)
    by_id = outcomes(root, tmp_path, {"slow": "sleep", "good": "fine"}, effort)
    assert by_id["slow"].rejection is not None
    assert by_id["slow"].rejection.reason is Reason.TIMED_OUT
    assert by_id["good"].rejection is None


def test_a_stop_ends_the_run_with_its_own_words(root: Root, tmp_path: Path) -> None:
    with pytest.raises(StopRun, match="the weights are gone"):
        outcomes(root, tmp_path, {"a": "stop"}, Effort(workers=1))


@pytest.mark.parametrize("workers", [0, 2])
def test_a_bug_puts_its_entry_aside_and_the_others_go_on(
    root: Root, tmp_path: Path, workers: int
) -> None:
    texts = {"bad": "bug", "good": "fine", "fair": "also fine"}
    by_id = outcomes(root, tmp_path, texts, Effort(workers=workers))
    rejection = by_id["bad"].rejection
    assert rejection is not None
    assert rejection.reason is Reason.FAILED
    assert rejection.detail.startswith("KeyError: ")
    work = toy.work(root, tmp_path, "bad", "bug")
    assert root.path(f"assets/{work.music_sha256[:2]}/{work.music_sha256}") in rejection.detail
    assert rejection.bug is not None
    assert rejection.bug.kind == "KeyError"
    assert rejection.bug.place.startswith("pipeline/toy.py:")
    assert rejection.bug.place.endswith(" in measure")
    assert "Traceback (most recent call last)" in rejection.bug.traceback
    assert all(by_id[name].rejection is None for name in ("good", "fair"))
    key = toy.plan().keys(work)["measured"]
    assert Sidecars(root, "toy").rejection("bad", "measured", key) == rejection


def test_what_is_kept_of_a_bug_is_short_and_can_be_stored_everywhere(
    root: Root, tmp_path: Path
) -> None:
    by_id = outcomes(root, tmp_path, {"odd": "bug", "long": "long"}, Effort(workers=1))
    for outcome in by_id.values():
        assert outcome.rejection is not None
        assert outcome.rejection.bug is not None
        for text in (outcome.rejection.detail, outcome.rejection.bug.traceback):
            assert "\0" not in text
            assert len(text.encode()) < 11_000
        assert outcome.rejection.detail == outcome.results[-1].detail
    assert by_id["long"].rejection is not None
    assert "in measure" in by_id["long"].rejection.detail


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("text", ["memory", "files"])
def test_what_the_machine_lacks_leaves_an_entry_for_another_run(
    root: Root, tmp_path: Path, workers: int, text: str
) -> None:
    by_id = outcomes(root, tmp_path, {"big": text, "good": "fine"}, Effort(workers=workers))
    assert by_id["big"].rejection is None
    assert {"memory": "out of memory", "files": "Too many open"}[text] in by_id["big"].retry
    assert not by_id["good"].retry
    assert not Sidecars(root, "toy").present("big")


def test_a_full_disk_in_a_step_stops_the_run(root: Root, tmp_path: Path) -> None:
    with pytest.raises(StopRun, match="No space left"):
        outcomes(root, tmp_path, {"a": "full"}, Effort(workers=1))


def test_a_step_that_leaves_the_program_is_a_crash_and_no_bug(root: Root, tmp_path: Path) -> None:
    by_id = outcomes(root, tmp_path, {"a": "exit"}, Effort(workers=1))
    assert by_id["a"].rejection is not None
    assert by_id["a"].rejection.reason is Reason.CRASHED
    with pytest.raises(SystemExit):
        outcomes(root, tmp_path, {"a": "exit again"}, Effort(workers=0))


def run_with(
    root: Root, folder: Path, load_model: object, effort: Effort, *, entries: int = 3
) -> list[EntryOutcome]:
    works = [toy.work(root, folder, f"e{n}", "x" * (n + 1)) for n in range(entries)]
    return list(run_entries(works, toy.plan(), root.url, load_model, effort=effort))  # type: ignore[arg-type]


@pytest.mark.parametrize("workers", [0, 1])
def test_a_model_that_cannot_be_loaded_stops_the_run(
    root: Root, tmp_path: Path, workers: int
) -> None:
    with pytest.raises(StopRun, match=r"factor model two cannot be loaded: AttributeError.*toy.py"):
        run_with(root, tmp_path, toy.load_badly, Effort(workers=workers))
    assert not any(".rejected." in name for name in Sidecars(root, "toy").present("e0"))


def test_a_worker_that_hangs_while_it_loads_is_replaced(
    root: Root, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hangs").write_text("1")
    monkeypatch.setenv("TOY_HANGS", str(tmp_path / "hangs"))
    results = run_with(root, tmp_path, toy.load_slowly, Effort(loading_patience_s=4))
    assert len(results) == 3
    assert not any(outcome.rejection or outcome.retry for outcome in results)


def test_workers_that_hang_while_they_load_stop_the_run_and_blame_nobody(
    root: Root, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hangs").write_text("11")
    monkeypatch.setenv("TOY_HANGS", str(tmp_path / "hangs"))
    with pytest.raises(StopRun, match="loading the factor model two took longer than 4 s"):
        run_with(root, tmp_path, toy.load_slowly, Effort(loading_patience_s=4))
    assert not any(".rejected." in name for name in Sidecars(root, "toy").present("e0"))


def test_workers_that_die_while_they_load_stop_the_run(root: Root, tmp_path: Path) -> None:
    with pytest.raises(StopRun, match="loading the factor model two ended with exit code 7"):
        run_with(root, tmp_path, toy.start_badly, Effort())


def test_workers_that_are_all_killed_while_they_load_stop_the_run(
    root: Root, tmp_path: Path
) -> None:
    with pytest.raises(StopRun, match=r"killed in loading the factor model two.*out of memory"):
        run_with(root, tmp_path, toy.load_too_much, Effort(workers=2), entries=9)


@pytest.mark.parametrize("times", [1, 2])
def test_a_worker_that_is_halted_before_its_first_step_does_not_hang_the_run(
    root: Root, tmp_path: Path, times: int
) -> None:
    left = threading.Semaphore(times)

    def halt() -> None:
        seen: set[int | None] = set()
        while left.acquire(blocking=False):
            while not (new := {p.pid for p in mp.active_children()} - seen):
                time.sleep(0.01)
            [pid] = new
            seen.add(pid)
            assert pid is not None
            os.kill(pid, signal.SIGSTOP)

    thread = threading.Thread(target=halt, daemon=True)
    thread.start()
    effort = Effort(loading_patience_s=4)
    if times == 1:
        assert len(run_with(root, tmp_path, toy.load_model, effort)) == 3
    else:
        with pytest.raises(StopRun, match="the start of a worker took longer than 4 s"):
            run_with(root, tmp_path, toy.load_model, effort)
    thread.join(10)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_recording_whose_bytes_were_damaged_is_not_the_entry_s_fault(
    root: Root, tmp_path: Path, workers: int
) -> None:
    works = [toy.work(root, tmp_path, "e", "fine"), toy.work(root, tmp_path, "gone", "gone")]
    for work, text in zip(works, ("reject", None), strict=True):
        path = Path(root.path(f"assets/{work.music_sha256[:2]}/{work.music_sha256}"))
        path.unlink() if text is None else path.write_text(text)
    effort = Effort(workers=workers)
    by_id = {
        outcome.entry_id: outcome
        for outcome in run_entries(works, toy.plan(), root.url, toy.load_model, effort=effort)
    }
    assert by_id["e"].retry.endswith(" is damaged")
    assert "recordings are gone" in by_id["gone"].retry
    assert not Sidecars(root, "toy").present("e") | Sidecars(root, "toy").present("gone")


def test_a_crash_over_damaged_bytes_is_not_the_entry_s_fault(root: Root, tmp_path: Path) -> None:
    work = toy.work(root, tmp_path, "e", "fine")
    path = Path(root.path(f"assets/{work.music_sha256[:2]}/{work.music_sha256}"))
    path.write_text("segfault")
    [outcome] = run_entries([work], toy.plan(), root.url, toy.load_model, effort=Effort())
    assert outcome.retry.endswith(" is damaged")


@pytest.mark.parametrize("workers", [0, 1])
def test_a_root_that_is_gone_stops_the_run_and_is_not_made_anew(
    root: Root, tmp_path: Path, workers: int
) -> None:
    works = [toy.work(root, tmp_path, f"e{n}", "fine") for n in range(4)]
    effort = Effort(workers=workers)
    pending = run_entries(works, toy.plan(), root.url, toy.load_model, effort=effort)
    next(pending)
    (tmp_path / "root").rename(tmp_path / "elsewhere")
    with pytest.raises(StopRun, match=r"the data root .* is gone"):
        list(pending)
    assert not (tmp_path / "root").exists()


@pytest.mark.parametrize("where", ["the pass", "first", "second"])
@pytest.mark.parametrize("what", ["sleep", "segfault"])
def test_a_pass_that_costs_its_worker_is_held_against_the_step_that_was_at_work(
    root: Root, tmp_path: Path, where: str, what: str
) -> None:
    work = toy.work(root, tmp_path, "bad", f"{what} in {where}")
    effort = Effort(workers=1, patience_s=4.0 if what == "sleep" else 60.0)
    plan = toy.listening_plan()
    [outcome] = run_entries([work], plan, root.url, toy.load_model, effort=effort)
    assert outcome.rejection is not None
    assert outcome.rejection.reason is (Reason.TIMED_OUT if what == "sleep" else Reason.CRASHED)
    # The pass belongs to the first of its steps, whose turn it was.
    blamed = "second" if where == "second" else "first"
    assert outcome.rejection.step == f"hear_{blamed}"
    artifacts = {name.split(".")[0] for name in Sidecars(root, "toy").present("bad")}
    assert artifacts == ({"first", "weight", "second"} if blamed == "second" else {"first"})
