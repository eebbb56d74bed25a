"""What is wrong with a package of others is told in one line that names it, or fails one entry."""

import importlib
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
import typer

import symmv_builder as sb
from symmv_builder import backends, datasets, plugins, training
from symmv_builder.api.upkeep import verify
from symmv_builder.backends import ModelHome
from symmv_builder.backends.midi import midi_bytes
from symmv_builder.cli.asking import status
from symmv_builder.datasets import imports
from symmv_builder.datasets.step_table import find_step
from symmv_builder.errors import Reason, StopRun, WorkerBug
from symmv_builder.records import Notes
from symmv_builder.settings import read_settings
from symmv_builder.training.runs import configure
from tests.media import Pictures, Samples, noise, steady, tone, write_media

Install = Callable[..., None]
HOME = ModelHome("cpu", "fp32", {})
STEP = """
from pathlib import Path
import numpy as np
from symmv_builder.pipeline.step import Step
from symmv_builder.records import FeatureTrack
from symmv_builder.schema import Column
from symmv_builder.timeline import Clock

SETTINGS
def look(music: Path) -> FeatureTrack:
    return FeatureTrack("wrong", 1.0, np.full((4, WIDTH), VALUE), Clock.MUSIC)

COLUMNS = (Column("{}", "TYPE", "1", "nothing", "FIELD"),)
STEP = Step("wrong", 1, ("music",), look, columns=COLUMNS)
"""
RECIPE = """
name = "mine"
pairs = false
[splits]
train = 1
[steps.music_asset]
[steps.video_asset]
[steps.wrong]
"""


