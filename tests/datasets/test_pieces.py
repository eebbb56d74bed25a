"""A piece is written whole: notes, sound of the asked length, and a video that carries it."""

import json
import os
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from symmv_builder.backends.midi import read_notes
from symmv_builder.backends.pyav import probe, read_sound
from symmv_builder.backends.pyav.encode import write_video
from symmv_builder.datasets.piece_files import RATE_HZ, sound_of, write_piece
from symmv_builder.errors import RejectEntry, StopRun
from symmv_builder.records import Notes
from symmv_builder.storage.assets import hash_file
from symmv_builder.training.composing import Piece


def notes(pitch: int) -> Notes:
    starts = np.arange(4) * 0.5
    return Notes(
        np.asarray(starts, np.float64),
        np.asarray(starts + 0.4, np.float64),
        np.full(4, pitch),
        np.full(4, 80),
    )


@pytest.fixture
def piece() -> Piece:
    tracks = {"melody": notes(72), "accompaniment": notes(48)}
    return Piece("a-piece", tracks, tempo_bpm=120.0, seconds=3.0, facts={"seed": 1})


def test_sound_lasts_as_long_as_it_should_and_ends_in_silence(piece: Piece) -> None:
    samples = sound_of(piece)
    assert samples.shape == (3 * RATE_HZ, 2)
    assert np.abs(samples).max() > 0.1
    assert np.abs(samples[-10:]).max() < 1e-3


def test_a_piece_for_a_video_is_four_files(piece: Piece, tmp_path: Path) -> None:
    video = tmp_path / "video.mp4"
    frames = (np.full((48, 64, 3), number, dtype=np.uint8) for number in range(75))
    write_video(video, frames, frame_rate=Fraction(25))
    written = write_piece(piece, tmp_path / "out", video=video)
    assert [path.name for path in written] == [
        "a-piece.mid", "a-piece.wav", "a-piece.mp4", "a-piece.json",
    ]  # fmt: skip
    read = read_notes(written[0])
    assert read.pitches.tolist() == [48, 72] * 4
    np.testing.assert_allclose(read.starts_s, np.repeat(np.arange(4) * 0.5, 2), atol=1e-3)
    facts = probe(written[2], "0" * 64)
    assert (facts.audio_codec, facts.video_codec) == ("aac", "h264")
    assert facts.duration_s == pytest.approx(3.0, abs=0.05)
    heard = read_sound(written[2]).samples[: 3 * RATE_HZ]
    made = read_sound(written[1]).samples[: len(heard)]
    assert np.corrcoef(heard[:, 0], made[: len(heard), 0])[0, 1] > 0.9
    receipt = json.loads(written[3].read_text())
    assert receipt["seed"] == 1
    assert receipt["files"] == {path.name: hash_file(path) for path in written[:3]}


def test_music_without_a_video_has_no_video(piece: Piece, tmp_path: Path) -> None:
    assert {path.suffix for path in write_piece(piece, tmp_path)} == {".mid", ".wav", ".json"}


def made_video(path: Path) -> Path:
    frames = (np.full((48, 64, 3), number, dtype=np.uint8) for number in range(25))
    write_video(path, frames, frame_rate=Fraction(25))
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize("how", ["itself", "hard link", "link", "by a linked folder"])
def test_a_piece_never_takes_the_place_of_its_video(piece: Piece, tmp_path: Path, how: str) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    video = made_video(folder / ("holiday.mp4" if "link" in how else "a-piece.mp4"))
    out = folder
    if how == "hard link":
        os.link(video, folder / "a-piece.mp4")
    elif how == "link":
        (folder / "a-piece.mp4").symlink_to(video)
    elif how == "by a linked folder":
        video.rename(folder / "a-piece.mp4")
        video, out = folder / "a-piece.mp4", tmp_path / "linked"
        out.symlink_to(folder)
    before = contents(folder)
    for overwrite in (False, True):
        with pytest.raises(
            StopRun, match=r"a-piece\.mp4: it would take the place of .*, which is read"
        ):
            write_piece(piece, out, video=video, overwrite=overwrite)
    assert contents(folder) == before


@pytest.mark.parametrize("kind", ["mid", "wav", "json"])
def test_a_file_of_somebody_else_is_replaced_when_that_is_asked_for(
    piece: Piece, tmp_path: Path, kind: str
) -> None:
    own = tmp_path / f"a-piece.{kind}"
    own.write_text('{"not": "ours"}')
    with pytest.raises(StopRun, match="was not made by this command"):
        write_piece(piece, tmp_path)
    assert contents(tmp_path) == {own.name: b'{"not": "ours"}'}
    assert len(write_piece(piece, tmp_path, overwrite=True)) == 3
    assert len(contents(tmp_path)) == 3


def test_an_earlier_piece_is_replaced_and_one_that_was_changed_since_is_not(
    piece: Piece, tmp_path: Path
) -> None:
    video = made_video(tmp_path / "video.mp4")
    out = tmp_path / "out"
    write_piece(piece, out, video=video)
    other = replace(piece, facts={"seed": 2})
    assert {path.suffix for path in write_piece(other, out)} == {".mid", ".wav", ".json"}
    assert {path.suffix for path in out.iterdir()} == {".mid", ".wav", ".json"}
    (out / "a-piece.mid").write_bytes(b"MThd, edited by a person")
    before = contents(out)
    with pytest.raises(StopRun, match=r"a-piece\.mid is there and was not made by this command"):
        write_piece(piece, out)
    assert contents(out) == before


def test_a_piece_whose_video_cannot_be_read_leaves_nothing(piece: Piece, tmp_path: Path) -> None:
    broken, out = tmp_path / "broken.mp4", tmp_path / "out"
    broken.write_bytes(made_video(tmp_path / "video.mp4").read_bytes()[:400])
    with pytest.raises(RejectEntry):
        write_piece(piece, out, video=broken)
    assert list(out.iterdir()) == []


@pytest.mark.parametrize("kind", ["mid", "wav", "mp4", "json"])
def test_a_folder_in_the_place_of_a_file_is_one_line(
    piece: Piece, tmp_path: Path, kind: str
) -> None:
    (tmp_path / "out" / f"a-piece.{kind}").mkdir(parents=True)
    with pytest.raises(StopRun, match="a folder stands in its place"):
        write_piece(piece, tmp_path / "out", video=made_video(tmp_path / "video.mp4"))
    assert [path.name for path in (tmp_path / "out").iterdir()] == [f"a-piece.{kind}"]
