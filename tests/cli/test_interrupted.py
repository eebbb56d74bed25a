"""Ctrl-C ends every command with exit code 130 and one line of what is kept."""

import sys
from importlib import import_module

import pytest

from symmv_builder import cli
from symmv_builder.cli.commands import COMMANDS, INTERRUPTED


def interrupt(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("words", "module", "call", "said"),
    [
        (
            "generate v.mp4",
            "cli.generating",
            "write",
            "pieces written so far are kept, nothing is half-written, the same command begins "
            "again",
        ),
        (
            "run key a.mid",
            "cli.running",
            "stages.guard",
            "records made so far are kept, nothing is half-written, the same command begins again",
        ),
        (
            "build symmv",
            "cli.building",
            "open_dataset",
            "finished work is kept, run the same command to go on",
        ),
        (
            "train amt --data symmv --out run",
            "api.training",
            "untrained_behind",
            "run the same command to go on from the last checkpoint",
        ),
        (
            "models",
            "cli.models",
            "options.settings",
            "nothing is half-written, the same command begins again",
        ),
    ],
)
def test_a_command_says_what_is_kept(
    words: str,
    module: str,
    call: str,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import_module(f"symmv_builder.{module}")
    monkeypatch.setattr(f"symmv_builder.{module}.{call}", interrupt)
    monkeypatch.setattr(sys, "argv", ["symmv", *words.split()])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 130
    assert capsys.readouterr().err == f"\nsymmv: interrupted; {said}\n"


def test_what_is_said_belongs_to_commands() -> None:
    assert set(INTERRUPTED) <= set(COMMANDS)
