"""Music for a row: key, primer, density, and what does not fit."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from symmv_builder.errors import StopRun
from symmv_builder.training.amt import arrange
from symmv_builder.training.amt.compose import ChordPiece, ChordSampling, compose, load
from symmv_builder.training.amt.config import AmtConfig
from symmv_builder.training.amt.model import ChordModel
from symmv_builder.training.amt.regressor import model as regressors
from symmv_builder.training.amt.regressor.config import RegressorConfig
from symmv_builder.training.amt.vocabulary import transpose
from symmv_builder.training.checkpoint import save
from symmv_builder.training.configs import as_plain
from tests.training.amt.amt_rows import TINY, VIDEO, amt_row


def write_model(run: Path, config: AmtConfig = TINY, width: int = 16) -> Path:
    torch.manual_seed(0)
    save(
        run, kind="amt", config=as_plain(config), state={"step": 1},
        module=ChordModel(config, width), about={"video_width": width}, best=True,
    )  # fmt: skip
    return run


def write_regressor(run: Path, width: int = 16) -> Path:
    torch.manual_seed(0)
    config = RegressorConfig(units=4)
    statistics = regressors.FeatureStatistics(
        np.zeros(width, np.float32), np.ones(width, np.float32),
        np.array([12, 0.5], np.float32), np.array([8, 0.2], np.float32),
    )  # fmt: skip
    module = regressors.Regressor(config, width, statistics)
    save(
        run, kind="regressor", config=as_plain(config), state={"step": 1}, module=module,
        about={"input_width": width}, best=True,
    )  # fmt: skip
    return run


@pytest.fixture
def runs(tmp_path: Path) -> tuple[Path, Path]:
    return write_model(tmp_path / "amt"), write_regressor(tmp_path / "regressor")


def video(seconds: int = 10) -> dict[str, Any]:
    return {name: value for name, value in amt_row(0, seconds).items() if name in VIDEO}


def same(a: ChordPiece, b: ChordPiece) -> bool:
    fields = ("starts_s", "ends_s", "pitches", "velocities")
    return all(np.array_equal(getattr(a.notes, f), getattr(b.notes, f)) for f in fields)


def test_a_video_gets_a_chord_a_second_and_notes(runs: tuple[Path, Path]) -> None:
    made = compose(*runs, video(10), seed=4)
    assert len(made.chords) == 10
    assert made.chords == made.normalised
    assert made.density is not None
    assert made.loudness is not None
    assert len(made.density) == len(made.loudness) == 10
    again = compose(load(runs[0]), regressors.load(runs[1]), video(10), seed=4)
    assert again.chords == made.chords
    assert same(again, made)
    assert compose(*runs, video(10), seed=5).chords != made.chords


def test_notes_are_arranged_by_the_density_that_was_estimated(
    runs: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = []
    for density in (2.0, 25.0):
        estimate = (np.full(10, density, np.float32), np.full(10, 0.5, np.float32))
        monkeypatch.setattr(regressors, "predict", lambda *_, estimate=estimate: estimate)
        made = compose(*runs, video(10), seed=1)
        counts.append(len(made.notes.starts_s))
    sounding = sum(label != "N" for label in made.chords)
    assert counts == [2 * sounding, 8 * sounding]


def test_music_is_transposed_to_the_key_and_the_primer_out_of_it(runs: tuple[Path, Path]) -> None:
    plain = compose(*runs, video(8), key="C major", primer="C Am F G", seed=2)
    assert plain.chords[:4] == ("C", "A:min", "F", "G")
    high = compose(*runs, video(8), key="Eb major", primer="Eb Cm Ab Bb", seed=2)
    assert high.normalised == plain.normalised
    assert high.chords == transpose(plain.chords, 3)
    assert high.chords[:4] == ("D#", "C:min", "G#", "A#")
    minor = compose(*runs, video(8), key="B minor", primer="Bm", seed=2)
    assert minor.normalised[0] == "A:min"
    assert minor.chords == transpose(minor.normalised, 2)


def test_the_mode_of_the_key_is_told_to_the_model(runs: tuple[Path, Path]) -> None:
    model = load(runs[0])
    heard = []
    original = model.model.begin

    def begin(key: torch.Tensor, film: torch.Tensor | None = None) -> Any:
        heard.append(float(key))
        return original(key, film)

    model.model.begin = begin  # type: ignore[method-assign,assignment]
    for key in ("D major", "D minor"):
        compose(model, runs[1], video(4), key=key)
    assert heard == [1.0, 0.0]


def test_what_nobody_can_read_stops_the_run(runs: tuple[Path, Path]) -> None:
    with pytest.raises(StopRun, match="chord is 'Hm7'; write a root"):
        compose(*runs, video(), primer="C Hm7")
    with pytest.raises(StopRun, match="key is 'A'; write a tonic"):
        compose(*runs, video(), key="A")


def test_without_a_regressor_a_pattern_has_to_be_chosen(runs: tuple[Path, Path]) -> None:
    with pytest.raises(StopRun, match=r"give `regressor`, .*, or `pattern`, 1 to 5"):
        compose(runs[0], None, video())
    made = compose(runs[0], None, video(), pattern=1)
    sounding = sum(label != "N" for label in made.chords)
    assert len(made.notes.starts_s) == 2 * sounding


def test_baselines_play_the_third_pattern_for_as_long_as_the_video(tmp_path: Path) -> None:
    run = write_model(tmp_path / "run", replace(TINY, model="music_transformer"), 0)
    made = compose(run, None, {"video_duration_s": 30.4}, seed=1)
    assert len(made.chords) == 31
    wanted = arrange.arrange(made.chords, pattern=3)
    assert np.array_equal(made.notes.starts_s, wanted.starts_s)
    assert made.density is None
    with pytest.raises(StopRun, match="video_duration_s"):
        compose(run, None, {})


def test_features_of_another_width_are_refused(runs: tuple[Path, Path]) -> None:
    row = video()
    row["semantic"] = np.zeros((10, 12), dtype=np.float16)
    with pytest.raises(StopRun, match=r"this video has 20 features a second, but .* from 16"):
        compose(*runs, row)
    del row["semantic"]
    with pytest.raises(StopRun, match="semantic"):
        compose(*runs, row)


def test_how_chords_are_drawn_can_be_said(runs: tuple[Path, Path]) -> None:
    greedy = ChordSampling(greedy=True)
    a, b = (compose(*runs, video(), sampling=greedy, seed=seed).chords for seed in (1, 2))
    assert a == b


def test_what_is_no_run_of_this_model_is_refused(tmp_path: Path, runs: tuple[Path, Path]) -> None:
    with pytest.raises(StopRun, match="holds no checkpoint"):
        load(tmp_path / "nothing")
    with pytest.raises(StopRun, match="is a checkpoint of regressor, not of amt"):
        load(runs[1])
