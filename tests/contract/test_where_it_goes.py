"""Seven changes are made in a copy of the package, each in the files that the page names alone.

`docs/where-does-it-go.md` says which files a change touches. Here the changes are made, used by
one process that knows only the copy, and compared with that page.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symmv_builder.backends import midi
from symmv_builder.records import Notes
from tests.media import Pictures, Samples, noise, steady, tone, write_media

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = ROOT / "tests" / "plugin" / "symmv_tiny"

COUNTER = '''"""Crossings of zero, counted by a rule."""

from typing import ClassVar, final

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends.slots import About, Model, ModelHome
from symmv_builder.pipeline.keys import ModelIdentity


@final
class Counter(Model):
    """Crossings of zero of a second of sound at 8 kHz."""

    slot: ClassVar[str] = "crossings"
    backend: ClassVar[str] = "counter"
    rate_hz = 8000

    def __init__(self, home: ModelHome) -> None:
        self.device = home.device

    @classmethod
    def identify(cls, home: ModelHome) -> ModelIdentity:
        return ModelIdentity("counter", "1", "")

    @classmethod
    def about(cls) -> About:
        return About("counter", "MIT", "none: a rule")

    def count(self, second: NDArray[np.float32]) -> int:
        return int((np.diff(np.signbit(second)) != 0).sum())
'''
SPAN = '''"""How wide the notes of a song lie, and how far recordings are apart."""

from symmv_builder.evaluation.metric import EmbeddingMetric, SongMetric

METRICS = (
    SongMetric(
        "span",
        "Span",
        0,
        definition="from the lowest note to the highest",
        source="defined here",
        unit="semitones",
        best="real",
        reads=("notes",),
        measure=lambda song: float(song.pitches.max() - song.pitches.min()),
    ),
    EmbeddingMetric(
        "shift",
        "Shift",
        definition="difference of the means of the first number",
        source="defined here",
        unit="units of the embedding",
        measure=lambda ours, real: float(ours[:, 0].mean() - real[:, 0].mean()),
    ),
)
'''
TITLES = '''"""A page of the names of a data root's datasets."""

from fastapi import FastAPI, Request, Response

from symmv_builder.api import questions
from symmv_builder.report.elements import element
from symmv_builder.web import frame
from symmv_builder.web.desk import Desk, html, session_of

MENU = ("/titles", "Titles")


def add(app: FastAPI, desk: Desk) -> None:
    """Put the page into an application."""

    @app.get("/titles")
    def titles(request: Request) -> Response:
        names = [element("li", each.dataset) for each in questions.statuses(desk.settings).datasets]
        inner = element("ul", *names)
        return html(frame.page("<Titles>", inner, session=session_of(request)))
