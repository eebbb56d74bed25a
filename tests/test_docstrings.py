"""Examples in docstrings are run: those of the face at a desk of songs, others by themselves."""

import doctest
import importlib
from pathlib import Path

import pytest

import symmv_builder as sb
from tests.media import Pictures, Samples, noise, steady, tone, write_media
from tests.songs import song, songs

PACKAGE = Path(sb.__file__).parent
NAMES = sorted(set(sb.__all__) - {"__version__"})
OF_FACE = {getattr(sb, name).__module__ for name in NAMES}
MODULES = sorted(
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
    for path in PACKAGE.rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)


def failures(examples: list[doctest.DocTest]) -> str:
    """What is wrong with examples; empty where they print what they show."""
    said: list[str] = []
    runner = doctest.DocTestRunner(verbose=False)
    for example in examples:
        runner.run(example, out=said.append)
    return "".join(said)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten songs and their import, a song, a recipe, a short film, and a model of the songs."""
    folder = tmp_path_factory.mktemp("desk")
    songs(folder / "songs")
    song(folder)
    (folder / "mine.toml").write_text('name = "mine"\nbase = "muvisync"\n')
    pictures = Pictures([noise(n // 10) for n in range(50)], steady(50))
    write_media(folder / "holiday.mp4", pictures, Samples(tone(2.0), 8000))
    root = str(folder / "data")
    sb.import_dataset("midi", folder / "songs", root, beats="file", workers=1)
    sb.train("markov", "midi", folder / "runs" / "markov", root=root)
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_every_name_of_the_face_has_an_example_that_holds(
    name: str, desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(desk)
    value = getattr(sb, name)
    globs = {**vars(importlib.import_module(value.__module__)), "sb": sb}
    found = doctest.DocTestFinder(recurse=False).find(value, name, globs=globs)
    assert [each for each in found if each.examples], f"{name} has no example"
    assert not failures(found)


@pytest.mark.parametrize("module", [name for name in MODULES if name not in OF_FACE])
def test_examples_of_a_module_hold(module: str) -> None:
    imported = importlib.import_module(module)
    assert not failures(doctest.DocTestFinder().find(imported, module))
