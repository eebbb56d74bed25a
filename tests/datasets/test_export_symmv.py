"""SymMV's release layout, read back by a reader written from the format's description."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symmv_builder.backends.midi import read_notes
from symmv_builder.datasets.export import export
from symmv_builder.storage.root import Root
from tests.synthetic_rows import make_row

WriteDataset = Callable[[str, list[dict[str, Any]]], Root]
Note = tuple[int, int, int, int]


def read_midi(path: Path) -> tuple[dict[str, Any], list[list[Note]]]:
    """Header facts, and (start, pitch, end, velocity) in ticks of each track, sorted."""
    mido = pytest.importorskip("mido", reason="mido is not installed")
    midi = mido.MidiFile(path)
    facts = {"type": midi.type, "ppq": midi.ticks_per_beat, "events": []}
    tracks = []
    for track in midi.tracks:
        tick, sounding, notes = 0, {}, []
        for message in track:
            tick += message.time
            if message.type == "note_on" and message.velocity:
                assert message.note not in sounding, "a key is struck that is already down"
                sounding[message.note] = (tick, message.velocity)
            elif message.type in ("note_on", "note_off"):
                start, velocity = sounding.pop(message.note)
                notes.append((start, message.note, tick, velocity))
            elif message.type not in ("end_of_track", "track_name"):
                facts["events"].append((tick, *message.dict().items()))
        assert not sounding
        tracks.append(sorted(notes))
    return facts, tracks


def as_released_texture(notes: list[Note]) -> list[Note]:
    """The relation that all 1,140 released texture files obey."""
    moved = list(notes)
    for i in range(len(notes) - 1):
        _, pitch, end, velocity = notes[i]
        if notes[i + 1][0] < end:
            moved[i] = (notes[i + 1][0], pitch, end, velocity)
    return sorted(moved)


@pytest.fixture
def exported(write_dataset: WriteDataset, tmp_path: Path) -> tuple[Path, list[dict[str, Any]]]:
    splits = ("test", "train", "validation", "train")
    rows = [make_row("symmv", n, split=split) for n, split in enumerate(splits)]
    rows[1]["video_url"] = "https://www.youtube.com/watch?v=KFNEtO7fO9M"
    export(write_dataset("symmv", rows), "symmv", tmp_path / "out")
    return tmp_path / "out", rows


def test_the_table_has_the_releases_columns_in_order(
    exported: tuple[Path, list[dict[str, Any]]],
) -> None:
    folder, rows = exported
    with (folder / "SymMV.csv").open(newline="", encoding="utf-8") as handle:
        table = list(csv.DictReader(handle, delimiter="\t"))
    assert list(table[0]) == ["index", "youtube_url", "tonality", "shazam_id"]
    assert [row["index"] for row in table] == ["00001", "00002", "00003", "00004"]
    assert table[1]["youtube_url"] == "https://www.youtube.com/watch?v=KFNEtO7fO9M"
    assert [row["tonality"] for row in table] == ["B- major", "b- minor"] * 2
    # As in the release, a song that nobody identified has no fourth column.
    assert [row["shazam_id"] for row in table] == [row["shazam_id"] or None for row in rows]


def test_a_midi_file_is_built_as_a_released_one(
    exported: tuple[Path, list[dict[str, Any]]],
) -> None:
    folder, _ = exported
    facts, tracks = read_midi(folder / "midi" / "00001.mid")
    assert (facts["type"], facts["ppq"], len(tracks)) == (1, 220, 2)
    kinds = [dict(event[1:]) for event in facts["events"]]
    assert [event["type"] for event in kinds] == ["set_tempo", "time_signature", "program_change"]
    assert kinds[0]["tempo"] == 500_000
    assert (kinds[1]["numerator"], kinds[1]["denominator"]) == (4, 4)
    assert kinds[2]["program"] == 0


def test_notes_stand_at_their_own_seconds(exported: tuple[Path, list[dict[str, Any]]]) -> None:
    folder, rows = exported
    for index, row in zip(("00001", "00004"), (rows[0], rows[3]), strict=True):
        _, (_, notes) = read_midi(folder / "midi" / f"{index}.mid")
        onsets = {(round(s * 440), int(p)) for s, p in zip(
            row["notes_starts_s"], row["notes_pitches"], strict=True)}  # fmt: skip
        assert {(start, pitch) for start, pitch, _, _ in notes} == onsets
        velocities = dict(zip(zip(
            np.rint(row["notes_starts_s"] * 440), row["notes_pitches"], strict=True),
            row["notes_velocities"], strict=True))  # fmt: skip
        assert all(velocities[start, pitch] == v for start, pitch, _, v in notes)


def test_texture_and_notes_obey_the_releases_relation(
    exported: tuple[Path, list[dict[str, Any]]],
) -> None:
    folder, _ = exported
    for index in ("00001", "00002", "00003", "00004"):
        _, (_, notes) = read_midi(folder / "midi" / f"{index}.mid")
        _, (_, texture) = read_midi(folder / "midi" / "texture" / f"{index}_new.mid")
        assert texture == as_released_texture(notes)
        assert texture != notes


@pytest.mark.twin("test_texture_and_notes_obey_the_releases_relation")
def test_the_relation_is_the_one_of_released_files(shared_data: Path) -> None:
    for path in sorted((shared_data / "symmv" / "texture").glob("*.mid"))[:5]:
        released = shared_data / "symmv" / "midi" / path.name.replace("_new", "")
        _, (_, notes) = read_midi(released)
        _, (_, texture) = read_midi(path)
        assert texture == as_released_texture(notes)


@pytest.mark.twin("test_texture_and_notes_obey_the_releases_relation")
def test_released_notes_are_exported_as_the_released_files(
    write_dataset: WriteDataset, shared_data: Path, tmp_path: Path
) -> None:
    textures = sorted((shared_data / "symmv" / "texture").glob("*.mid"))[:6]
    rows = []
    for number, path in enumerate(textures):
        notes = read_notes(shared_data / "symmv" / "midi" / path.name.replace("_new", ""))
        row = make_row("symmv", number, seconds=1)
        for name in ("starts_s", "ends_s", "pitches", "velocities"):
            row[f"notes_{name}"] = getattr(notes, name)
        rows.append(row)
    export(write_dataset("symmv", rows), "symmv", tmp_path / "out")
    for number, path in enumerate(textures, start=1):
        _, (_, texture) = read_midi(path)
        _, (_, ours) = read_midi(tmp_path / "out" / "midi" / "texture" / f"{number:05d}_new.mid")
        assert ours == texture


def test_a_key_struck_again_ends_and_a_double_is_one_note(
    write_dataset: WriteDataset, tmp_path: Path
) -> None:
    row = make_row("symmv", 0)
    row["notes_starts_s"] = np.array([0.0, 0.0, 0.5, 0.5, 1.0])
    row["notes_ends_s"] = np.array([0.25, 2.0, 0.5, 0.75, 1.5])
    row["notes_pitches"] = np.array([60, 60, 60, 64, 64])
    row["notes_velocities"] = np.array([1, 2, 3, 4, 5])
    export(write_dataset("symmv", [row]), "symmv", tmp_path / "out")
    _, (_, notes) = read_midi(tmp_path / "out" / "midi" / "00001.mid")
    assert notes == [
        (0, 60, 220, 2),
        (220, 60, 221, 3),
        (220, 64, 330, 4),
        (440, 64, 660, 5),
    ]


def test_chords_beats_and_pedal_are_on_the_same_ticks(
    exported: tuple[Path, list[dict[str, Any]]],
) -> None:
    folder, rows = exported

    def lines(kind: str) -> list[list[str]]:
        text = (folder / kind / "00001.txt").read_text()
        return [line.split(" ") for line in text.splitlines()]

    chords = [(int(start), int(end), label) for start, end, label in lines("chord")]
    assert chords == [(440 * n, 440 * n + 440, x) for n, x in enumerate(rows[0]["chords_labels"])]
    beats = np.array(lines("beats"), dtype=int)
    assert (np.abs(beats[:, 0] / 440 - rows[0]["beats_times_s"]) <= 0.5 / 440).all()
    assert beats[:, 1].tolist() == rows[0]["beats_positions"].tolist()
    pedal = np.array(lines("pedal"), dtype=int)
    assert pedal.tolist() == [[880 * n, 880 * n + 572] for n in range(4)]


def test_melody_and_accompaniment_are_two_tracks(
    exported: tuple[Path, list[dict[str, Any]]],
) -> None:
    folder, rows = exported
    _, (_, melody, accompaniment) = read_midi(folder / "parts" / "00001.mid")
    onsets = np.rint(rows[0]["parts_starts_s"] * 440)
    chosen = rows[0]["parts_is_melody"]
    for track, mask in ((melody, chosen), (accompaniment, ~chosen)):
        given = set(zip(onsets[mask], rows[0]["parts_pitches"][mask], strict=True))
        assert {(start, pitch) for start, pitch, _, _ in track} == given


def test_splits_name_indices(exported: tuple[Path, list[dict[str, Any]]]) -> None:
    folder, _ = exported
    assert json.loads((folder / "splits.json").read_text()) == {
        "train": ["00002", "00004"],
        "validation": ["00003"],
        "test": ["00001"],
    }


def test_a_row_without_notes_or_chords_still_has_all_its_files(
    write_dataset: WriteDataset, tmp_path: Path
) -> None:
    row = make_row("symmv", 0)
    for name, value in row.items():
        if isinstance(value, np.ndarray | tuple):
            row[name] = value[:0]
    export(write_dataset("symmv", [row]), "symmv", tmp_path / "out")
    _, (_, notes) = read_midi(tmp_path / "out" / "midi" / "00001.mid")
    assert notes == []
    assert (tmp_path / "out" / "chord" / "00001.txt").read_bytes() == b""
