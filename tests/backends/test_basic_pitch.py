"""Basic Pitch through onnxruntime against the package's own `predict`."""

import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symmv_builder.backends import ModelHome, load
from symmv_builder.backends.basic_pitch import BasicPitch, _times_s
from symmv_builder.backends.basic_pitch.notes import find_notes
from symmv_builder.packages import import_compiled
from tests.backends.sounds import plucked


def package(module: str) -> Any:
    """A module of the package, which imports librosa."""
    pytest.importorskip("librosa")
    import_compiled("librosa")
    return pytest.importorskip(f"basic_pitch.{module}")


@pytest.mark.slow
def test_its_notes_are_those_of_predict(tmp_path: Path) -> None:
    inference = package("inference")
    random = np.random.default_rng(5)
    tune = [(0.2 + 0.15 * i, int(pitch)) for i, pitch in enumerate(random.integers(45, 85, 60))]
    sound = plucked(tune, rate_hz=BasicPitch.rate_hz, duration_s=11.3)
    path = tmp_path / "tune.wav"
    pcm = np.rint(sound * 32767).astype("<i2")
    with wave.open(str(path), "wb") as out:
        out.setparams((1, 2, BasicPitch.rate_hz, 0, "NONE", ""))
        out.writeframes(pcm.tobytes())
    ours = load("polyphonic", "basic_pitch", ModelHome()).transcribe(
        np.asarray(pcm.astype(np.float32) / 32768, np.float32)
    )
    folder = Path(inference.__file__).parent
    _, _, theirs = inference.predict(path, folder / "saved_models/icassp_2022/nmp.onnx")
    wanted = sorted((float(n[0]), int(n[2]), float(n[1]), round(127 * float(n[3]))) for n in theirs)
    found = sorted(zip(ours.starts_s, ours.pitches, ours.ends_s, ours.velocities, strict=True))
    assert len(wanted) > 30
    assert np.allclose(found, wanted, atol=1e-6)


def smooth(random: np.random.Generator, frames: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Activations 0-1 that rise and fall over some frames."""
    values = random.random((frames, 88))
    for _ in range(6):
        values = (values + np.roll(values, 1, axis=0) + np.roll(values, -1, axis=0)) / 3
    return np.asarray((values - values.min()) / np.ptp(values), np.float32)


@pytest.mark.parametrize("frames", [3, 12, 13, 14, 40, 700])
@pytest.mark.parametrize("kind", ["soft", "loud", "held", "flat", "silent"])
def test_notes_are_found_as_the_package_finds_them(kind: str, frames: int) -> None:
    creation = package("note_creation")
    random = np.random.default_rng(frames)
    heard, begun = smooth(random, frames), smooth(random, frames)
    if kind == "loud":
        heard = heard**2 * 2
    elif kind == "held":
        heard = np.repeat(heard, 9, axis=0)[:frames]
    elif kind in ("flat", "silent"):
        heard = np.full_like(heard, 0.5 if kind == "flat" else 0)
    with np.errstate(invalid="ignore"):
        theirs = creation.output_to_notes_polyphonic(
            heard.copy(), begun.copy(), onset_thresh=0.5, frame_thresh=0.3, min_note_len=11,
            infer_onsets=True, max_freq=None, min_freq=None, melodia_trick=True,
        )  # fmt: skip
    assert find_notes(heard, begun) == [(int(a), int(b), int(p), float(v)) for a, b, p, v in theirs]
    assert bool(theirs) == (frames > 13 and kind != "silent")
    assert np.array_equal(_times_s(frames), creation.model_frames_to_time(frames))
