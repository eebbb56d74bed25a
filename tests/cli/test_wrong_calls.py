"""Whatever is wrong with a call is one line on standard error and the right exit code."""

import json
import sqlite3
import sys
from pathlib import Path

import numpy as np
import pytest

from symmv_builder import cli
from symmv_builder.backends.midi import write_notes
from symmv_builder.records import Entry, Notes, Source
from symmv_builder.storage import manifests
from symmv_builder.storage.ledger import Ledger, Result
from symmv_builder.storage.root import Root
from symmv_builder.storage.store import Store

COMPLAINTS = [
    ("nosuch", "No such command"),
    ("run", "Missing argument"),
    ("run nosuch file", "no stage is called"),
    ("run key missing.mid", "missing.mid is not a file"),
    ("run key --backend nosuch missing.mid", "is not a file"),
    ("run key --patience nan missing.mid", "patience"),
    ("run key --set profile missing.mid", "PARAMETER=VALUE"),
    ("build nosuch", "no dataset is called"),
    ("build muvisync --from missing", "missing is not a folder"),
    ("build muvisync --workers 0", "workers is 0; it has to be 1 or more"),
    ("build muvisync --as papr", "--as is 'papr'; muvisync can be made as paper or released"),
    ("verify --root nowhere", "nothing was built in nowhere: there is nothing to verify"),
    ("verify symmv --root nowhere", "nothing was built of symmv in nowhere: there is nothing to"),
    ("takedown muvisync song-000 --reason=", "reason is ''; say why"),
    ("build muvisync --patience nan", "patience is nan; it has to be 0.001 or more"),
    ("build muvisync --load-patience -1", "load-patience is -1; it has to be 0.001 or more"),
    ("build muvisync --shard-mb 0", "shard-mb is 0; it has to be 1 or more"),
    ("crawl muvisync --most -1", "most is -1; it has to be 0 or more"),
    ("train amt --data muvisync --out run --minutes 0", "minutes is 0; it has to be 0.01 or"),
    ("train amt --data muvisync --out run --workers -1", "workers is -1; it has to be 0 or more"),
    ("build muvisync --model scenes", "SLOT=NAME"),
    ("build muvisync --model nosuch=adaptive", "no model slot"),
    ("build muvisync --model scenes=nosuch", "no scenes model"),
    ("status nosuch", "no dataset is called"),
    (
        "gallery .",
        "it holds no generated piece, NAME.json with NAME.mid beside it; give the folder",
    ),
    ("status --root nosuch://place", "nosuch"),
    ("verify --wait", "--wait is for --repair"),
    ("why nosuch", "no entry is called"),
    ("why nosuch --dataset nosuch", "no dataset is called"),
    ("export muvisync out", "has no shards"),
    ("export muvisync out --format hf", "has no shards"),
    ("export muvisync out --format zip", "known: webdataset, hf, lance, litdata"),
    ("export muvisync out --format hf --sound none --video none", "--sound and --video are both"),
    ("export muvisync out --sound-rate 16000", "--sound-rate can only be said with a --format"),
    ("export muvisync out --format hf --shard-mb 0", "shard-mb is 0; it has to be 1 or more"),
    ("schema --out file", "cannot write"),
    ("build muvisync --only ,", "only is ','; it has to be names with commas between them"),
    ("build muvisync --root file", "the data root file: it is a file and no folder"),
    ("status --root file", "the data root file: it is a file and no folder"),
    ("verify --root file", "the data root file: it is a file and no folder"),
]


