"""What a command prints for a person to type next acts on the data root of that command."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import symmv_builder
from symmv_builder.cli.commands import COMMANDS, Commands
from tests.contract.test_words_of_the_library import texts

CLI = Path(symmv_builder.__file__).parent / "cli"
# Texts of help: they know no call, and no root.
HELP = ("commands.py", "examples.py")


def help_lines(path: Path) -> set[int]:
    """The lines of a module on which help of options and arguments stands."""
    lines: set[int] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("typer."):
            lines |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return lines


def modules() -> Iterator[Path]:
    yield from (path for path in sorted(CLI.rglob("*.py")) if path.name not in HELP)


@pytest.fixture(scope="module")
def rooted() -> set[str]:
    """The commands that take a data root."""
    group = Commands(name="symmv")
    for name in COMMANDS:
        group.load(name)
    names = {
        name
        for name, command in group.commands.items()
        if any("--root" in parameter.opts for parameter in command.params)
    }
    assert {"build", "release", "verify"} <= names
    assert "models" not in names
    return names


def test_no_command_of_a_root_is_printed_by_hand(rooted: set[str]) -> None:
    """`cli.hints.command` writes them, with the root."""
    by_hand = re.compile(rf"\bsymmv (?:{'|'.join(sorted(rooted))}) ")
    wrong = [
        f"{path.relative_to(CLI)}:{line}: {text.strip()[:80]}"
        for path in modules()
        for line, text in texts(path)
        if by_hand.search(text) and line not in help_lines(path)
    ]
    assert wrong == []


def test_every_printed_command_takes_a_root(rooted: set[str]) -> None:
    called = {
        node.args[0].value
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", "") in ("command", "command_line")
        and node.args
        and isinstance(node.args[0], ast.Constant)
    }
    assert {"build", "import", "export"} <= called
    assert called <= rooted
