"""A backend that does not fit its slot is a fault of types; a new one needs no row of the table."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from symmv_builder import backends
from symmv_builder.backends import TABLE, ModelHome, all_models, backend_class, load, names, slots
from symmv_builder.errors import StopRun

NEW = '''"""A tracker that hears nothing."""

from typing import final

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends import About, ModelHome, ModelIdentity
from symmv_builder.backends.slots import BeatTracker
from symmv_builder.records import Beats


@final
class Silent(BeatTracker):
    """No beats."""

    backend = "new-tracker"
    rate_hz = 8000
    mono = True

    @classmethod
    def identify(cls, home: ModelHome) -> ModelIdentity:
        return ModelIdentity(cls.backend, "1", "")

    @classmethod
    def about(cls) -> About:
        return About("silence", "Apache-2.0", "none")

    def __init__(self, home: ModelHome) -> None:
        pass

    def track(self, samples: NDArray[np.float32]) -> Beats:
        return Beats(times_s=np.empty(0), positions=np.empty(0, dtype=np.int64))
'''


@pytest.mark.parametrize(("slot", "name"), [pytest.param(*row) for row in TABLE])
def test_a_model_is_of_the_class_of_its_slot(slot: str, name: str) -> None:
    kind = backend_class(slot, name)
    assert issubclass(kind, slots.SLOTS[slot])
    assert kind.slot == slot
    assert getattr(kind, "__final__", False), "mypy checks final classes alone for what they lack"
    assert not kind.__abstractmethods__


@pytest.mark.slow
def test_renamed_methods_of_backends_are_reported_in_the_backend(
    root: Path, tmp_path: Path
) -> None:
    """One method of every class of the table is renamed in a copy, and mypy names them all."""
    shutil.copytree(
        root / "symmv_builder",
        tmp_path / "symmv_builder",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    shutil.copy(root / "pyproject.toml", tmp_path)
    places: set[tuple[type[slots.Model], str]] = set()
    expected: set[str] = set()
    for slot, name in TABLE:
        kind = backend_class(slot, name)
        own = slots.SLOTS[slot].__abstractmethods__ - slots.Model.__abstractmethods__
        if not own:
            # A file that others read: it has nothing to be called for.
            continue
        method = min(own)
        # Models of several sizes share a base, which has the method.
        places.add((next(base for base in kind.__mro__ if method in vars(base)), method))
        expected.add(f"Final class {kind.__module__}.{kind.__name__} has abstract attributes")
    for owner, method in places:
        path = tmp_path.joinpath(*owner.__module__.split("."))
        path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        text, count = re.subn(rf"\bdef {method}\(", f"def {method}_renamed(", path.read_text())
        assert count
        path.write_text(text)
    done = subprocess.run(
        # What other packages say of their types has nothing to do with it, and takes long to read.
        [sys.executable, "-m", "mypy", "--no-site-packages", "-p", "symmv_builder.backends"],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert {fault for fault in expected if fault not in done.stdout} == set()


@pytest.fixture
def new_backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A file `new_tracker.py` that Python finds among the backends."""
    (tmp_path / "new_tracker.py").write_text(NEW)
    monkeypatch.setattr(backends, "__path__", [*backends.__path__, str(tmp_path)])
    yield
    sys.modules.pop("symmv_builder.backends.new_tracker", None)
    if hasattr(backends, "new_tracker"):
        del backends.new_tracker


@pytest.mark.usefixtures("new_backend")
def test_a_model_in_a_file_of_its_name_is_found_without_a_row() -> None:
    assert names("beats") == ["madmom", "beat_this", "new-tracker"]
    assert "new-tracker" not in names("chords")
    assert ("beats", "new-tracker") in all_models()
    assert backend_class("beats", "new-tracker").about().tool == "silence"
    assert load("beats", "new-tracker", ModelHome()).rate_hz == 8000
    with pytest.raises(StopRun, match="no chords model is called 'new-tracker'"):
        backend_class("chords", "new-tracker")


@pytest.mark.usefixtures("new_backend")
def test_settings_read_the_path_of_a_model_without_a_row() -> None:
    from symmv_builder.settings import read_settings

    home = read_settings({"SYMMV_MODEL_NEW_TRACKER": "/weights"}).home
    assert home.paths["new-tracker"] == "/weights"


@pytest.mark.parametrize("name", ["", "../beats", "hub", "slots", "os.path", "a b", "madmom.x"])
def test_a_name_that_leads_nowhere_stops_the_run(name: str) -> None:
    with pytest.raises(StopRun, match="no beats model is called"):
        backend_class("beats", name)


def test_a_module_that_cannot_be_imported_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lacking.py").write_text("import a_package_that_is_not_here\n")
    monkeypatch.setattr(backends, "__path__", [*backends.__path__, str(tmp_path)])
    with pytest.raises(StopRun, match=r"backends\.lacking cannot be imported: No module named"):
        backend_class("beats", "lacking")


def test_no_module_is_imported_in_search_of_models_but_new_ones() -> None:
    """Every module of the folder is in the table or among those that are no models."""
    program = (
        "import sys\n"
        "from symmv_builder import backends\n"
        "backends.all_models()\n"
        "print(*sorted(m for m in sys.modules if m.startswith('symmv_builder.backends.')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["symmv_builder.backends.slots"]
