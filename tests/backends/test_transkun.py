"""Transkun on real Disklavier recordings: as good as, and equal to, its own program."""

import sys
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symmv_builder.backends import ModelHome, load
from symmv_builder.backends.midi import read_notes
from symmv_builder.backends.pyav import read_sound
from symmv_builder.backends.transkun import Transkun, _torchaudio
from symmv_builder.records import Notes

torch: Any = pytest.importorskip("torch")
pytest.importorskip("transkun")
EXCERPT_S = 6


def excerpt(path: Path, folder: Path) -> Path:
    """The first seconds as a 16-bit WAV file, which its own program reads without ffmpeg."""
    sound = read_sound(path)
    samples = np.rint(sound.samples[: EXCERPT_S * sound.rate_hz] * 32768).clip(-32768, 32767)
    out = folder / "excerpt.wav"
    with wave.open(str(out), "wb") as file:
        file.setparams((samples.shape[1], 2, sound.rate_hz, 0, "NONE", ""))
        file.writeframes(samples.astype("<i2").tobytes())
    return out


def test_its_notes_are_those_of_its_own_program_and_of_the_score(
    shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pkg_resources")
    recording = shared_data / "piano/MAPS_MUS-scn15_9_ENSTDkAm.flac"
    wav, mid = excerpt(recording, tmp_path), tmp_path / "program.mid"
    model = load("piano", "transkun", ModelHome())
    ours: Notes = model.transcribe(read_sound(wav, rate_hz=Transkun.rate_hz).samples)

    with _torchaudio(torch):
        from transkun import transcribe as program

        monkeypatch.setattr(sys, "argv", ["transkun", str(wav), str(mid)])
        try:
            program.main()
        finally:
            torch.set_grad_enabled(True)
    theirs = read_notes(mid)
    found, wanted = by_key(ours), by_key(theirs)
    assert found.shape == wanted.shape
    assert (found[:, [0, 3]] == wanted[:, [0, 3]]).all()
    # A MIDI file has a tick of half a millisecond, and a note of one at least.
    assert np.abs(found[:, 1:3] - wanted[:, 1:3]).max() < 0.002
    assert len(ours.pedal_starts_s) >= len(theirs.pedal_starts_s)
    assert onset_f1(ours, recording.with_suffix(".tsv")) > 0.97


def by_key(notes: Notes) -> np.ndarray:
    """Rows of pitch, start, end, velocity: key by key, since rounding may reorder a chord."""
    table = np.stack((notes.pitches, notes.starts_s, notes.ends_s, notes.velocities), axis=1)
    return table[np.lexsort((table[:, 1], table[:, 0]))]


def onset_f1(notes: Notes, truth: Path) -> float:
    mir_eval: Any = pytest.importorskip("mir_eval")
    rows = np.loadtxt(truth, delimiter="\t", skiprows=1)
    rows = rows[rows[:, 0] < EXCERPT_S - 0.05]
    kept = notes.starts_s < EXCERPT_S - 0.05
    found = np.stack((notes.starts_s, np.maximum(notes.ends_s, notes.starts_s + 0.01)), 1)[kept]
    _, _, f1, _ = mir_eval.transcription.precision_recall_f1_overlap(
        np.stack((rows[:, 0], np.maximum(rows[:, 1], rows[:, 0] + 0.01)), 1),
        mir_eval.util.midi_to_hz(rows[:, 2]),
        found,
        mir_eval.util.midi_to_hz(notes.pitches[kept]),
        offset_ratio=None,
    )
    return float(f1)


def test_no_stand_in_for_torchaudio_is_left_behind() -> None:
    before = sys.modules.get("torchaudio")
    load("piano", "transkun", ModelHome())
    assert sys.modules.get("torchaudio") is before
