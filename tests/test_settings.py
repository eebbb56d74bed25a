"""Settings out of flags, environment and files: which of them holds, and what a mistake says."""

import json
import re
import sys
from pathlib import Path

import pytest

from symmv_builder import cli
from symmv_builder.api import doctor
from symmv_builder.errors import StopRun
from symmv_builder.settings import find_settings, read_settings, unknown_variables

USER, HERE, ROOT = "user/symmv/config.toml", "symmv.toml", "place/symmv.toml"
REPOSITORY = Path(__file__).parents[1]
PLACES = (
    "symmv_builder/**/*.py",
    "flows/*",
    "docs/**/*.md",
    "compose.yaml",
    "Dockerfile",
    "Makefile",
)


@pytest.fixture(autouse=True)
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a data root `place` in it and nobody's own settings."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "place").mkdir()
    (tmp_path / "user" / "symmv").mkdir(parents=True)
    return tmp_path


def env(**variables: str) -> dict[str, str]:
    return {"XDG_CONFIG_HOME": "user", **variables}


def write(path: str, text: str) -> None:
    Path(path).write_text(text, encoding="utf-8")


def test_each_place_goes_before_the_next() -> None:
    assert read_settings(env(), root="place").home.device == "cpu"
    for number, path in enumerate((USER, HERE, ROOT)):
        write(path, f'device = "cuda:{number}"\n')
        found = find_settings(env(), root="place")["device"]
        assert (found.value, found.source) == (f"cuda:{number}", f"{path}, line 1")
    found = find_settings(env(SYMMV_DEVICE="cuda"), root="place")["device"]
    assert (found.value, found.source) == ("cuda", "environment SYMMV_DEVICE")


def test_the_flag_goes_before_all_of_them() -> None:
    write(USER, 'root = "mine"\n')
    assert find_settings(env())["root"].source == f"{USER}, line 1"
    write(HERE, 'root = "other"\n')
    assert find_settings(env())["root"].source == f"{HERE}, line 1"
    assert find_settings(env(SYMMV_ROOT="third"))["root"].value == "third"
    last = find_settings(env(SYMMV_ROOT="third"), root="place")["root"]
    assert (last.value, last.source) == ("place", "flag --root")


def test_the_root_that_a_file_names_may_have_a_file_of_its_own() -> None:
    write(HERE, 'root = "place"\nrate = 1\n')
    write(ROOT, "rate = 2\n")
    assert read_settings(env()).bytes_a_second == 2


def test_a_place_counts_from_the_folder_of_its_file(desk: Path) -> None:
    write(USER, 'manifests = "m"\nledger = "sqlite:///x"\n[models]\nvit-b-32 = "w"\n')
    found = read_settings(env())
    assert found.manifests == str(desk / "user" / "symmv" / "m")
    assert found.ledger == "sqlite:///x"
    assert found.home.paths == {"vit-b-32": str(desk / "user" / "symmv" / "w")}
    write(USER, 'root = "s3://bucket/data"\n')
    assert read_settings(env()).root == "s3://bucket/data"


def test_a_file_says_all_that_the_environment_can() -> None:
    write(
        HERE,
        'device = "cuda"\nprecision = "bf16"\nsites = ["youtube"]\nproxy = "http://p"\n'
        'cookies = "/c"\nrate = 5\n[models]\nmadmom = "/m"\n[models_sha256]\nmadmom = "ab"\n',
    )
    variables = env(
        SYMMV_DEVICE="cuda",
        SYMMV_PRECISION="bf16",
        SYMMV_SITES="youtube",
        SYMMV_PROXY="http://p",
        SYMMV_COOKIES="/c",
        SYMMV_RATE="5",
        SYMMV_MODEL_MADMOM="/m",
        SYMMV_MODEL_MADMOM_SHA256="ab",
    )
    of_file = read_settings(env())
    Path(HERE).unlink()
    assert of_file == read_settings(variables)
    assert "device" in of_file.given
    assert "manifests" not in of_file.given


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "device = 'cuda'\ncolour = 1\n",
            "symmv.toml, line 2: colour: a configuration file has no",
        ),
        ("\nrate = 'fast'\n", "symmv.toml, line 2: rate: 'fast' should be a whole number"),
        ("rate = 0\n", "symmv.toml, line 1: rate is '0'; it has to be a number of bytes"),
        ("device = 'tpu'\n", "symmv.toml, line 1: device is 'tpu'; it can be cpu"),
        ("precision = 'fp8'\n", "symmv.toml, line 1: precision is 'fp8'; it can be fp32"),
        ("sites = 'youtube'\n", "symmv.toml, line 1: sites: 'youtube' should be a list"),
        ("sites = [1]\n", "symmv.toml, line 1: sites: this is a list of names"),
        ("models = 'x'\n", "symmv.toml, line 1: models: 'x' should be a table"),
        ("[models]\nnosuch = 'x'\n", "symmv.toml, line 2: models.nosuch: no model is called so"),
        ("device = \n", "symmv.toml, line 1: this is not TOML"),
    ],
)
def test_a_mistake_is_named_with_file_line_and_key(text: str, said: str) -> None:
    write(HERE, text)
    with pytest.raises(StopRun) as error:
        read_settings(env())
    assert str(error.value).startswith(said)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("place", [HERE, ROOT])
