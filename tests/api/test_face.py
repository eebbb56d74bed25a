"""The package from Python: what a notebook does, with the names that the package offers."""

import inspect
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import symmv_builder as sb
from symmv_builder import cli, datasets
from symmv_builder.api import publishing
from symmv_builder.backends import ModelHome
from symmv_builder.errors import MissingPackage, RecipeError
from symmv_builder.music.key import find_key
from symmv_builder.records import Beats, Chords, Key, Notes, Parts
from symmv_builder.settings import Settings
from tests.songs import song, songs

HEAVY = ("torch", "numpy", "pyarrow", "sqlalchemy", "pandas", "scipy", "transformers", "typer")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A root with an import of ten songs."""
    folder = songs(tmp_path_factory.mktemp("midi"))
    place = str(tmp_path_factory.mktemp("root"))
    dataset = sb.import_dataset("midi", folder, place, beats="file", workers=1)
    assert dataset.status().made == 10
    return place


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = f"import symmv_builder, sys; print([n for n in {HEAVY} if n in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_every_name_that_is_offered_is_there_and_says_what_it_is() -> None:
    assert len(sb.__all__) <= 20
    for name in set(sb.__all__) - {"__version__"}:
        value = getattr(sb, name)
        assert inspect.getdoc(value), name
        assert name in dir(sb)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        sb.nothing  # noqa: B018


def test_a_dataset_gives_its_entries_with_their_records(root: str) -> None:
    dataset = sb.open_dataset("midi", root)
    assert len(dataset) == 10
    assert [entry.entry_id for entry in dataset] == [f"song{n}" for n in range(10)]
    entry = dataset["song0"]
    assert entry.song.title == "song0"
    assert isinstance(entry.chords, Chords)
    assert isinstance(entry.key, Key)
    assert isinstance(entry.beats, Beats)
    assert isinstance(entry.parts.record, Parts)
    assert len(entry.notes) == 256
    assert "parts" in dir(entry)
    assert [made.result.artifact for made in entry.why()][:2] == ["music_asset", "notes"]
    with pytest.raises(AttributeError, match="song0 has no semantic; there is: beats, chords"):
        entry.semantic  # noqa: B018
    with pytest.raises(KeyError, match="no entry is called 'nobody'"):
        dataset["nobody"]


def test_rows_are_numpy_and_torch_takes_each_once(root: str) -> None:
    dataset = sb.open_dataset("midi", root)
    rows = dataset.rows("train", ["entry_id", "notes_pitches", "tempo_bpm"])
    assert rows.row(0)["notes_pitches"].dtype == np.uint8
    assert "chords_labels" in dataset.rows("train").columns
    names = [row["entry_id"] for row in rows]
    torch_rows = rows.to_torch(shuffle=True, seed=3)
    assert len(torch_rows) == len(names)
    assert [row["entry_id"] for row in torch_rows] == [row["entry_id"] for row in torch_rows]
    # In a program of its own: the workers are forked from it.
    code = (
        "import sys; import symmv_builder as sb; from torch.utils.data import DataLoader\n"
        "rows = sb.open_dataset('midi', sys.argv[1]).rows('train', ['entry_id']).to_torch()\n"
        "for row in DataLoader(rows, batch_size=None, num_workers=2): print(row['entry_id'])"
    )
    words = [sys.executable, "-c", code, root]
    loaded = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
    assert sorted(loaded) == sorted(names)
    [first, *_] = list(rows.to_torch())
    assert first["notes_pitches"].tolist() == rows.row(0)["notes_pitches"].tolist()
    with pytest.raises(sb.StopRun, match="no column semantic"):
        dataset.rows("train", ["semantic"])


def test_what_is_stored_is_sound_and_a_build_has_nothing_to_do(root: str) -> None:
    dataset = sb.open_dataset("midi", root)
    assert dataset.verify() == []
    assert dataset.build(only=["parts", "chords", "key"], workers=1).made == 10
    with pytest.raises(sb.StopRun, match="holds no video named by an id of midi"):
        dataset.build(Path(root) / "assets")


def test_a_stage_runs_on_a_file_with_settings(tmp_path: Path) -> None:
    path = song(tmp_path)
    notes = sb.read_midi(path).record
    assert isinstance(notes, Notes)
    assert sb.run("key", path, profile="vote") == find_key(notes, profile="vote")
    paper = find_key(notes, profile="krumhansl-schmuckler")
    assert sb.run("key", path, recipe="symmv-paper") == paper
    with pytest.raises(sb.StopRun, match="key has no parameter 'nothing'"):
        sb.run("key", path, nothing=1)


def test_music_goes_into_the_forms_of_other_programs(tmp_path: Path, root: str) -> None:
    entry = sb.open_dataset("midi", root)["song0"]
    for music in (entry.notes, entry.parts, entry.grid, sb.read_midi(song(tmp_path))):
        assert len(music) == 256
        assert music.tempo_bpm == pytest.approx(120)
        pretty = music.to_pretty_midi()
        assert sum(len(part.notes) for part in pretty.instruments) == 256
        assert pretty.get_end_time() == pytest.approx(32.0, abs=0.01)
        again = sb.read_midi(music.write_midi(tmp_path / "again.mid"))
        assert sorted(again.pitches) == sorted(music.pitches)
        assert np.allclose(np.sort(again.starts_s), np.sort(music.starts_s), atol=0.002)
        roll = music.to_piano_roll(hop_s=0.25)
        assert roll.shape == (128, 128)
        assert roll[72, :8].tolist() == [80] * 8
        assert roll[72, 8:32].tolist() == [0] * 24
    with pytest.raises(ValueError, match="between"):
        entry.notes.to_piano_roll(0)
    assert [part.name for part in entry.parts.to_pretty_midi().instruments] == [
        "melody",
        "accompaniment",
    ]


def test_a_score_holds_the_notes_at_their_places(tmp_path: Path, root: str) -> None:
    music21 = pytest.importorskip("music21")
    parts = sb.open_dataset("midi", root)["song0"].parts
    path = parts.write_musicxml(tmp_path / "score.musicxml")
    score = music21.converter.parse(path, forceSource=True, storePickle=False)
    assert [part.partName for part in score.parts] == ["melody", "accompaniment"]
    tune = [
        (float(note.getOffsetInHierarchy(score)), note.pitch.midi)
        for note in score.parts[0].recurse().notes
        if not note.isChord
    ]
    record = parts.record
    melody = record.is_melody
    expected = zip(record.onset_steps[melody] / 4, record.pitches[melody], strict=True)
    assert tune == [(float(onset), int(pitch)) for onset, pitch in expected]


def test_symusic_reads_what_we_give_it(root: str) -> None:
    pytest.importorskip("symusic")
    parts = sb.open_dataset("midi", root)["song0"].parts
    score = parts.to_symusic()
    assert [track.name for track in score.tracks] == ["melody", "accompaniment"]
    assert score.note_num() == len(parts)


def test_a_package_that_is_missing_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    music = sb.read_midi(song(tmp_path))
    for package, call in (
        ("pretty_midi", music.to_pretty_midi),
        ("symusic", music.to_symusic),
        ("music21", lambda: music.write_musicxml(tmp_path / "x.musicxml")),
    ):
        monkeypatch.setitem(sys.modules, package, None)
        named = f"{package.replace('_', '-')} is not installed; run: pip install 'symmv-builder"
        with pytest.raises(MissingPackage, match=re.escape(named)):
            call()
    assert not (tmp_path / "x.musicxml").exists()


def test_an_entry_of_single_recordings_is_no_pair() -> None:
    for name, said in (("symmv", "pair"), ("muvisync", "entry"), ("midi", "entry")):
        columns = {column.name: column.meaning for column in sb.explain(name).columns}
        assert columns["entry_id"] == f"identifier of the {said}, unique in the dataset"


def test_a_recipe_of_one_s_own_makes_a_dataset_that_is_remembered(
    tmp_path: Path, root: str
) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text('name = "mine"\nbase = "muvisync"\n[steps.motion]\nhop_s = 0.5\n')
    dataset = sb.open_dataset(str(mine), str(tmp_path / "root"), models={"clip": "untrained"})
    assert dataset.name == "mine"
    assert sb.read_recipe(mine).uses != datasets.recipe("muvisync").uses
    explained = sb.explain(str(mine))
    [motion] = [step for step in explained.steps if step.makes == "motion"]
    assert motion.settings == {"hop_s": 0.5}
    with pytest.raises(sb.StopRun, match="mine has no entries"):
        dataset.build()
    with pytest.raises(sb.StopRun, match="no dataset is called 'mine'"):
        sb.open_dataset("mine", str(tmp_path / "root"))
    assert not (tmp_path / "root").exists(), "a build that is refused leaves nothing"
    del root


def test_settings_say_where_things_are(tmp_path: Path) -> None:
    settings = Settings(str(tmp_path), "", "", ModelHome())
    assert sb.open_dataset("symmv", settings=settings).settings is settings


def test_questions_about_what_is_not_there_make_nothing(tmp_path: Path) -> None:
    place = tmp_path / "nowhere"
    dataset = sb.open_dataset("symmv", str(place), models={"clip": "untrained"})
    settings = dataset.settings
    assert len(dataset) == 0
    assert list(dataset) == []
    assert dataset.status().entries == 0
    for ask in (
        dataset.rows,
        lambda: dataset.release("1.0.0"),
        lambda: dataset.takedown("x", "asked"),
        lambda: dataset.promote("x"),
        dataset.build,
        lambda: publishing.release(settings.open_standing(), "mine", "1.0.0"),
        lambda: publishing.take_down(settings.open_standing(), "mine", "youtube:x", "asked"),
        lambda: dataset.rows("testing"),
    ):
        with pytest.raises(sb.StopRun):
            ask()
    assert not place.exists()


def test_a_spoilt_recipe_stops_its_dataset_alone_and_a_build_replaces_it(
    root: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "root"
    shutil.copytree(root, place)
    kept = place / "midi" / "recipe.toml"
    whole = kept.read_text()
    (place / "other").mkdir()
    (place / "other" / "recipe.toml").write_text("name = ")
    kept.write_text("steps = 3")
    with pytest.raises(RecipeError, match=r"recipe\.toml: name is missing") as caught:
        sb.open_dataset("midi", str(place))
    assert caught.value.is_remembered
    assert str(caught.value.path).endswith("midi/recipe.toml")
    monkeypatch.setattr(sys, "argv", ["symmv", "status", "--root", str(place)])
    kept.write_text(whole)
    with pytest.raises(SystemExit) as end:
        cli.main()
    said = capsys.readouterr()
    assert not end.value.code
    assert "10 made" in said.out
    kept.write_text("steps = 3")
    dataset = sb.open_dataset("midi", str(place), way="default")
    assert dataset.build(only=["key"], workers=1).made == 10
    assert sb.open_dataset("midi", str(place)).recipe == dataset.recipe
    with pytest.raises(sb.StopRun, match="other has no built-in recipe to go back to"):
        sb.open_dataset("other", str(place), way="default")
