"""A package of a stranger, installed into an environment of its own, is known by every door."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from symmv_builder.storage.root import Root
from symmv_builder.storage.shards import read_receipt
from tests import environments
from tests.media import Pictures, Samples, noise, steady, tone, write_media

PACKAGE = Path(__file__).parent / "plugin"


class Environment:
    """An environment that sees the packages of this one and has the plug-in beside them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.python = environments.make_environment(folder / "env")
        environments.install(self.python, shutil.copytree(PACKAGE, folder / "package"))

    def run(self, *arguments: str, code: int = 0) -> str:
        return environments.run(self.python, *arguments, cwd=self.folder, code=code)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    folder = tmp_path_factory.mktemp("plugin")
    (folder / "videos").mkdir()
    for number in range(2):
        pictures = Pictures([noise(10 * number + at) for at in range(50)], steady(50))
        sound = Samples(tone(2.0), codec="aac")
        write_media(folder / "videos" / f"clip{number}.mp4", pictures, sound)
    made = Environment(folder)
    made.run("build", "tiny", "--from", "videos", "--workers", "1")
    return made


@pytest.mark.slow
def test_a_build_has_the_columns_of_the_plug_ins_steps(environment: Environment) -> None:
    [shard] = (environment.folder / "data" / "tiny" / "shards").glob("*.parquet")
    table = pq.read_table(shard)
    assert table.column_names[-2:] == ["brightness", "crossings"]
    described = table.schema.field("crossings").metadata
    assert described == {b"unit": b"1/s", b"meaning": b"crossings of zero in each second"}
    for row in table.to_pylist():
        assert len(row["brightness"]) == 2
        # The codec adds a little silence at the end.
        assert row["crossings"][:2] == pytest.approx([880, 880], abs=4)
        assert 100 < np.mean(row["brightness"]) < 156
    receipt = read_receipt(Root(str(environment.folder / "data")), "tiny")
    assert receipt is not None
    assert [column["name"] for column in receipt["described"]] == table.column_names
    assert [model["backend"] for model in receipt["models"]] == ["counter"]


@pytest.mark.slow
def test_every_question_knows_it(environment: Environment) -> None:
    run = environment.run
    assert "2 made" in run("status", "tiny")
    assert "brightness" in run("why", "clip0")
    assert "crossings" in run("show", "clip0", "--out", "shown")
    schema = json.loads(run("schema", "tiny"))
    assert schema["columns"][-1]["meaning"] == "crossings of zero in each second"
    models = json.loads(run("models", "--json"))
    by_name = {model["name"]: model for model in models if model["slot"] == "crossings"}
    assert by_name["counter"]["here"]
    assert by_name["counter"]["licence"] == "MIT"
    assert "symmv-tiny cannot be used: AttributeError" in by_name["faulty"]["problem"]
    assert "crossings" in run("recipe", "tiny", "--check")
    assert "nothing to do" in run("build", "tiny")
    assert run("verify", "tiny")


@pytest.mark.slow
def test_it_is_released_and_exported_as_parquet(environment: Environment) -> None:
    environment.run("release", "tiny", "1.0.0")
    folder = environment.folder / "data" / "releases" / "tiny" / "1.0.0"
    assert "crossings of zero in each second" in (folder / "README.md").read_text()
    environment.run("export", "tiny", "exported")
    files = [*(environment.folder / "exported").rglob("*.parquet")]
    assert pq.read_table(files[0]).column_names[-1] == "crossings"


@pytest.mark.slow
def test_a_flow_builds_it_to_the_same_bytes(environment: Environment) -> None:
    environment.run(
        "-m", "symmv_builder.flows.build", "tiny", "--from", "videos", "--root", "other"
    )
    names = [
        sorted(path.name for path in (environment.folder / root / "tiny" / "shards").iterdir())
        for root in ("data", "other")
    ]
    assert names[0] == names[1]


def test_an_importer_and_a_trainer_are_known(environment: Environment) -> None:
    from symmv_builder.backends import midi
    from symmv_builder.records import Notes

    (environment.folder / "tunes").mkdir()
    four = np.arange(4.0)
    notes = Notes(four, four + 1, np.full(4, 60), np.full(4, 80))
    midi.write_notes(environment.folder / "tunes" / "song.mid", {"piano": notes})
    environment.run("import", "tunes", "tunes")
    [shard] = (environment.folder / "data" / "tunes" / "shards").glob("*.parquet")
    assert pq.read_table(shard).column("notes_pitches").to_pylist() == [[60] * 4]
    said = environment.run("train", "mean", "--data", "tiny", "--out", "run", "--preset", "smoke")
    assert "mean" in said
    assert 100 < json.loads((environment.folder / "run" / "mean.json").read_text()) < 156


def test_a_faulty_plug_in_is_named_in_one_line(environment: Environment) -> None:
    (environment.folder / "mine.toml").write_text('name = "mine"\nbase = "tiny"\n[steps.gone]\n')
    said = environment.run("build", "mine.toml", "--from", "videos", code=2)
    assert "the step gone of the package symmv-tiny cannot be used: ModuleNotFoundError" in said
    assert len(said.strip().splitlines()) == 1
    said = environment.run("build", "tiny", "--model", "crossings=faulty", code=2)
    assert "the backend crossings.faulty of the package symmv-tiny cannot be used" in said


def test_the_documentation_shows_this_package() -> None:
    written = [path.read_text() for path in PACKAGE.rglob("*.*") if path.suffix in (".py", ".toml")]
    page = (PACKAGE.parents[1] / "docs" / "extending.md").read_text()
    blocks = re.findall(r"```(?:python|toml)\n(.*?)```", page, re.S)
    assert len(blocks) == 6
    entries, *files = blocks
    for block in files:
        assert block in written
    for line in filter(None, entries.splitlines()):
        assert any(f"{line}\n" in text for text in written), line
