"""The five networks: their shapes, what they may see, and what they give back."""

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from torch import nn

from symmv_builder.errors import OtherFeatures, StopRun
from symmv_builder.training import checkpoint
from symmv_builder.training.amt.regressor.config import PRESETS, ModelName, RegressorConfig
from symmv_builder.training.amt.regressor.model import (
    FeatureStatistics,
    LoadedRegressor,
    Regressor,
    load,
    predict,
)
from symmv_builder.training.configs import as_plain

MODELS: tuple[ModelName, ...] = get_args(ModelName)
WIDTH = 12


def regressor(model: ModelName, width: int = WIDTH) -> Regressor:
    torch.manual_seed(0)
    return Regressor(RegressorConfig(model=model), width).eval()


def video(seconds: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(seconds, WIDTH, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("model", MODELS)
def test_a_padded_batch_gives_what_each_song_gives_alone(model: ModelName) -> None:
    network, lengths = regressor(model), [5, 11, 1, 8]
    songs = [video(length, seed) for seed, length in enumerate(lengths)]
    padded = nn.utils.rnn.pad_sequence(songs, batch_first=True, padding_value=1e3)
    together = network(padded, torch.tensor(lengths))
    for song, found, length in zip(songs, together, lengths, strict=True):
        alone = network(song[None], torch.tensor([length]))[0]
        torch.testing.assert_close(found[:length], alone, rtol=0, atol=1e-6)


@pytest.mark.parametrize("model", MODELS)
def test_what_lies_behind_the_end_changes_nothing(model: ModelName) -> None:
    network, lengths = regressor(model), torch.tensor([5, 9])
    batch = torch.stack([video(9), video(9, 1)])
    before = network(batch, lengths)
    batch[0, 5:] = 1e6
    after = network(batch, lengths)
    assert torch.equal(before[0, :5], after[0, :5])
    assert torch.equal(before[1], after[1])


@pytest.mark.parametrize("model", MODELS)
def test_only_models_that_read_both_ways_know_the_future(model: ModelName) -> None:
    network, seen = regressor(model), video(8)
    before = network(seen[None], torch.tensor([8]))[0]
    seen[5] += 1
    after = network(seen[None], torch.tensor([8]))[0]
    changed = (before != after).any(dim=1).tolist()
    past, later = model.startswith("bi"), model != "fc"
    assert changed == [past] * 5 + [True] + [later] * 2


@pytest.mark.parametrize(
    ("model", "gates", "directions"),
    [("lstm", 4, 1), ("bilstm", 4, 2), ("gru", 3, 1), ("bigru", 3, 2)],
)
def test_recurrent_models_have_two_layers_of_64_units(
    model: ModelName, gates: int, directions: int
) -> None:
    network = Regressor(PRESETS["paper"].__class__(model=model), 776)
    shapes = {name: tuple(t.shape) for name, t in network.recurrent.named_parameters()}  # type: ignore[union-attr]
    assert shapes["weight_ih_l0"] == (gates * 64, 776)
    assert shapes["weight_ih_l1"] == (gates * 64, 64 * directions)
    assert "weight_ih_l2" not in shapes
    assert ("weight_ih_l1_reverse" in shapes) == (directions == 2)
    assert tuple(network.output.weight.shape) == (2, 64 * directions)


def test_the_connected_model_goes_through_512_with_relu() -> None:
    network = regressor("fc", 776)
    shapes = [tuple(p.shape) for p in network.parameters()]
    assert sorted(shapes) == sorted([(512, 776), (512,), (2, 512), (2,)])
    hidden = torch.relu(network.hidden(torch.ones(776)))  # type: ignore[misc]
    found = network(torch.ones(1, 1, 776), torch.tensor([1]))[0, 0]
    torch.testing.assert_close(found, network.output(hidden))


def test_the_paper_preset_is_the_best_of_table_2() -> None:
    assert PRESETS["paper"].model == "bigru"
    assert (PRESETS["paper"].units, PRESETS["paper"].layers) == (64, 2)


def statistics() -> FeatureStatistics:
    one = np.ones(WIDTH, np.float32)
    return FeatureStatistics(
        3 * one, 2 * one, np.array([10, 0.2], np.float32), np.array([4, 0.1], np.float32)
    )


def test_targets_are_standardised_and_estimates_are_in_units() -> None:
    network = Regressor(RegressorConfig(), WIDTH, statistics())
    assert network.standardise(torch.tensor([14.0, 0.1])).tolist() == pytest.approx([1, -1])
    found = network.in_units(torch.tensor([[1.0, -1.0], [-3.0, -9.0], [0.0, 99.0]]))
    assert found.tolist() == [pytest.approx(v) for v in ([14, 0.1], [0, 0], [10, 1])]


def test_inputs_are_standardised_only_where_that_is_asked_for() -> None:
    for asked in (False, True):
        network = Regressor(RegressorConfig(standardise_input=asked), WIDTH, statistics())
        assert network.input_mean.tolist() == [3.0 if asked else 0.0] * WIDTH
        assert network.input_std.tolist() == [2.0 if asked else 1.0] * WIDTH


def saved(out: Path) -> Path:
    config = RegressorConfig(standardise_input=True)
    return checkpoint.save(
        out,
        kind="regressor",
        config=as_plain(config),
        state={"step": 1},
        about={"input_width": WIDTH},
        module=Regressor(config, WIDTH, statistics()),
        best=True,
    )


def test_a_loaded_model_estimates_as_the_saved_one(tmp_path: Path) -> None:
    place = saved(tmp_path)
    features = video(7).numpy()
    density, loudness = predict(place, features)
    assert density.shape == loudness.shape == (7,)
    assert density.dtype == loudness.dtype == np.float32
    assert (density >= 0).all()
    assert ((loudness >= 0) & (loudness <= 1)).all()
    loaded = load(tmp_path)
    assert isinstance(loaded, LoadedRegressor)
    assert np.array_equal(predict(loaded, features)[0], density)
    assert loaded.model.input_std.tolist() == [2.0] * WIDTH


def test_a_video_without_a_second_has_no_estimates(tmp_path: Path) -> None:
    density, loudness = predict(saved(tmp_path), np.zeros((0, WIDTH), np.float32))
    assert len(density) == len(loudness) == 0


def test_features_of_another_width_stop_the_run(tmp_path: Path) -> None:
    with pytest.raises(OtherFeatures, match=r"of shape \[3, 13\], but .* features 12 wide"):
        predict(saved(tmp_path), np.zeros((3, 13), np.float32))


def test_a_folder_without_a_regressor_stops_the_run(tmp_path: Path) -> None:
    with pytest.raises(StopRun, match="holds no checkpoint"):
        load(tmp_path)
    checkpoint.save(
        tmp_path, kind="amt", config={}, state={"step": 1}, about={}, module=nn.Linear(1, 1)
    )
    with pytest.raises(StopRun, match="of amt, not of regressor"):
        load(tmp_path)


@pytest.mark.parametrize("wrong", [{"units": 0}, {"dropout": 1.0}, {"lr": 0.0}, {"steps": 0}])
def test_a_configuration_that_cannot_be_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError):
        RegressorConfig(**wrong)  # type: ignore[arg-type]
