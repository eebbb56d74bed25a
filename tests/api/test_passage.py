"""A passage of a piece written anew: all else of it stays note for note, in files too."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

import symmv_builder as sb
from symmv_builder.api.composers import about_model
from symmv_builder.backends.midi import midi_bytes, read_tempo_map, read_tracks
from symmv_builder.datasets.piece_files import read_piece
from symmv_builder.records import Notes
from symmv_builder.training.composing import Piece

SECONDS = 14.0
COLUMNS = ("starts_s", "ends_s", "pitches", "velocities")


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The JSON of a piece of the starter model, for no video."""
    [files] = sb.generate(
        [], out=tmp_path_factory.mktemp("first"), seconds=SECONDS, tempo=100, picture=False,
        musicxml=True,
    )  # fmt: skip
    return files[-1]


def outside(notes: Notes, start_s: float, end_s: float) -> list[tuple[float, ...]]:
    """The notes that do not begin between two times, as rows."""
    kept = (notes.starts_s < start_s - 1e-3) | (notes.starts_s >= end_s - 1e-3)
    return list(zip(*(getattr(notes, name)[kept].tolist() for name in COLUMNS), strict=True))


def tracks_of(receipt: Path) -> Mapping[str, Notes]:
    return dict(read_tracks(receipt.with_suffix(".mid")))


def again(first: Path, out: Path, *, piece: Path | None = None, **order: Any) -> Path:
    whole: dict[str, Any] = {"passage": (4.7, 9.7), "picture": False} | order
    [files] = sb.generate([], out=out, piece=piece or first, **whole)
    return files[-1]


def test_what_lies_outside_stays_note_for_note_however_often(first: Path, tmp_path: Path) -> None:
    second = again(first, tmp_path / "second", seed=7)
    third = again(first, tmp_path / "third", piece=second, seed=8, passage=(0.0, 2.5))
    facts = json.loads(third.read_text())
    # Beats of 100 to the minute.
    assert facts["passages"] == [
        {"of": "piece", "from_s": 4.8, "to_s": 9.6, "seed": 7},
        {"of": "piece", "from_s": 0.0, "to_s": 2.4, "seed": 8},
    ]
    for before, after, (start_s, end_s) in (
        (first, second, (4.8, 9.6)),
        (second, third, (0.0, 2.4)),
    ):
        old, new = tracks_of(before), tracks_of(after)
        assert all(
            outside(old[name], start_s, end_s) == outside(new[name], start_s, end_s) for name in old
        )
        assert any(not np.array_equal(old[n].pitches, new[n].pitches) for n in old)
        notes = np.concatenate([n.starts_s for n in new.values()])
        assert ((notes >= start_s) & (notes < end_s)).any()
    chords = json.loads(first.read_text())["chords"]
    kept = [span for span in chords if span[1] <= 4.8 or span[0] >= 9.6]
    assert [span for span in json.loads(second.read_text())["chords"] if span in kept] == kept


def test_the_same_seed_is_the_same_passage(first: Path, tmp_path: Path) -> None:
    one, same, other = (
        again(first, tmp_path / name, seed=seed).with_suffix(".mid").read_bytes()
        for name, seed in (("one", 1), ("same", 1), ("other", 2))
    )
    assert one == same != other


def test_a_denser_passage_has_more_notes(first: Path, tmp_path: Path) -> None:
    counts = []
    for density in (0.5, 4.0):
        new = tracks_of(again(first, tmp_path / str(density), density=density))
        starts = np.concatenate([notes.starts_s for notes in new.values()])
        counts.append(int(((starts >= 4.8) & (starts < 9.6)).sum()))
    assert counts[0] < counts[1]


