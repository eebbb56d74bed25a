"""One command from a folder of MIDI files to a model, and music by it for a video."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from symmv_builder.backends.midi import write_notes
from symmv_builder.backends.pyav import probe
from symmv_builder.cli import app
from symmv_builder.errors import StopRun
from symmv_builder.records import Notes
from tests.video.moving import film

TINY = "steps=3 width=16 heads=2 feedforward=16 layers=1 warmup=1 batch_size=2 max_tokens=64"
BEAT_S = 0.5


def song(path: Path, shift: int) -> Path:
    """Eight bars of four beats at 120 bpm: quarters over a bass that changes with each bar."""
    places = np.arange(32)
    starts_s = np.concatenate([places, np.arange(0, 32, 4)]) * BEAT_S
    lengths_s = np.concatenate([np.ones(32), np.full(8, 4.0)]) * BEAT_S
    pitches = np.concatenate([72 + shift + places % 5, 48 + shift + np.arange(8) % 4])
    order = np.lexsort((pitches, starts_s))
    starts_s, lengths_s, pitches = starts_s[order], lengths_s[order], pitches[order]
    notes = Notes(starts_s, starts_s + lengths_s, pitches, np.full(40, 80))
    write_notes(path, {"piano": notes}, tempo_bpm=60 / BEAT_S)
    return path


def call(*words: str) -> str:
    done = CliRunner().invoke(app, words, catch_exceptions=True)
    if isinstance(done.exception, StopRun):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout


def test_cmt_learns_from_a_folder_of_midi_by_one_command_and_writes_for_a_video(
    tmp_path: Path,
) -> None:
    (tmp_path / "songs").mkdir()
    for number in range(6):
        song(tmp_path / "songs" / f"{number}.mid", number)
    root, out = str(tmp_path / "root"), tmp_path / "run"
    words = ["train", "cmt", "--from", str(tmp_path / "songs"), "--out", str(out), "--root", root]
    words += ["--preset", "smoke", *(w for each in TINY.split() for w in ("--set", each))]
    said = call(*words)
    assert "midi: 6 made" in said
    assert "cmt: all steps are done at step 3" in said
    # Once more: nothing is imported nor learned anew.
    checkpoint = (out / "checkpoints").iterdir().__next__()
    before = checkpoint.stat().st_mtime_ns
    assert "all steps are done" in call(*words)
    assert checkpoint.stat().st_mtime_ns == before
    video = film(tmp_path / "v.mp4", 4.0, 0.5)
    call(
        *("generate", str(video), "--model", str(out), "--out", str(tmp_path / "music")),
        *("--no-picture", "--root", root, "--control", "1"),
    )
    facts = json.loads((tmp_path / "music" / "v.json").read_text())
    assert facts["video"] == "v"
    written = probe(tmp_path / "music" / "v.mp4", "0" * 64)
    assert written.duration_s == pytest.approx(4.0, abs=0.1)
    assert written.audio_codec == "aac"


def test_a_training_takes_a_dataset_or_a_folder(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    out = str(tmp_path / "run")
    for more in ([], ["--data", "midi", "--from", str(tmp_path / "empty")]):
        with pytest.raises(StopRun, match="either `data`, its dataset, or `from`"):
            call("train", "cmt", "--out", out, *more)
    with pytest.raises(StopRun, match="empty"):
        call("train", "cmt", "--out", out, "--from", str(tmp_path / "empty"), "--root", out)
