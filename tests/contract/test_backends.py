"""Every row of the table of models is a class that can be asked without being loaded."""

import ast
import inspect
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from symmv_builder.backends import TABLE, About, ModelHome, backend_class, names
from symmv_builder.datasets import recipe
from symmv_builder.datasets.recipe import make_plan
from symmv_builder.errors import MissingPackage, MissingWeights, StopRun
from tests.cli.test_missing_packages import OPTIONAL
from tests.recordings import make_clip_folder

HEAVY = "torch transformers onnxruntime librosa numba madmom scenedetect cv2 transkun music21"

every_row = pytest.mark.parametrize(("slot", "name"), [pytest.param(*row) for row in TABLE])


@every_row
def test_a_row_leads_to_a_class_that_says_what_it_is(slot: str, name: str) -> None:
    backend = backend_class(slot, name)
    for method in ("identify", "about"):
        assert inspect.ismethod(getattr(backend, method)), f"{method} is not a class method"
    assert inspect.getdoc(backend)


@every_row
def test_a_model_names_its_tool_its_licence_and_where_its_weights_are(slot: str, name: str) -> None:
    about = backend_class(slot, name).about()
    assert isinstance(about, About)
    assert about.tool
    assert about.licence
    assert about.weights


@every_row
def test_a_model_names_the_modules_that_it_imports_to_run(slot: str, name: str) -> None:
    """So a plan is refused at once where one is not installed, not at the first entry."""
    backend = backend_class(slot, name)
    source = ast.parse(Path(inspect.getfile(backend)).read_text(encoding="utf-8"))
    imported = set()
    for node in ast.walk(source):
        if isinstance(node, ast.Import):
            imported |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module or "")
    roots = {module.partition(".")[0] for module in imported}
    # A file may hold several models, of which one imports more than another.
    beside = vars(sys.modules[backend.__module__]).values()
    declared = {module for each in beside for module in getattr(each, "needs", ())}
    assert roots & set(OPTIONAL) <= declared
    assert backend.needs or not roots & set(OPTIONAL)


def test_the_modules_of_the_table_import_nothing_heavy() -> None:
    modules = sorted({target.partition(":")[0] for target in TABLE.values()})
    program = (
        f"import sys, {', '.join(modules)}\n"
        f"print(*sorted(set('{HEAVY}'.split()) & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


# Every model of a recipe at work, on half a second of noise and one picture. That of piano is only
# loaded: it takes ten seconds for any sound.
USE_ALL = """
import json, sys
import numpy as np
from symmv_builder.backends import ModelHome, load
from symmv_builder.datasets import recipe

home, random = ModelHome(paths=json.loads(sys.argv[2])), np.random.default_rng(1)
hear = {"polyphonic": "transcribe", "beats": "track", "chords": "recognise"}
for use in recipe(sys.argv[1]).uses:
    if use.model is None:
        continue
    model, slot = load(use.step.slot, use.model, home), use.step.slot
    if slot in hear:
        shape = (model.rate_hz // 2, 1 if model.mono else 2)
        getattr(model, hear[slot])(random.standard_normal(shape).astype(np.float32))
    if slot == "clip":
        model.embed_images([random.integers(0, 256, (96, 160, 3)).astype(np.uint8)])
        model.embed_words(["sad", "tense"])
print(*sys.modules)
"""
# What a worker once imported and used little of, or what is for training and drawing. The package
# `librosa` itself imports its parts when they are asked for, and is cheap.
NEEDLESS = {
    "IPython", "librosa.core", "matplotlib", "numba", "pandas", "requests", "sklearn", "sympy",
    "torch._dynamo", "torch._inductor", "torchaudio", "torchvision", "transformers",
}  # fmt: skip


@pytest.mark.parametrize(("dataset", "more"), [("muvisync", {"scipy"}), ("symmv", set())])
def test_the_models_of_a_build_import_nothing_needless(
    dataset: str, more: set[str], tmp_path: Path
) -> None:
    """Every worker of every build would pay for it, before its first entry."""
    pytest.importorskip("torch")
    large: dict[str, Any] = {"dimensions": 768, "image_size": 336, "patch_size": 14}
    paths = {
        "vit-b-32": str(make_clip_folder(tmp_path / "b32")),
        "vit-l-14-336": str(make_clip_folder(tmp_path / "l14", **large)),
    }
    try:
        plan = make_plan(recipe(dataset), ModelHome(paths=paths))
    except (MissingPackage, MissingWeights) as missing:
        pytest.skip(str(missing))
    assert plan.models
    paths_json = json.dumps(paths)
    done = subprocess.run(
        [sys.executable, "-c", USE_ALL, dataset, paths_json],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (NEEDLESS | more) & set(done.stdout.split()) == set()


@pytest.mark.parametrize("slot", sorted({slot for slot, _ in TABLE}))
def test_an_unknown_model_stops_the_run_and_lists_the_known_ones(slot: str) -> None:
    with pytest.raises(StopRun) as stopped:
        backend_class(slot, "no-such-model")
    assert all(name in str(stopped.value) for name in names(slot))


def test_a_module_of_the_table_is_one_file_or_one_folder(root: Path) -> None:
    for target in TABLE.values():
        path = root.joinpath(*target.partition(":")[0].split("."))
        assert path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()
