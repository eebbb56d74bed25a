"""Configurations: to JSON and back, and set from the command line."""

from dataclasses import dataclass
from typing import Any, Literal

import pytest

from symmv_builder.errors import StopRun
from symmv_builder.training import PRESETS, TRAINERS
from symmv_builder.training.configs import as_plain, from_plain, with_settings
from symmv_builder.training.runs import configure


@dataclass(frozen=True)
class Toy:
    """One field of each type that a configuration may have."""

    layers: int = 6
    lr: float = 1e-3
    shuffle: bool = True
    name: str = "amt"
    schedule: Literal["noam", "flat"] = "noam"
    heads: Literal[4, 8] = 8
    clip_norm: float | None = 1.0
    kind: Literal["gru", "lstm"] | None = None
    sizes: tuple[int, ...] = (1, 2)
    betas: tuple[float, float] = (0.9, 0.98)
    nested: tuple[tuple[int, ...], ...] = ((1, 2), (3,))

    def __post_init__(self) -> None:
        if self.layers < 1:
            raise ValueError(f"layers is {self.layers}; at least one")
        if self.layers > 6:
            raise ValueError(f"layers is {self.layers}; at most six")


def test_a_configuration_comes_back_out_of_json_as_it_was() -> None:
    toy = Toy(lr=0.1 + 0.2, clip_norm=None, sizes=(), nested=((), (4, 5)))
    plain = as_plain(toy)
    assert from_plain(Toy, plain) == toy
    assert plain["nested"] == [[], [4, 5]], "as JSON gives it back, so that the two compare"


def test_a_field_of_another_version_is_one_line() -> None:
    with pytest.raises(StopRun, match="Toy has no field depth, width: another version's file"):
        from_plain(Toy, {"width": 1, "lr": 1.0, "depth": 2})


def test_a_value_that_the_configuration_refuses_is_one_line() -> None:
    with pytest.raises(StopRun, match="layers is 0; at least one"):
        from_plain(Toy, {"layers": 0})
    with pytest.raises(StopRun, match="layers is 7; at most six"):
        with_settings(Toy(), {"layers": "7"})


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("layers", "2", 2),
        ("lr", "3e-4", 3e-4),
        ("lr", "1", 1.0),
        ("shuffle", "False", False),
        ("shuffle", "true", True),
        ("name", "with space", "with space"),
        ("schedule", "flat", "flat"),
        ("heads", "4", 4),
        ("clip_norm", "none", None),
        ("clip_norm", "0.5", 0.5),
        ("kind", "lstm", "lstm"),
        ("kind", "None", None),
        ("sizes", "3,4, 5", (3, 4, 5)),
        ("sizes", "", ()),
        ("betas", "0.5,0.9", (0.5, 0.9)),
    ],
)
def test_a_setting_becomes_a_value_of_its_fields_type(name: str, text: str, value: Any) -> None:
    found = getattr(with_settings(Toy(), {name: text}), name)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("layers", "two", "layers is 'two'; it can be a whole number"),
        ("layers", "2.5", "a whole number"),
        ("lr", "fast", "lr is 'fast'; it can be a number"),
        ("lr", "nan", "a number"),
        ("shuffle", "yes", "it can be true or false"),
        ("schedule", "cosine", "it can be noam, flat"),
        ("heads", "6", "it can be 4, 8"),
        ("clip_norm", "some", "it can be a number or none"),
        ("kind", "rnn", "it can be gru, lstm or none"),
        ("sizes", "1,x", "it can be a whole number and so on, with commas"),
        ("betas", "0.5", "it can be a number, a number, with commas"),
        ("depth", "1", "no setting is called 'depth'; known: layers, lr,"),
    ],
)
def test_a_setting_that_does_not_fit_is_one_line_with_what_would(
    name: str, text: str, message: str
) -> None:
    with pytest.raises(StopRun, match=message) as stop:
        with_settings(Toy(), {name: text})
    assert "\n" not in str(stop.value)


def test_settings_leave_the_rest_and_the_preset_as_they_were() -> None:
    preset = Toy()
    changed = with_settings(preset, {"lr": "0.5", "sizes": "9"})
    assert changed == Toy(lr=0.5, sizes=(9,))
    assert preset == Toy()
    assert with_settings(preset, {}) == preset


@pytest.mark.parametrize("trainer", TRAINERS)
@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("steps=-4", "steps is -4; it has to be above 0"),
        ("steps=0", "steps is 0; it has to be above 0"),
        ("batch_size=0", "batch_size is 0; it has to be above 0"),
        ("lr=0", "lr is 0.0; it has to be above 0"),
        ("lr=inf", "lr is inf; that is too large"),
        ("clip_norm=-1", "clip_norm is -1.0; it has to be above 0"),
        ("dropout=1", "dropout is 1.0; it has to be below 1"),
        ("dropout=-0.5", "dropout is -0.5; it has to be 0 or more"),
        ("buckets=-1", "buckets is -1; it has to be 0 or more"),
        ("patience=-1", "patience is -1; it has to be 0 or more"),
        ("seed=-1", "seed is -1; it has to be 0 or more"),
        ("seed=9223372036854775808", "that is too large"),
    ],
)
def test_no_trainer_takes_a_number_that_means_nothing(
    trainer: str, setting: str, message: str
) -> None:
    name, _, text = setting.partition("=")
    if name not in as_plain(configure(trainer, "smoke", {})):
        message = f"no setting is called '{name}'"
    with pytest.raises(StopRun, match=message):
        configure(trainer, "smoke", {name: text})


@pytest.mark.parametrize("trainer", TRAINERS)
def test_what_presets_hold_can_be_set(trainer: str) -> None:
    for preset in PRESETS:
        config = configure(trainer, preset, {})
        texts = {name: str(value) for name, value in as_plain(config).items()}
        assert configure(trainer, preset, texts) == config


@pytest.mark.parametrize("trainer", ["vmusprod", "amt", "vmcp"])
def test_a_model_without_heads_is_one_line(trainer: str) -> None:
    with pytest.raises(StopRun, match="heads is 0; it has to be above 0"):
        configure(trainer, "smoke", {"heads": "0"})
