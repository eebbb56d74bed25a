"""The notebook of the documentation is run from top to bottom, and is kept without outputs."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOK = ROOT / "docs" / "notebooks" / "first-hour.ipynb"


@pytest.fixture(scope="module")
def notebook() -> dict[str, Any]:
    held: dict[str, Any] = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    return held


def test_it_is_short_and_holds_no_outputs(notebook: dict[str, Any]) -> None:
    assert len(notebook["cells"]) <= 20
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert [cell for cell in code if cell["outputs"] or cell["execution_count"]] == []


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_it_runs_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("nbclient", "ipykernel", "music21", "torch", "matplotlib", "pandas"):
        pytest.importorskip(module)
    import nbformat
    from nbclient import NotebookClient

    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("PYTHONPATH", path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    read: Any = nbformat.read
    held = read(NOTEBOOK, as_version=4)
    place = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(held, timeout=600, kernel_name="python3", resources=place).execute()
    outputs = [output for cell in held.cells if cell.cell_type == "code" for output in cell.outputs]
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == 1
    written = {path.suffix for path in (tmp_path / "first-hour" / "music").iterdir()}
    assert {".json", ".mid", ".mp4", ".wav"} <= written
