"""Commands and options that the documentation names are there, also in blocks that are not run."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from symmv_builder.cli import app

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"))
)
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`]+)`")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
# What stands in for a command in prose.
PLACEHOLDERS = frozenset({"COMMAND", "...", "STAGE"})


@pytest.fixture(scope="module")
def symmv() -> Any:
    """The group of all commands, each of them loaded."""
    group: Any = typer.main.get_command(app)
    for name in list(group.commands):
        group.load(name)
    return group


def options_of(command: Any) -> set[str]:
    """The options of a command, and of those below it."""
    own = {name for each in command.params for name in (*each.opts, *each.secondary_opts)}
    return own.union({"--help"}, *map(options_of, getattr(command, "commands", {}).values()))


def calls(text: str) -> Iterator[list[str]]:
    """The words after each `symmv` of a page's shell blocks and code within lines."""
    shell = [match[2] for match in BLOCK.finditer(text) if match[1] == "sh"]
    lines = [line for block in shell for line in block.replace("\\\n", " ").splitlines()]
    spans = [" ".join(span.split()) for span in SPAN.findall(BLOCK.sub("", text))]
    for line in (*lines, *spans):
        for part in re.split(r"&&|\|\||[|;#>]", line):
            words = part.split()
            while words and re.fullmatch(r"[A-Z_]+=\S*|.*/bin", words[0]):
                words.pop(0)
            if len(words) > 1 and words[0] == "symmv":
                yield words[1:]


@pytest.mark.parametrize("page", PAGES)
def test_every_command_that_a_page_names_has_the_options_that_it_shows(
    page: str, symmv: Any
) -> None:
    unknown = []
    for words in calls((ROOT / page).read_text(encoding="utf-8")):
        command, rest = symmv, list(words)
        while rest and rest[0] in getattr(command, "commands", {}):
            command = command.commands[rest.pop(0)]
        if command is symmv and not rest[0].startswith("-") and rest[0] not in PLACEHOLDERS:
            unknown.append(f"symmv {rest[0]}")
        options = OPTION.findall(" ".join(rest))
        unknown += [
            f"{option} of symmv {' '.join(words)}"
            for option in options
            if option not in options_of(command)
        ]
    assert unknown == []


def test_code_of_one_option_alone_is_an_option_of_a_command_a_flow_or_a_server(symmv: Any) -> None:
    """Code that begins with an option means one of ours."""
    known = options_of(symmv)
    for path in (ROOT / "flows").glob("*.py"):
        known |= set(OPTION.findall(path.read_text(encoding="utf-8")))
    known |= {"--no-deps"}  # pip's, on the page of versions
    unknown = {
        (page, option)
        for page in PAGES
        for span in SPAN.findall(BLOCK.sub("", (ROOT / page).read_text(encoding="utf-8")))
        if span.startswith("--")
        for option in OPTION.findall(span)
    }
    assert {each for each in unknown if each[1] not in known} == set()
