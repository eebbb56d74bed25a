"""The regressors learn, stop and go on; two processes learn what one does."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from symmv_builder.errors import StopRun
from symmv_builder.storage.root import Root
from symmv_builder.training.amt.regressor.config import PRESETS, ModelName, RegressorConfig
from symmv_builder.training.amt.regressor.examples import COLUMNS, prepare, survey
from symmv_builder.training.amt.regressor.model import Regressor, load, predict
from symmv_builder.training.amt.regressor.score import score
from symmv_builder.training.amt.regressor.train import square_errors, train
from symmv_builder.training.data import Rows
from symmv_builder.training.padding import stack
from symmv_builder.training.runs import Outcome, Request, Tick, configure, start
from symmv_builder.training.usable import LeftOut
from tests.synthetic_rows import make_row
from tests.training.amt.regressor import songs


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Root:
    return songs.dataset(tmp_path_factory.mktemp("root"))


def run(root: Root, out: Path, config: RegressorConfig, **more: object) -> Outcome:
    return train(config, Request(root, "muvisync", out, **more))  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize(
    "model",
    [
        pytest.param(name, marks=() if name == "gru" else pytest.mark.long)
        for name in get_args(ModelName)
    ],
)
def test_ten_songs_are_learned_by_heart(root: Root, tmp_path: Path, model: ModelName) -> None:
    config = RegressorConfig(
        model=model,
        dropout=0,
        standardise_input=True,
        batch_size=10,
        steps=300,
        lr=5e-3,
        validate_every=300,
        checkpoint_every=300,
        log_every=300,
        weight_decay=0,
    )
    run(root, tmp_path, config)
    last = [line for line in songs.lines(tmp_path) if line["split"] == "train"][-1]
    assert last["loss"] < 1e-3
    loaded = load(tmp_path / "checkpoints" / "00000300")
    for row in Rows(root, "muvisync", "train", COLUMNS):
        example = prepare(row, config)
        assert example is not None
        density, loudness = predict(loaded, example["video"])
        assert density == pytest.approx(example["targets"][:, 0], abs=1)
        assert loudness == pytest.approx(example["targets"][:, 1], abs=0.02)


@pytest.mark.slow
def test_what_is_learned_holds_for_songs_not_seen(tmp_path: Path) -> None:
    root = songs.dataset(tmp_path / "root", train_songs=40, held_out=8)
    config = RegressorConfig(
        model="fc", standardise_input=True, batch_size=8, steps=400, weight_decay=0.03,
        validate_every=50, checkpoint_every=400,
    )  # fmt: skip
    run(root, tmp_path / "run", config)
    told: list[tuple[int, int]] = []
    found = score(
        tmp_path / "run", root, "muvisync", tell=lambda done, songs: told.append((done, songs))
    )
    assert found["rmse_density"] < 0.9 * found["baseline_rmse_density"]
    assert found["rmse_loudness"] < 0.9 * found["baseline_rmse_loudness"]
    assert (found["songs"], found["seconds"]) == (8, 9 + 14 + 19 + 9 + 14 + 19 + 9 + 14)
    assert told == [(n, 8) for n in range(1, 9)]


def test_the_plain_guess_errs_by_the_deviation_of_its_own_split(root: Root, tmp_path: Path) -> None:
    run(root, tmp_path, songs.configured(steps="4"))
    found = score(tmp_path, root, "muvisync", "train")
    about = load(tmp_path).about
    assert found["baseline_rmse_density"] == pytest.approx(about["target_std"]["density"], rel=1e-5)
    with pytest.raises(StopRun, match="has no row of the split other"):
        score(tmp_path, root, "muvisync", "other")


def test_targets_and_inputs_are_surveyed_over_real_seconds(root: Root) -> None:
    rows = Rows(root, "muvisync", "train", COLUMNS)
    told: list[tuple[int, int]] = []
    found = survey(rows, PRESETS["paper"], lambda done, of: told.append((done, of)), LeftOut())
    density = np.concatenate([row["density"] for row in rows])
    motion = np.concatenate([row["motion"] for row in rows])
    assert found.target_mean[0] == pytest.approx(density.mean(), rel=1e-5)
    assert found.target_std[0] == pytest.approx(density.std(), rel=1e-4)
    assert found.input_mean[769] == pytest.approx(motion.mean(), rel=1e-5)
    assert told[-1] == (10, 10)


def test_padding_and_filling_rows_do_not_count_in_the_loss(root: Root) -> None:
    config = songs.configured()
    rows = Rows(root, "muvisync", "train", COLUMNS)
    examples = [prepare(row, config) for row in rows]
    assert len({len(example["video"]) for example in examples}) > 1
    torch.manual_seed(0)
    model = Regressor(config, 776).eval()
    batch = stack(examples, {}) | {"real": torch.ones(len(examples), dtype=torch.bool)}
    together, seconds = square_errors(model, batch, torch.device("cpu"))
    alone = [stack([e], {}) | {"real": torch.ones(1, dtype=torch.bool)} for e in examples]
    sums = [square_errors(model, one, torch.device("cpu")) for one in alone]
    torch.testing.assert_close(together, torch.stack([errors for errors, _ in sums]).sum(0))
    assert seconds == sum(len(example["video"]) for example in examples)
    batch["real"][1:] = False
    torch.testing.assert_close(square_errors(model, batch, torch.device("cpu"))[0], sums[0][0])


def test_a_long_song_is_cut_to_the_length_that_is_learned() -> None:
    example = prepare(songs.song(1, 20), songs.configured(length="12"))
    assert example is not None
    assert (example["video"].shape, example["targets"].shape) == ((12, 776), (12, 2))


def weights(place: Path) -> dict[str, torch.Tensor]:
    return dict(load_file(place / "model.safetensors"))


def in_a_process(root: Root, out: Path, kill_at: int = 0, **settings: str) -> int:
    arguments = [root.url, str(out), json.dumps(settings), str(kill_at)]
    done = subprocess.run(
        [sys.executable, songs.__file__, *arguments],
        env={**os.environ, "PYTHONPATH": str(songs.ROOT), "OMP_NUM_THREADS": "1"},
        check=False,
    )
    return done.returncode


@pytest.fixture(scope="module")
def whole(root: Root, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run that nobody interrupted."""
    out = tmp_path_factory.mktemp("whole")
    run(root, out, songs.configured())
    return out


