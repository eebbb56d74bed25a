"""What a person sees first: help in groups with examples, the version, and completion."""

import ast
import os
import re
import shlex
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import typer

from symmv_builder import cli
from symmv_builder.api.options import HELP
from symmv_builder.cli import app
from symmv_builder.cli.commands import COMMANDS, PANELS, Commands
from symmv_builder.cli.examples import EXAMPLES
from symmv_builder.errors import Reason
from symmv_builder.version import __version__

CALLS = [call for calls in EXAMPLES.values() for call in calls]
WIDTH = 100


def symmv(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """One call in a process of its own, on a terminal that is 100 columns wide."""
    code = "import sys; from symmv_builder.cli import main; sys.argv[0] = 'symmv'; main()"
    env = {**os.environ, "COLUMNS": str(WIDTH), **variables}
    command = [sys.executable, "-c", code, *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=env)


def completed(line: str) -> list[str]:
    """What bash is offered for the last word of a line."""
    words = line.split(" ")
    done = symmv(COMP_WORDS=line, COMP_CWORD=str(len(words) - 1), _SYMMV_COMPLETE="complete_bash")
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_the_version_is_printed_and_nothing_else() -> None:
    done = symmv("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"symmv-builder {__version__}\n", "")


def test_every_command_has_one_to_three_examples_and_a_panel() -> None:
    assert set(EXAMPLES) >= set(COMMANDS)
    assert {len(calls) for calls in EXAMPLES.values()} <= {1, 2, 3}
    panelled = [name for names in PANELS.values() for name in names]
    assert len(panelled) == len(set(panelled))
    assert set(COMMANDS) <= set(panelled)


def test_what_is_short_for_a_model_stands_beside_the_option_that_it_is_short_for() -> None:
    """The ``--model`` of `symmv generate` is a folder; its ``--clip`` is an option of its own."""
    group = Commands(name="symmv")
    short = []
    for name in COMMANDS:
        group.load(name)
        helps = {each.opts[0]: getattr(each, "help", "") for each in group.commands[name].params}
        if any("Short for --model" in (text or "") for text in helps.values()):
            assert helps["--model"] == HELP["model"], name
            short.append(name)
    assert {"build", "crawl"} <= set(short)
    assert "generate" not in short


@pytest.mark.parametrize("call", CALLS)
def test_an_example_can_be_typed_in(call: str) -> None:
    group: Any = typer.main.get_command(app)
    program, *words = shlex.split(call.partition(" > ")[0])
    assert program == "symmv"
    context = group.make_context("symmv", words)
    while hasattr(context.command, "commands"):
        if not [*context._protected_args, *context.args] and context.command.invoke_without_command:
            break
        name, command, rest = context.command.resolve_command(
            context, [*context._protected_args, *context.args]
        )
        context = command.make_context(name, rest, parent=context)
    assert context.command.callback is not None


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_is_narrow_and_names_no_value_of_a_flag(name: str) -> None:
    done = symmv(*filter(None, [name, "--help"]))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= WIDTH
    for line in lines:
        assert "<bool>" not in line
        assert "...}" not in line
        assert "...]" not in line or "[ARGS]..." in line
    # A choice among many is named and not spelt out.
    assert done.stdout.count(Reason.STATIC_VIDEO) == 0
    for call in EXAMPLES.get(name, ()):
        assert call in done.stdout


@pytest.mark.parametrize(
    ("line", "among"),
    [
        ("symmv bui", {"build"}),
        ("symmv build sym", {"symmv", "symmv-paper", "symmv-released"}),
        ("symmv run key_", {"key_spans"}),
        ("symmv build symmv --retry static", {"static_video"}),
        ("symmv build symmv --clip vit-b", {"vit-b-32"}),
        ("symmv train vmu", {"vmusprod"}),
    ],
)
def test_a_shell_is_offered_what_can_be_written(line: str, among: set[str]) -> None:
    assert among <= set(completed(line))


def test_models_are_offered_with_their_slots() -> None:
    assert "piano=transkun" in completed("symmv build symmv --model pia")


def test_a_dataset_of_the_root_is_offered(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "recipe.toml").write_text('name = "mine"\nbase = "symmv"\n')
    done = symmv(
        COMP_WORDS="symmv status mi",
        COMP_CWORD="2",
        _SYMMV_COMPLETE="complete_bash",
        SYMMV_ROOT=str(tmp_path),
    )
    assert "mine" in done.stdout.split()


@pytest.mark.parametrize("words", [(), ("generate",), ("models", "get")])
def test_paragraphs_of_help_fill_the_lines_of_the_terminal(words: tuple[str, ...]) -> None:
    done = symmv(*words, "--help", COLUMNS="80")
    told = [line.strip() for line in done.stdout.partition("╭")[0].splitlines()]
    for line, following in pairwise(told):
        if line and following:
            assert len(f" {line} {following.split()[0]}") >= 80


def test_no_help_holds_brackets_which_would_be_taken_for_markup() -> None:
    folder = Path(cli.__file__).parent
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                assert not re.search(r"\[[a-z][^]]*]", ast.get_docstring(node) or ""), node.name
