"""What every model of the slots ``piano`` and ``polyphonic`` keeps to."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symmv_builder.backends import ModelHome, backend_class, load, names
from symmv_builder.errors import StopRun
from symmv_builder.records import Notes
from tests.backends.sounds import TUNE, WEIGHTS_BY_PATH, home_for_form, plucked, real_home

SLOTS = [(slot, name) for slot in ("piano", "polyphonic") for name in names(slot)]
BY_PATH = [row for row in SLOTS if row[1] in WEIGHTS_BY_PATH]
every_model = pytest.mark.parametrize(("slot", "name"), SLOTS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("weights")


@every_model
def test_it_says_what_it_is_by_its_weights(slot: str, name: str, folder: Path) -> None:
    home = home_for_form(name, folder)
    identity = backend_class(slot, name).identify(home)
    assert identity.backend == name
    assert identity.version
    assert len(identity.weights_sha256) == 64
    assert identity == backend_class(slot, name).identify(home)


@pytest.mark.parametrize(("slot", "name"), BY_PATH)
def test_weights_that_are_not_there_stop_the_run_with_one_line(slot: str, name: str) -> None:
    for paths in ({}, {name: "/nowhere/at/all"}):
        with pytest.raises(StopRun, match=f"SYMMV_MODEL_{name.upper()}") as caught:
            backend_class(slot, name).identify(ModelHome(paths=paths))
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("slot", "name"), BY_PATH)
def test_weights_of_something_else_stop_the_run_with_one_line(
    slot: str, name: str, tmp_path: Path
) -> None:
    path = tmp_path / "weights"
    path.write_bytes(b"no weights at all")
    with pytest.raises(StopRun):
        backend_class(slot, name)(ModelHome(paths={name: str(path)}))


@pytest.mark.slow
@every_model
def test_it_gives_notes_within_the_sound(slot: str, name: str, folder: Path) -> None:
    model: Any = load(slot, name, home_for_form(name, folder))
    channels = 1 if model.mono else 2
    notes = model.transcribe(plucked(rate_hz=model.rate_hz, channels=channels))
    assert isinstance(notes, Notes)
    assert len(notes.pitches)
    assert notes.starts_s.min() >= 0
    # The last second of a segment may be filled with silence.
    assert notes.starts_s.max() < 10
    order = np.lexsort((notes.pitches, notes.starts_s))
    assert (order == np.arange(len(order))).all()


@pytest.mark.slow
@every_model
def test_a_moment_of_silence_has_few_notes_and_does_no_harm(
    slot: str, name: str, folder: Path
) -> None:
    model: Any = load(slot, name, home_for_form(name, folder))
    channels = 1 if model.mono else 2
    notes = model.transcribe(np.zeros((model.rate_hz // 20, channels), dtype=np.float32))
    assert isinstance(notes, Notes)
    if name != "piano_transcription":
        assert len(notes.pitches) == 0


@pytest.mark.slow
@every_model
def test_it_hears_a_tune_of_four_notes(slot: str, name: str) -> None:
    if name == "omnizart":
        pytest.skip("omnizart is heard through its own interpreter alone")
    model: Any = load(slot, name, real_home(name))
    sound = plucked(rate_hz=model.rate_hz, channels=1 if model.mono else 2)
    notes = model.transcribe(sound)
    heard = list(zip(notes.starts_s, notes.pitches, strict=True))
    for start, pitch in TUNE:
        assert any(abs(s - start) < 0.06 and p == pitch for s, p in heard), (start, pitch, heard)
