"""`-v`, `-q` and `--log-file` of every command: what is said, and what is written down."""

import logging
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from symmv_builder import cli
from symmv_builder.cli import logs
from symmv_builder.cli.commands import COMMANDS, Commands
from symmv_builder.report import tables

LOG = logging.getLogger("symmv_builder.somewhere")
Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Iterator[Call]:
    """Runs `symmv` with words: its exit code, what it printed, what it said."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["symmv", *words])
        with pytest.raises(SystemExit) as end:
            cli.main()
        printed = capsys.readouterr()
        return int(end.value.code or 0), printed.out, printed.err

    yield run
    logs.begin()


def leaves(command: Any) -> Iterator[Any]:
    yield command
    for child in getattr(command, "commands", {}).values():
        yield from leaves(child)


def test_every_command_has_the_three_options() -> None:
    group = Commands(name="symmv")
    for name in COMMANDS:
        group.load(name)
        for command in leaves(group.commands[name]):
            named = [option for each in command.params for option in each.opts]
            assert {"-v", "--verbose", "-q", "--quiet", "--log-file"} <= set(named), name
            assert len(named) == len(set(named)), f"{name} has two options of one name"


@pytest.mark.parametrize(
    ("words", "levels"),
    [
        ((), ["warning", "error"]),
        (("-v",), ["info", "warning", "error"]),
        (("-vv",), ["debug", "info", "warning", "error"]),
        (("--verbose", "-v", "-v"), ["debug", "info", "warning", "error"]),
        (("-q",), ["error"]),
    ],
)
def test_options_say_which_records_are_printed(
    call: Call, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], levels: list[str]
) -> None:
    def talk(*_: Any) -> Any:
        for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
            LOG.log(level, "%s", logging.getLevelName(level).lower())
        return []

    monkeypatch.setattr("symmv_builder.api.catalogue.models", talk)
    assert call("models", "--json", *words) == (
        0, "[]\n", "".join(f"symmv: {level}\n" for level in levels),
    )  # fmt: skip


def test_the_file_has_what_is_done_and_what_is_said(
    call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def talk(*_: Any) -> Any:
        LOG.debug("details")
        LOG.info("a title\x1b[31m with\r\nodd\u202e characters")
        LOG.warning("postgresql://me:secret@host/db does not answer")
        return []

    monkeypatch.setattr("symmv_builder.api.catalogue.models", talk)
    assert call("models", "--json", "-q", "--log-file", "log.txt") == (0, "[]\n", "")
    assert call("status", "nosuch", "--log-file", "log.txt")[0] == 2
    text = (tmp_path / "log.txt").read_text("utf-8")
    lines = text.splitlines()
    when = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4}"
    line = rf"{when} (INFO|WARNING|ERROR) symmv_builder\.[\w.]+ \[\d+\] "
    assert all(re.match(f"{line}|  ", each) for each in lines)
    assert "details" not in text
    assert "secret" not in text
    assert not set(text) & set("\x1b\r\u202e")
    assert sum(" begins: symmv " in each for each in lines) == 2
    [unknown] = [each for each in lines if "no dataset is called 'nosuch'" in each]
    assert " ERROR " in unknown


def test_a_bug_leaves_its_traceback_in_the_file(
    call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(*_: Any) -> Any:
        raise ZeroDivisionError("nobody foresaw this\x1b[0m")

    monkeypatch.setattr("symmv_builder.api.catalogue.models", fail)
    monkeypatch.setattr(sys, "argv", ["symmv", "models", "--log-file", "log.txt"])
    with pytest.raises(ZeroDivisionError):
        cli.main()
    text = (tmp_path / "log.txt").read_text("utf-8")
    assert "CRITICAL" in text
    assert "  ZeroDivisionError: nobody foresaw this" in text
    assert "\x1b" not in text


def test_a_quiet_command_shows_no_progress_and_the_next_one_does(call: Call) -> None:
    call("status", "-q")
    assert tables.console(stderr=True).quiet
    assert not tables.console().quiet
    call("status")
    assert not tables.console(stderr=True).quiet


@pytest.mark.parametrize("place", ["nosuch/log.txt", "."])
def test_a_log_that_cannot_be_written_is_one_line(call: Call, place: str) -> None:
    code, _, err = call("status", "--log-file", place)
    assert code == 2
    assert err.startswith("symmv: cannot write to ")
    assert err.count("\n") == 1


def test_verbose_and_quiet_exclude_each_other(call: Call) -> None:
    assert call("status", "-v", "-q") == (2, "", "symmv: give --verbose or --quiet, not both\n")


def test_the_package_alone_configures_nothing() -> None:
    package = logging.getLogger("symmv_builder")
    assert any(isinstance(handler, logging.NullHandler) for handler in package.handlers)