def test_a_file_that_came_with_a_folder_cannot_name_a_program_to_run(place: str) -> None:
    write(place, '[models]\nomnizart = "evil/python"\n')
    with pytest.raises(StopRun, match=r"symmv\.toml, line 2: models\.omnizart: a program to run"):
        read_settings(env(), root="place")
    Path(place).unlink()
    write(USER, '[models]\nomnizart = "/python3.8"\n')
    assert read_settings(env(), root="place").home.paths["omnizart"] == "/python3.8"


def test_a_file_that_is_no_text_is_one_line() -> None:
    Path(HERE).write_bytes(b"\xff\xfe")
    with pytest.raises(StopRun, match=r"cannot read symmv\.toml"):
        read_settings(env())


def test_a_file_in_the_root_cannot_name_another_root() -> None:
    write(ROOT, 'root = "elsewhere"\n')
    with pytest.raises(StopRun, match=r"place/symmv\.toml, line 1: root"):
        read_settings(env(), root="place")


def test_a_variable_that_is_wrong_is_named_as_its_writer_called_it() -> None:
    with pytest.raises(StopRun, match=r"^SYMMV_RATE is 'x'; it has to be a number"):
        read_settings(env(SYMMV_RATE="x"))


def config(
    words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["symmv", "config", *words.split()])
    with pytest.raises(SystemExit) as end:
        cli.main()
    out, err = capsys.readouterr()
    return int(end.value.code or 0), out, err


def test_the_command_shows_where_each_value_comes_from(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(HERE, 'precision = "fp16"\nledger = "postgresql://me:hush@db/x"\n')
    monkeypatch.setenv("XDG_CONFIG_HOME", "user")
    monkeypatch.setenv("SYMMV_PROXY", "http://me:hush@proxy")
    monkeypatch.delenv("SYMMV_ROOT", raising=False)
    code, out, err = config("--json --root place", capsys, monkeypatch)
    assert (code, err) == (0, "")
    rows = {row["name"]: row for row in json.loads(out)}
    assert rows["root"]["source"] == "flag --root"
    assert rows["precision"] | {"meaning": ""} == {
        "name": "precision",
        "value": "fp16",
        "source": "symmv.toml, line 1",
        "variable": "SYMMV_PRECISION",
        "meaning": "",
    }
    assert rows["proxy"]["value"] == "(set, not shown)"
    assert rows["device"]["source"] == "default"
    assert "hush" not in out
    code, out, err = config("", capsys, monkeypatch)
    assert (code, err) == (0, "")
    assert "environment SYMMV_PROXY" in out
    assert "hush" not in out


def test_a_misspelt_variable_is_told_with_what_may_have_been_meant(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SYMMV_DEVICEE", "SYMMV_MODEL_VIT_B32", "SYMMV_WEB_TOKEN", "SYMMV_TEST_JAMS"):
        monkeypatch.setenv(name, "cpu")
    code, out, err = config("", capsys, monkeypatch)
    assert (code, "device" in out) == (0, True)
    assert err.splitlines() == [
        "symmv: SYMMV_DEVICEE is not known and changes nothing (did you mean SYMMV_DEVICE?)",
        "symmv: SYMMV_MODEL_VIT_B32 is not known and changes nothing (did you mean "
        "SYMMV_MODEL_VIT_B_32?)",
    ]
    finding = doctor._settings({"SYMMV_ROT": "x"}, "")
    assert finding.state == "works"
    assert "SYMMV_ROT is not known and changes nothing (did you mean SYMMV_ROOT?)" in finding.advice


def test_every_variable_of_the_repository_is_known() -> None:
    """Whoever reads a new one writes it into the table, or `symmv config` warns of it."""
    places = [path for glob in PLACES for path in REPOSITORY.glob(glob) if path.is_file()]
    text = "\n".join(path.read_text("utf-8") for path in places)
    names = set(re.findall(r"""(?:["'`]|\b(?=\w+=))(SYMMV_\w*[A-Z0-9])(?:["'`]|=)""", text))
    names -= {"SYMMV_MODEL_NAME", "SYMMV_MODEL_NAME_SHA256"}
    assert {"SYMMV_DEVICE", "SYMMV_WEB_TOKEN", "SYMMV_DEMO_SITE"} <= names
    assert unknown_variables(dict.fromkeys(names, "")) == []


def test_the_command_refuses_what_every_other_one_refuses(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(HERE, 'device = "tpu"\n')
    code, out, err = config("", capsys, monkeypatch)
    assert (code, out) == (2, "")
    assert err == "symmv: symmv.toml, line 1: device is 'tpu'; it can be cpu, cuda or cuda:N\n"
