"""The image is made by the Makefile's own steps, so that what works in one works in the other."""

import re
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def instructions(root: Path) -> list[tuple[str, str]]:
    """Instruction and argument of every line of the Dockerfile, continued lines joined."""
    text = re.sub(r"^#.*\n", "", (root / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    pairs = (line.partition(" ") for line in lines if line.strip())
    return [(name, argument.strip()) for name, _, argument in pairs]


def arguments(instructions: list[tuple[str, str]], wanted: str) -> list[str]:
    return [argument for name, argument in instructions if name == wanted]


def test_packages_are_installed_by_make_alone(instructions: list[tuple[str, str]]) -> None:
    commands = arguments(instructions, "RUN")
    assert [command for command in commands if command.startswith("make ")] == [
        "make requirements",
        "make install",
    ]
    assert not [command for command in commands if re.search(r"\b(pip|uv|conda)\b", command)]


def test_the_targets_that_the_image_uses_are_in_the_makefile(
    root: Path, instructions: list[tuple[str, str]]
) -> None:
    makefile = (root / "Makefile").read_text()
    for command in arguments(instructions, "RUN"):
        for target in re.findall(r"^make (\w+)", command):
            assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE)


def test_what_the_packages_depend_on_is_copied_before_they_are_installed(
    root: Path, instructions: list[tuple[str, str]]
) -> None:
    makefile = (root / "Makefile").read_text()
    rule = re.search(r"^\.venv/\.requirements: ([^|]*)", makefile, flags=re.MULTILINE)
    assert rule
    copied = arguments(instructions, "COPY")[0].split()
    assert set(rule[1].split()) | {"Makefile"} <= set(copied)


def test_the_base_is_an_argument_and_the_user_is_not_root(
    instructions: list[tuple[str, str]],
) -> None:
    assert instructions[0][0] == "ARG"
    assert instructions[0][1].startswith("BASE=python:3.11")
    assert instructions[1] == ("FROM", "${BASE}")
    assert arguments(instructions, "USER") == ["symmv"]
    assert arguments(instructions, "ENTRYPOINT") == ['["symmv"]']
    assert arguments(instructions, "VOLUME") == ['["/data"]']


def test_every_package_is_pinned_and_none_carries_its_own_version(root: Path) -> None:
    pinned = {
        line.partition("==")[0]
        for line in (root / "constraints.txt").read_text().splitlines()
        if "==" in line
    }
    lines = (line.partition("#")[0].strip() for line in (root / "requirements.txt").open())
    names = [line for line in lines if line]
    assert [name for name in names if name not in pinned] == []
    assert len(names) == len(set(names))


def test_the_hashed_package_is_pinned_to_the_same_version(root: Path) -> None:
    pins = (root / "constraints.txt").read_text().splitlines()
    for line in (root / "requirements-hashed.txt").read_text().splitlines():
        if not line.startswith("#"):
            assert line.split()[0] in pins
            assert "--hash=sha256:" in line
