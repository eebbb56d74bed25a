"""Commands and flows stand before one face, take the same options, and say the same of them."""

import argparse
import pkgutil
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import symmv_builder
from flows.build import build_options
from flows.crawl import crawl_options
from flows.release import release_options
from flows.train import train_options
from symmv_builder.cli.commands import COMMANDS
from tests.contract.test_cli_documented import whole

# What a command, a page and a flow may import of the package.
FACE = {
    "api", "cli", "errors", "garbage", "packages", "report", "settings", "text", "version", "web",
}  # fmt: skip
# Where the work is done is a flow's own matter, and how an answer is printed a command's.
OF_FLOWS = {"--runner", "--address", "--batch-size", "--metrics-port"}
OF_COMMANDS = {"--json", "--dry-run"}
# A flow's log is Prefect's.
OF_LOGS = {"--verbose", "--quiet", "--log-file"}
# Processes here, tasks there.
OTHER_WORDS = {"--workers"}


def contracts() -> list[dict[str, Any]]:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    tables: list[dict[str, Any]] = project["tool"]["importlinter"]["contracts"]
    return tables


def test_the_contract_of_the_face_names_every_module_behind_it() -> None:
    name = "Commands, pages and flows know"
    [face] = [each for each in contracts() if each["name"].startswith(name)]
    modules = {module.name for module in pkgutil.iter_modules(symmv_builder.__path__)}
    behind = {name.removeprefix("symmv_builder.") for name in face["forbidden_modules"]}
    assert behind == modules - FACE
    assert face["source_modules"] == ["flows", "symmv_builder.cli", "symmv_builder.web"]
    assert "ignore_imports" not in face


@pytest.mark.parametrize(
    ("name", "options", "of_flow", "of_command"),
    [
        ("build", build_options, OF_FLOWS, OF_COMMANDS),
        ("crawl", crawl_options, {*OF_FLOWS, "--items-an-hour"}, set()),
        (
            "release",
            release_options,
            # It builds first, by the options of that; a version that a command has to be told.
            {*OF_FLOWS, "--workers", "--model", "--clip", "--as", "--version"},
            set(),
        ),
        (
            "train",
            train_options,
            # The folder of a run is named by its rows: others are another run.
            {"--runs"},
            {"--data", "--from", "--out", "--data-changed", "--show"},
        ),
    ],
)  # fmt: skip
def test_a_flow_takes_the_options_of_its_command_in_the_same_words(
    name: str,
    options: Callable[[], argparse.ArgumentParser],
    of_flow: set[str],
    of_command: set[str],
) -> None:
    assert name in COMMANDS
    command = {
        text: parameter
        for parameter in whole().commands[name].params
        for text in (*parameter.opts, *parameter.secondary_opts)
        if text.startswith("--")
    }
    flow = {
        text: action
        for action in options()._actions
        for text in action.option_strings
        if text.startswith("--") and action.dest != "help"
    }
    assert flow.keys() - command.keys() == of_flow
    assert command.keys() - flow.keys() - {"--help"} == of_command | OF_LOGS
    for text in (flow.keys() & command.keys()) - OTHER_WORDS:
        assert flow[text].help == command[text].help, text
        assert (flow[text].default or None) == (command[text].default or None), text
