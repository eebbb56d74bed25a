"""`symmv evaluate TASK ESTIMATE REFERENCE` on files, folders and rows, and `compare` of results."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symmv_builder import cli
from symmv_builder.backends.midi import midi_bytes
from symmv_builder.datasets.annotations import harte_label
from symmv_builder.datasets.schemas import published_schema
from symmv_builder.records import Notes
from symmv_builder.storage.root import Root
from symmv_builder.storage.shards import ShardWriter, as_plain, write_receipt
from symmv_builder.vocab import MUVISYNC_LABELS
from tests.synthetic_rows import make_row

LAB = "0 2 C:maj\n2 4 A:min7\n"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SYMMV_ROOT", str(tmp_path / "data"))
    return tmp_path


class Ran:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    def call(*words: str | Path) -> Ran:
        monkeypatch.setattr(sys, "argv", ["symmv", "evaluate", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return Ran(int(ended.value.code or 0), said.out, said.err)

    return call


def save(path: str, text: str) -> Path:
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def save_midi(path: str, **tracks: list[int]) -> Path:
    """A track of quarter notes a second apart for each name."""
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    parts = {
        name: Notes(
            np.asarray(np.arange(len(pitches)) * 1.0, np.float64),
            np.asarray(np.arange(len(pitches)) + 0.5, np.float64),
            np.array(pitches),
            np.full(len(pitches), 64),
        )
        for name, pitches in tracks.items()
    }
    file.write_bytes(midi_bytes(parts))
    return file


def test_two_files_belong_together_whatever_they_are_called(run: Any) -> None:
    estimate = save("ours.lab", "0 2 C:maj\n2 4 A:min\n")
    ran = run("chords", estimate, save("truth.txt", LAB), "--json")
    assert ran.code == 0
    said = ran.json
    assert (said["task"], said["songs"]) == ("chords", 1)
    assert said["metrics"] == pytest.approx({"root": 1, "majmin": 1, "thirds": 1, "sevenths": 0.5})
    # One song says nothing of others.
    assert set(said["interval"].values()) == {None}
    assert "sevenths  0.5000  -" in run("chords", estimate, "truth.txt").out
    assert list(said["per_song"]) == ["truth"]


def test_songs_of_folders_are_matched_by_name_and_the_others_are_named(run: Any) -> None:
    save("ours/a.chords.json", '{"starts_s": [0, 2], "ends_s": [2, 4], "labels": ["CM", "Am7"]}')
    save("ours/b.lab", "0 4 C:maj\n")
    save("ours/c.lab", LAB)
    save("truth/a.lab", LAB)
    save("truth/b.lab", LAB)
    save("truth/d.lab", LAB)
    ran = run("chords", "ours", "truth", "--json")
    said = ran.json
    assert ran.code == 0
    assert said["songs"] == 2
    assert said["metrics"]["sevenths"] == pytest.approx((1 + 0.5) / 2)
    low, high = said["interval"]["sevenths"]
    assert (low, high) == (0.5, 1.0)
    assert said["unmatched_estimates"] == ["c"]
    assert said["unmatched_references"] == ["d"]
    table = run("chords", "ours", "truth")
    assert "2 songs of ours against truth" in table.out
    assert "1 song without a reference: c" in table.err + table.out


def test_a_file_that_cannot_be_read_is_one_line_and_exit_code_1(run: Any) -> None:
    save("ours/a.lab", LAB)
    save("ours/b.lab", "nothing like it\nat all\n")
    save("truth/a.lab", LAB)
    save("truth/b.lab", LAB)
    ran = run("chords", "ours", "truth", "--json")
    assert ran.code == 1
    assert ran.json["songs"] == 1
    assert [refused["file"] for refused in ran.json["refused"]] == ["ours/b.lab"]
    assert [line for line in ran.err.splitlines() if "b.lab" in line] == [
        line for line in ran.err.splitlines() if line
    ]


@pytest.mark.parametrize(
    "text",
    ["", "{", "[1, 2]", '{"labels": 3}', "0 1\n", "a b C\nd e F\n", "0 inf C:maj\n", "2 1 C:maj\n"],
)
@pytest.mark.parametrize("suffix", [".lab", ".json"])
def test_what_is_no_annotation_stops_with_one_line(text: str, suffix: str, run: Any) -> None:
    ran = run("chords", save(f"ours{suffix}", text), save("truth.lab", LAB))
    assert ran.code == 2
    assert len(ran.err.strip().splitlines()) == 1
    assert f"ours{suffix}" in ran.err


@pytest.mark.parametrize(
    ("task", "text", "said"),
    [
        ("chords", "0 2\n2 4\n", "line 1: expected `start end label`, not '0 2'"),
        ("chords", "# ours\n0 2 C:maj\n2 x G\n", "line 3: expected `start end label`, not '2 x G'"),
        ("chords", "C:maj\n", "line 1: expected `start end label`, not 'C:maj'"),
        ("chords", "0 2 Xmaj\n", "'Xmaj' is no chord in Harte's spelling, such as C:maj or A:min7"),
        ("beats", "0.5\nx\n", "line 2: expected `time`, `time position` or `time mark downbe"),
        (
            "beats",
            "0 2 C:maj\n",
            "line 1: expected `time`, `time position` or `time mark downbeat`",
        ),
        ("melody", "0 2 C:maj\n", "line 1: expected `onset offset pitch`, not '0 2 C:maj'"),
        ("key", "1 x C:maj\n", "line 1: expected `C major`, `C:maj` or `start end C:maj`, with ma"),
        ("key", "", "the file is empty"),
        ("chords", "0 2 C minor\n", "line 1: expected `start end label`, not '0 2 C minor'"),
        ("beats", "0.5 1\n1.0\n", "line 2: expected `time`"),
        (
            "beats",
            "0.5\n1.0 2\n",
            "line 2: expected `time`, `time position` or `time mark downbeat`, the same in all",
        ),
        ("beats", "0.5 1\n1.0 nan\n", "it holds no beats: place in the bar nan is no whole number"),
        ("melody", "0 1 60.4\n", "it holds no melody: pitch 60.4 is no whole number"),
        ("melody", "0,5;1,0;60\n", "line 1: expected `onset offset pitch`, not '0,5 1,0 60'"),
    ],
)
def test_the_file_and_the_line_that_are_wrong_are_named(
    task: str, text: str, said: str, run: Any
) -> None:
    good = {"chords": LAB, "beats": "0.5 1\n1.0 2\n", "melody": "0 1 60\n", "key": "C major\n"}
    bad, right = save("bad.txt", text), save("truth.txt", good[task])
    for pair in ((bad, right), (right, bad)):
        ran = run(task, *pair)
        assert ran.code == 2
        assert ran.err.startswith(f"symmv: bad.txt cannot be used: {said}")
        assert len(ran.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("task", "text", "same"),
    [
        ("chords", "0,2,C:maj(9,11)\n2,4,A:min7\n", "0 2 C:maj(9,11)\n2 4 A:min7\n"),
        ("chords", "start;end;label;p\n0;2;C:maj;.9\n", "0 2 C:maj\n"),
        ("melody", "onset, offset, pitch\n0, 1, 60\n1, 2, 62\n", "0 1 60\n1 2 62\n"),
        ("beats", "0.5,1\n1.0,2\n", "0.5 1\n1.0 2\n"),
        ("key", "0,10,C:maj\n", "C major\n"),
    ],
)
def test_columns_stand_between_blanks_or_commas(task: str, text: str, same: str, run: Any) -> None:
    said = run(task, save("ours.csv", text), save("truth.txt", same), "--json").json
    best = {name: value for name, value in said["metrics"].items() if "_half" not in name}
    assert {name for name, value in best.items() if value != pytest.approx(1)} <= {
        "beat_f_double", "downbeat_f_double", "cmlt", "amlt",
    }  # fmt: skip


def test_a_note_before_time_0_is_told_of_the_side_that_has_it(run: Any) -> None:
    ran = run("melody", save("ours.txt", "-1 1 60\n"), save("truth.txt", "0 1 60\n"))
    assert (ran.code, "a note of the estimate begins before 0 s" in ran.err) == (2, True)


def test_two_records_of_one_song_are_told(run: Any) -> None:
    lines = [
        {"file": f"{folder}/a.mid", "stage": "key", "tonic": "C", "mode": mode}
        for folder, mode in (("x", "major"), ("y", "minor"))
    ]
    keys = save("keys.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    ran = run("key", keys, save("truth/a.txt", "C:maj\n").parent, "--json")
    assert (ran.code, ran.json["metrics"]["exact_key"]) == (1, 1.0)
    assert "keys.jsonl is left out: another annotation is of the song a" in ran.err


def test_names_that_do_not_meet_stop_with_one_line(run: Any) -> None:
    save("ours/a.lab", LAB)
    save("ours/b.lab", LAB)
    save("truth/c.lab", LAB)
    ran = run("chords", "ours", "truth")
    assert ran.code == 2
    assert "no song of ours can be compared with truth" in ran.err
    assert run("chords", "ours", "nowhere").code == 2
    assert run("chords", "ours/a.lab", save_midi("x.mid", piano=[60])).code == 2


def test_transcriptions_are_midi_json_and_text(run: Any) -> None:
    save_midi("truth/a.mid", piano=[60, 62, 64, 65])
    save_midi("truth/b.mid", piano=[60, 62])
    save("ours/a.txt", "OnsetTime OffsetTime MidiPitch\n0 .5 60\n1 1.2 62\n2.07 2.5 64\n")
    record = {"starts_s": [0, 1], "ends_s": [0.5, 1.5], "pitches": [60, 62], "velocities": [1, 1]}
    save("ours/b.transcribe.json", json.dumps(record))
    said = run("transcription", "ours", "truth", "--json").json
    # Of a: two onsets of three are right within 50 ms, three within 100; one end is wrong.
    assert said["per_song"]["a"] == pytest.approx(
        {
            "onset_f1_50ms": 4 / 7,
            "onset_f1_100ms": 6 / 7,
            "offset_f1_50ms": 2 / 7,
            "offset_f1_100ms": 4 / 7,
        }
    )
    assert set(said["per_song"]["b"].values()) == {1}


def test_the_melody_of_a_midi_file_is_its_track_of_that_name(run: Any) -> None:
    save_midi("truth.mid", MELODY=[72, 74, 76], PIANO=[48, 50, 52])
    record = {
        "starts_s": [0, 0, 1], "ends_s": [1, 1, 2], "pitches": [48, 72, 50],
        "is_melody": [False, True, True],
    }  # fmt: skip
    said = run("melody", save("ours.json", json.dumps(record)), "truth.mid", "--json").json
    assert said["metrics"] == pytest.approx(
        {"note_precision": 1 / 2, "note_recall": 1 / 3, "note_f1": 2 / 5}
    )


def test_beats_of_two_names_are_measured_and_of_one_need_a_reference(run: Any) -> None:
    truth = save("truth.txt", "".join(f"{i * 0.5} {i % 4 + 1}\n" for i in range(17)))
    ours = save("ours.beats", "".join(f"{i}\n" for i in range(9)))
    said = run("beats", ours, truth, "--json").json
    assert said["metrics"]["beat_f"] == pytest.approx(2 * 9 / (9 + 17))
    assert said["metrics"]["beat_f_half"] == 1
    assert said["metrics"]["downbeat_f"] == 0
    ran = run("beats", ours)
    assert ran.code == 2
    assert "ESTIMATE and REFERENCE" in ran.err


def test_a_copy_of_pop909_is_a_reference(run: Any) -> None:
    for song in ("001", "002"):
        save(f"pop909/{song}/beat_midi.txt", "0 1 1\n.5 0 0\n1 1 0\n1.5 0 0\n2 1 1\n2.5 0 0\n")
        save(f"pop909/{song}/beat_audio.txt", "9 1\n10 2\n")
        save(f"pop909/{song}/chord_midi.txt", LAB)
        save(f"pop909/{song}/key_audio.txt", "0 1 C:maj\n1 9 Gb:maj\n")
    lines = [
        {"file": "somewhere/001.mid", "stage": "key", "tonic": "F#", "mode": "major"},
        {"file": "somewhere/002.mid", "stage": "key", "tonic": "E-", "mode": "minor"},
        {"file": "somewhere/003.mid", "stage": "key", "reason": "not_media", "detail": "no"},
    ]
    keys = save("keys.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    said = run("key", keys, "pop909", "--json").json
    # The relative minor of G flat is E flat.
    assert said["per_song"] == {
        "001": {"weighted_key": 1.0, "exact_key": 1.0},
        "002": {"weighted_key": 0.3, "exact_key": 0.0},
    }
    beats = save("beats/001.txt", "0 1\n.5 2\n1 3\n1.5 4\n2 1\n2.5 2\n")
    said = run("beats", beats.parent, "pop909", "--json").json
    assert said["metrics"]["beat_f"] == said["metrics"]["downbeat_f"] == 1
    assert said["unmatched_references"] == ["002"]
    # Of a task that MIDI files answer, the songs alone: no text, no other take.
    for song in ("001", "002"):
        save_midi(f"pop909/{song}/{song}.mid", MELODY=[72, 74], PIANO=[48, 50])
        save_midi(f"pop909/{song}/versions/{song}-v1.mid", PIANO=[48])
    for task in ("transcription", "melody"):
        ran = run(task, "pop909", "pop909", "--json")
        assert (ran.code, ran.err, sorted(ran.json["per_song"])) == (0, "", ["001", "002"])


def build(folder: Path) -> list[dict[str, Any]]:
    rows = [make_row("symmv", number, split="train") for number in range(2)]
    root = Root(str(folder))
    written = ShardWriter(root, "symmv", published_schema("symmv")).write(rows)
    receipt = {"splits": {"train": 2}, "models": [], "shards": as_plain(written)}
    write_receipt(root, "symmv", receipt)
    return rows


def test_rows_of_a_dataset_are_estimates_and_references(run: Any, elsewhere: Path) -> None:
    rows = build(elsewhere / "data")
    for task in ("transcription", "melody", "beats", "chords", "key"):
        said = run(task, "symmv", "symmv", "--json").json
        assert said["songs"] == len(rows), task
        assert sorted(said["per_song"]) == sorted(row["entry_id"] for row in rows)
        best = {name for name, value in said["metrics"].items() if value == pytest.approx(1)}
        halves = {name for name in said["metrics"] if name.endswith(("_half", "_double"))}
        assert best >= set(said["metrics"]) - halves, task
    row = rows[0]
    spans = zip(row["chords_starts_s"], row["chords_ends_s"], row["chords_labels"], strict=True)
    text = "".join(f"{start} {end} {harte_label(label)}\n" for start, end, label in spans)
    save(f"truth/{row['entry_id']}.lab", text)
    said = run("chords", "symmv", "truth", "--json").json
    assert (said["songs"], said["metrics"]["root"]) == (1, pytest.approx(1))


def test_two_results_are_compared_song_by_song(run: Any) -> None:
    for number in range(8):
        save(f"truth/{number}.lab", LAB)
        save(f"a/{number}.lab", LAB)
        save(f"b/{number}.lab", f"0 2 C:maj\n2 {2.1 + number / 10} A:min7\n")
    save("b/8.lab", LAB)
    for name in "ab":
        save(f"{name}.json", run("chords", name, "truth", "--json").out)
    said = run("compare", "a.json", "b.json", "--json").json
    sevenths = said["metrics"]["sevenths"]
    assert sevenths["songs"] == 8
    # Eight songs, all worse: of 256 signs two are as extreme.
    assert sevenths["p"] == pytest.approx(2 / 256)
    assert sevenths["difference"] == pytest.approx(np.mean([1.9 - n / 10 for n in range(8)]) / 4)
    same = run("compare", "a.json", "a.json", "--json").json["metrics"]["root"]
    assert (same["difference"], same["p"]) == (0, 1)
    assert "sevenths" in run("compare", "a.json", "b.json").out


def test_one_song_has_no_interval_and_no_p(run: Any) -> None:
    truth = save("truth.lab", LAB)
    for name, text in (("a", LAB), ("b", "0 2 C:maj\n2 4 A:min\n")):
        save(f"{name}.json", run("chords", save(f"{name}.lab", text), truth, "--json").out)
    ran = run("compare", "a.json", "b.json")
    assert re.search(r"sevenths\s+1\s+1.0000\s+0.5000\s+\+0.5000\s+-\s+-", ran.out)
    compared = run("compare", "a.json", "b.json", "--json").json["metrics"]["sevenths"]
    assert [compared[name] for name in ("low", "high", "p")] == [None, None, None]
    save_midi("pieces/holiday.mid", MELODY=[60, 64])
    ran = run("music", "pieces")
    assert re.search(r"standard deviation over songs[-|│ ]+\n", ran.out)
    assert set(run("music", "pieces", "--json").json["deviation"].values()) == {None}


def test_a_file_on_both_sides_is_left_out_once(run: Any) -> None:
    save_midi("pieces/holiday.mid", MELODY=[60, 64])
    save("pieces/holiday.json", '{"model": "vmusprod"}')
    ran = run("melody", "pieces", "pieces")
    assert (ran.code, ran.err.count("holiday.json is left out")) == (1, 1)
    assert len(run("melody", "pieces", "pieces", "--json").json["refused"]) == 1


@pytest.mark.parametrize(
    "text", ["", "[]", '{"task": "chords"}', '{"task": "chords", "per_song": {"a": {"root": NaN}}}']
)
def test_what_is_no_result_is_not_compared(text: str, run: Any) -> None:
    save("truth.lab", LAB)
    save("a.json", run("chords", "truth.lab", "truth.lab", "--json").out)
    ran = run("compare", "a.json", save("b.json", text))
    assert ran.code == 2
    assert len(ran.err.strip().splitlines()) == 1
    assert "b.json: this is no result of" in ran.err
    assert run("compare", "a.json", "nowhere.json").code == 2


def test_results_of_two_tasks_are_not_compared(run: Any) -> None:
    save("truth.lab", LAB)
    save("a.json", run("chords", "truth.lab", "truth.lab", "--json").out)
    save("key.txt", "C:maj\n")
    save("b.json", run("key", "key.txt", "key.txt", "--json").out)
    assert "nothing to compare" in run("compare", "a.json", "b.json").err


def test_labels_of_symmv_become_hartes_and_others_stay() -> None:
    spelled = {"CM": "C:maj", "Ebm7": "Eb:min7", "F#o": "F#:dim", "G+": "G:aug", "Ao7": "A:dim7"}
    assert {label: harte_label(label) for label in spelled} == spelled
    kept = (*MUVISYNC_LABELS, "N", "X", "Bb:maj(9)/3", "F#")
    assert [harte_label(label) for label in kept] == list(kept)
