"""Basic Pitch through onnxruntime against the package's own `predict`."""

import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symmv_builder.backends import ModelHome, load
from symmv_builder.backends.basic_pitch import BasicPitch
from tests.backends.sounds import plucked

inference: Any = pytest.importorskip("basic_pitch.inference")


def test_its_notes_are_those_of_predict(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    tune = [(0.2 + 0.15 * i, int(pitch)) for i, pitch in enumerate(random.integers(45, 85, 60))]
    sound = plucked(tune, rate_hz=BasicPitch.rate_hz, duration_s=11.3)
    path = tmp_path / "tune.wav"
    pcm = np.rint(sound * 32767).astype("<i2")
    with wave.open(str(path), "wb") as out:
        out.setparams((1, 2, BasicPitch.rate_hz, 0, "NONE", ""))
        out.writeframes(pcm.tobytes())
    ours = load("polyphonic", "basic_pitch", ModelHome()).transcribe(pcm.astype(np.float32) / 32768)
    package = Path(inference.__file__).parent
    _, _, theirs = inference.predict(path, package / "saved_models/icassp_2022/nmp.onnx")
    wanted = sorted((float(n[0]), int(n[2]), float(n[1]), round(127 * float(n[3]))) for n in theirs)
    found = sorted(zip(ours.starts_s, ours.pitches, ours.ends_s, ours.velocities, strict=True))
    assert len(wanted) > 30
    assert np.allclose(found, wanted, atol=1e-6)
