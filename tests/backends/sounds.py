"""Sounds and stand-in weights that the contract tests of the music models share."""

import os
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from symmv_builder.backends import ModelHome

TUNE = ((0.5, 60), (1.0, 64), (1.5, 67), (2.0, 72))


def plucked(
    notes: Iterable[tuple[float, int]] = TUNE,
    *,
    rate_hz: int,
    duration_s: float = 3.0,
    channels: int = 1,
) -> NDArray[np.float32]:
    """Decaying tones of eight harmonics at (start in seconds, pitch): ``[n, channels]``."""
    times_s = np.arange(round(duration_s * rate_hz)) / rate_hz
    sound = np.zeros_like(times_s)
    for start_s, pitch in notes:
        since = times_s - start_s
        envelope = np.exp(-3 * since.clip(0)) * (1 - np.exp(-400 * since.clip(0)))
        hertz = 440 * 2 ** ((pitch - 69) / 12)
        for harmonic in range(1, 9):
            if harmonic * hertz < rate_hz / 2:
                tone = np.sin(2 * np.pi * harmonic * hertz * since) / harmonic**1.5
                sound += 0.15 * envelope * tone
    return np.repeat(sound[:, None], channels, axis=1).astype(np.float32)


def home_of(name: str, path: Path) -> ModelHome:
    return ModelHome(paths={name: str(path)})


def real_home(name: str) -> ModelHome:
    """The model's home where its weights are packaged or set; the test is skipped elsewhere."""
    variable = f"SYMMV_MODEL_{name.upper()}"
    if name not in WEIGHTS_BY_PATH:
        return ModelHome()
    if variable not in os.environ:
        pytest.skip(f"the weights of {name} are not here (set {variable})")
    return ModelHome(paths={name: os.environ[variable]})


def home_for_form(name: str, folder: Path) -> ModelHome:
    """A home in which the model runs: real weights, or random ones in the form of the real."""
    variable = f"SYMMV_MODEL_{name.upper()}"
    if name not in WEIGHTS_BY_PATH:
        return ModelHome()
    if variable in os.environ:
        return ModelHome(paths={name: os.environ[variable]})
    return home_of(name, _made(name, folder))


@cache
def _made(name: str, folder: Path) -> Path:
    return WEIGHTS_BY_PATH[name](folder)


def random_piano_transcription(folder: Path) -> Path:
    torch: Any = pytest.importorskip("torch")
    models: Any = pytest.importorskip("piano_transcription_inference.models")
    torch.manual_seed(0)
    both = models.Note_pedal(frames_per_second=100, classes_num=88)
    state = {name: getattr(both, name).state_dict() for name in ("note_model", "pedal_model")}
    path = folder / "piano_transcription.pth"
    torch.save({"model": state}, path)
    return path


def random_beat_this(folder: Path) -> Path:
    torch: Any = pytest.importorskip("torch")
    tracker: Any = pytest.importorskip("beat_this.model.beat_tracker")
    torch.manual_seed(0)
    settings = {"transformer_dim": 64, "n_layers": 1}
    state = tracker.BeatThis(**settings).state_dict()
    checkpoint = {
        "hyper_parameters": {**settings, "lr": 0.1},
        "state_dict": {f"model.{key}": value for key, value in state.items()},
    }
    path = folder / "beat_this.ckpt"
    torch.save(checkpoint, path)
    return path


def random_btc(folder: Path) -> Path:
    torch: Any = pytest.importorskip("torch")
    from symmv_builder.backends.btc import expected_shapes

    torch.manual_seed(0)
    state = {name: 0.3 * torch.randn(shape) for name, shape in expected_shapes().items()}
    path = folder / "btc.pt"
    torch.save({"model": state, "mean": np.float64(-2.3), "std": np.float64(2.1)}, path)
    return path


FAKE_OMNIZART = """
import wave
import pretty_midi
def transcribe(path, output):
    with wave.open(path) as sound:
        heard = any(sound.readframes(sound.getnframes()))
        duration_s = sound.getnframes() / sound.getframerate()
    midi = pretty_midi.PrettyMIDI()
    for drums in (False, True):
        instrument = pretty_midi.Instrument(program=0, is_drum=drums)
        if heard and duration_s > 1:
            instrument.notes = [pretty_midi.Note(80, 60 - drums, 0.5, 1.0)]
        midi.instruments.append(instrument)
    midi.write(output)
"""


def fake_omnizart(folder: Path, app: str = FAKE_OMNIZART) -> Path:
    """An interpreter that finds a package omnizart with weights, and what `app` says it does."""
    music = folder / "site" / "omnizart" / "music"
    weights = folder / "site" / "omnizart" / "checkpoints" / "music" / "weights.h5"
    facts = folder / "site" / "omnizart-0.5.0.dist-info" / "METADATA"
    for path, text in (
        (music / "__init__.py", ""),
        (music.parent / "__init__.py", ""),
        (music / "app.py", app),
        (weights, "weights"),
        (facts, "Metadata-Version: 2.1\nName: omnizart\nVersion: 0.5.0\n"),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{folder}/site" exec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    return python


WEIGHTS_BY_PATH = {
    "piano_transcription": random_piano_transcription,
    "beat_this": random_beat_this,
    "btc": random_btc,
    "omnizart": fake_omnizart,
}
