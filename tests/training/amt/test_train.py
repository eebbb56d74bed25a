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
from symmv_builder.training.amt.config import PRESETS, AmtConfig, ModelName
from symmv_builder.training.amt.loading import load
from symmv_builder.training.amt.train import train
from symmv_builder.training.journal import read_metrics
from symmv_builder.training.runs import Outcome, Request, configure
from tests.training.amt.amt_rows import TINY, VIDEO, amt_row, small_dataset, write_rows

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Root:
    return small_dataset(tmp_path_factory.mktemp("data"))


def run(config: AmtConfig, root: Root, out: Path, **request: Any) -> Outcome:
    return train(config, Request(root, "muvisync", out, **request))


def losses(out: Path) -> list[dict[str, Any]]:
    return [{k: v for k, v in line.items() if k != "examples_per_s"} for line in read_metrics(out)]


def process(
    root: Root, out: Path, settings: dict[str, Any], *more: str, **environment: str
) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.training.amt.training_process", root.url, str(out)]
    return subprocess.Popen(
        [*command, json.dumps(settings), *more],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(
    "name",
    [
        "amt",
        *(
            pytest.param(name, marks=pytest.mark.long)
            for name in ("amt_without_emotion", "music_transformer", "transformer")
        ),
    ],
)
def test_every_model_trains_and_leaves_a_run(
    name: ModelName, dataset: Root, tmp_path: Path
) -> None:
    ticks: list[Tick] = []
    config = replace(TINY, model=name)
    outcome = run(config, dataset, tmp_path / "run", tell=ticks.append)
    assert (outcome.step, outcome.ended) == (6, "steps")
    lines = losses(tmp_path / "run")
    trained = [line for line in lines if line["split"] == "train"]
    assert [line["step"] for line in trained] == [1, 2, 3, 4, 5, 6]
    validated = [line for line in lines if line["split"] == "validation"]
    assert [line["step"] for line in validated] == [3, 6]
    assert {"loss", "chord", "emotion", "hits1", "hits3", "hits5", "matching_loss"} < set(
        validated[0]
    )
    assert [t.step for t in ticks if t.is_validation] == [3, 6]
    weight = 0.4 if name == "amt" else 1.0
    for line in lines:
        total = weight * line["chord"] + (1 - weight) * line["emotion"]
        assert line["loss"] == pytest.approx(total)
    assert trained[1]["lr"] == pytest.approx(config.rate(2))
    loaded = load(outcome.best)
    assert loaded.config == config
    assert loaded.video_width == (16 if config.sees_video else 0)
    assert list((tmp_path / "run").glob("events.out.tfevents.*"))


@pytest.mark.slow
def test_a_killed_run_goes_on_with_the_losses_of_one_that_was_not(
    dataset: Root, tmp_path: Path
) -> None:
    settings = {"steps": 9, "dropout": 0.1, "crop": "random", "length": 8, "checkpoint_every": 2}
    whole = replace(TINY, **settings)  # type: ignore[arg-type]
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
            load(tmp_path / name / folder).model.state_dict() for name in ("whole", "killed")
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


def test_a_finished_run_is_left_as_it_is(dataset: Root, tmp_path: Path) -> None:
    first = run(TINY, dataset, tmp_path / "run")
    lines = losses(tmp_path / "run")
    again = run(TINY, dataset, tmp_path / "run")
    assert again == first
    assert losses(tmp_path / "run") == lines


def test_another_configuration_does_not_go_on_with_a_run(dataset: Root, tmp_path: Path) -> None:
    run(TINY, dataset, tmp_path / "run")
    with pytest.raises(StopRun, match=r"another configuration \(lr\)"):
        run(replace(TINY, lr=0.5), dataset, tmp_path / "run")


@pytest.mark.slow
def test_two_ranks_learn_as_one_with_the_double_batch(dataset: Root, tmp_path: Path) -> None:
    """Ten songs in steps of eight: the last step is uneven, and its mean is still one over all."""
    settings = {"steps": 5, "batch_size": 4}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    meeting = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    ranks = [
        process(dataset, tmp_path / "two", settings, **meeting, RANK=str(r), LOCAL_RANK=str(r))
        for r in range(2)
    ]
    assert [rank.wait(timeout=120) for rank in ranks] == [0, 0]
    run(replace(TINY, steps=5, batch_size=8), dataset, tmp_path / "one")
    one, two = losses(tmp_path / "one"), losses(tmp_path / "two")
    assert len(one) == len(two) == 7
    for a, b in zip(one, two, strict=True):
        assert a.pop("split") == b.pop("split")
        assert a == pytest.approx(b, rel=1e-3)


def test_a_run_that_is_made_longer_learns_what_a_long_one_does(
    dataset: Root, tmp_path: Path
) -> None:
    longer = replace(TINY, steps=9, dropout=0.1)
    run(longer, dataset, tmp_path / "whole")
    run(replace(longer, steps=6, checkpoint_every=4), dataset, tmp_path / "run")
    outcome = run(longer, dataset, tmp_path / "run")
    assert (outcome.step, outcome.ended) == (9, "steps")
    assert losses(tmp_path / "run") == losses(tmp_path / "whole")


def test_a_run_ends_early_when_validation_no_longer_falls(dataset: Root, tmp_path: Path) -> None:
    # Ten times the schedule's rate: nothing is learned any more.
    config = replace(TINY, steps=200, lr=10.0, validate_every=1, checkpoint_every=50, patience=3)
    outcome = run(config, dataset, tmp_path / "run")
    assert outcome.ended == "early"
    assert outcome.step < 200
    assert outcome.checkpoint.is_dir()
    values = [line["loss"] for line in losses(tmp_path / "run") if line["split"] == "validation"]
    assert min(values) == min(values[:-3]) < min(values[-3:])
    assert run(config, dataset, tmp_path / "run") == outcome


def test_patience_does_not_run_out_in_the_warm_up(dataset: Root, tmp_path: Path) -> None:
    config = replace(TINY, steps=8, warmup=7, lr=50.0, validate_every=1, patience=1)
    assert run(config, dataset, tmp_path / "run").step > 7


def test_a_loss_that_is_no_number_stops_the_run(dataset: Root, tmp_path: Path) -> None:
    config = replace(TINY, lr=1e30, clip_norm=None)
    with pytest.raises(StopRun, match=r"the loss is nan behind step \d; lower lr"):
        run(config, dataset, tmp_path / "run")


def test_a_model_of_chords_trains_where_there_is_no_video(tmp_path: Path) -> None:
    rows = [
        {k: v for k, v in amt_row(n, 9, split=split).items() if k not in VIDEO}
        for split, ns in (("train", range(4)), ("validation", range(4, 6)))
        for n in ns
    ]
    root = write_rows(tmp_path / "data", rows)
    outcome = run(replace(TINY, model="music_transformer"), root, tmp_path / "run")
    assert "matching_loss" not in outcome.losses
    assert outcome.losses["emotion"] == 0
    with pytest.raises(StopRun, match=r"has no columns? semantic, scene_offset, motion, emotion"):
        run(TINY, root, tmp_path / "other")


def test_without_a_split_validation_the_last_model_is_the_best(tmp_path: Path) -> None:
    root = small_dataset(tmp_path / "data", validation=0)
    ticks: list[Tick] = []
    outcome = run(TINY, root, tmp_path / "run", tell=ticks.append)
    assert {tick.part for tick in ticks} == {"amt (no validation)"}
    best, last = (load(folder).model.state_dict() for folder in (outcome.best, outcome.checkpoint))
    assert all(torch.equal(best[name], last[name]) for name in last)
    assert outcome.losses == ticks[-1].losses
    patient = run(replace(TINY, patience=1), root, tmp_path / "patient")
    assert patient.ended == "steps"
    stopped = run(TINY, root, tmp_path / "stopped", max_s=0.0)
    assert stopped.best.is_dir()


def test_a_schedule_that_ends_in_its_warm_up_is_refused() -> None:
    with pytest.raises(StopRun, match=r"4000 steps end inside the warm-up of 4000"):
        configure("amt", "paper", {"steps": "4000"})
    for config in PRESETS.values():
        assert config.steps > 2 * config.warmup


def test_the_paper_s_preset_is_the_paper_s() -> None:
    config = PRESETS["paper"]
    assert (config.layers, config.heads, config.width, config.hidden) == (6, 8, 512, 1024)
    assert (config.dropout, config.length, config.chord_weight) == (0.1, 300, 0.4)
    assert (config.lr, config.warmup, config.beta1, config.beta2) == (1.0, 4000, 0.9, 0.98)
    rates = [config.rate(step) for step in (1, 4000, 12_000)]
    assert rates[1] == max(rates) == pytest.approx((512 * 4000) ** -0.5)
    assert rates[0] == pytest.approx(rates[1] / 4000)
    assert rates[2] == pytest.approx(rates[1] / 3**0.5)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["amt", "amt_without_emotion", "music_transformer", "transformer"])
def test_ten_songs_are_learned_by_heart(name: ModelName, tmp_path: Path) -> None:
    rows = [amt_row(n, 20 + n) for n in range(10)]
    root = write_rows(tmp_path / "data", [*rows, amt_row(50, 12, split="validation")])
    settings = {"dropout": 0.0, "batch_size": 10, "steps": 500, "validate_every": 500}
    config = replace(PRESETS["smoke"], model=name, **settings)  # type: ignore[arg-type]
    run(config, root, tmp_path / "run")
    last = [line for line in losses(tmp_path / "run") if line["split"] == "train"][-1]
    # Without video nothing but the key tells how a song begins: of five in a mode, one chord
    # in 25 is a guess, log(5) / 25.
    assert last["chord"] < (0.02 if config.sees_video else 0.1)
    if name == "amt":
        assert last["emotion"] < 0.1
