"""The loop: it learns, it goes on where it was killed, ranks share a batch, it knows its end."""

import json
import os
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from symmv_builder.errors import StopRun
from symmv_builder.pipeline.events import Tick
from symmv_builder.storage.root import Root
from symmv_builder.training.journal import read_metrics
from symmv_builder.training.runs import Outcome, Request, configure
from symmv_builder.training.vmcp.config import PRESETS, VmcpConfig
from symmv_builder.training.vmcp.loading import OBJECTIVES, load
from symmv_builder.training.vmcp.train import train
from tests.training.vmcp.clip_rows import TINY, clip_row, write_rows

ROOT = Path(__file__).resolve().parents[3]
every_objective = pytest.mark.parametrize("objective", OBJECTIVES)


def run(config: VmcpConfig, root: Root, out: Path, **request: Any) -> Outcome:
    return train(config, Request(root, "symmv", out, **request))


def losses(out: Path) -> list[dict[str, Any]]:
    return [{k: v for k, v in line.items() if k != "examples_per_s"} for line in read_metrics(out)]


def process(
    root: Root, out: Path, settings: dict[str, Any], *more: str, **environment: str
) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.training.vmcp.training_process", root.url, str(out)]
    return subprocess.Popen(
        [*command, json.dumps(settings), *more],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        stdout=subprocess.PIPE,
        text=True,
    )


@every_objective
def test_both_objectives_train_and_leave_a_run(
    objective: Any, dataset: Root, tmp_path: Path
) -> None:
    ticks: list[Tick] = []
    config = replace(TINY, objective=objective)
    outcome = run(config, dataset, tmp_path / "run", tell=ticks.append)
    assert (outcome.step, outcome.ended) == (6, "steps")
    lines = losses(tmp_path / "run")
    trained = [line for line in lines if line["split"] == "train"]
    assert [line["step"] for line in trained] == [1, 2, 3, 4, 5, 6]
    assert [line["step"] for line in lines if line["split"] == "validation"] == [3, 6]
    assert [tick.step for tick in ticks if tick.is_validation] == [3, 6]
    assert [t.step for t in ticks if t.part == "music features"] == list(range(1, 14))
    assert trained[1]["lr"] == pytest.approx(config.rate(2))
    if objective == "gvmgen":
        assert all(x["loss"] == pytest.approx(x["nce"] + x["off_diagonal"]) for x in lines)
    loaded = load(outcome.best, objective)
    assert loaded.config == config
    assert loaded.about["music_model"]["backend"] == "tones"
    assert list((tmp_path / "run").glob("events.out.tfevents.*"))


@every_objective
def test_a_killed_run_goes_on_with_the_losses_of_one_that_was_not(
    objective: Any, dataset: Root, tmp_path: Path
) -> None:
    settings = {"objective": objective, "steps": 9, "dropout": 0.1, "max_segments": 3}
    whole = replace(TINY, **settings)
    run(whole, dataset, tmp_path / "whole")
    with process(dataset, tmp_path / "killed", settings, "7") as killed:
        assert killed.stdout is not None
        assert killed.stdout.readline() == "halted\n"
        killed.send_signal(signal.SIGKILL)
    assert losses(tmp_path / "killed")[-1]["step"] == 7
    outcome = run(whole, dataset, tmp_path / "killed")
    assert losses(tmp_path / "killed") == losses(tmp_path / "whole")
    for folder in ("best", "checkpoints/00000009"):
        one, other = (
            load(tmp_path / name / folder, objective).model.state_dict()
            for name in ("whole", "killed")
        )
        assert all(torch.equal(one[n], other[n]) for n in one)
    assert outcome.step == 9


def test_a_run_that_time_ended_goes_on_likewise(dataset: Root, tmp_path: Path) -> None:
    config = replace(TINY, dropout=0.1, validate_every=1)
    run(config, dataset, tmp_path / "whole")
    outcome = run(config, dataset, tmp_path / "stopped", max_s=0.0)
    assert (outcome.step, outcome.ended) == (1, "time")
    assert outcome.best.is_dir()
    outcome = run(config, dataset, tmp_path / "stopped")
    assert (outcome.step, outcome.ended) == (6, "steps")
    assert losses(tmp_path / "stopped") == losses(tmp_path / "whole")


def test_another_seed_learns_otherwise_and_the_same_seed_alike(
    dataset: Root, tmp_path: Path
) -> None:
    for name, seed in (("one", 0), ("two", 0), ("three", 1)):
        run(replace(TINY, dropout=0.1, seed=seed), dataset, tmp_path / name)
    assert losses(tmp_path / "one") == losses(tmp_path / "two") != losses(tmp_path / "three")


def test_workers_change_nothing(dataset: Root, tmp_path: Path) -> None:
    run(TINY, dataset, tmp_path / "none")
    run(TINY, dataset, tmp_path / "two", workers=2)
    assert losses(tmp_path / "none") == losses(tmp_path / "two")


def test_a_finished_run_is_left_as_it_is(dataset: Root, tmp_path: Path) -> None:
    first = run(TINY, dataset, tmp_path / "run")
    lines = losses(tmp_path / "run")
    assert run(TINY, dataset, tmp_path / "run") == first
    assert losses(tmp_path / "run") == lines


