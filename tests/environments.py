"""Environments of a test's own, made of packages that this one has: no index is asked."""

import importlib.metadata
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
SYMMV = "import sys; sys.argv[0] = 'symmv'; from symmv_builder.cli import main; main()"


def base() -> list[str]:
    """What the package requires without any extra."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [str(line) for line in project["dependencies"]]


def extra(name: str) -> list[str]:
    """What an extra of the package requires, with the extras that it names."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found: list[str] = []
    for line in project["optional-dependencies"][name]:
        asked = Requirement(line)
        own = asked.extras if asked.name == project["name"] else ()
        found += [each for other in sorted(own) for each in extra(other)] if own else [line]
    return found


def closed(names: Iterable[str]) -> set[str]:
    """Distributions and all that they require, by their normalised names."""
    found: set[str] = set()
    waiting = [Requirement(name) for name in names]
    while waiting:
        requirement = waiting.pop()
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        if name in found:
            continue
        found.add(name)
        for line in importlib.metadata.requires(name) or []:
            further = Requirement(line)
            if further.marker is None or further.marker.evaluate({"extra": ""}):
                waiting.append(further)
    return found


def make_environment(folder: Path, packages: Iterable[str] | None = None) -> Path:
    """The Python of a new environment that has these packages, or all of this one's, by links."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    [site] = (folder / "lib").glob("python*/site-packages")
    if packages is None:
        here = sysconfig.get_path("purelib")
        (site / "here.pth").write_text(f"import site; site.addsitedir({here!r})\n")
        return folder / "bin" / "python"
    for name in closed(packages):
        distribution = importlib.metadata.distribution(name)
        parts = {file.parts[0] for file in distribution.files or []} - {"..", "__pycache__"}
        for part in sorted(parts):
            if not (site / part).exists():
                (site / part).symlink_to(Path(str(distribution.locate_file(part))))
    return folder / "bin" / "python"


def install(python: Path, package: Path) -> None:
    """Install a wheel or a folder with a package into an environment, without its requirements."""
    how = ["--no-deps", "--no-index", "--no-build-isolation", "--quiet", str(package)]
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", *how]
    # What lies on the path of these tests, this checkout with its metadata, is not installed there.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run(pip, check=True, env=env | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"})


def run(
    python: Path,
    *arguments: str,
    cwd: Path,
    code: int = 0,
    environment: Mapping[str, str] | None = None,
) -> str:
    """What a module (``-m``), code (``-c``) or `symmv` says; the two outputs in one text."""
    start = arguments if arguments[0] in ("-m", "-c") else ("-c", SYMMV, *arguments)
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    env |= {
        "HF_HUB_OFFLINE": "1",
        "COLUMNS": "250",
        "PREFECT_LOGGING_LEVEL": "ERROR",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "200",
    }
    done = subprocess.run(
        [str(python), *start],
        cwd=cwd,
        env=env | dict(environment or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout
    return done.stdout