def step(**changes: str) -> str:
    """A module with a step that is right but for what is changed."""
    text, right = STEP, {"WIDTH": "1", "VALUE": "0.0", "TYPE": "list<float32>", "FIELD": "values"}
    for word, value in {**right, "SETTINGS": "", **changes}.items():
        text = text.replace(word, value)
    return text


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs a package as pip leaves it: a module, and a folder with its entry points."""
    modules = []

    def write(
        package: str, source: str, points: Mapping[str, str], files: Mapping[str, str] | None = None
    ) -> None:
        site = tmp_path / "site"
        modules.append(module := package.replace("-", "_"))
        (site / module).mkdir(parents=True)
        (site / module / "__init__.py").write_text(source)
        for name, text in (files or {}).items():
            (site / module / name).write_text(text)
        described = site / f"{module}-1.0.dist-info"
        described.mkdir()
        (described / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1\n")
        lines = (f"[symmv_builder.{group}]\n{line}\n" for group, line in points.items())
        (described / "entry_points.txt").write_text("".join(lines))
        monkeypatch.syspath_prepend(str(site))
        importlib.invalidate_caches()
        plugins.installed.cache_clear()

    yield write
    monkeypatch.undo()
    plugins.installed.cache_clear()
    for module in modules:
        sys.modules.pop(module, None)


def said_by(question: Callable[[], object]) -> str:
    with pytest.raises(StopRun) as caught:
        question()
    said = str(caught.value)
    assert len(said.splitlines()) == 1
    return said


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import gone", "ModuleNotFoundError: No module named 'gone' (__init__.py, line 1)"),
        ("raise SystemExit(0)", "SystemExit: 0 (__init__.py, line 1)"),
        ("raise ValueError('two\\nlines')", "ValueError: two lines"),
        ("STEP = 3", "kit:STEP is no Step"),
        (step(TYPE="list<float99>"), "has the type 'list<float99>', which is no scalar"),
        (step(TYPE="list<float32"), "has the type 'list<float32', which"),
        (step(TYPE="list<float32[0]>"), "has the type 'list<float32[0]>', which"),
        (step().replace('"1", "nothing"', 'None, "nothing"'), "are not all texts"),
        (step().replace('"{}"', '"Not so"'), "'Not so' is no name of a column"),
        (step().replace("(Column", "[Column").replace(",)\nS", "]\nS"), "a tuple of Column"),
        (step().replace('"wrong", 1,', '"wrong", "1",'), "the version '1' is no whole number"),
        (step().replace("Path)", "Path, *, hop_s: float)"), "no default for hop_s"),
        (step().replace("Path)", "Path, *, at=1)"), "its setting at is not annotated"),
        (step().replace("Path)", "Path, *, at: list[int] = [])"), "setting at is not annotated"),
        (step().replace("Path)", "Path, *, when: int = 1)"), "setting when has the name of a key"),
        (step().replace("Path)", 'Path, *, at: "Gone" = 1)'), "name 'Gone' is not defined"),
    ],
)
def test_a_step_that_cannot_be_is_named_with_its_package(
    install: Install, source: str, said: str
) -> None:
    install("kit", source, {"steps": "wrong = kit:STEP"})
    message = said_by(lambda: find_step("wrong"))
    assert message.startswith("the step wrong of the package kit cannot be used: ")
    assert said in message


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (step(FIELD="gone"), "column of 'gone', which is no field of FeatureTrack"),
        (step().replace("columns=COLUMNS", "columns=lambda use, uses: 1 / 0"), "ZeroDivisionErr"),
        (step().replace("columns=COLUMNS", "columns=lambda use, uses: None"), "tuple of Column"),
        (
            step().replace("Path)", "Path, *, model: object)").replace("look, ", "look, 'none', "),
            "no model is known for none, which wrong needs",
        ),
    ],
)
def test_what_only_a_recipe_shows_is_named_with_its_line(
    install: Install, tmp_path: Path, source: str, said: str
) -> None:
    install("kit", source, {"steps": "wrong = kit:STEP"})
    (tmp_path / "mine.toml").write_text(RECIPE)
    message = said_by(lambda: datasets.recipe_in_file(tmp_path / "mine.toml"))
    assert "mine.toml, line 8: steps.wrong: " in message
    assert said in message


def test_a_model_that_cannot_be_loaded_is_named(install: Install) -> None:
    source = "class Model:\n    identify = about = None\n    def __init__(self, home): 1 / 0\n"
    install("kit", source, {"backends": "wrong.model = kit:Model"})
    message = said_by(lambda: backends.load("wrong", "model", HOME))
    assert message.startswith("the backend wrong.model of the package kit cannot be used: ")
    assert message.endswith("ZeroDivisionError: division by zero (__init__.py, line 3)")


def test_what_two_packages_call_the_same_is_neithers(install: Install) -> None:
    for package in ("kit", "other-kit"):
        install(package, step(), {"steps": f"wrong = {package.replace('-', '_')}:STEP"})
    message = said_by(lambda: find_step("wrong"))
    assert message == (
        "the step wrong of the package kit, other-kit cannot be used: it is in several packages, "
        "uninstall all but one"
    )


def test_what_an_import_prints_is_no_part_of_an_answer(
    install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    install("kit", "print('hello')\n" + step(), {"steps": "wrong = kit:STEP"})
    assert find_step("wrong").name == "wrong"
    assert capsys.readouterr() == ("", "hello\n")


@pytest.mark.parametrize(
    ("identify", "about", "said"),
    [
        ("raise ValueError('no')", "return About('a', 'b', 'c')", "ValueError: no (__init__.py"),
        ("raise SystemExit(1)", "return About('a', 'b', 'c')", "SystemExit: 1"),
        ("return None", "return About('a', 'b', 'c')", "identify gave NoneType"),
        ("return ModelIdentity('a', '1', '')", "return 'MIT'", "about gave str"),
    ],
)
def test_a_model_that_cannot_say_who_it_is(
    install: Install, identify: str, about: str, said: str
) -> None:
    source = f"""
from symmv_builder.backends import About, ModelIdentity
class Model:
    @classmethod
    def identify(cls, home): {identify}
    @classmethod
    def about(cls): {about}
"""
    install("kit", source, {"backends": "wrong.model = kit:Model"})

    def ask() -> None:
        backends.identify("wrong", "model", HOME)
        backends.about("wrong", "model")

    message = said_by(ask)
    assert message.startswith("the backend wrong.model of the package kit cannot be used: ")
    assert said in message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot be used: FileNotFoundError"),
        (RECIPE.replace("[steps.wrong]", ""), "mine.toml is of a dataset called mine"),
        ('name = "yours"\nbase = "yours"', "line 2: base: yours: it is its own base"),
        ("name = 3", "yours.toml of the package kit, line 1: name: 3 should be a text"),
    ],
)
def test_a_recipe_of_a_package(install: Install, text: str | None, said: str) -> None:
    files = {"yours.toml": text.replace("mine.toml", "")} if text else {}
    install("kit", "", {"recipes": "yours = kit"}, files)
    message = said_by(lambda: datasets.recipe("yours"))
    assert said.replace("mine.toml", "yours.toml") in message
    assert "kit" in message


IMPORTER = """
from symmv_builder.datasets.imports.tree import Tree
from symmv_builder.datasets.recipe import Recipe
MEDIA = ()
RECIPE = Recipe(name="NAME", pairs=False, shares={"train": 1}, uses=())
def scan(path):
    return Tree(())
