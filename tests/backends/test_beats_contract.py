"""What every model of the slot ``beats`` keeps to."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symmv_builder.backends import ModelHome, backend_class, load, names
from symmv_builder.errors import StopRun
from symmv_builder.records import Beats
from tests.backends.sounds import WEIGHTS_BY_PATH, home_for_form, plucked, real_home

every_model = pytest.mark.parametrize("name", names("beats"))


def waltz(rate_hz: int) -> np.ndarray:
    """Twelve seconds at 120 to the minute, a low note on each first of three."""
    beats = [(0.25 + 0.5 * i, 36 if i % 3 == 0 else 67) for i in range(23)]
    chords = [(start, pitch + step) for start, pitch in beats for step in (0, 4, 7)]
    return plucked(chords, rate_hz=rate_hz, duration_s=12)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("weights")


@every_model
def test_it_says_what_it_is_by_its_weights(name: str, folder: Path) -> None:
    identity = backend_class("beats", name).identify(home_for_form(name, folder))
    assert identity.backend == name
    assert len(identity.weights_sha256) == 64


@every_model
def test_weights_that_are_not_there_stop_the_run(name: str, tmp_path: Path) -> None:
    if name not in WEIGHTS_BY_PATH:
        pytest.skip(f"the weights of {name} lie in its package")
    broken = tmp_path / "weights"
    broken.write_bytes(b"no weights at all")
    for paths in ({}, {name: "/nowhere"}, {name: str(broken)}):
        with pytest.raises(StopRun) as caught:
            backend_class("beats", name)(ModelHome(paths=paths))
        assert "beat" in str(caught.value).lower()


@pytest.mark.slow
@every_model
def test_it_gives_beats_within_the_sound(name: str, folder: Path) -> None:
    model: Any = load("beats", name, home_for_form(name, folder))
    beats = model.track(waltz(model.rate_hz))
    assert isinstance(beats, Beats)
    assert (beats.positions >= 1).all()
    assert ((beats.times_s >= 0) & (beats.times_s <= 12.1)).all()


@every_model
@pytest.mark.parametrize("samples", [0, 1, 800, 44100])
def test_silence_has_no_beats_however_short(name: str, samples: int, folder: Path) -> None:
    if name == "beat_this":
        real_home(name)
    model: Any = load("beats", name, home_for_form(name, folder))
    beats = model.track(np.zeros((samples, 1), dtype=np.float32))
    assert len(beats.times_s) == 0


@pytest.mark.slow
@every_model
def test_it_finds_the_beats_and_bars_of_a_waltz(name: str) -> None:
    model: Any = load("beats", name, real_home(name))
    beats = model.track(waltz(model.rate_hz))
    assert beats.tempo_bpm == pytest.approx(120, abs=3)
    wanted = 0.25 + 0.5 * np.arange(23)
    nearest = np.abs(wanted[:, None] - beats.times_s).min(axis=1)
    assert np.mean(nearest < 0.07) > 0.85
    downbeats = beats.times_s[beats.positions == 1]
    assert np.median(np.diff(downbeats)) == pytest.approx(1.5, abs=0.05)