'''
USE = """
import json
import sys
from pathlib import Path

import numpy as np
from starlette.testclient import TestClient

import symmv_builder as sb
from symmv_builder import backends, evaluation, training
from symmv_builder.datasets import built_in, importable
from symmv_builder.settings import read_settings
from symmv_builder.web.guard import Access
from symmv_builder.web.server import make_app


def main():
    dataset = sb.open_dataset("tiny", root="data")
    dataset.build("videos", workers=1)
    [row] = dataset.rows("train", ["brightness", "crossings"])
    made = sb.train("mean", "tiny", "run", root="data", preset="smoke")
    imported = sb.import_dataset("tunes", "tunes", root="data", workers=1)
    points = np.random.default_rng(0).normal(size=(8, 2))
    np.save("real.npy", points)
    np.save("ours.npy", points + [3, 0])
    app = make_app(read_settings(root=Path("data")), Access())
    browser = TestClient(app, base_url="http://127.0.0.1")
    answer = {
        "package": sb.__file__,
        "brightness": row["brightness"].tolist(),
        "crossings": row["crossings"].tolist(),
        "models": backends.names("crossings"),
        "recipes": built_in(),
        "importers": importable(),
        "titles": [entry.entry.song.title for entry in imported],
        "trainers": training.names(),
        "losses": made.losses,
        "metrics": sb.evaluate("music", "tunes/song.mid")["metrics"],
        "of_recordings": sb.evaluate("audio", "ours.npy", reference="real.npy")["metrics"],
        "declared": [metric.name for metric in evaluation.song_metrics()],
        "pages": [browser.get("/").text, browser.get("/titles").text],
    }
    Path("answer.json").write_text(json.dumps(answer))


if __name__ == "__main__":
    main()
"""


def of_plugin(name: str) -> str:
    return (PLUGIN / name).read_text()


def sound_feature() -> str:
    """The plug-in's listener, with its model in a file of its own."""
    text = of_plugin("crossings.py")
    start, end = text.index("class Counter:"), text.index("class Listener:")
    text = text[:start] + text[end:]
    return text.replace(
        "from symmv_builder.backends import About, ModelHome, ModelIdentity\n",
        "from symmv_builder.backends.counter import Counter\n",
    )


# Change: the files below `symmv_builder` that it adds.
CHANGES: Mapping[str, Mapping[str, str]] = {
    "A picture feature": {"video/brightness.py": of_plugin("brightness.py")},
    "A sound feature with a model": {
        "music/crossings.py": sound_feature(),
        "backends/counter.py": COUNTER,
    },
    "A dataset": {"recipes/tiny.toml": of_plugin("tiny.toml")},
    "A trainer": {
        "training/mean/__init__.py": '"""A trainer that learns a mean."""\n',
        "training/mean/trainer.py": of_plugin("mean.py"),
    },
    "A metric": {"evaluation/span.py": SPAN},
    "An HTML page": {
        "web/pages/titles.py": TITLES,
    },
    "An importer": {"datasets/imports/importers/tunes.py": of_plugin("tunes.py")},
}


def hashes(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def make(package: Path, files: Mapping[str, str]) -> None:
    for place, text in files.items():
        path = package / place
        assert not path.exists()
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


def the_page() -> dict[str, list[str]]:
    """The files of each change as the page lists them."""
    text = (ROOT / "docs" / "where-does-it-go.md").read_text()
    rows = re.findall(r"^\| (An? [^|]+?) \| ([^|]+) \|", text, re.MULTILINE)
    return {change: re.findall(r"`([^`]+)`", files) for change, files in rows}


@pytest.fixture(scope="module")
def answer(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the copy says of all seven changes, and the files that each touched in it."""
    folder = tmp_path_factory.mktemp("copy")
    package = folder / "site" / "symmv_builder"
    left_out = shutil.ignore_patterns("__pycache__", "flows", "schemas")
    shutil.copytree(ROOT / "symmv_builder", package, ignore=left_out)
    touched = {}
    before = hashes(package)
    for change, files in CHANGES.items():
        make(package, files)
        after = hashes(package)
        touched[change] = sorted(name for name in after if after[name] != before.get(name))
        before = after
    (folder / "videos").mkdir()
    pictures = Pictures([noise(number) for number in range(50)], steady(50))
    write_media(folder / "videos" / "clip.mp4", pictures, Samples(tone(2.0), codec="aac"))
    (folder / "tunes").mkdir()
    notes = Notes(np.arange(4.0), np.arange(4.0) + 1, np.array([60, 64, 67, 72]), np.full(4, 80))
    midi.write_notes(folder / "tunes" / "song.mid", {"piano": notes})
    (folder / "use.py").write_text(USE)
    done = subprocess.run(
        [sys.executable, "use.py"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder / "site")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads((folder / "answer.json").read_text())
    assert answer["package"] == str(package / "__init__.py")
    assert hashes(package) == before
    return answer | {"touched": touched}


def test_a_picture_feature_and_a_sound_feature_with_a_model_are_columns(
    answer: dict[str, Any],
) -> None:
    assert len(answer["brightness"]) == 2
    assert all(100 < value < 156 for value in answer["brightness"])
    assert answer["crossings"][:2] == pytest.approx([880, 880], abs=4)
    assert answer["models"] == ["counter"]


def test_a_dataset_and_an_importer_are_listed_and_built(answer: dict[str, Any]) -> None:
    assert "tiny" in answer["recipes"]
    assert "tunes" in answer["importers"]
    assert answer["titles"] == ["song"]


def test_a_trainer_is_listed_and_learns(answer: dict[str, Any]) -> None:
    assert "mean" in answer["trainers"]
    assert 100 < answer["losses"]["mean"] < 156


def test_a_metric_of_notes_is_declared_and_measured(answer: dict[str, Any]) -> None:
    assert answer["declared"] == ["sc", "pe", "pce", "ebr", "ioi", "span"]
    assert answer["metrics"]["span"] == 12


def test_a_metric_of_recordings_is_measured_beside_the_frechet_distance(
    answer: dict[str, Any],
) -> None:
    assert answer["of_recordings"] == pytest.approx({"fad": 9, "shift": 3})


def test_an_html_page_is_in_the_menu_and_shows_what_is_there(answer: dict[str, Any]) -> None:
    first, page = answer["pages"]
    assert '<a href="/titles">Titles</a>' in first
    assert "<h1>&lt;Titles&gt;</h1>" in page
    assert "<li>tiny</li>" in page


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_touches_the_files_that_the_page_names_and_no_other(
    answer: dict[str, Any], change: str
) -> None:
    assert answer["touched"][change] == sorted(CHANGES[change])
    listed = the_page()[change]
    assert len(listed) == len(CHANGES[change])
    for pattern, place in zip(sorted(listed), sorted(CHANGES[change]), strict=True):
        shown = re.escape(pattern).replace("NAME", r"\w+").replace("MODEL", r"\w+")
        assert re.fullmatch(shown, place), (pattern, place)


def test_the_page_lists_these_seven_changes() -> None:
    assert list(the_page()) == list(CHANGES)