def test_a_run_begins_from_the_best_model_of_another(dataset: Root, tmp_path: Path) -> None:
    first = run(TINY, dataset, tmp_path / "first")
    # A rate of zero leaves the weights where they began.
    config = replace(TINY, initial=str(tmp_path / "first"), lr=0.0, weight_decay=0.0)
    second = run(config, dataset, tmp_path / "second")
    one, other = (load(f.best, "vmcp").model.state_dict() for f in (first, second))
    assert all(torch.equal(one[name], other[name]) for name in one)
    with pytest.raises(StopRun, match="does not fit its configuration"):
        run(replace(config, joint=4), dataset, tmp_path / "third")
    with pytest.raises(StopRun, match="holds no checkpoint"):
        run(replace(config, initial=str(tmp_path)), dataset, tmp_path / "fourth")


def test_another_configuration_does_not_go_on_with_a_run(dataset: Root, tmp_path: Path) -> None:
    run(TINY, dataset, tmp_path / "run")
    with pytest.raises(StopRun, match=r"another configuration \(lr\)"):
        run(replace(TINY, lr=0.5), dataset, tmp_path / "run")
    with pytest.raises(StopRun, match=r"is a checkpoint of vmcp, not of vmcp\.gvmgen"):
        run(replace(TINY, objective="gvmgen"), dataset, tmp_path / "run")


@pytest.mark.slow
@every_objective
def test_two_ranks_learn_as_one_with_the_double_batch(objective: str, tmp_path: Path) -> None:
    """Nine songs in steps of eight, each against all eight: for the ninth a rank has no song."""
    rows = [clip_row(n, 9 + 3 * (n % 3)) for n in range(9)]
    rows += [clip_row(n, 9, split="validation") for n in (20, 21)]
    dataset = write_rows(tmp_path / "data", rows)
    settings: dict[str, Any] = {"objective": objective, "steps": 5, "batch_size": 4}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    meeting = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    ranks = [
        process(dataset, tmp_path / "two", settings, **meeting, RANK=str(r), LOCAL_RANK=str(r))
        for r in range(2)
    ]
    assert [rank.wait(timeout=120) for rank in ranks] == [0, 0]
    run(replace(TINY, **settings | {"batch_size": 8}), dataset, tmp_path / "one")
    one, two = losses(tmp_path / "one"), losses(tmp_path / "two")
    assert len(one) == len(two) == 7
    for a, b in zip(one, two, strict=True):
        assert a.pop("split") == b.pop("split")
        assert a == pytest.approx(b, rel=1e-4)


def test_a_run_ends_early_when_validation_no_longer_falls(dataset: Root, tmp_path: Path) -> None:
    config = replace(TINY, steps=200, lr=1.0, validate_every=1, checkpoint_every=50, patience=3)
    outcome = run(config, dataset, tmp_path / "run")
    assert outcome.ended == "early"
    assert outcome.step < 200
    assert outcome.checkpoint.is_dir()
    assert run(config, dataset, tmp_path / "run") == outcome


def test_without_validation_the_last_model_is_the_best(tmp_path: Path) -> None:
    root = write_rows(tmp_path / "data", [clip_row(n) for n in range(4)])
    ticks: list[Tick] = []
    outcome = run(TINY, root, tmp_path / "run", tell=ticks.append)
    assert {tick.part for tick in ticks} == {"music features", "vmcp (no validation)"}
    assert "loss" in outcome.losses
    one, other = (load(f, "vmcp").model.state_dict() for f in (outcome.best, outcome.checkpoint))
    assert all(torch.equal(one[n], other[n]) for n in one)


def test_rows_without_pictures_or_notes_are_left_out_of_a_batch(tmp_path: Path) -> None:
    rows = [clip_row(n) for n in range(4)]
    rows[1]["semantic"] = rows[1]["semantic"][:0]
    for name in [name for name in rows[2] if name.startswith("notes_")]:
        rows[2][name] = rows[2][name][:0]
    root = write_rows(tmp_path / "data", rows)
    outcome = run(TINY, root, tmp_path / "run")
    assert outcome.step == 6
    names = [row["entry_id"] for row in rows]
    assert outcome.left_out == {
        names[1]: "its video has no features",
        names[2]: "it has no notes",
    }


def test_a_dataset_without_pictures_stops_the_run(tmp_path: Path) -> None:
    root = write_rows(tmp_path / "data", [clip_row(0)], without=("semantic",))
    with pytest.raises(StopRun, match=r"has no columns? semantic"):
        run(TINY, root, tmp_path / "run")


def test_a_loss_that_is_no_number_stops_the_run(dataset: Root, tmp_path: Path) -> None:
    with pytest.raises(StopRun, match=r"the loss is nan behind step \d; lower lr"):
        run(replace(TINY, lr=1e30, clip_norm=None), dataset, tmp_path / "run")


def test_settings_of_the_command_line_choose_the_objective() -> None:
    assert configure("vmcp", "smoke", {"objective": "gvmgen"}).objective == "gvmgen"
    with pytest.raises(StopRun, match="objective is 'clip'; it can be vmcp, gvmgen"):
        configure("vmcp", "smoke", {"objective": "clip"})
    with pytest.raises(StopRun, match="warmup 30 must be less than 20 steps"):
        configure("vmcp", "smoke", {"steps": "20"})


def test_the_rate_rises_to_its_height_and_falls_to_nothing() -> None:
    for config in PRESETS.values():
        rates = [config.rate(step) for step in range(1, config.steps + 1)]
        assert max(rates) == config.lr == rates[config.warmup - 1]
        assert rates[-1] == pytest.approx(0, abs=1e-12)
        assert rates[: config.warmup] == sorted(rates[: config.warmup])
