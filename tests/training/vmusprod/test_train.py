"""The loop: stage after stage, gone on with after a kill, shared by ranks, ended in time."""

import json
import os
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from symmv_builder.errors import StopRun
from symmv_builder.storage.root import Root
from symmv_builder.training import checkpoint, journal
from symmv_builder.training.rates import learning_rate
from symmv_builder.training.runs import Outcome, Request, Tick, configure
from symmv_builder.training.vmusprod.config import PRESETS, STAGES, VMusProd, kind_of
from symmv_builder.training.vmusprod.models import StageModel, design_of
from symmv_builder.training.vmusprod.train import train
from tests.training.vmusprod.song_rows import small_dataset, song_row, tiny, write_rows

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Root:
    return small_dataset(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Root:
    return small_dataset(tmp_path_factory.mktemp("videos"), train=5, validation=2, video=True)


def run(config: VMusProd, root: Root, out: Path, **request: Any) -> Outcome:
    return train(config, Request(root, "symmv", out, **request))


def losses(out: Path) -> dict[str, list[dict[str, Any]]]:
    return {folder.name: journal.read_metrics(folder) for folder in sorted(out.iterdir())}


def model_of(run_folder: Path, stage: Any) -> StageModel:
    held = checkpoint.read(run_folder / stage, kind_of(stage))
    model = StageModel(design_of(held.about["design"]))
    checkpoint.load_module(held, model)
    return model


def process(
    root: Root, out: Path, settings: dict[str, Any], *halt: str, **environment: str
) -> "subprocess.Popen[str]":
    module = "tests.training.vmusprod.training_process"
    return subprocess.Popen(
        [sys.executable, "-m", module, root.url, str(out), json.dumps(settings), *halt],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("variant", list(STAGES))
@pytest.mark.parametrize("has_video", [False, True])
def test_every_variant_trains_its_stages(
    variant: Any, has_video: bool, dataset: Root, videos: Root, tmp_path: Path
) -> None:
    ticks: list[Tick] = []
    out = tmp_path / "run"
    outcome = run(tiny(variant=variant), videos if has_video else dataset, out, tell=ticks.append)
    assert outcome.ended == "steps"
    assert set(outcome.losses) == set(STAGES[variant])
    assert list(dict.fromkeys(tick.part for tick in ticks)) == list(STAGES[variant])
    for stage in STAGES[variant]:
        held = checkpoint.read(out / stage, kind_of(stage))
        design = design_of(held.about["design"])
        sees = stage == "chord" or variant == "video2music"
        assert design.condition == (("video" if has_video else "nothing") if sees else "score")
        assert design.timing == (stage != "chord")
        lines = journal.read_metrics(out / stage)
        assert [x["step"] for x in lines if x["split"] == "train"] == [1, 2, 3, 4, 5, 6]
        assert [x["step"] for x in lines if x["split"] == "validation"] == [3, 6]
        for line in lines:
            fields = [line[f] for f in ("type", "barbeat", "pitch", "duration") if f in line]
            fields += [line[f] for f in ("root", "quality") if f in line]
            assert line["loss"] == pytest.approx(sum(fields))
        assert ("root" in lines[0]) == (stage == "chord")
        assert ("pitch" in lines[0]) == (stage != "chord")
        assert list((out / stage).glob("events.out.tfevents.*"))
        assert (out / stage / "best").is_dir()


def test_a_model_of_videos_learns_from_them(videos: Root, tmp_path: Path) -> None:
    """What a flag leaves out, the model has no weights for."""
    kinds = {}
    for flags in ({}, {"without_semantic": True}, {"without_colour": True}):
        out = tmp_path / "-".join(["run", *flags])
        run(tiny(stages="chord", steps=1, **flags), videos, out)
        names = model_of(out, "chord").state_dict()
        kinds[tuple(flags)] = {n.split(".")[1] for n in names if n.startswith("controller.")}
    both = {"semantic", "colour", "kinds", "fusion"}
    assert kinds[()] == both
    assert kinds[("without_semantic",)] == both - {"semantic"}
    assert kinds[("without_colour",)] == both - {"colour"}


def test_without_motion_the_tempo_is_fixed_and_time_is_not_told(
    videos: Root, tmp_path: Path
) -> None:
    run(tiny(stages="melody", steps=1), videos, tmp_path / "with")
    run(tiny(stages="melody", steps=1, without_motion=True), videos, tmp_path / "without")
    told, untold = (
        checkpoint.read(tmp_path / name / "melody", "vmusprod.melody")
        for name in ("with", "without")
    )
    assert told.about["design"]["timing"]
    assert not untold.about["design"]["timing"]
    assert (told.about["fixed_bpm"], untold.about["fixed_bpm"]) == (None, 110.0)
    assert untold.about["motion"] is None


def test_a_checkpoint_knows_the_songs_that_it_learned_from(videos: Root, tmp_path: Path) -> None:
    run(tiny(stages="chord", steps=1), videos, tmp_path / "run")
    held = checkpoint.read(tmp_path / "run" / "chord", "vmusprod.chord")
    about = held.about
    means = [float(song_row(n, video=True)["motion"][1:].mean()) for n in range(5)]
    assert about["motion"] == pytest.approx([min(means), max(means)])
    assert about["tempo_quantiles"][0] == pytest.approx(80)
    assert about["tempo_quantiles"][-1] == pytest.approx(100)
    assert (about["bars_quantiles"][0], about["bars_quantiles"][-1]) == (4, 7)
    assert (about["songs"], about["dataset"], about["models"]) == (5, "symmv", [{"slot": "clip"}])
    assert all(len(value) == 64 for value in about["shards"].values())


@pytest.mark.slow
def test_a_killed_run_goes_on_with_the_losses_of_one_that_was_not(
    dataset: Root, tmp_path: Path
) -> None:
    settings = {"steps": 9, "checkpoint_every": 2, "max_tokens": 64}
    run(tiny(**settings), dataset, tmp_path / "whole")
    with process(dataset, tmp_path / "killed", settings, "melody", "7") as killed:
        assert killed.stdout is not None
        assert killed.stdout.readline() == "halted\n"
        killed.send_signal(signal.SIGKILL)
    assert journal.read_metrics(tmp_path / "killed" / "melody")[-1]["step"] == 7
    assert not (tmp_path / "killed" / "accompaniment").exists()
    run(tiny(**settings), dataset, tmp_path / "killed")
    assert losses(tmp_path / "killed") == losses(tmp_path / "whole")
    for stage in ("chord", "melody", "accompaniment"):
        one, other = (model_of(tmp_path / name, stage).state_dict() for name in ("whole", "killed"))
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_run_that_time_ended_goes_on_likewise(dataset: Root, tmp_path: Path) -> None:
    run(tiny(), dataset, tmp_path / "whole")
    outcome = run(tiny(), dataset, tmp_path / "stopped", max_s=0.0)
    assert (outcome.step, outcome.ended) == (1, "time")
    # A short time still leaves something of every stage.
    assert set(outcome.losses) == {"chord", "melody", "accompaniment"}
    assert all(value > 0 for value in outcome.losses.values())
    outcome = run(tiny(), dataset, tmp_path / "stopped")
    assert (outcome.step, outcome.ended) == (6, "steps")
    assert losses(tmp_path / "stopped") == losses(tmp_path / "whole")


def test_stages_can_be_trained_in_several_runs(dataset: Root, tmp_path: Path) -> None:
    run(tiny(), dataset, tmp_path / "whole")
    for stage in ("melody", "chord", "accompaniment"):
        run(tiny(stages=stage), dataset, tmp_path / "parts")
    assert losses(tmp_path / "parts") == losses(tmp_path / "whole")
    ticks: list[Tick] = []
    again = run(tiny(), dataset, tmp_path / "parts", tell=ticks.append)
    assert (ticks, again.ended, again.step) == ([], "steps", 6)


@pytest.mark.slow
def test_two_ranks_learn_as_one_with_the_double_batch(dataset: Root, tmp_path: Path) -> None:
    """Ten songs in steps of eight: the last step is uneven, and its means are still over all."""
    settings = {"steps": 5, "dropout": 0.0, "transpose": "off", "max_tokens": 2048}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    meeting = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    two = [
        process(dataset, tmp_path / "two", settings, **meeting, RANK=str(r), LOCAL_RANK=str(r))
        for r in range(2)
    ]
    assert [rank.wait(timeout=120) for rank in two] == [0, 0]
    run(tiny(**settings | {"batch_size": 8}), dataset, tmp_path / "one")
    for stage, lines in losses(tmp_path / "one").items():
        others = journal.read_metrics(tmp_path / "two" / stage)
        train_lines = [line for line in lines if line["split"] == "train"]
        assert len(train_lines) == 5
        for line, other in zip(lines, others, strict=True):
            assert line.pop("split") == other.pop("split")
            assert line == pytest.approx(other, rel=1e-3)


def test_without_a_validation_split_a_run_still_trains_and_says_so(tmp_path: Path) -> None:
    root = small_dataset(tmp_path / "data", validation=0)
    ticks: list[Tick] = []
    outcome = run(tiny(patience=1), root, tmp_path / "run", tell=ticks.append)
    assert {tick.part for tick in ticks} == {
        f"{stage} (no validation)" for stage in ("chord", "melody", "accompaniment")
    }
    assert outcome.best == outcome.checkpoint
    assert not checkpoint.read(tmp_path / "run" / "chord", "vmusprod.chord").about["has_validation"]


def test_a_stage_ends_early_when_validation_no_longer_falls(dataset: Root, tmp_path: Path) -> None:
    settings = {"steps": 100, "lr": 0.2, "warmup": 1, "validate_every": 1, "patience": 3}
    config = tiny(**settings, stages="chord")
    outcome = run(config, dataset, tmp_path / "run")
    assert outcome.ended == "early"
    assert outcome.step < 100
    lines = journal.read_metrics(tmp_path / "run" / "chord")
    values = [line["loss"] for line in lines if line["split"] == "validation"]
    assert min(values) < min(values[-3:])
    assert run(config, dataset, tmp_path / "run") == outcome


def test_a_run_can_be_made_longer(dataset: Root, tmp_path: Path) -> None:
    config = tiny(stages="chord")
    first = run(config, dataset, tmp_path / "run")
    longer = replace(config, steps=first.step + 3)
    outcome = run(longer, dataset, tmp_path / "run")
    assert (outcome.step, outcome.ended) == (first.step + 3, "steps")


def test_another_configuration_does_not_go_on_with_a_run(dataset: Root, tmp_path: Path) -> None:
    run(tiny(stages="chord"), dataset, tmp_path / "run")
    with pytest.raises(StopRun, match=r"another configuration \(lr\)"):
        run(tiny(lr=0.5), dataset, tmp_path / "run")


def test_a_loss_that_is_no_number_stops_the_run(dataset: Root, tmp_path: Path) -> None:
    with pytest.raises(StopRun, match=r"the loss of stage chord is nan behind step \d; lower lr"):
        run(tiny(lr=1e30), dataset, tmp_path / "run")


def test_rows_without_chords_or_songs_are_refused(dataset: Root, tmp_path: Path) -> None:
    chordless = {k: v for k, v in song_row(1).items() if not k.startswith("chords")}
    root = write_rows(tmp_path / "chordless", [chordless])
    with pytest.raises(StopRun, match=r"has no columns? chords_"):
        run(tiny(), root, tmp_path / "run")
    run(tiny(variant="video2music", steps=1), root, tmp_path / "run")
    nothing = np.zeros(0)
    silent = song_row(1) | {"beats_times_s": nothing, "beats_positions": nothing.astype(int)}
    root = write_rows(tmp_path / "silent", [silent])
    with pytest.raises(
        StopRun, match=r"no row of symmv, split train, can be .*001 \(it has 0 beats"
    ):
        run(tiny(), root, tmp_path / "other")


def test_epochs_say_how_long_a_stage_trains_where_steps_do_not(
    dataset: Root, tmp_path: Path
) -> None:
    config = tiny(steps=None, chord_epochs=2, melody_epochs=1, accompaniment_epochs=3)
    run(config, dataset, tmp_path / "run")
    last = {stage: lines[-1]["step"] for stage, lines in losses(tmp_path / "run").items()}
    assert last == {"chord": 6, "melody": 3, "accompaniment": 9}


def test_the_rate_warms_up_and_falls_as_asked() -> None:
    config = tiny(lr=1.0, warmup=10, decay="cosine")
    rates = [learning_rate(config, step, 100) for step in range(1, 101)]
    assert rates[:10] == pytest.approx([0.1 * step for step in range(1, 11)])
    assert rates[9:] == sorted(rates[9:], reverse=True)
    assert rates[-1] == pytest.approx(0.1)
    assert learning_rate(replace(config, decay="constant"), 100, 100) == 1.0


def test_the_paper_s_preset_is_the_paper_s() -> None:
    config = PRESETS["paper"]
    assert [config.epochs(stage) for stage in STAGES["full"]] == [200, 200, 400]
    assert config.steps is None
    assert (config.variant, config.stages_to_train) == (
        "full",
        ("chord", "melody", "accompaniment"),
    )


def test_settings_that_contradict_each_other_are_refused() -> None:
    for settings, words in (
        ({"stages": "music"}, "full has no stage music"),
        ({"heads": "7"}, "no multiple"),
        ({"batch_size": "0"}, "batch_size"),
        ({"variant": "video2music", "stages": "chord"}, "has no stage chord: music"),
    ):
        with pytest.raises(StopRun, match=words):
            configure("vmusprod", "smoke", settings)
    assert configure("vmusprod", "smoke", {"steps": "none"}).steps is None


@pytest.mark.long
def test_ten_songs_are_learned_by_heart(tmp_path: Path) -> None:
    root = write_rows(tmp_path / "data", [song_row(n, 4) for n in range(10)])
    config = replace(
        PRESETS["smoke"],
        dropout=0.0,
        transpose="off",
        batch_size=10,
        buckets=0,
        steps=120,
        lr=6e-3,
        decay="cosine",
        log_every=120,
    )
    run(config, root, tmp_path / "run")
    for stage in STAGES["full"]:
        last = journal.read_metrics(tmp_path / "run" / stage)[-1]
        assert last["loss"] < 0.1, stage
