"""Build the distributions and try every extra in fresh environments: `installation.extras`.

    python -m installation.extras                              all of them, on this Python
    python -m installation.extras --python python3.13 base crawl

An environment gets `pip install 'WHEEL[EXTRA]'` from the user's own index, `pip check`, and the
commands of the extra, from an empty folder. torch is installed first where it is among the
packages, by its pin, so that an index's newest build is not asked for. The exit code is 1 where
anything failed; what a command said is printed then.
"""

import argparse
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BASE = "base"
RECIPE = """
name = "small"
pairs = false
[splits]
train = 1
[steps.music_asset]
[steps.video_asset]
[steps.loudness]
[steps.colour]
"""
SMALL = "symmv build small.toml --from clips --workers 1"
FLOW = "python -m symmv_builder.flows.build small.toml --from clips --runner"
# What each extra is for, in commands; one that begins with "import" is Python. `clips` holds two
# short videos.
COMMANDS: dict[str, tuple[str, ...]] = {
    BASE: ("symmv recipe symmv", "symmv schema symmv", SMALL, "symmv status small"),
    "all": ("symmv demo --quick",),
    "crawl": (
        "import symmv_builder.backends.ytdlp.toolchain as t; "
        "t.check_version(); t.check_javascript('deno')",
    ),
    "models": (
        "symmv models get transkun",
        "symmv run transcribe clips/clip0.mp4",
        "symmv run beats clips/clip0.mp4",
        "symmv run scenes clips/clip0.mp4",
        "symmv models",
    ),
    "beat-this": ("import beat_this.model.beat_tracker",),
    "evaluate": ("import symmv_builder.evaluation.accuracy, mir_eval, librosa",),
    "train": ("import symmv_builder.training.vmusprod.train, tensorboard, safetensors.torch",),
    "flows": (f"{FLOW} threads", "python -m symmv_builder.flows.serve --print"),
    "dask": (f"{FLOW} dask",),
    "ray": (f"{FLOW} ray",),
    "web": ("import symmv_builder.web.server",),
    "postgres": ("import psycopg; psycopg.pq.version()",),
    "report": (SMALL, "symmv show clip0 --out shown"),
    "s3": ("import symmv_builder.storage.root as r; r.Root('s3://bucket/data')",),
    "media": ("import lance, litdata, PIL.Image",),
    "hub": ("import huggingface_hub; huggingface_hub.HfApi()",),
    "notation": ("import music21, pretty_midi, symusic",),
    "demo": ("symmv demo --quick",),
    "dev": ("import pytest, mypy.api, importlinter",),
}
ALIASES = {"eval": "evaluate", "gpu": "models"}


@dataclass(frozen=True, slots=True)
class Trial:
    """How an extra did: seconds of the installation, its size, and what failed, if anything."""

    extra: str
    install_s: float
    size_bytes: int
    fault: str


