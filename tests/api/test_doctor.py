"""What works is said, what does not is named with advice, and nothing waits for ever."""

import json
import re
import socket
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from symmv_builder.api import doctor
from symmv_builder.api.catalogue import get_models
from symmv_builder.api.doctor import ABSENT, BROKEN, WORKS, Finding
from symmv_builder.backends import ModelHome
from symmv_builder.cli import main
from symmv_builder.cli.doctoring import with_command
from symmv_builder.settings import find_settings, read_settings
from tests.environments import base, make_environment, run


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """No check of models, torch and the downloader: other tests look at these."""
    monkeypatch.setattr(doctor, "_models", lambda *_: ())
    for name in ("_torch", "_downloader"):
        monkeypatch.setattr(doctor, name, lambda *_: Finding("left out", WORKS, ""))


def found(root: Path, patience_s: float = 60.0, **environment: str) -> dict[str, Finding]:
    """The findings by what they are of."""
    findings = doctor.examine(str(root), environment, patience_s=patience_s)
    return {finding.what: finding for finding in findings}


@pytest.fixture
def silent() -> Iterator[str]:
    """A server that takes connections and says nothing: its host and port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def closed() -> str:
    """A host and port at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.usefixtures("patience")
def test_what_is_in_order_has_no_advice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root = tmp_path / "data"
    findings = found(root)
    for what in ("Python", "settings", "data root", "ledger", "cache", "temporary folder"):
        assert findings[what].state == WORKS
        assert findings[what].advice == ""
    assert "GB free" in findings["data root"].found
    assert findings["Prefect's server"].state == WORKS
    assert not root.exists()
    assert not (tmp_path / "cache").exists()


@pytest.mark.usefixtures("patience")
def test_a_ledger_that_is_there_is_named_with_its_version(tmp_path: Path) -> None:
    from symmv_builder.storage.ledger import Ledger

    Ledger(f"sqlite:///{tmp_path}/ledger.sqlite").close()
    ledger = found(tmp_path)["ledger"]
    assert ledger.state == WORKS
    assert f"sqlite {sqlite3.sqlite_version}" in ledger.found


