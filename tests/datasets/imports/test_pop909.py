"""POP909: its tracks, beats, Harte labels and keys in our rows."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symmv_builder.backends.midi import midi_bytes
from symmv_builder.datasets.imports.importers.pop909 import read_chords, symmv_label
from symmv_builder.datasets.imports.published_archive import pack
from symmv_builder.vocab import SYMMV_LABELS
from tests.datasets.imports.small_releases import Call, Read, notes, write_pop909


@pytest.mark.parametrize(
    ("harte", "ours"),
    [
        ("C:maj", "CM"), ("C", "CM"), ("C/3", "CM"), ("Db:min", "C#m"), ("Gb:dim", "F#o"),
        ("Ab:aug", "G#+"), ("A#:7", "Bb7"), ("D#:maj7", "EbM7"), ("F:min7/b3", "Fm7"),
        ("B:dim7", "Bo7"), ("E:hdim7", "Eo"), ("G:sus2", "Gsus2"), ("G:sus4(b7)", "Gsus4"),
        ("D:maj(9)", "DM"), ("A:min6", "Am"), ("A:minmaj7", "Am"), ("A:maj6", "AM"),
        ("C:5", ""), ("N", ""), ("X", ""),
    ],
)  # fmt: skip
def test_a_harte_label_has_a_word_of_symmv(harte: str, ours: str) -> None:
    assert symmv_label(harte) == ours
    assert ours in ("", *SYMMV_LABELS)


@pytest.mark.parametrize("wrong", ["", "H:maj", "C:what", "c:maj"])
def test_what_is_no_chord_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"chord|quality"):
        symmv_label(wrong)


@pytest.fixture
def imported(tmp_path: Path, call: Call, read: Read) -> tuple[dict[str, Any], dict[str, Any]]:
    write_pop909(tmp_path / "POP909", "001")
    code, _, _ = call("import", "pop909", tmp_path, "--root", tmp_path / "root", "--workers", 1)
    assert code == 0
    receipt, [row] = read(tmp_path / "root", "pop909")
    return receipt, row


def test_beats_are_the_published_ones_and_a_pickup_counts_back(
    imported: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    _, row = imported
    assert row["beats_times_s"].tolist() == [0.5 + 0.5 * n for n in range(16)]
    assert row["beats_positions"].tolist() == [3, 4, *[1, 2, 3, 4] * 3, 1, 2]


def test_melody_is_the_track_and_a_doubled_note_is_the_melodys(
    imported: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    _, row = imported
    melody = row["parts_is_melody"]
    assert row["parts_pitches"][melody].tolist() == [72, 74, 76, 77] * 3
    # Two beats before the first downbeat.
    assert row["parts_onset_steps"][melody].tolist() == [4 * n - 8 for n in range(12)]
    assert sorted(row["parts_pitches"][~melody].tolist()) == sorted([60, 62, *[48, 52, 55, 76] * 3])
    assert len(row["notes_pitches"]) == 12 + 2 + 12


def test_a_note_of_both_parts_on_one_step_stands_once(
    tmp_path: Path, call: Call, read: Read
) -> None:
    both = {"MELODY": notes([72] * 8), "PIANO": notes([72, 60] * 4)}
    write_pop909(tmp_path, "001", **{"001": midi_bytes(both)})
    call("import", "pop909", tmp_path, "--root", tmp_path / "root", "--workers", 1)
    _, [row] = read(tmp_path / "root", "pop909")
    assert row["parts_is_melody"].sum() == 8
    assert row["parts_pitches"][~row["parts_is_melody"]].tolist() == [60] * 4


def test_chords_are_joined_where_only_the_bass_changes(
    imported: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    _, row = imported
    assert row["chords_labels"] == ("Ebm", "G#M")
    assert row["chords_starts_s"].tolist() == [1.5, 3.5]
    assert row["chords_ends_s"].tolist() == [3.5, 7.5]


def test_equal_chords_with_a_gap_between_them_stay_two(tmp_path: Path) -> None:
    packed = tmp_path / "packed"
    packed.write_bytes(pack({"chord_midi.txt": b"0 1 C:maj\n1 2 C:maj/3\n3 4 C:maj\n4 5 N\n"}))
    chords = read_chords(packed, notes([60] * 12))
    assert chords.labels == ("CM", "CM")
    assert (chords.starts_s.tolist(), chords.ends_s.tolist()) == ([0, 3], [2, 4])


def test_the_key_is_the_one_that_lasts_longest(
    imported: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    _, row = imported
    assert (row["key_tonic"], row["key_mode"]) == ("E-", "minor")
    assert -1 <= row["key_correlation"] <= 1
    assert list(zip(row["key_starts_s"], row["key_ends_s"], strict=True)) == [(0.5, 2.5), (2.5, 8)]
    assert list(zip(row["key_tonics"], row["key_modes"], strict=True)) == [
        ("C", "major"), ("E-", "minor"),
    ]  # fmt: skip


def test_columns_of_a_video_are_absent_and_the_receipt_says_which_there_are(
    imported: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    receipt, row = imported
    assert receipt["schema"] == "symmv/v2"
    assert receipt["columns"] == list(row)
    missing = {"video_url", "video_sha256", "semantic", "motion", "colour", "scenes_starts_s"}
    assert missing.isdisjoint(row)
    assert receipt["made_by"]["beats"] == "pop909_beats"
    assert receipt["left_out"] == 0


DAMAGED: dict[str, tuple[dict[str, str | bytes | None], str]] = {
    "002": ({"beat_midi": None}, "no_annotation"),
    "003": ({"beat_midi": "0.5 1.0 zero\n"}, "unreadable"),
    "004": ({"beat_midi": "0.5 1.0 1.0\n0.4 1.0 0.0\n"}, "wrong_annotation"),
    "005": ({"beat_midi": "0.5 1.0 0.0\n0.9 1.0 0.0\n"}, "no_beats"),
    "006": ({"chord_midi": "0.5 1.0\n"}, "unreadable"),
    "007": ({"chord_midi": "0.5 1.0 C:odd\n"}, "unreadable"),
    "008": ({"chord_midi": "0.5 nan C:maj\n"}, "wrong_annotation"),
    "009": ({"key_audio": ""}, "no_annotation"),
    "010": ({"key_audio": "0 1 C\n"}, "unreadable"),
    "011": ({"011": b"MThd"}, "unreadable"),
    "012": ({"012": b"no midi"}, "not_media"),
    "013": ({"013": b""}, "empty_file"),
    "014": ({"014": midi_bytes({"PIANO": notes([60] * 12)})}, "no_annotation"),
    "016": ({"beat_midi": "".join(f"{n * 1e-6} 1.0 1.0\n" for n in range(9))}, "wrong_annotation"),
    "017": (
        {"beat_midi": "".join(f"{n} 0 {float(n == 0)}\n" for n in range(300))},
        "wrong_annotation",
    ),
    "018": ({"chord_midi": "-1.0 0.5 C:maj\n"}, "wrong_annotation"),
    "015": ({"chord_midi": b"\xff\xfe"}, "unreadable"),
}


# Annotation that can be read and cannot be true, the reason, and what the rejection names.
WRONG: dict[str, tuple[dict[str, str | bytes | None], str]] = {
    "020": ({"chord_midi": ""}, "no_annotation: chord_midi.txt names no chord"),
    "021": ({"chord_midi": "0 2 N\n"}, "no_annotation: chord_midi.txt names no chord"),
    "022": ({"chord_midi": "0 2 C:maj\n\n1 3 D:maj\n"}, "wrong_annotation: chord_midi.txt, line 3"),
    "023": ({"chord_midi": "0 2 C:maj\n2 99 D:maj\n"}, "wrong_annotation: chord_midi.txt, line 2"),
    "024": ({"chord_midi": "2 3 C:maj\n0 1 D:maj\n"}, "wrong_annotation: chord_midi.txt, line 2"),
    "025": (
        {"beat_midi": "0.5 1.0 1.0\n99999999 1.0 0.0\n"}, "wrong_annotation: beat_midi.txt, line 2",
    ),
    "026": ({"beat_midi": "0.5 1.0 1.0\nnan 1.0 0.0\n"}, "wrong_annotation: beat_midi.txt, line 2"),
    "027": ({"key_audio": "0 inf C:maj\n"}, "wrong_annotation: key_audio.txt, line 1"),
    "028": ({"key_audio": "0 3 C:maj\n3 2 D:maj\n"}, "wrong_annotation: key_audio.txt, line 2"),
}  # fmt: skip


def test_annotation_that_cannot_be_true_is_put_aside_with_file_and_line(
    tmp_path: Path, call: Call
) -> None:
    write_pop909(tmp_path, "001")
    for number, (changed, _) in WRONG.items():
        write_pop909(tmp_path, number, **changed)
    code, out, err = call("import", "pop909", tmp_path, "--root", tmp_path / "root")
    assert (code, f"1 made, {len(WRONG)} rejected" in out) == (0, True)
    for number, (_, said) in WRONG.items():
        [line] = [line for line in err.splitlines() if f"put aside: {number}: " in line]
        assert said in line


def test_chords_that_were_rounded_into_each_other_meet(tmp_path: Path) -> None:
    packed = tmp_path / "packed"
    packed.write_bytes(pack({"chord_midi.txt": b"0 1.0002 C:maj\n1 2 D:maj\n2 2 E:maj\n"}))
    chords = read_chords(packed, notes([60] * 12))
    assert (chords.starts_s.tolist(), chords.ends_s.tolist()) == ([0, 1], [1, 2])


def test_damaged_songs_are_put_aside_and_the_others_stay(
    tmp_path: Path, call: Call, read: Read
) -> None:
    write_pop909(tmp_path, "001")
    for number, (changed, _) in DAMAGED.items():
        write_pop909(tmp_path, number, **changed)
    (tmp_path / "019").mkdir()
    place = ("import", "pop909", tmp_path, "--root", tmp_path / "root", "--workers", 1)
    code, out, err = call(*place)
    assert code == 0
    assert f"1 made, {len(DAMAGED)} rejected, 0 unfinished" in out
    lines = [line for line in err.splitlines() if "put aside: " in line]
    assert len(lines) == len(DAMAGED)
    for line, (number, (_, reason)) in zip(lines, sorted(DAMAGED.items()), strict=True):
        assert line.startswith(f"symmv: put aside: {number}: "), line
        assert reason in line
    assert "left out: 019 has no 019.mid" in err
    receipt, rows = read(tmp_path / "root", "pop909")
    assert [row["entry_id"] for row in rows] == ["001"]
    assert receipt["rejections"] == {
        "no_annotation": 3, "unreadable": 6, "no_beats": 1, "not_media": 1, "empty_file": 1,
        "wrong_annotation": 5,
    }  # fmt: skip


def test_a_folder_that_is_no_pop909_is_one_line(tmp_path: Path, call: Call) -> None:
    for place in (tmp_path, tmp_path / "nowhere"):
        code, out, err = call("import", "pop909", place, "--root", tmp_path / "root")
        assert (code, out) == (2, "")
        assert err.count("\n") == 1
    assert not (tmp_path / "root").exists()


def test_a_second_import_has_nothing_to_do_and_a_mended_song_is_made(
    tmp_path: Path, call: Call, read: Read
) -> None:
    write_pop909(tmp_path, "001")
    broken = write_pop909(tmp_path, "002", key_audio="")
    place = ("import", "pop909", tmp_path, "--root", tmp_path / "root", "--workers", 1)
    call(*place)
    shards = sorted((tmp_path / "root" / "pop909" / "shards").iterdir())
    _, out, _ = call(*place)
    assert out.startswith("nothing to do")
    assert sorted((tmp_path / "root" / "pop909" / "shards").iterdir()) == shards
    (broken / "key_audio.txt").write_text("0 8 A:min\n")
    _, out, _ = call(*place)
    assert "2 made, 0 rejected" in out
    assert [row["key_tonic"] for row in read(tmp_path / "root", "pop909")[1]] == ["E-", "A"]


def test_other_commands_answer_or_say_in_one_line_why_not(tmp_path: Path, call: Call) -> None:
    write_pop909(tmp_path, "001")
    root = ("--root", tmp_path / "root")
    call("import", "pop909", tmp_path, *root, "--workers", 1)
    assert "1 entry, 1 made, 0 rejected, 0 unfinished" in call("status", "pop909", *root)[1]
    assert "pop909_beats" in call("why", "001", *root)[1]
    assert "12 melody notes" in call("show", "001", *root)[1]
    code, out, _ = call("export", "pop909", tmp_path / "out", *root)
    assert (code, out.split(":")[0]) == (0, f"1 entry of pop909 in {tmp_path / 'out'}")
    assert (tmp_path / "out" / "SymMV.csv").read_text().splitlines()[1] == "00001\te- minor"
    assert call("release", "pop909", "1.0.0", *root)[0] == 0
    code, _, err = call("crawl", "pop909", *root)
    assert (code, err.count("\n")) == (2, 1)
    code, _, err = call("build", "pop909", "--only", "semantic", *root)
    assert code == 2
    assert "pop909 has no result 'semantic'" in err


@pytest.mark.long
@pytest.mark.twin("test_made_songs_come_in_whole")
def test_the_samples_of_pop909_come_in_whole(
    shared_data: Path, tmp_path: Path, call: Call, read: Read
) -> None:
    rows = check_whole(shared_data / "pop909", tmp_path, call, read)
    assert {row["split"] for row in rows} == {"train", "validation", "test"}


def test_made_songs_come_in_whole(tmp_path: Path, call: Call, read: Read) -> None:
    for number in ("001", "002", "003"):
        write_pop909(tmp_path / "pop909", number)
    assert len(check_whole(tmp_path / "pop909", tmp_path / "root", call, read)) == 3


def check_whole(folder: Path, tmp_path: Path, call: Call, read: Read) -> list[dict[str, Any]]:
    """Import all songs of a folder and compare their beats with the published ones; the rows."""
    code, out, _ = call("import", "pop909", folder, "--root", tmp_path, "--workers", 1)
    count = len(list(folder.glob("[0-9][0-9][0-9]")))
    assert (code, f"{count} made, 0 rejected" in out) == (0, True)
    _, rows = read(tmp_path, "pop909")
    errors = []
    for row in rows:
        beats = np.loadtxt(folder / row["entry_id"] / "beat_midi.txt")
        assert np.array_equal(row["beats_times_s"], beats[:, 0])
        # Before the first downbeat bars are counted back, and nothing is published of them.
        first = int(beats[:, 2].argmax())
        assert np.array_equal(row["beats_positions"][first:] == 1, beats[first:, 2] == 1)
        last = max(row["music_duration_s"], row["chords_ends_s"][-1])
        assert last < row["music_duration_s"] + 8
        errors.append(_median_error_s(row["notes_starts_s"], beats[:, 0]))
    assert np.median(errors) < 0.001
    return rows


def _median_error_s(starts: Any, beats: Any) -> float:
    gaps = np.diff(beats)
    before = np.clip(np.searchsorted(beats, starts, "right") - 1, 0, len(beats) - 2)
    places = 4 * (starts - beats[before]) / gaps[before]
    return float(np.median(np.abs(places - np.rint(places)) / 4 * gaps[before]))