def build(folder: Path) -> Path:
    """Source distribution and wheel, the wheel out of the source distribution; the wheel's path."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    code = f"from setuptools import build_meta; build_meta.build_sdist({str(folder)!r})"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)
    # pip would take what setuptools leaves beside the package for an installed one.
    shutil.rmtree(ROOT / "symmv_builder.egg-info", ignore_errors=True)
    [source] = folder.glob("*.tar.gz")
    how = ["--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder)]
    subprocess.run([*pip, "wheel", *how, str(source)], check=True)
    [wheel] = folder.glob("*.whl")
    return wheel


def try_extra(python: str, wheel: Path, extra: str, media: Path) -> Trial:
    """Install an extra into an environment of its own, and run its commands there."""
    with tempfile.TemporaryDirectory(prefix="symmv-extra-") as folder:
        work, env = Path(folder, "work"), Path(folder, "env")
        shutil.copytree(media, work)
        begun = time.monotonic()
        try:
            _run([python, "-m", "venv", str(env)], work)
            pip = [str(env / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
            # Most of what is installed is never imported here: compiling it takes minutes.
            install = [*pip, "install", "--quiet", "--no-compile"]
            if asks_for_torch(wheel, extra):
                _run([*install, "-r", str(ROOT / "requirements/torch.txt")], work)
            _run([*install, str(wheel) if extra == BASE else f"{wheel}[{extra}]"], work)
            install_s = time.monotonic() - begun
            _run([*pip, "check"], work)
            for command in COMMANDS[ALIASES.get(extra, extra)]:
                _run(_words(env, command), work)
            fault = ""
        except Failed as error:
            install_s, fault = time.monotonic() - begun, str(error)
        size = sum(path.lstat().st_size for path in env.rglob("*") if path.is_file())
    return Trial(extra, install_s, size, fault)


class Failed(Exception):
    """A command that did not end with 0; what it said."""


def _run(command: Sequence[str], cwd: Path) -> None:
    # What a checkout on Python's path offers would be taken for installed.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    process = subprocess.run(
        command, cwd=cwd, env=environment, text=True, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    if process.returncode:
        raise Failed(
            f"{' '.join(command)}\nexit code {process.returncode}\n{process.stdout[-3000:]}"
        )


def _words(env: Path, command: str) -> list[str]:
    if command.startswith("import "):
        return [str(env / "bin" / "python"), "-c", command]
    program, *rest = command.split()
    return [str(env / "bin" / program), *rest]


def extras_of(wheel: Path) -> dict[str, list[str]]:
    """The requirements of every extra in a wheel's metadata, without their markers."""
    [distribution] = importlib.metadata.distributions(path=[str(wheel)])
    groups: dict[str, list[str]] = {
        extra: [] for extra in distribution.metadata.get_all("Provides-Extra") or []
    }
    for line in distribution.requires or []:
        for extra in re.findall(r"extra == [\"']([^\"']+)", line):
            groups[extra].append(line.partition(";")[0].strip())
    return groups


def asks_for_torch(wheel: Path, extra: str) -> bool:
    """Whether torch is among an extra's packages, or those of an extra that it names."""
    extras = extras_of(wheel)

    def lines(name: str) -> Iterator[str]:
        for line in extras.get(name, []):
            yield line
            if own := re.match(r"symmv[-_]builder\[([^\]]*)\]", line):
                for each in own[1].split(","):
                    yield from lines(each.strip())

    return any(re.match(r"torch\b(?![-_])", line) for line in lines(extra))


def make_media(folder: Path) -> None:
    """Two short videos with sound, and a recipe that needs no model."""
    from tests.media import Pictures, Samples, noise, steady, tone, write_media

    (folder / "clips").mkdir(parents=True)
    (folder / "small.toml").write_text(RECIPE, encoding="utf-8")
    for number in range(2):
        pictures = Pictures([noise(10 * number + at) for at in range(200)], steady(200))
        write_media(
            folder / "clips" / f"clip{number}.mp4", pictures, Samples(tone(8.0), codec="aac")
        )


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("extras", nargs="*", help=f"{BASE} and extras; all but dev by default")
    options.add_argument("--python", default=sys.executable, help="whose environments are made")
    arguments = options.parse_args()
    (ROOT / "dist").mkdir(exist_ok=True)
    for old in (ROOT / "dist").glob("symmv_builder-*"):
        old.unlink()
    wheel = build(ROOT / "dist")
    names = [BASE, *(extra for extra in extras_of(wheel) if extra != "dev")]
    trials = []
    with tempfile.TemporaryDirectory(prefix="symmv-media-") as folder:
        media = Path(folder, "media")
        make_media(media)
        for extra in arguments.extras or names:
            trial = try_extra(arguments.python, wheel, extra, media)
            trials.append(trial)
            how = "FAILED" if trial.fault else "works"
            cost = f"{trial.install_s:.0f} s to install, {trial.size_bytes / 1e6:.0f} MB"
            sys.stdout.write(f"{extra}: {how}, {cost}\n{trial.fault}")
            sys.stdout.flush()
    return int(any(trial.fault for trial in trials))


if __name__ == "__main__":
    sys.exit(main())
