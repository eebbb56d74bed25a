"""What a person sees where the program is at fault: loudly, with the way on, and exit code 1."""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from symmv_builder import datasets
from symmv_builder.cli import app
from symmv_builder.cli.running import run_files
from symmv_builder.errors import Reason, RejectEntry, StopRun, WorkerBug
from symmv_builder.pipeline.guard import Guarded
from symmv_builder.pipeline.run import Tell
from symmv_builder.records import Screened

TOYS = str(Path(__file__).parents[1] / "datasets")


def look(path: Path, tell: Tell) -> Screened:
    """A stage with a bug, which some files meet."""
    text = path.read_text()
    if "bug" in text:
        raise KeyError(f"odd\x1b[31m {text}")
    if "reject" in text:
        raise RejectEntry(Reason.SILENT, "it says so")
    if "memory" in text:
        raise MemoryError
    return Screened("length", float(len(text)), 0.0)


def files(folder: Path, texts: list[str]) -> list[Path]:
    paths = [folder / f"{number:02d}.wav" for number in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text)
    return paths


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that are started find this module and the toys."""
    folders = [TOYS, str(Path(__file__).parent)]
    monkeypatch.setattr(sys, "path", [*folders, *sys.path])
    paths = [*folders, os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))


def test_a_file_that_meets_a_bug_is_named_and_the_others_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = files(tmp_path, ["fine", "bug", "reject", "memory", "fine"])
    with Guarded(look, patience_s=60) as guarded:
        assert run_files(guarded, paths, "look", None, strict=False) == 3
    out, err = capsys.readouterr()
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["file"] for line in lines] == [str(path) for path in paths]
    reasons = [line.get("reason") for line in lines]
    assert reasons == [None, "failed", "silent", "machine", None]
    assert lines[1]["detail"].startswith("KeyError: ")
    assert "test_faults.py" in lines[1]["detail"]
    assert "Traceback" in lines[1]["traceback"]
    assert f"{paths[1]}: failed: KeyError" in err
    assert "THE PROGRAM IS AT FAULT for 1 of 5 files" in err
    assert "\x1b" not in err


def test_strict_stops_at_the_first_file_that_meets_a_bug(tmp_path: Path) -> None:
    paths = files(tmp_path, ["bug", "fine"])
    with Guarded(look, patience_s=60) as guarded, pytest.raises(WorkerBug, match="Traceback"):
        run_files(guarded, paths, "look", None, strict=True)


def test_ten_files_running_that_meet_one_bug_are_enough(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = files(tmp_path, ["bug"] * 12)
    with (
        Guarded(look, patience_s=60) as guarded,
        pytest.raises(StopRun, match="program is at fault"),
    ):
        run_files(guarded, paths, "look", None, strict=False)
    assert len(capsys.readouterr().out.splitlines()) == 10


@pytest.fixture
def toys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The recipe of muvisync is the toy's for a while; a folder of media, one of which is bad."""
    import toy_build

    recipe = replace(toy_build.RECIPE, name="muvisync", absent=frozenset())
    monkeypatch.setattr(datasets, "recipe", lambda name: recipe)
    media = tmp_path / "media"
    media.mkdir()
    for name, text in {"good": "keep", "odd": "bug\x1b[31m", "poor": "reject"}.items():
        (media / f"{name}.mp4").write_text(text)
    monkeypatch.chdir(tmp_path)
    return media


def test_a_build_says_loudly_that_the_program_is_at_fault(toys: Path) -> None:
    build = ["build", "muvisync", "--workers", "1"]
    for arguments in ([*build, "--from", str(toys)], build):
        found = CliRunner().invoke(app, arguments)
        assert found.exit_code == 1
        assert "1 made, 2 rejected, 0 unfinished" in found.stdout
        assert "THE PROGRAM IS AT FAULT for 1 of the rejected entries" in found.stderr
        assert "read_facts: 1 failed, for example odd: KeyError" in found.stderr
        assert "to the makers of symmv-builder, with what `symmv why odd " in found.stderr
        assert "--dataset muvisync` shows" in found.stderr
        assert "\x1b" not in found.output
    told = CliRunner().invoke(app, ["why", "odd", "--dataset", "muvisync"])
    assert told.exit_code == 0
    assert "Traceback (most recent call last)" in told.stdout
    assert "\x1b" not in told.stdout
    [made] = json.loads(CliRunner().invoke(app, ["why", "odd", "--json"]).stdout)
    assert "Traceback" in made["traceback"]
    assert made["result"]["reason"] == "failed"


def test_a_strict_build_ends_with_the_traceback(toys: Path) -> None:
    arguments = ["build", "muvisync", "--from", str(toys), "--workers", "1", "--strict"]
    found = CliRunner().invoke(app, arguments)
    assert found.exit_code == 1
    assert isinstance(found.exception, WorkerBug)
    assert "Traceback (most recent call last)" in str(found.exception)
    assert "in read_facts" in str(found.exception)
