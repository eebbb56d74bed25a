"""The model that comes with the package: whole, small, and able to write music."""

import json
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch

from symmv_builder import starter
from symmv_builder.evaluation.music import score_song
from symmv_builder.training import checkpoint, run_folders
from symmv_builder.training.vmusprod import compose
from symmv_builder.training.vmusprod.compose import Models
from symmv_builder.training.vmusprod.piece import ArrangedPiece, Wish

FOLDER = starter.path().parent
STAGES = ("chord", "melody", "accompaniment")


@pytest.fixture(scope="module")
def models() -> Models:
    return compose.load(starter.path())


@pytest.fixture(scope="module")
def pieces(models: Models) -> list[ArrangedPiece]:
    """Sixteen pieces of eight bars at tempos from slow to fast."""
    wishes = [Wish(seed=n, bars=8, tempo_bpm=62.0 + 3 * n) for n in range(16)]
    return compose.compose_all(models, wishes)


def test_every_byte_of_the_model_is_what_was_written() -> None:
    assert checkpoint.verify_run(starter.path()) == []
    assert run_folders.kinds(starter.path()) == {f"vmusprod.{stage}" for stage in STAGES}


def test_the_weights_are_small_and_in_half_precision() -> None:
    from safetensors.torch import load_file

    files = list(starter.path().rglob("*.safetensors"))
    assert len(files) == len(STAGES)
    assert sum(path.stat().st_size for path in files) < 6_500_000
    assert {t.dtype for path in files for t in load_file(path).values()} == {torch.half}


def test_a_model_in_half_precision_is_opened_in_single_precision(models: Models) -> None:
    kinds = {p.dtype for model in models.stages.values() for p in model.parameters()}
    assert kinds == {torch.float32}


def test_the_list_of_songs_is_that_of_the_checkpoints() -> None:
    songs = json.loads((FOLDER / "songs.json").read_text())
    splits = {name: set(songs[name]) for name in ("train", "validation", "test")}
    assert sum(map(len, splits.values())) == len(set().union(*splits.values()))
    for stage in STAGES:
        held = checkpoint.read(starter.path() / stage, f"vmusprod.{stage}")
        assert held.about["songs"] == len(splits["train"])
        for split in ("train", "validation"):
            assert set(held.about["entries"][split]) == splits[split]


def test_the_configuration_is_the_one_that_it_was_trained_with() -> None:
    training = tomllib.loads((FOLDER / "training.toml").read_text())
    assert set(training["steps"]) == set(STAGES)
    for stage in STAGES:
        held = checkpoint.read(starter.path() / stage, f"vmusprod.{stage}")
        said = {name: held.config[name] for name in training["settings"]}
        assert said == training["settings"]
        assert held.config["steps"] == training["steps"][stage]


def test_the_folder_holds_nothing_but_the_model_and_how_it_was_made() -> None:
    held = {p.relative_to(FOLDER) for p in FOLDER.rglob("*") if p.is_file()}
    parts = ("SHA256SUMS", "checkpoint.json", "model.safetensors")
    wanted = {Path("run", stage, "best", part) for stage in STAGES for part in parts}
    wanted |= {Path(name) for name in ("__init__.py", "songs.json", "training.toml")}
    assert {path for path in held if "__pycache__" not in path.parts} == wanted


def test_pieces_have_the_length_and_tempo_that_were_asked_for(pieces: list[ArrangedPiece]) -> None:
    for piece in pieces:
        assert piece.duration_s == pytest.approx(8 * 4 * 60 / piece.tempo_bpm)
        assert piece.song.bars == 8
        assert float(piece.notes.ends_s.max()) <= piece.duration_s + 1e-9


def test_pieces_are_neither_empty_nor_noise(pieces: list[ArrangedPiece]) -> None:
    """Most have a melody, all an accompaniment; together they lie where real songs do."""
    scores = []
    for piece in pieces:
        notes = piece.notes
        assert len(piece.accompaniment.pitches) >= 24
        beats_s = np.linspace(0.0, piece.duration_s, 8 * 4 + 1)
        scored = score_song(notes.starts_s, notes.ends_s, notes.pitches, beats_s)
        scores.append(list(scored.values()))
    assert sum(len(piece.melody.pitches) >= 8 for piece in pieces) >= 8
    assert sum(len(set(piece.chords.labels)) >= 2 for piece in pieces) >= 12
    sc, pe, pce, ebr, ioi = np.mean(scores, axis=0)
    assert sc > 0.9
    assert 3.3 < pe < 5.0
    assert 2.2 < pce < 3.1
    assert ebr < 0.1
    assert 0.09 < ioi < 0.3


def test_the_melody_lies_above_the_bass(pieces: list[ArrangedPiece]) -> None:
    melody = np.concatenate([piece.melody.pitches for piece in pieces])
    accompaniment = np.concatenate([piece.accompaniment.pitches for piece in pieces])
    assert np.median(melody) > np.median(accompaniment) + 5


def test_notes_fit_the_chords_that_they_stand_over(pieces: list[ArrangedPiece]) -> None:
    """More of the accompaniment than the 3 of 7 white keys that a triad takes by chance."""
    from symmv_builder.training.vmusprod.embedding import chroma_table

    table = chroma_table().numpy()
    fits = []
    for piece in pieces:
        song = piece.song
        at = np.searchsorted(song.chord_onsets, song.onsets, side="right") - 1
        sounds = table[1 + song.chord_roots[at], 1 + song.chord_qualities[at]]
        under_a_chord = ~song.is_melody & sounds.any(axis=1)
        fits += sounds[np.arange(len(at)), song.pitches % 12][under_a_chord].tolist()
    assert np.mean(fits) > 0.46


def test_the_same_seed_gives_the_same_piece_and_another_seed_another(models: Models) -> None:
    first, again, other = (
        compose.compose(models, None, bars=2, seed=seed, tempo_bpm=80.0)[0] for seed in (5, 5, 6)
    )
    assert np.array_equal(first.notes.pitches, again.notes.pitches)
    assert first.notes.pitches.tolist() != other.notes.pitches.tolist()
