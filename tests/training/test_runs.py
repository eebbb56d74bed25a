"""A trainer is started by its name; what a GPU cannot do is said with what to do about it."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from symmv_builder.errors import FolderTaken, StopRun, TooLittleMemory
from symmv_builder.storage.root import Root
from symmv_builder.training import PRESETS, TRAINERS, checkpoint, runs
from symmv_builder.training.runs import Outcome, Request, configure, start
from symmv_builder.training.trainer import Columns, Trainer


@pytest.mark.parametrize("trainer", TRAINERS)
@pytest.mark.parametrize("preset", PRESETS)
def test_every_trainer_has_every_preset(trainer: str, preset: str) -> None:
    assert configure(trainer, preset, {"seed": "3"}).seed == 3


def test_settings_change_a_preset_and_leave_the_others_alone() -> None:
    changed = configure("regressor", "smoke", {"model": "lstm", "lr": "0.5"})
    assert (changed.model, changed.lr) == ("lstm", 0.5)
    assert configure("regressor", "smoke", {}).model == "bigru"


def failing(error: Exception, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Failing(Trainer):
        title = "failing"
        presets = {}  # noqa: RUF012

        def columns(self, config: object) -> Columns:
            return (), ()

        def train(self, config: object, request: Request) -> Outcome:
            raise error

    monkeypatch.setattr(runs, "find_trainer", lambda name: Failing())
    request = Request(Root(str(tmp_path)), "symmv", tmp_path / "run", device="cuda")
    start("amt", SimpleNamespace(batch_size=32), request)


def test_too_little_memory_is_one_line_with_a_way_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(TooLittleMemory, match="cuda has too little memory; a batch_size below 32"):
        failing(torch.OutOfMemoryError("CUDA out of memory. Tried"), monkeypatch, tmp_path)


def test_a_model_larger_than_memory_is_one_line_with_a_way_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(RuntimeError) as refused:
        torch.empty(2**60, dtype=torch.uint8)
    for error in (refused.value, MemoryError("Unable to allocate 32.9 GiB")):
        with pytest.raises(TooLittleMemory, match="a batch_size below 32"):
            failing(error, monkeypatch, tmp_path)


def test_a_compiler_that_fails_is_one_line_with_a_way_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    error = torch._dynamo.exc.BackendCompilerFailed(lambda: None, RuntimeError("no gcc"), None)
    with pytest.raises(StopRun, match="compile=false does without"):
        failing(error, monkeypatch, tmp_path)


def test_a_bug_stays_a_bug(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="a bug"):
        failing(KeyError("a bug"), monkeypatch, tmp_path)


def test_a_folder_with_other_things_in_it_is_no_run_s(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.tex").write_text("precious")
    request = Request(Root(str(tmp_path)), "muvisync", tmp_path / "run")
    with pytest.raises(
        FolderTaken, match="run holds something else than a run; give a folder that"
    ):
        start("amt", configure("amt", "smoke", {}), request)
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["thesis.tex"]
    request = Request(Root(str(tmp_path)), "muvisync", tmp_path / "run" / "thesis.tex")
    with pytest.raises(FolderTaken, match="holds something else than a run"):
        start("amt", configure("amt", "smoke", {}), request)


@pytest.mark.parametrize(("standing", "stage"), [("amt", ""), ("vmusprod.chord", "chord")])
def test_a_folder_of_another_trainer_s_run_is_refused(
    standing: str, stage: str, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    checkpoint.save(
        run / stage, kind=standing, config={}, state={"step": 1}, about={}, module=torch.nn.ReLU()
    )
    request = Request(Root(str(tmp_path)), "muvisync", run)
    with pytest.raises(FolderTaken, match=f"run holds a run of {standing}; give a folder"):
        start("regressor", configure("regressor", "smoke", {}), request)


def test_a_run_of_a_dataset_that_is_not_there_leaves_no_folder(tmp_path: Path) -> None:
    request = Request(Root(str(tmp_path / "data")), "muvisync", tmp_path / "run")
    with pytest.raises(StopRun, match="has no shards"):
        start("amt", configure("amt", "smoke", {}), request)
    assert list(tmp_path.iterdir()) == []


def test_a_way_changes_what_the_defaults_do_otherwise_and_settings_go_before_it() -> None:
    paper = configure("vmusprod", "smoke", {}, "paper")
    assert (paper.tempo, paper.timing, paper.transpose) == ("motion", "round", "off")
    assert configure("vmusprod", "smoke", {"tempo": "song"}, "paper").tempo == "song"
    assert configure("amt", "smoke", {}, "paper") == configure("amt", "smoke", {})
    assert configure("amt", "smoke", {}, "released").key_flag == "released"
    with pytest.raises(StopRun, match="vmcp has no way 'released'; it has: paper"):
        configure("vmcp", "smoke", {}, "released")
    with pytest.raises(StopRun, match="tempo=motion needs what without_motion leaves out"):
        configure("vmusprod", "smoke", {"without_motion": "true"}, "paper")
