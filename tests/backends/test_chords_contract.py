"""What every model of the slots ``chords`` and ``symbolic_chords`` keeps to."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symmv_builder.backends import ModelHome, backend_class, load, names
from symmv_builder.errors import StopRun
from symmv_builder.records import Chords
from symmv_builder.vocab import MUVISYNC_LABELS
from tests.backends.sounds import WEIGHTS_BY_PATH, home_for_form, plucked, real_home

every_model = pytest.mark.parametrize("name", names("chords"))
BY_PATH = [name for name in names("chords") if name in WEIGHTS_BY_PATH]
CADENCE = {0.0: (60, 64, 67), 3.0: (65, 69, 72), 6.0: (67, 71, 74), 9.0: (57, 60, 64)}


def cadence(rate_hz: int) -> np.ndarray:
    """C, F, G and A minor, three seconds each, struck every half second."""
    notes = [
        (start + strike / 2, pitch + octave)
        for start, chord in CADENCE.items()
        for strike in range(6)
        for pitch in chord
        for octave in (0, -12)
    ]
    return plucked(notes, rate_hz=rate_hz, duration_s=12)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("weights")


@every_model
def test_it_says_what_it_is_by_its_weights(name: str, folder: Path) -> None:
    identity = backend_class("chords", name).identify(home_for_form(name, folder))
    assert identity.backend == name
    assert len(identity.weights_sha256) == 64


@pytest.mark.parametrize("name", BY_PATH)
def test_weights_that_are_not_there_stop_the_run(name: str, tmp_path: Path) -> None:
    broken = tmp_path / "weights"
    broken.write_bytes(b"no weights at all")
    for paths in ({}, {name: "/nowhere"}, {name: str(broken)}):
        with pytest.raises(StopRun):
            backend_class("chords", name)(ModelHome(paths=paths))


@pytest.mark.slow
@every_model
def test_its_chords_cover_the_sound_with_labels_of_the_vocabulary(name: str, folder: Path) -> None:
    model: Any = load("chords", name, home_for_form(name, folder))
    chords = model.recognise(cadence(model.rate_hz))
    assert isinstance(chords, Chords)
    assert set(chords.labels) <= set(MUVISYNC_LABELS)
    assert chords.starts_s[0] == 0
    assert chords.starts_s[1:] == pytest.approx(chords.ends_s[:-1])
    assert chords.ends_s[-1] == pytest.approx(12, abs=0.15)


@every_model
@pytest.mark.parametrize("samples", [0, 1, 4000])
def test_a_sound_too_short_for_a_chord_has_none(name: str, samples: int, folder: Path) -> None:
    model: Any = load("chords", name, home_for_form(name, folder))
    assert model.recognise(np.zeros((samples, 1), dtype=np.float32)).labels == ()


@pytest.mark.slow
@every_model
def test_it_hears_a_cadence(name: str) -> None:
    model: Any = load("chords", name, real_home(name))
    chords = model.recognise(cadence(model.rate_hz))
    for moment, label in ((1.5, "C"), (4.5, "F"), (7.5, "G"), (10.5, "A:min")):
        place = int(np.searchsorted(chords.starts_s, moment, side="right")) - 1
        assert chords.labels[place] == label


@pytest.mark.parametrize("name", names("symbolic_chords"))
def test_a_namer_gives_one_chord_a_beat(name: str) -> None:
    model: Any = load("symbolic_chords", name, ModelHome())
    starts = np.repeat([0, 100, 200, 300], 3)
    pitches = np.array([60, 64, 67] * 2 + [57, 60, 64] * 2)
    assert model.name(starts, starts + 100, pitches, ticks_per_beat=100) == [
        (0, "M"), (0, "M"), (9, "m"), (9, "m"),
    ]  # fmt: skip
    assert model.name(starts[:0], starts[:0], pitches[:0], ticks_per_beat=100) == []
