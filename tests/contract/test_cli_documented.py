"""Every command and option of `symmv` is explained, in its help and in the README."""

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import typer

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("symmv_builder.cli") is None,
    reason="symmv_builder/cli.py is not written yet",
)


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command with the words that call it, groups included."""
    from symmv_builder.cli import app

    stack: list[tuple[str, click.Command]] = [("symmv", typer.main.get_command(app))]
    while stack:
        words, command = stack.pop()
        yield words, command
        if isinstance(command, click.Group):
            stack += [(f"{words} {name}", child) for name, child in command.commands.items()]


def test_every_command_has_help() -> None:
    assert [words for words, command in commands() if not (command.help or "").strip()] == []


def test_every_option_has_help() -> None:
    silent = [
        f"{words} {parameter.name}"
        for words, command in commands()
        for parameter in command.params
        if not (getattr(parameter, "help", None) or "").strip()
    ]
    assert silent == []


def test_every_command_is_in_the_readme(root: Path) -> None:
    readme = (root / "README.md").read_text()
    missing = [words for words, _ in commands() if not re.search(rf"\b{words}\b", readme)]
    assert missing == []


def test_the_readme_mentions_no_command_that_does_not_exist(root: Path) -> None:
    known = {words.split()[1] for words, _ in commands() if " " in words}
    readme = (root / "README.md").read_text()
    blocks = re.findall(r"^```(?:bash|sh|console)?\n(.*?)^```", readme, flags=re.M | re.S)
    called = re.findall(r"^(?:\$ )?symmv ([a-z]+)", "\n".join(blocks), flags=re.M)
    assert sorted(set(called) - known) == []