@pytest.mark.slow
@pytest.mark.parametrize("kill_at", [3, 15])
def test_a_killed_training_goes_on_to_the_same_losses(
    root: Root, whole: Path, tmp_path: Path, kill_at: int
) -> None:
    torn = tmp_path / "torn"
    assert in_a_process(root, torn, kill_at) == -signal.SIGKILL
    assert len(songs.lines(torn)) < len(songs.lines(whole))
    run(root, torn, songs.configured())
    assert songs.lines(torn) == songs.lines(whole)
    one, other = (weights(place / "checkpoints" / "00000020") for place in (torn, whole))
    assert all(torch.equal(one[name], other[name]) for name in other)


def test_workers_change_nothing_of_what_is_learned(root: Root, whole: Path, tmp_path: Path) -> None:
    run(root, tmp_path, songs.configured(), workers=2)
    assert songs.lines(tmp_path) == songs.lines(whole)


def test_every_step_is_written_down_once_and_seen_by_tensorboard(
    root: Root, tmp_path: Path
) -> None:
    ticks: list[Tick] = []
    outcome = run(root, tmp_path, songs.configured(), tell=ticks.append)
    lines = songs.lines(tmp_path)
    assert [line["step"] for line in lines if line["split"] == "train"] == list(range(1, 21))
    checked = [line["step"] for line in lines if line["split"] == "validation"]
    assert checked == [4, 8, 12, 16, 20]
    assert {"loss", "rmse_density", "rmse_loudness", "epoch"} < set(lines[0])
    assert list(tmp_path.glob("events.out.tfevents.*"))
    assert (outcome.step, outcome.ended) == (20, "steps")
    assert outcome.losses == {k: v for k, v in lines[-1].items() if k in outcome.losses}
    assert outcome.best == tmp_path / "best"
    assert outcome.checkpoint.is_dir()
    assert sum(tick.is_validation for tick in ticks) == 5


def test_the_trainer_is_found_by_its_name(root: Root, tmp_path: Path) -> None:
    config = configure("regressor", "smoke", songs.SETTINGS | {"model": "lstm", "steps": "2"})
    outcome = start("regressor", config, Request(root, "muvisync", tmp_path))
    assert outcome.step == 2
    assert score(tmp_path, root, "muvisync")["network"] == "lstm"


