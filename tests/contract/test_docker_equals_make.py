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


def arguments(instructions: list[tuple[str, str]], instruction: str) -> list[str]:
    return [argument for name, argument in instructions if name == instruction]


@pytest.fixture(scope="module")
def stages(instructions: list[tuple[str, str]]) -> dict[str, list[tuple[str, str]]]:
    """The instructions of each stage by its name."""
    by_stage: dict[str, list[tuple[str, str]]] = {}
    for name, argument in instructions:
        if name == "FROM":
            base, _, stage = argument.partition(" AS ")
            assert base == "${BASE}"
            by_stage[stage] = []
        elif by_stage:
            by_stage[stage].append((name, argument))
    return by_stage


def test_packages_are_installed_by_make_alone(instructions: list[tuple[str, str]]) -> None:
    commands = arguments(instructions, "RUN")
    assert [command.split()[1] for command in commands if command.startswith("make ")] == [
        "requirements",
        "install",
    ]
    assert not [command for command in commands if re.search(r"\b(pip|uv|conda)\b", command)]


def test_the_targets_and_variables_that_the_image_uses_are_in_the_makefile(
    root: Path, instructions: list[tuple[str, str]]
) -> None:
    makefile = (root / "Makefile").read_text()
    for command in arguments(instructions, "RUN"):
        for target in re.findall(r"^make (\w+)", command):
            assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE)
            for variable in re.findall(r" (\w+)=", command):
                assert re.search(rf"^{variable} :=", makefile, flags=re.MULTILINE)


def test_what_runs_has_no_packages_for_development(
    root: Path, instructions: list[tuple[str, str]]
) -> None:
    for command in arguments(instructions, "RUN"):
        layers = re.findall(r'LAYERS="([^"]*)"', command)
        assert layers == ["run flows train"] * command.startswith("make ")
    names = {
        line.partition("==")[0]
        for layer in ("run", "flows", "train")
        for line in (root / f"requirements/{layer}.txt").read_text().splitlines()
        if "==" in line
    }
    assert names & {"prefect", "s3fs", "psycopg", "asyncpg", "setuptools"} == {
        "prefect",
        "s3fs",
        "psycopg",
        "asyncpg",
        "setuptools",
    }
    assert not names & {"pytest", "mypy", "ruff", "moto", "polars", "duckdb", "muspy"}


def test_the_image_that_runs_has_no_compiler_and_no_sources(
    stages: dict[str, list[tuple[str, str]]],
) -> None:
    assert list(stages) == ["build", "run"]
    text = " ".join(arguments(stages["run"], "RUN"))
    assert not re.search(r"\b(gcc|g\+\+|make|git)\b|-dev\b", text)
    [copied] = arguments(stages["run"], "COPY")
    [workdir] = arguments(stages["build"], "WORKDIR")
    # An environment knows where it lies.
    assert copied == f"--from=build {workdir}/.venv {workdir}/.venv"
    [path] = re.findall(r'PATH="([^:]*):', " ".join(arguments(stages["run"], "ENV")))
    assert path == f"{workdir}/.venv/bin"


def test_what_the_packages_depend_on_is_copied_before_they_are_installed(
    root: Path, stages: dict[str, list[tuple[str, str]]]
) -> None:
    names = [name for name, _ in stages["build"]]
    first = names.index("RUN", names.index("WORKDIR"))
    copied = {argument.split()[0] for name, argument in stages["build"][:first] if name == "COPY"}
    assert copied == {"Makefile", "requirements", "installation"}
    assert all((root / name).exists() for name in copied)


def test_the_base_is_an_argument_and_the_user_is_not_root(
    instructions: list[tuple[str, str]],
) -> None:
    assert instructions[0][0] == "ARG"
    assert instructions[0][1].startswith("BASE=python:3.11")
    assert arguments(instructions, "USER") == ["symmv"]
    assert arguments(instructions, "ENTRYPOINT") == ['["symmv"]']
    assert arguments(instructions, "VOLUME") == ['["/data", "/cache"]']