@pytest.mark.parametrize(
    ("order", "line"),
    [
        ({"passage": None}, "`piece` and `passage` go together"),
        ({"passage": (9.0, 4.0)}, "it has to begin before it ends, and within the 14"),
        ({"passage": (14.0, 15.0)}, "within the 14"),
        ({"passage": (4.0, 4.3)}, "no whole beat"),
        ({"key": "C major"}, "leave out `key`"),
        ({"primer": "C G"}, "leave out `primer`"),
        ({"seconds": 9.0}, "leave out `seconds`"),
        ({"tempo": 90}, "leave out `tempo`"),
        ({"density": 9.0}, "density is 9.0; it can be 0.5 to 4"),
    ],
)
def test_what_contradicts_the_piece_is_refused_in_one_line(
    first: Path, tmp_path: Path, order: dict[str, Any], line: str
) -> None:
    with pytest.raises(sb.StopRun, match=line):
        again(first, tmp_path / "new", **order)
    assert not (tmp_path / "new").exists()


def test_an_earlier_piece_is_never_written_over(first: Path) -> None:
    before = first.read_bytes()
    with pytest.raises(sb.StopRun, match="which is read; write elsewhere"):
        again(first, first.parent)
    assert first.read_bytes() == before


def test_a_piece_that_was_changed_or_is_none_is_refused(first: Path, tmp_path: Path) -> None:
    for kind in ("json", "mid"):
        (tmp_path / f"piece.{kind}").write_bytes(first.with_suffix(f".{kind}").read_bytes())
    copy = tmp_path / "piece.json"
    assert read_piece(copy).seconds == SECONDS
    with copy.with_suffix(".mid").open("ab") as handle:
        handle.write(b"\0")
    with pytest.raises(sb.StopRun, match="was changed"):
        read_piece(copy)
    copy.write_text("[1]")
    with pytest.raises(sb.StopRun, match="no piece"):
        read_piece(copy)
    with pytest.raises(sb.StopRun, match=r"named by its JSON file, piece\.json"):
        read_piece(copy.with_suffix(".mid"))
    with pytest.raises(sb.StopRun, match="not a file"):
        read_piece(tmp_path / "other.json")


def test_a_key_beside_a_primer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(sb.StopRun, match="say the key themselves"):
        sb.generate([], out=tmp_path, seconds=8, key="C major", primer="Am F")


def test_the_score_has_the_notes_of_each_part(first: Path) -> None:
    root = ElementTree.parse(first.with_suffix(".musicxml")).getroot()  # noqa: S314 (it is ours)
    pitched = [note for note in root.iter("note") if note.find("pitch") is not None]
    begun = [note for note in pitched if note.find("tie[@type='stop']") is None]
    assert len(begun) == sum(len(notes.pitches) for notes in tracks_of(first).values())
    assert [part.text for part in root.iter("part-name")] == ["melody", "accompaniment"]


def test_a_tempo_map_that_is_read_and_written_again_keeps_every_tick(tmp_path: Path) -> None:
    times_s = np.array([0.0, 1.7, 4.33, 9.0])
    beats = np.array([0.0, 3.0, 8.0, 16.0])
    starts = np.linspace(0.1, 8.7, 40)
    notes = Notes(starts, starts + 0.13, np.arange(40) + 30, np.full(40, 64))
    path = tmp_path / "one.mid"
    path.write_bytes(midi_bytes({"piano": notes}, tempo_map=(times_s, beats)))
    for _ in range(3):
        before = path.read_bytes()
        path.write_bytes(midi_bytes(dict(read_tracks(path)), tempo_map=read_tempo_map(path)))
        assert path.read_bytes() == before


def test_the_package_s_own_model_says_what_it_heeds() -> None:
    about = about_model()
    assert about.title == "V-MusProd"
    assert {"key", "primer", "passage", "tempo", "density", "follow"} <= about.heeded
    assert [option.name for option in about.options] == ["tempo", "density", "follow"]


def test_a_piece_without_a_tempo_map_is_read_with_one(first: Path) -> None:
    piece: Piece = read_piece(first)
    assert piece.tempo_map is not None
    assert piece.tempo_bpm == 100.0