def test_time_that_is_up_leaves_a_run_that_goes_on(root: Root, whole: Path, tmp_path: Path) -> None:
    first = run(root, tmp_path / "parts", songs.configured(), max_s=0.0)
    assert (first.step, first.ended) == (1, "time")
    assert run(root, tmp_path / "parts", songs.configured(), max_s=0.0).step == 2
    assert run(root, tmp_path / "parts", songs.configured()).ended == "steps"
    assert songs.lines(tmp_path / "parts") == songs.lines(whole)


def test_a_finished_run_is_not_trained_further(root: Root, tmp_path: Path) -> None:
    first = run(root, tmp_path, songs.configured())
    assert run(root, tmp_path, songs.configured()) == first
    assert len(songs.lines(tmp_path)) == 25


def test_training_ends_when_validation_no_longer_falls(root: Root, tmp_path: Path) -> None:
    config = songs.configured(lr="1e-9", steps="400", patience="2", validate_every="1", dropout="0")
    outcome = run(root, tmp_path, config)
    assert outcome.ended == "early"
    assert outcome.step < 400
    checked = [line["loss"] for line in songs.lines(tmp_path) if line["split"] == "validation"]
    assert min(checked[-2:]) >= min(checked)
    assert run(root, tmp_path, config) == outcome


def test_another_configuration_does_not_go_on_with_a_run(root: Root, tmp_path: Path) -> None:
    run(root, tmp_path, songs.configured())
    with pytest.raises(StopRun, match=r"another configuration \(units\)"):
        run(root, tmp_path, songs.configured(units="9"))


def test_other_shards_do_not_go_on_with_a_run(root: Root, tmp_path: Path) -> None:
    run(root, tmp_path / "run", songs.configured(), max_s=0.0)
    other = songs.dataset(tmp_path / "root", train_songs=9)
    with pytest.raises(StopRun, match=r"has changed since .* was written"):
        run(other, tmp_path / "run", songs.configured())


def test_a_dataset_without_validation_keeps_the_last_model(tmp_path: Path) -> None:
    root = songs.dataset(tmp_path / "root", held_out=0)
    ticks: list[Tick] = []
    outcome = run(root, tmp_path / "run", songs.configured(), tell=ticks.append)
    assert {tick.part for tick in ticks if tick.losses} == {"regressor (no validation)"}
    best, last = weights(outcome.best), weights(outcome.checkpoint)
    assert all(torch.equal(best[name], last[name]) for name in last)
    assert outcome.losses["loss"] > 0


def test_what_a_dataset_lacks_stops_the_run_with_its_name(tmp_path: Path) -> None:
    root = Root(str(tmp_path / "root"))
    with pytest.raises(StopRun, match="no shards"):
        run(root, tmp_path / "run", songs.configured())
    songs.write(root, [make_row("symmv", 1)], "symmv")
    with pytest.raises(StopRun, match=r"has no columns? .*loudness"):
        train(songs.configured(), Request(root, "symmv", tmp_path / "run"))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.slow
def test_two_processes_learn_what_one_does_with_twice_the_batch(root: Root, tmp_path: Path) -> None:
    settings = {"dropout": "0", "steps": "12"}
    port = str(free_port())
    shared = {**os.environ, "PYTHONPATH": str(songs.ROOT), "OMP_NUM_THREADS": "1"}
    shared |= {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    arguments = [root.url, str(tmp_path / "two"), json.dumps(settings | {"batch_size": "2"})]
    both = [
        subprocess.Popen(
            [sys.executable, songs.__file__, *arguments],
            env=shared | {"RANK": rank, "LOCAL_RANK": rank},
        )
        for rank in ("0", "1")
    ]
    assert [process.wait(120) for process in both] == [0, 0]
    run(root, tmp_path / "one", songs.configured(**settings, batch_size="4"))
    one, two = songs.lines(tmp_path / "one"), songs.lines(tmp_path / "two")
    assert [(a["step"], a["split"]) for a in one] == [(b["step"], b["split"]) for b in two]
    for a, b in zip(one, two, strict=True):
        assert a["loss"] == pytest.approx(b["loss"], rel=1e-4)
    assert one[0]["loss"] != pytest.approx(one[-1]["loss"], rel=1e-3)