"""


@pytest.mark.parametrize(
    ("name", "before", "after", "said"),
    [
        ("finds", '"NAME"', '"others"', "its recipe is called others"),
        ("finds", "RECIPE =", "RECIPE = 3 #", "RECIPE is no Recipe"),
        ("finds", "MEDIA = ()", 'MEDIA = "video"', "MEDIA is no tuple out of music, video, publ"),
        ("finds", "def scan", "scan = 3\ndef look", "scan is no function"),
        ("finds", "MEDIA = ()", "MEDIA = ()\nOPTIONS = (3,)", "OPTIONS holds what is no"),
        ("finds", "return Tree(())", "return None", "scan gave NoneType, which is no Tree"),
        ("finds", "return Tree(())", "raise SystemExit", "SystemExit: (__init__.py, line 7)"),
        ("assets", "MEDIA", "MEDIA", "assets is a folder of every data root"),
        ("symmv", "MEDIA", "MEDIA", "a dataset that is no import has this name"),
    ],
)
def test_a_faulty_importer_is_named(
    install: Install, tmp_path: Path, name: str, before: str, after: str, said: str
) -> None:
    source = IMPORTER.replace(before, after).replace("NAME", name)
    install("kit", source, {"importers": f"{name} = kit"})
    message = said_by(lambda: imports.scan(name, tmp_path))
    assert message.startswith(f"the importer {name} of the package kit cannot be used: ")
    assert said in message


SONGS = """
from symmv_builder.crawl import probe
from symmv_builder.datasets.imports import symbolic
from symmv_builder.datasets.imports.tree import Song, Tree
from symmv_builder.datasets.recipe import Recipe
from symmv_builder.pipeline.step import use
from symmv_builder.records import Entry, SongInfo, Source
MEDIA = ("video",)
USES = (use(probe.MUSIC), use(symbolic.NOTES, makes="notes"))
RECIPE = Recipe(name="tunes", pairs=False, shares={"train": 1}, uses=USES)
def scan(path):
    songs = []
    for file in sorted(path.glob("*.mid")):
        source = Source("file", f"tunes.{file.stem}")
        info = SongInfo(title=file.stem, identified_by="title")
        songs.append(Song(Entry(file.stem, "tunes", file.stem, source, source, info), file))
    return Tree(tuple(songs))
