"""The flows as programs: what they say and how they end where they cannot begin."""

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from flows import build, crawl, release, train
from flows.advice import advised
from symmv_builder.errors import MissingColumns, NoEntries, NoShards, StopRun


def test_names_that_are_none_are_refused_before_anything(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        build.main(["symmv", "--root", str(tmp_path / "data"), "--only", ","])
    assert end.value.code == 2
    assert "only is ','; it has to be names with commas" in capsys.readouterr().err
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("flow", ["build", "crawl", "release"])
def test_a_server_that_is_not_there_is_one_line(flow: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", f"flows.{flow}", "symmv", "--root", str(tmp_path)],
        env={**os.environ, "PREFECT_API_URL": "http://127.0.0.1:9/api"},
        capture_output=True,
        check=False,
        text=True,
        timeout=200,
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.splitlines()[-1].startswith("Prefect's server cannot be used: ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("program", "words", "said"),
    [
        (build, ["symmv", "--retry", "nosuch"], "no reason is called 'nosuch'; known: empty_file"),
        (crawl, ["symmv", "--retry", "nosuch"], "no reason is called 'nosuch'; known: empty_file"),
        (train, ["amt", "x", "--preset", "nosuch"], "no preset is called 'nosuch'; known: paper"),
    ],
)
def test_an_unknown_name_is_told_in_the_words_of_the_command_before_a_server_is_asked(
    program: ModuleType, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        program.main(words)
    assert end.value.code == 2
    assert f"error: {said}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (NoEntries("mine", "data"), "give the flow `build` of mine the parameter `folder`"),
        (
            NoEntries("midi", "data", is_imported=True),
            "run `symmv import midi PATH --root data` first",
        ),
        (NoEntries("mine", "data", taken_down=2), "give the flow `build` a `folder` of other reco"),
        (NoShards("mine", "data"), "run the flow `build` of mine first"),
        (
            NoShards("midi", "data", is_imported=True),
            "run `symmv import midi PATH --root data` first",
        ),
        (
            MissingColumns("mine", ["a"], steps=["a"], like="symmv"),
            "add them to the recipe and run",
        ),
    ],
)
def test_advice_fits_every_flow(error: StopRun, said: str) -> None:
    assert f"; {said}" in advised(error)


def test_a_program_speaks_of_its_options_and_a_deployment_of_its_parameters(
    prefect_server: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = str(tmp_path / "data")
    state = release.release("symmv", root=root, public=True, return_state=True)
    assert state.message == "`public` is about `push`; say where to push"
    assert release.main(["symmv", "--root", root, "--public"]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        "Stopped: --public is about --push; say where to push"
    )
    with pytest.raises(SystemExit):
        train.main(["amt", "muvisync", "--set", "x"])
    assert "error: --set 'x' should look like FIELD=VALUE" in capsys.readouterr().err
