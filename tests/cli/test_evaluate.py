"""`symmv evaluate` on small shards and files: what it prints, its JSON, and how it complains."""

import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from symmv_builder.backends.midi import midi_bytes
from symmv_builder.datasets.schemas import published_schema
from symmv_builder.evaluation.music import METRICS, score_song
from symmv_builder.records import Notes
from symmv_builder.storage.root import Root
from symmv_builder.storage.shards import ShardWriter, as_plain, write_receipt
from tests.cli.evaluate_call import Call
from tests.synthetic_rows import make_row

SPLITS = {"train": 2, "validation": 0, "test": 3}


def build(folder: Path, dataset: str = "symmv", *, trained: bool = True) -> list[dict[str, Any]]:
    """Shards of five rows below a data root; the rows of the test split."""
    rows = [
        make_row(dataset, number, split=split)
        for split, count in SPLITS.items()
        for number in range({"train": 0, "validation": 50, "test": 100}[split], 1000)[:count]
    ]
    root = Root(str(folder))
    written = ShardWriter(root, dataset, published_schema(dataset)).write(sorted_by_split(rows))
    models = [
        {"slot": "piano", "backend": "transkun", "trained": True},
        {"slot": "clip", "backend": "untrained-512", "trained": trained},
    ]
    receipt = {"splits": SPLITS, "models": models, "shards": as_plain(written)}
    write_receipt(root, dataset, receipt)
    return [row for row in rows if row["split"] == "test"]


def sorted_by_split(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: (list(SPLITS).index(row["split"]), row["entry_id"]))