"""


def uninstall(tmp_path: Path, package: str) -> None:
    """Take away what makes a package known, as pip does."""
    shutil.rmtree(tmp_path / "site" / f"{package}-1.0.dist-info")
    importlib.invalidate_caches()
    plugins.installed.cache_clear()


def test_an_import_stays_one_when_its_importer_is_uninstalled(
    install: Install, tmp_path: Path
) -> None:
    install("kit", SONGS, {"importers": "tunes = kit"})
    (tmp_path / "songs").mkdir()
    tune = Notes(np.arange(8.0), np.arange(8.0) + 0.5, np.arange(60, 68), np.full(8, 64))
    (tmp_path / "songs" / "song.mid").write_bytes(midi_bytes({"piano": tune}))
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "stranger.mp4").write_bytes(b"a recording")
    (tmp_path / "own.toml").write_text(RECIPE.replace("mine", "tunes").split("[steps.w")[0])
    root = str(tmp_path / "data")
    sb.import_dataset("tunes", tmp_path / "songs", root, workers=1)

    def refusals() -> list[str]:
        return [
            said_by(lambda: sb.open_dataset("tunes", root).build(tmp_path / "videos")),
            said_by(lambda: sb.open_dataset(str(tmp_path / "own.toml"), root)),
            said_by(lambda: sb.open_dataset("tunes", root).crawl(screen=False)),
        ]

    installed = refusals()
    assert "no video named by an id of tunes" in installed[0]
    assert "tunes is what an import is called" in installed[1]
    assert "it is imported" in installed[2]
    uninstall(tmp_path, "kit")
    assert not datasets.is_imported("tunes")
    assert sb.open_dataset("tunes", root).is_imported
    assert refusals() == installed
    assert [entry.entry_id for entry in sb.open_dataset("tunes", root)] == ["song"]


def test_a_remembered_recipe_says_that_a_package_may_be_gone(
    install: Install, tmp_path: Path
) -> None:
    install("kit", step(), {"steps": "wrong = kit:STEP"})
    (tmp_path / "videos").mkdir()
    pictures = Pictures([noise(at) for at in range(25)], steady(25))
    write_media(tmp_path / "videos" / "clip.mp4", pictures, Samples(tone(1.0), codec="aac"))
    (tmp_path / "mine.toml").write_text(RECIPE)
    root = str(tmp_path / "data")
    sb.open_dataset(str(tmp_path / "mine.toml"), root).take_in(tmp_path / "videos")
    uninstall(tmp_path, "kit")
    # What stands is looked at by its files alone, and a root that holds it is not all well.
    assert verify(read_settings({}, root=root), "mine").is_sound
    with pytest.raises(typer.Exit) as end:
        status(root=root)
    assert end.value.exit_code == 1
    message = said_by(lambda: sb.open_dataset("mine", root))
    assert "no step of an installed package is called 'wrong'" in message
    assert message.endswith("; the package that brought it may have been uninstalled")


TRAINER = """
class Wrong(Trainer):
    title = "wrong"
    presets = {"paper": 1}
    def columns(self, config):
        return (), ()
    def train(self, config, request):
        return None
TRAINER = Wrong()
"""


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("TRAINER = 3", "kit:TRAINER is no Trainer"),
        (TRAINER, "are not all dataclasses"),
        (TRAINER.replace("presets = ", "others = "), "has no attribute 'presets'"),
        (TRAINER.replace("def train", "def learn"), "abstract"),
        ("TRAINER = Trainer('kit:PRESETS', 'kit:WAYS', 'kit:train')", "takes no arguments"),
    ],
)
def test_a_faulty_trainer_is_named(install: Install, source: str, said: str) -> None:
    given = "from symmv_builder.training import Trainer\n"
    install("kit", given + source, {"trainers": "wrong = kit:TRAINER"})
    message = said_by(lambda: configure("wrong", "paper", {}))
    assert message.startswith("the trainer wrong of the package kit cannot be used: ")
    assert said in message


def test_a_faulty_trainer_stops_only_what_asks_for_it(install: Install) -> None:
    install("kit", "import gone", {"trainers": "wrong = kit:TRAINER"})
    assert "wrong" in training.names()
    assert [name for name, _ in training.trainers()] == list(training.TRAINERS)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"WIDTH": "2"}, "column wrong is 1 wide, its feature 2"),
        ({"TYPE": "float32"}, "no column wrong (float32)"),
        ({"TYPE": "list<int8>", "VALUE": "1000.0"}, "1000.0 does not fit int8"),
        ({"VALUE": "np.nan"}, "values that are not finite"),
    ],
)
def test_a_record_that_is_not_as_declared_fails_its_entry_alone(
    install: Install, tmp_path: Path, changes: dict[str, str], said: str
) -> None:
    install("kit", step(**changes), {"steps": "wrong = kit:STEP"})
    (tmp_path / "videos").mkdir()
    pictures = Pictures([noise(at) for at in range(25)], steady(25))
    write_media(tmp_path / "videos" / "clip.mp4", pictures, Samples(tone(1.0), codec="aac"))
    (tmp_path / "mine.toml").write_text(RECIPE)
    dataset = sb.open_dataset(str(tmp_path / "mine.toml"), root=str(tmp_path / "data"))
    dataset.take_in(str(tmp_path / "videos"))
    summary = dataset.build(workers=1)
    assert summary.rejected == 1
    assert [failures.where for failures in summary.failed] == ["wrong of the package kit"]
    with pytest.raises(WorkerBug, match=r"\(in the package kit\)"):
        dataset.build(workers=1, retry=[Reason.FAILED], strict=True)
    [rejected] = dataset.status().rejections
    assert rejected.reason == "failed"
    assert said in rejected.detail
