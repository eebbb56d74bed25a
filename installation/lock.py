"""Write the lock, `requirements/*.txt`, out of pyproject.toml; ``--check`` says if it is right.

    python -m installation.lock                     what has to change does, every other pin stays
    python -m installation.lock --upgrade rich      the newest rich that fits
    python -m installation.lock --upgrade           the newest of everything

uv resolves all extras together for Linux and the oldest supported Python, with the hash of every
file of a release. Each layer is written without what `run` has already: an installation takes
`run.txt` and those layers that it needs. torch has a file of its own, without a hash, because its
builds differ (see `[tool.uv]` in pyproject.toml). A check needs no network: every file carries the
sha256 of what it was made from and of its own lines.
"""

import argparse
import hashlib
import json
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from installation import uv

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "requirements"
# Which extras a layer holds; `run` has all that are named nowhere here.
LAYERS = {
    "flows": ("dask", "flows", "postgres", "ray"),
    "train": ("train",),
    # beat-this asks for a torchaudio, and the demo trains: neither is for a machine that builds.
    # What `media` brings is for whoever exports for it.
    "dev": ("beat-this", "demo", "dev", "media"),
}
# What `dev` has beside extras.
GROUP = "originals"
TOGETHER = ("all", "eval", "gpu")  # other names of extras that are in a layer already
UV = "uv==0.13.9"
HEADER = "# Written by `make lock` out of pyproject.toml. Install with --no-deps --require-hashes."
PLATFORM = ("--python-version", "3.11", "--python-platform", "x86_64-manylinux_2_28")

Blocks = dict[str, str]


def layers_of(project: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """The extras of every layer, `run` first."""
    named = {*TOGETHER, *(extra for extras in LAYERS.values() for extra in extras)}
    rest = [extra for extra in project["project"]["optional-dependencies"] if extra not in named]
    return {"run": tuple(sorted(rest)), **LAYERS}


def torch_pin(project: Mapping[str, Any]) -> str:
    [torch] = [
        each for each in project["tool"]["uv"]["dependency-metadata"] if each["name"] == "torch"
    ]
    return f"torch=={torch['version']}"


def inputs(project: Mapping[str, Any]) -> str:
    """Everything that a resolution depends on, as one text."""
    facts = [
        project["project"]["dependencies"],
        project["project"]["optional-dependencies"],
        project["project"]["requires-python"],
        project["dependency-groups"],
        project["tool"]["uv"],
        [layers_of(project), UV, PLATFORM],
    ]
    return json.dumps(facts, sort_keys=True)


def seal(project: Mapping[str, Any], body: str) -> str:
    return f"# sha256:{hashlib.sha256((inputs(project) + body).encode()).hexdigest()}"


def write(name: str, project: Mapping[str, Any], about: str, body: str) -> None:
    text = "\n".join([HEADER, f"# {about}", seal(project, body), body])
    (FOLDER / f"{name}.txt").write_text(text, encoding="utf-8")


def blocks(text: str) -> Blocks:
    """Requirements of a compiled file by name: each with its hashes and who asked for it."""
    blocks: Blocks = {}
    name = ""
    for line in text.splitlines():
        if line.startswith("#") or not line.strip():
            continue
        if not line[0].isspace():
            name = re.split(r"[=\[ ;]", line, maxsplit=1)[0]
            blocks[name] = ""
        blocks[name] += f"{line}\n"
    return blocks


def compile_lock(source: Sequence[str], out: Path, more: Iterable[str] = ()) -> str:
    """What uv resolves; pins that are in `out` already are kept where they can be."""
    command = [uv.program(), "pip", "compile", *source, "--output-file", str(out), "--quiet"]
    command += ["--no-header", "--annotation-style", "line", *PLATFORM, *more]
    # A lock is made of the one index that everybody has, not of a mirror beside it.
    mirrors = {"UV_INDEX": "", "UV_FIND_LINKS": ""}
    subprocess.run(command, check=True, cwd=ROOT, env=uv.uv_environment() | mirrors)
    return out.read_text(encoding="utf-8")


def lock(project: Mapping[str, Any], upgrade: str | None) -> None:
    newer = [] if upgrade is None else ["--upgrade-package", upgrade] if upgrade else ["--upgrade"]
    layers = layers_of(project)
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        write("torch", project, "The build of it is that of the machine's own index.",
              f"{torch_pin(project)}\n")  # fmt: skip
        torch = ["--constraints", str(FOLDER / "torch.txt"), "--no-emit-package", "torch"]

        def resolve(name: str, extras: Iterable[str], more: Iterable[str], pins: str = "") -> str:
            out = Path(folder, f"{name}.txt")
            out.write_text(pins, encoding="utf-8")
            words = [word for extra in extras for word in ("--extra", extra)]
            return compile_lock(["pyproject.toml", *words], out, [*torch, *more])

        pinned_lines = "".join(
            path.read_text(encoding="utf-8")
            for name in layers
            if (path := FOLDER / f"{name}.txt").is_file()
        )
        group = ("--group", GROUP)
        everything = [extra for extras in layers.values() for extra in extras]
        whole = blocks(
            resolve("whole", everything, [*newer, *group, "--generate-hashes"], pinned_lines)
        )
        pins = Path(folder, "pins.txt")
        pins.write_text("\n".join(text.split()[0] for text in whole.values()), encoding="utf-8")
        exactly = ["--constraints", str(pins)]
        run = blocks(resolve("run", layers["run"], exactly))
        for name, extras in layers.items():
            if name == "run":
                names, about = set(run), f"The package and its extras {', '.join(extras)}."
            elif name == "dev":
                others = [extra for each in ("run", "flows", "train") for extra in layers[each]]
                names = set(whole) - set(blocks(resolve("others", others, exactly)))
                about = "Beside the other layers: the tests and checks of a checkout."
            else:
                names = set(blocks(resolve(name, [*layers["run"], *extras], exactly))) - set(run)
                about = f"Beside run.txt: the extras {', '.join(extras)}."
            write(name, project, about, "".join(whole[each] for each in sorted(names)))
        source, out = Path(folder, "uv.in"), Path(folder, "uv.txt")
        source.write_text(f"{UV}\n", encoding="utf-8")
        hashed = compile_lock([str(source)], out, ["--generate-hashes", "--no-annotate"])
        write("uv", project, "What installs the other files.", hashed)


def faults(project: Mapping[str, Any]) -> list[str]:
    """The files of the lock that are not what `make lock` wrote out of this pyproject.toml."""
    faults = []
    for name in (*layers_of(project), "torch", "uv"):
        path = FOLDER / f"{name}.txt"
        lines = path.read_text(encoding="utf-8").split("\n", 3) if path.is_file() else []
        if len(lines) != 4 or lines[2] != seal(project, lines[3]):
            faults.append(str(path.relative_to(ROOT)))
    return faults


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--check", action="store_true", help="write nothing; 1 where it is stale")
    options.add_argument(
        "--upgrade", nargs="?", const="", metavar="NAME", help="all, or one package"
    )
    arguments = options.parse_args()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    if not arguments.check:
        lock(project, arguments.upgrade)
    if stale := faults(project):
        sys.stderr.write(f"out of date with pyproject.toml: {', '.join(stale)}; run: make lock\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