def save_midi(path: Path, starts: list[float], pitches: list[int]) -> Path:
    notes = Notes(
        starts_s=np.array(starts),
        ends_s=np.array(starts) + 0.25,
        pitches=np.array(pitches),
        velocities=np.full(len(starts), 64),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(midi_bytes({"piano": notes}))
    return path


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("SYMMV_ROOT", "SYMMV_LEDGER", "SYMMV_MANIFESTS", "SYMMV_DEVICE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Call:
    return Call(capsys, monkeypatch)


def test_rows_of_a_split_are_scored_by_their_notes_and_tracked_beats(
    call: Call, elsewhere: Path
) -> None:
    rows = build(elsewhere / "data")
    answer = call.json("music --dataset symmv")
    assert (answer["dataset"], answer["split"], answer["songs"]) == ("symmv", "test", 3)
    assert answer["beats"] == "tracked beats"
    scores = [
        score_song(
            row["notes_starts_s"], row["notes_ends_s"], row["notes_pitches"], row["beats_times_s"]
        )
        for row in rows
    ]
    for name in (metric.name for metric in METRICS):
        mean = np.mean([score[name] for score in scores])
        assert answer["metrics"][name] == pytest.approx(mean)


def test_all_splits_are_scored_together(call: Call, elsewhere: Path) -> None:
    build(elsewhere / "data")
    assert call.json("music --dataset symmv --split all")["songs"] == 5


def test_rows_without_beats_are_counted_at_120_and_it_is_said(call: Call, elsewhere: Path) -> None:
    build(elsewhere / "data", "muvisync")
    assert call.json("music --dataset muvisync")["beats"] == "120 to the minute"
    build(elsewhere / "data")
    assert call.json("music --dataset symmv --beats 120")["beats"] == "120 to the minute"


def test_quantised_parts_are_other_notes(call: Call, elsewhere: Path) -> None:
    [first, *_] = build(elsewhere / "data")
    first["parts_pitches"] = first["notes_pitches"]
    notes = call.json("music --dataset symmv")
    assert call.json("music --dataset symmv --notes parts")["songs"] == notes["songs"]


def test_the_data_root_can_be_named(call: Call, elsewhere: Path) -> None:
    build(elsewhere / "elsewhere")
    assert call.json("music --dataset symmv --root elsewhere")["songs"] == 3


def test_midi_files_and_folders_are_scored_by_their_ticks(call: Call, elsewhere: Path) -> None:
    save_midi(elsewhere / "made" / "one.mid", [0.0, 1.0], [60, 64])
    save_midi(elsewhere / "made" / "deep" / "two.midi", [0.0, 0.0], [60, 61])
    answer = call.json("music made")
    assert answer["songs"] == 2
    assert answer["beats"] == "ticks of the files"
    assert answer["metrics"]["ioi"] == pytest.approx(0.5)
    assert answer["metrics"]["pe"] == pytest.approx(1.0)
    # One: beats 0 and 2 of three sound.
    assert answer["metrics"]["ebr"] == pytest.approx(1 / 6)


def test_a_reference_is_scored_beside_and_the_distance_is_ours_less_theirs(
    call: Call, elsewhere: Path
) -> None:
    build(elsewhere / "data")
    save_midi(elsewhere / "one.mid", [0.0, 1.0], [60, 64])
    answer = call.json("music one.mid --reference symmv")
    assert answer["reference"]["songs"] == 3
    for name in (metric.name for metric in METRICS):
        apart = answer["metrics"][name] - answer["reference"]["metrics"][name]
        assert answer["distance"][name] == pytest.approx(apart)
    # The same file as its own reference lies no distance away.
    assert set(call.json("music one.mid --reference one.mid")["distance"].values()) == {0.0}


def test_the_table_stands_below_the_figures_of_the_papers(call: Call, elsewhere: Path) -> None:
    build(elsewhere / "data")
    code, out, err = call("music --dataset symmv")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    for row in ("Real (SymMV)", "Real (POP909)"):
        assert any(row in line for line in lines)
    assert any("0.986" in line and "4.197" in line and "0.184" in line for line in lines)
    assert any("symmv, test (3 songs)" in line for line in lines)


def test_a_song_without_notes_is_left_out_and_no_number_is_null(
    call: Call, elsewhere: Path
) -> None:
    save_midi(elsewhere / "none.mid", [], [])
    answer = call.json("music none.mid")
    assert (answer["songs"], answer["left_out"]) == (0, 1)
    assert answer["metrics"]["sc"] is None


def test_data_of_an_untrained_model_is_said_to_be(call: Call, elsewhere: Path) -> None:
    build(elsewhere / "data", trained=False)
    assert call.json("music --dataset symmv")["untrained"] == ["untrained-512"]
    _, out, _ = call("music --dataset symmv")
    assert "NOT TRAINED" in out
    build(elsewhere / "data")
    assert "NOT TRAINED" not in call("music --dataset symmv")[1]


def test_generated_music_of_an_untrained_model_is_said_to_be(call: Call, elsewhere: Path) -> None:
    save_midi(elsewhere / "one.mid", [0.0, 1.0], [60, 64])
    (elsewhere / "one.json").write_text('{"untrained": ["clip: untrained-512"], "notes": {}}')
    assert call.json("music one.mid")["untrained"] == ["untrained-512"]
    assert call.json("beats one.mid --reference one.mid")["untrained"] == ["untrained-512"]
    (elsewhere / "one.json").write_text("not JSON")
    assert call.json("music one.mid")["untrained"] == []


def test_a_damaged_file_is_left_out_with_a_line_and_exit_code_1(
    call: Call, elsewhere: Path
) -> None:
    save_midi(elsewhere / "made" / "one.mid", [0.0, 1.0], [60, 64])
    (elsewhere / "made" / "bad.mid").write_bytes(b"MThd\0\0\0\6\0\1")
    code, out, err = call("music made --json")
    assert code == 1
    assert json.loads(out)["songs"] == 1
    assert "bad.mid is left out" in err
    assert err.count("\n") == 1


COMPLAINTS = [
    ("music", "name either"),
    ("music one.mid --dataset symmv", "name either"),
    ("music nosuch", "nosuch is not a file, folder or dataset"),
    ("music empty", "no MIDI files in empty"),
    ("music text.mid", "not a Standard MIDI file"),
    ("music --dataset nosuch", "no dataset is called 'nosuch'"),
    ("music --dataset symmv --split nosuch", "no rows in split 'nosuch'; it has test, train"),
    ("music --dataset symmv --reference nosuch", "nosuch is not a file"),
    ("beats one.mid --reference text.mid", "text.mid cannot be used"),
    ("beats one.mid --reference symmv", "no piece has a reference of its name"),
    ("audio one.npy --reference two.npy", "3 and 4 dimensions"),
    ("audio one.npy --reference single.npy", "two at least"),
    ("audio objects.npy --reference one.npy", "objects.npy: it holds no embeddings"),
    ("audio cube.npy --reference one.npy", "not finite [n, d]"),
    ("amt --model nosuch --dataset symmv", "nosuch is not a folder"),
    ("amt --model empty --dataset nosuch", "no dataset is called 'nosuch'"),
    ("regressor --model empty --dataset symmv --split validation", "no rows in split 'validation'"),
    ("amt --model empty --dataset symmv --split all", "a model is measured on one split"),
    ("vmcp --model one.mid --dataset symmv", "one.mid is not a folder"),
    ("relevance --model nosuch --dataset symmv", "nosuch is not a folder"),
]


@pytest.mark.parametrize(("arguments", "said"), COMPLAINTS)
def test_a_wrong_call_is_one_line_and_exit_code_2(
    arguments: str, said: str, call: Call, elsewhere: Path
) -> None:
    build(elsewhere / "data")
    save_midi(elsewhere / "one.mid", [0.0, 1.0], [60, 64])
    (elsewhere / "empty").mkdir()
    (elsewhere / "text.mid").write_text("no notes here")
    np.save("one.npy", np.eye(3))
    np.save("two.npy", np.eye(4))
    np.save("single.npy", np.zeros((1, 3)))
    np.save("cube.npy", np.zeros((2, 2, 2)))
    np.save("objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    code, out, err = call(arguments)
    assert (code, out) == (2, "")
    # On a busy machine a count is told of work that takes long.
    [line] = [each for each in err.splitlines() if not re.match(r"\d+ of \d+: ", each)]
    assert line.startswith("symmv: ")
    assert said in line


def test_beats_are_paired_with_rows_by_the_entry_s_name(call: Call, elsewhere: Path) -> None:
    [row, *_] = build(elsewhere / "data")
    # Two pieces for one entry and one for none.
    for name in (f"{row['entry_id']}.amt.mid", f"{row['entry_id']}-7.mid", "other.mid"):
        save_midi(elsewhere / "made" / name, [0.0, 7.0], [60, 64])
    answer = call.json("beats made --reference symmv")
    assert (answer["pairs"], answer["without_pair"]) == (2, ["other"])
    # The file has a beat in each of its seconds, the row, at 120, in its own.
    assert answer["metrics"]["bhs"] == 100.0
    assert answer["metrics"]["csd"] == 0.0


def test_onsets_can_be_taken_instead_of_beats(call: Call, elsewhere: Path) -> None:
    save_midi(elsewhere / "real" / "one.mid", [0.0, 1.0, 2.0, 3.0], [60, 64, 60, 64])
    save_midi(elsewhere / "made" / "one.mid", [0.0, 2.0, 2.5], [60, 64, 60])
    answer = call.json("beats made --reference real --points onsets")
    # Seconds 0 and 2 of what both are long: 0, 1, 2.
    assert answer["metrics"]["bcs"] == 100.0
    assert answer["metrics"]["bhs"] == pytest.approx(200 / 3)
    assert answer["metrics"]["bcs_plain"] == pytest.approx(200 / 3)
    assert answer["metrics"]["f1"] == pytest.approx(80.0)
    _, out, _ = call("beats made --reference real --points onsets")
    assert "V2Meow" in out
    assert "80.0" in out


def test_two_references_of_one_name_are_refused(call: Call, elsewhere: Path) -> None:
    for name in ("a/one.mid", "b/one.mid"):
        save_midi(elsewhere / "real" / name, [0.0, 1.0], [60, 64])
    code, _, err = call("beats real --reference real")
    assert code == 2
    assert "2 references are called 'one'" in err


def fake_score(
    folder: Path,
    root: Root,
    dataset: str,
    split: str,
    device: str,
    tell: Any,
    music: Path | None = None,
) -> dict[str, Any]:
    assert folder.is_dir()
    assert (dataset, split, device) == ("symmv", "test", "cpu")
    tell(2, 2)
    return {
        "model": "amt",
        "songs": 3,
        "metrics": {
            "hits1": 0.25, "hits3": 0.5, "hits5": 0.75, "matching_loss": 1.5,
            "rmse_density": 2.0, "rmse_loudness": 0.1, "baseline_rmse_density": 9.8765,
            "p5": 10.0, "p10": 20.0, "p20": 40.0, "ar": 2.0, "pool": 3,
            "cmr": 0.5, "ta": float("nan"), "cmr_mismatched": 0.125,
        },
        "heard": str(music),
        "chance": {"p5": 98.7, "ar": 35.5},
    }  # fmt: skip


def fake_confusion(*place: Any) -> dict[str, Any]:
    """A score that has a confusion matrix, too."""
    counts = np.zeros((13, 13), dtype=np.int64)
    counts[0, 0], counts[0, 7] = 3, 1
    return fake_score(*place) | {"confusion": {"root": counts}}


@pytest.fixture
def fake_models(monkeypatch: pytest.MonkeyPatch, elsewhere: Path) -> None:
    """A trainer's score that says the same of every model; shards to be measured on."""

    fakes = {"amt.score": fake_confusion} | dict.fromkeys(
        ("amt.regressor.score", "vmcp.score", "vmcp.relevance"), fake_score
    )
    for name, fake in fakes.items():
        module = ModuleType(name)
        module.score = fake  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, f"symmv_builder.training.{name}", module)
    build(elsewhere / "data")
    (elsewhere / "run").mkdir()


@pytest.mark.usefixtures("fake_models")
@pytest.mark.parametrize(
    ("command", "names"),
    [
        ("amt", ["hits1", "hits3", "hits5", "matching_loss"]),
        ("regressor", ["rmse_density", "rmse_loudness"]),
        ("vmcp", ["p5", "p10", "p20", "ar", "pool"]),
        ("relevance", ["cmr", "ta"]),
    ],
)
def test_a_model_s_metrics_are_json_and_a_table(call: Call, command: str, names: list[str]) -> None:
    answer = call.json(f"{command} --model run --dataset symmv")
    assert set(names) <= set(answer["metrics"])
    assert (answer["model"], answer["dataset"], answer["split"]) == ("run", "symmv", "test")
    assert answer["untrained"] == []
    assert (answer["songs"], answer["architecture"]) == (3, "amt")
    code, out, err = call(f"{command} --model run --dataset symmv")
    assert (code, err) == (0, "")
    assert "run on symmv, test" in out


@pytest.mark.usefixtures("fake_models")
def test_a_pool_that_is_not_the_paper_s_is_said(call: Call) -> None:
    assert "3 videos, the paper's 70" in call("vmcp --model run --dataset symmv")[1]


@pytest.mark.usefixtures("fake_models")
@pytest.mark.parametrize(
    ("command", "named", "value"),
    [
        ("vmcp", "chance", "98.7"),
        ("regressor", "guessing the mean", "9.8765"),
        ("relevance", "another one's music", "0.125"),
    ],
)
def test_what_knowing_nothing_would_give_stands_beside(
    call: Call, command: str, named: str, value: str
) -> None:
    _, out, _ = call(f"{command} --model run --dataset symmv")
    assert any(named in line and value in line for line in out.splitlines())


@pytest.mark.usefixtures("fake_models")
def test_generated_music_can_be_heard_instead(call: Call, elsewhere: Path) -> None:
    (elsewhere / "made").mkdir()
    for command in ("vmcp", "relevance"):
        answer = call.json(f"{command} --model run --dataset symmv --music made")
        assert answer["heard"] == "made"
    code, _, err = call("vmcp --model run --dataset symmv --music nosuch")
    assert code == 2
    assert "nosuch is not a folder" in err


@pytest.mark.usefixtures("fake_models")
def test_confusion_has_labels_in_json_and_is_drawn_on_demand(call: Call, elsewhere: Path) -> None:
    root = call.json("amt --model run --dataset symmv")["confusion"]["root"]
    assert root["labels"][:2] == ["C", "C#"]
    assert root["counts"][0][:8] == [3, 0, 0, 0, 0, 0, 0, 1]
    assert not (elsewhere / "drawn").exists()
    _, out, _ = call("amt --model run --dataset symmv --pictures drawn")
    assert "wrote drawn/confusion-root.png" in out
    assert (elsewhere / "drawn/confusion-root.png").read_bytes()[:4] == b"\x89PNG"
