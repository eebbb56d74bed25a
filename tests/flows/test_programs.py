"""The flows as programs: what they say and how they end where they cannot begin."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from flows import build, crawl, edge, release, train
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
    ("program", "words", "said"),
    [
        (build, ["muvisync", "--runner", "slurm"], "no runner is called 'slurm'; "),
        (build, ["symm"], "no dataset is called 'symm' (did you mean symmv?)"),
        (build, ["muvisync", "--from", "nowhere"], "nowhere is not a folder"),
        (build, ["muvisync", "--batch-size", "0"], "a batch has at least one entry, not 0"),
        (build, ["muvisync", "--address", "tcp://h:1"], "--address is for dask and ray; threads"),
        (crawl, ["symm"], "no dataset is called 'symm' (did you mean symmv?)"),
        (crawl, ["symmv", "--most", "-1"], "most is -1; it has to be 0 or more"),
        (release, ["symmv", "--runner", "slurm"], "no runner is called 'slurm'; "),
        (train, ["amt", "symmv"], "symmv has no shards in "),
    ],
)
def test_arguments_are_checked_before_a_server_is_started_and_told_once(
    program: ModuleType,
    words: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(program, "run_program", lambda *_, **__: pytest.fail("a run began"))
    with pytest.raises(SystemExit) as end:
        program.main([*words, "--root", str(tmp_path / "data")])
    assert end.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f": error: {said}" in line
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("runner", "address", "said"),
    [
        ("dask", "tcp://127.0.0.1:{port}", "no Dask scheduler answers at tcp://127.0.0.1:"),
        ("dask", "127.0.0.1:{port}", "no Dask scheduler answers at 127.0.0.1:"),
        ("ray", "ray://127.0.0.1:{port}", "no Ray cluster answers at ray://127.0.0.1:"),
        ("dask", "tcp://localhost", "(it names no host or no port)"),
        ("ray", "localhost:port", "an address looks like ray://HOST:10001"),
    ],
)
def test_a_cluster_that_does_not_answer_is_one_line_before_a_server_is_started(
    runner: str,
    address: str,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(build, "run_program", lambda *_, **__: pytest.fail("a run began"))
    with socket.socket() as bound:
        # Bound, so that nobody else takes the port, and not listening.
        bound.bind(("127.0.0.1", 0))
        place = address.format(port=bound.getsockname()[1])
        words = ["--root", str(tmp_path), "--runner", runner, "--address", place]
        with pytest.raises(SystemExit) as end:
            build.main(["muvisync", *words])
        with pytest.raises(StopRun, match="answers at"), edge.Place(runner, place).running():
            pytest.fail("a deployment has opened its runner")
    assert end.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


def test_a_cluster_that_answers_is_left_to_its_runner() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        edge.Place("dask", f"tcp://127.0.0.1:{server.getsockname()[1]}").check_answers()
    edge.Place("ray", "auto").check_answers()


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