@pytest.mark.usefixtures("patience")
@pytest.mark.parametrize("text", ["no database", "SQLite format 3\0 and then nothing of it"])
def test_a_damaged_ledger_is_broken(text: str, tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite").write_text(text)
    ledger = found(tmp_path)["ledger"]
    assert ledger.state == BROKEN
    assert "database" in ledger.advice
    assert (tmp_path / "ledger.sqlite").read_text() == text


@pytest.mark.usefixtures("patience")
def test_a_database_that_is_away_is_broken_and_its_password_is_not_shown(
    tmp_path: Path, closed: str
) -> None:
    pytest.importorskip("psycopg")
    url = f"postgresql://me:secret@{closed}/ledger"
    ledger = found(tmp_path, SYMMV_LEDGER=url)["ledger"]
    assert ledger.state == BROKEN
    assert "SYMMV_LEDGER" in ledger.advice
    assert closed in ledger.found
    assert "secret" not in ledger.found + ledger.advice


@pytest.mark.usefixtures("patience")
def test_what_does_not_answer_is_not_waited_for(tmp_path: Path, silent: str) -> None:
    pytest.importorskip("psycopg")
    begun = time.monotonic()
    findings = found(
        tmp_path,
        patience_s=2.0,
        SYMMV_LEDGER=f"postgresql://me:secret@{silent}/ledger",
        PREFECT_API_URL=f"http://{silent}/api",
    )
    assert time.monotonic() - begun < 30
    for what in ("ledger", "Prefect's server"):
        assert findings[what].state == BROKEN
        assert "no answer within 2 s" in findings[what].found
        assert "answers" in findings[what].advice


@pytest.mark.usefixtures("patience")
def test_a_server_of_prefects_that_is_away_is_broken(tmp_path: Path, closed: str) -> None:
    server = found(tmp_path, PREFECT_API_URL=f"http://{closed}/api")["Prefect's server"]
    assert server.state == BROKEN
    assert "prefect server start" in server.advice
    for url in ("nonsense", "http://", "ftp://127.0.0.1/api"):
        assert found(tmp_path, PREFECT_API_URL=url)["Prefect's server"].state == BROKEN


@pytest.mark.usefixtures("patience")
@pytest.mark.parametrize(("body", "state"), [(b'"3.8.8"', WORKS), (b"<html>", BROKEN)])
def test_a_server_says_its_version(body: bytes, state: str, tmp_path: Path) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_asked = self.path == "/api/admin/version"
            self.send_response(200 if is_asked else 404)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing is printed."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/api/"
        finding = found(tmp_path, PREFECT_API_URL=url)["Prefect's server"]
        server.shutdown()
    assert finding.state == state
    if state == WORKS:
        assert finding.found.startswith("3.8.8 at")


@pytest.mark.usefixtures("patience")
def test_a_place_that_takes_no_files_is_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/self/data")):
        monkeypatch.setenv("XDG_CACHE_HOME", str(place))
        findings = found(place)
        for what in ("data root", "cache"):
            assert findings[what].state == BROKEN
            assert findings[what].advice


@pytest.mark.usefixtures("patience")
def test_a_full_disk_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_LEAST_FREE_BYTES", 1 << 80)
    finding = found(tmp_path)["data root"]
    assert finding.state == BROKEN
    assert "free some space" in finding.advice


@pytest.mark.usefixtures("patience")
def test_wrong_settings_hide_nothing_else(tmp_path: Path) -> None:
    findings = found(tmp_path, SYMMV_DEVICE="tpu")
    assert findings["settings"].state == BROKEN
    assert "SYMMV_DEVICE" in findings["settings"].advice
    assert findings["data root"].state == WORKS


@pytest.mark.usefixtures("patience")
def test_a_remote_root_needs_a_ledger_of_its_own(tmp_path: Path) -> None:
    findings = {f.what: f for f in doctor.examine("memory://data", {}, patience_s=5.0)}
    assert findings["data root"].state == WORKS
    assert findings["ledger"].state == BROKEN
    assert "SYMMV_LEDGER" in findings["ledger"].advice
    findings = {f.what: f for f in doctor.examine("nothing://data", {}, patience_s=5.0)}
    assert findings["data root"].state == BROKEN


def test_a_check_that_fails_in_an_unforeseen_way_hides_nothing_else() -> None:
    def fail() -> Finding:
        raise KeyError("gone")

    checks = [("bad", 1.0, fail), ("good", 1.0, lambda: Finding("good", WORKS, "here"))]
    bad, good = doctor._run_all(checks)
    assert (bad.state, good.state) == (BROKEN, WORKS)
    assert "KeyError" in bad.found


@pytest.mark.parametrize("problem", ["", "the hub cannot be reached"])
@pytest.mark.parametrize(
    ("slot", "name", "file"),
    [
        ("clip", "vit-b-32", "pytorch_model.bin"),
        ("codec", "encodec", "config.json"),
        ("separation", "htdemucs", "955717e8.safetensors"),
    ],
)
def test_weights_of_the_hub_are_downloaded_at_first_use_or_got_elsewhere(
    slot: str, name: str, file: str, problem: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One hint, which is true here: it is that of `symmv models get` where there is no network."""
    constants = pytest.importorskip("huggingface_hub.constants")
    hub = pytest.importorskip("huggingface_hub")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(hub, "hf_hub_url", lambda *_, **__: "http://127.0.0.1:9/config.json")
    monkeypatch.setattr(doctor, "_no_way_to", lambda **_: problem)
    monkeypatch.setattr(doctor, "_only_weights_lack", lambda *_: True)
    found = with_command(doctor._slot(ModelHome(), slot, [name]))
    assert f"downloaded at first use: {name}" in found.found
    if not problem:
        assert found.advice == (
            f"the weights of {name} are not here yet; run: symmv models get {name}"
        )
        return
    assert re.match(rf"Run `hf download \S+ .*--include {file} .*--local-dir FOLDER`", found.advice)
    [got] = get_models(read_settings({}), [name])
    assert got.problem.endswith(found.advice)
    # A folder that is named and lacks something is not filled by a download.
    named = doctor._slot(ModelHome(paths={name: str(tmp_path)}), slot, [name])
    assert (named.state, f"missing: {name}" in named.found) == (BROKEN, True)


def test_one_thread_is_told_in_the_singular(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    for count, said in ((1, "1 thread of the CPU"), (2, "2 threads of the CPU")):
        answer = subprocess.CompletedProcess("", 0, json.dumps(["2.0", None, [], count]), "")
        monkeypatch.setattr(subprocess, "run", lambda *_, answer=answer, **__: answer)
        assert said in doctor._torch(find_settings({})["device"]).found


@pytest.mark.slow
def test_models_torch_and_extras_of_this_environment(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    findings = {f.what: f for f in doctor.examine(str(tmp_path), {"HF_HUB_OFFLINE": "1"})}
    assert findings["torch"].state == WORKS
    assert findings["model symbolic_chords"].state == WORKS
    assert "templates" in findings["model symbolic_chords"].found
    omnizart = findings["model polyphonic"].found
    assert "missing: omnizart" in omnizart
    asked = {f.what: f for f in doctor.examine(str(tmp_path), {"SYMMV_DEVICE": "cuda:99"})}
    if "no CUDA" in asked["torch"].advice:
        assert asked["torch"].state == BROKEN


def test_the_command_says_the_same_as_json(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    patience: None,
) -> None:
    def call(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["symmv", "doctor", "--root", str(tmp_path), *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), capsys.readouterr().out

    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    code, out = call("--json")
    states = {each["what"]: each["state"] for each in json.loads(out)}
    assert code == int(BROKEN in states.values()) == 0
    monkeypatch.setenv("SYMMV_DEVICE", "tpu")
    code, out = call()
    assert code == 1
    assert "settings: SYMMV_DEVICE is 'tpu'" in out


def test_a_missing_package_is_named_with_its_extra(tmp_path: Path) -> None:
    python = make_environment(tmp_path / "env", base())
    code = (
        "import json; from symmv_builder.api import doctor; "
        "print(json.dumps([[f.what, f.state, f.advice] for f in doctor.examine('data')]))"
    )
    # Without the metadata that a build may have left beside the package.
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "symmv_builder").symlink_to(Path(__file__).parents[2] / "symmv_builder")
    checkout = {"PYTHONPATH": str(tmp_path / "source")}
    said = run(python, "-c", code, cwd=tmp_path, environment=checkout)
    states = {what: (state, advice) for what, state, advice in json.loads(said)}
    assert states["torch"] == (BROKEN, "pip install 'symmv-builder[models]'")
    assert states["downloader"][0] == ABSENT
    assert states["package"][0] == ABSENT
    assert states["model piano"][0] == BROKEN
    assert "pip install" in states["model piano"][1]
    assert states["data root"][0] == WORKS
