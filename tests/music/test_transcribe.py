"""The stage between file and model: rate, channels, and what it passes on."""

import wave
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from symmv_builder.backends.slots import Transcriber
from symmv_builder.errors import RejectEntry
from symmv_builder.music.transcribe import POLYPHONIC, STEP, hear_notes
from symmv_builder.records import Notes
from tests.hearing import heard
from tests.standins import StandInModel


class StandIn(StandInModel, Transcriber):
    def __init__(self, rate_hz: int, mono: bool) -> None:
        self.rate_hz, self.mono = rate_hz, mono  # type: ignore[misc]
        self.heard: NDArray[np.float32] = np.empty((0, 0), np.float32)

    def transcribe(self, samples: NDArray[np.float32]) -> Notes:
        self.heard = samples
        return Notes(
            np.array([0.5]),
            np.array([1.0]),
            np.array([60]),
            np.array([77]),
            pedal_starts_s=np.array([0.2]),
            pedal_ends_s=np.array([0.9]),
        )


@pytest.mark.parametrize(
    ("rate_hz", "mono", "shape"), [(8000, True, (8000, 1)), (16000, False, (16000, 2))]
)
def test_the_model_hears_what_it_asks_for(
    tmp_path: Path, rate_hz: int, mono: bool, shape: tuple[int, int]
) -> None:
    path = tmp_path / "take.wav"
    with wave.open(str(path), "wb") as out:
        out.setparams((2, 2, 16000, 0, "NONE", ""))
        out.writeframes(np.full((16000, 2), (8192, 16384), "<i2").tobytes())
    model = StandIn(rate_hz, mono)
    notes = heard(path, hear_notes(model=model))
    assert (notes.velocities.tolist(), notes.pedal_ends_s.tolist()) == ([77], [0.9])
    assert model.heard.shape == shape
    assert model.heard.dtype == np.float32
    middle = model.heard[shape[0] // 2]
    assert middle == pytest.approx([0.375] if mono else [0.25, 0.5], abs=1e-3)


def test_what_is_not_media_is_a_rejection(tmp_path: Path) -> None:
    path = tmp_path / "take.wav"
    path.write_bytes(b"not a sound")
    with pytest.raises(RejectEntry):
        heard(path, hear_notes(model=StandIn(8000, True)))


def test_piano_and_polyphonic_are_steps_of_their_own() -> None:
    assert (STEP.name, STEP.slot) == ("transcribe", "piano")
    assert (POLYPHONIC.name, POLYPHONIC.slot) == ("transcribe_polyphonic", "polyphonic")
