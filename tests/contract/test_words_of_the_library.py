"""The library names no option and no command in what it says: doors add those (`cli/advice.py`)."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import symmv_builder
from symmv_builder import errors
from symmv_builder.api.option_names import option_of
from symmv_builder.cli.commands import COMMANDS, Commands

PACKAGE = Path(symmv_builder.__file__).parent
# Doors speak the words of their own callers.
DOORS = ("cli/", "flows/", "web/")
# What is meant for the command line although it does not stand in `cli/`.
EXEMPT = {
    "api/option_names.py": "how options of commands and flows are called",
    "api/options.py": "what options mean, for `--help` of commands and flows",
    "api/demo_page.py": "the page that `symmv demo --quick` ends in says what to type next",
    "api/demo_quick.py": "the same page",
    "datasets/remembered.py": "the first lines of recipe.toml, a file in the data root",
}


def files() -> Iterator[tuple[str, Path]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        if not name.startswith((*DOORS, *EXEMPT)):
            yield name, path


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Every string of a module that is no docstring, with its line."""
    tree = ast.parse(path.read_text("utf-8"))
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in docstrings:
            yield node.lineno, str(node.value)


def options_of(command: Any) -> Iterator[str]:
    for parameter in command.params:
        yield from (each for each in parameter.opts if each.startswith("--"))
    for child in getattr(command, "commands", {}).values():
        yield from options_of(child)


@pytest.fixture(scope="module")
def options() -> set[str]:
    """Every long option of every command."""
    group = Commands(name="symmv")
    for name in COMMANDS:
        group.load(name)
    names = {each for command in group.commands.values() for each in options_of(command)}
    assert {"--from", "--overwrite", "--model"} <= names
    return names


def test_no_message_of_the_library_names_an_option_or_a_command(options: set[str]) -> None:
    flags = "|".join(sorted(map(re.escape, options), key=len, reverse=True))
    flag = re.compile(rf"(?<![\w-])(?:{flags})(?![\w-])")
    command = re.compile(rf"\bsymmv (?:{'|'.join(COMMANDS)})\b")
    wrong = [
        f"{name}:{line}: {text.strip()[:100]}"
        for name, path in files()
        for line, text in texts(path)
        if command.search(text) or (flag.search(text) and text not in options)
    ]
    assert wrong == []


def test_arguments_in_backquotes_are_options_of_a_command(options: set[str]) -> None:
    """What `in_options` would put into the place of an argument exists."""
    named = set()
    for _, path in files():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "WrongArguments":
                said = [each.value for each in ast.walk(node) if isinstance(each, ast.Constant)]
                for text in said:
                    named |= set(errors.WrongArguments(str(text)).arguments)
    assert {"greedy", "folder", "way"} <= named | {"way"}
    assert {option_of(name) for name in named} <= options


def test_the_exempt_files_are_there() -> None:
    assert all((PACKAGE / name).exists() for name in EXEMPT)


def test_the_scan_finds_what_it_looks_for(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text('"""symmv build is fine here."""\nX = f"run `symmv build {1}`"\n')
    assert [line for line, text in texts(module) if "symmv build" in text] == [2]
