"""Every command and option of `symmv` is explained, in its help and in the documentation."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from symmv_builder.cli import app
from symmv_builder.cli.commands import COMMANDS


def whole() -> Any:
    """The group of `symmv` with every command in its place."""
    group: Any = typer.main.get_command(app)
    for name in COMMANDS:
        group.load(name)
    return group


def commands() -> Iterator[tuple[str, Any]]:
    """Every command with the words that call it, groups included."""
    stack: list[tuple[str, Any]] = [("symmv", whole())]
    while stack:
        words, command = stack.pop()
        yield words, command
        children = getattr(command, "commands", {})
        stack += [(f"{words} {name}", child) for name, child in children.items()]


def test_there_are_commands() -> None:
    assert len(list(commands())) > 5


def test_the_list_of_commands_shows_what_each_says_first() -> None:
    shown = {name: text for name, (_, text) in COMMANDS.items()}
    first = {
        name: " ".join(command.help.split("\n\n")[0].split())
        for name, command in whole().commands.items()
    }
    assert shown == first


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


def documents(root: Path) -> dict[str, str]:
    """The README and the pages of the documentation that are written by hand."""
    paths = [*root.glob("*.md"), *root.glob("docs/**/*.md")]
    return {path.relative_to(root).as_posix(): path.read_text() for path in paths}


def test_every_command_is_shown_in_the_documentation(root: Path) -> None:
    text = "\n".join(documents(root).values())
    missing = [words for words, _ in commands() if not re.search(rf"\b{words}\b", text)]
    assert missing == []


def test_the_documents_call_no_command_that_does_not_exist(root: Path) -> None:
    groups = {words.split()[1] for words, _ in commands() if " " in words}
    for name, text in documents(root).items():
        blocks = re.findall(r"^```sh\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
        called = re.findall(r"^(?:\$ )?symmv ([a-z]+)", "\n".join(blocks), flags=re.MULTILINE)
        assert sorted(set(called) - groups) == [], name