def call(
    arguments: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of one call."""
    monkeypatch.setattr(sys, "argv", ["symmv", *arguments.split()])
    with pytest.raises(SystemExit) as end:
        cli.main()
    out, err = capsys.readouterr()
    return int(end.value.code or 0), out, err


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of our own with one plain file, and nothing of ours in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in ("SYMMV_ROOT", "SYMMV_LEDGER", "SYMMV_MANIFESTS"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "file").write_text("not a folder")
    return tmp_path


@pytest.mark.parametrize(("arguments", "said"), COMPLAINTS)
def test_a_wrong_call_is_one_line_and_exit_code_2(
    arguments: str,
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    code, out, err = call(arguments, capsys, monkeypatch)
    assert (code, out) == (2, "")
    assert err.startswith("symmv: ")
    assert err.count("\n") == 1
    assert said in err


def test_the_bare_command_says_what_there_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, err = call("", capsys, monkeypatch)
    assert (code, err) == (0, "")
    assert {"build", "run"} <= set(out.split())


def test_a_group_without_its_command_prints_help_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, err = call("evaluate", capsys, monkeypatch)
    assert (code, err) == (2, "")
    assert "relevance" in out


def test_the_status_of_an_empty_root_says_that_it_is_empty(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert call("status", capsys, monkeypatch) == (0, "nothing was built in data\n", "")


def test_a_file_that_is_no_good_is_a_line_of_json_and_exit_code_1(
    elsewhere: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (elsewhere / "empty.wav").touch()
    code, out, err = call("run loudness empty.wav file", capsys, monkeypatch)
    first, second = (json.loads(line) for line in out.splitlines())
    assert code == 1
    assert (first["reason"], second["reason"]) == ("empty_file", "not_media")
    assert err.count("\n") == 2


def test_files_that_are_all_missing_stop_a_run_before_anything_is_done(
    elsewhere: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, err = call("run loudness missing.wav gone.wav", capsys, monkeypatch)
    assert (code, out) == (2, "")
    assert err == "symmv: missing.wav is not a file\n"


def test_what_may_not_be_read_is_one_line(
    elsewhere: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "is_file", refuse)
    code, out, err = call("run loudness locked/file.wav", capsys, monkeypatch)
    assert (code, out) == (2, "")
    assert err == "symmv: permission denied: locked/file.wav\n"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ("status --root nothing", 0),
        ("status symmv --root nothing", 1),
        ("review symmv --root nothing", 0),
    ],
)
def test_a_question_about_a_root_that_is_not_there_makes_none(
    arguments: str,
    code: int,
    elsewhere: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert call(arguments, capsys, monkeypatch)[0] == code
    assert not (elsewhere / "nothing").exists()


def write_scale(path: Path) -> Path:
    """Eight notes upwards."""
    starts = np.arange(8) * 0.5
    pitches = np.array([60, 62, 64, 65, 67, 69, 71, 72])
    notes = Notes(
        np.asarray(starts, np.float64),
        np.asarray(starts + 0.4, np.float64),
        pitches,
        np.full(8, 80),
    )
    path.parent.mkdir(exist_ok=True)
    write_notes(path, {"notes": notes})
    return path


def test_one_missing_file_does_not_stop_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_scale(tmp_path / "a.mid")
    code, out, err = call(
        "run key gone.mid a.mid --set profile=krumhansl-schmuckler", capsys, monkeypatch
    )
    lines = [json.loads(line) for line in out.splitlines()]
    assert code == 1
    assert lines[0] == {
        "file": "gone.mid",
        "stage": "key",
        "reason": "unreadable",
        "detail": "gone.mid is not a file",
    }
    assert (lines[1]["file"], lines[1]["tonic"]) == ("a.mid", "C")
    assert "symmv: gone.mid: unreadable: gone.mid is not a file" in err


def test_what_run_writes_takes_the_place_of_no_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_scale(tmp_path / "a.mid")
    (tmp_path / "out").mkdir()
    own = tmp_path / "out" / "a.key.json"
    own.write_text("a person's own")
    words = "run key a.mid --out out --set profile=krumhansl-schmuckler"
    code, out, err = call(words, capsys, monkeypatch)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "out/a.key.json is there already; --overwrite replaces it" in err
    assert own.read_text() == "a person's own"
    assert call(f"{words} --overwrite", capsys, monkeypatch)[0] == 0
    assert json.loads(own.read_text())["tonic"] == "C"


def test_what_run_writes_takes_the_place_of_no_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = write_scale(tmp_path / "a.texture.mid")
    before = given.read_bytes()
    write_scale(tmp_path / "a.mid")
    words = "run texture a.mid a.texture.mid --out . --overwrite"
    code, out, err = call(words, capsys, monkeypatch)
    assert (code, out) == (2, "")
    assert "would take the place of a.texture.mid, which is read" in err
    assert given.read_bytes() == before


def test_two_files_are_not_written_to_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("one", "two"):
        write_scale(tmp_path / folder / "a.mid")
    code, out, err = call("run key one/a.mid two/a.mid --out out", capsys, monkeypatch)
    assert (code, out) == (2, "")
    assert "cannot write to out/a.key.json: one/a.mid and two/a.mid would both be" in err
    assert not (tmp_path / "out").exists()


def test_a_schema_takes_the_place_of_no_file_of_ones_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert call("schema --out out", capsys, monkeypatch)[0] == 0
    assert call("schema --out out", capsys, monkeypatch)[0] == 0
    own = tmp_path / "out" / "v1" / "symmv.json"
    right = own.read_text()
    own.write_text("a person's own")
    code, out, err = call("schema --out out", capsys, monkeypatch)
    assert (code, out) == (2, "")
    assert "v1/symmv.json is there already; --overwrite replaces it" in err
    assert own.read_text() == "a person's own"
    assert call("schema --out out --overwrite", capsys, monkeypatch)[0] == 0
    assert own.read_text() == right


@pytest.mark.parametrize("command", ["status muvisync", "why nobody", "show muvisync"])
def test_a_ledger_of_an_earlier_version_is_one_line_that_says_what_updates_it(
    command: str,
    elsewhere: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = Store(Root(str(elsewhere)), Root(str(elsewhere)), Ledger("sqlite:///ledger.sqlite"))
    # A root without entries is asked nothing of its ledger.
    source = Source("file", "a")
    manifests.write_entries(
        store.manifests, "muvisync", [Entry("muvisync", "muvisync", "a", source, source)]
    )
    store.ledger.record_results("muvisync", [Result("muvisync", "key", "key", "k", "", 1.0)])
    store.ledger.engine.dispose()
    with sqlite3.connect("ledger.sqlite") as connection:
        connection.execute("ALTER TABLE results DROP COLUMN detail")
    connection.close()
    code, _, err = call(f"{command} --root {elsewhere}", capsys, monkeypatch)
    assert code == 2
    assert len(err.splitlines()) == 1
    assert "of an earlier version" in err
    assert "`symmv build DATASET --root" in err
