"""Voices taken out of a recording, and steps that hear what is left."""

import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import symmv_builder as sb
from symmv_builder import backends, datasets
from symmv_builder.backends import ModelHome, pyav
from symmv_builder.backends.slots import SourceSeparator
from symmv_builder.crawl.folder import find_entries
from symmv_builder.datasets import remembered
from symmv_builder.datasets.build import build, in_processes, take_in
from symmv_builder.datasets.recipe import Recipe
from symmv_builder.datasets.recipe_file import read_recipe
from symmv_builder.datasets.stages import run_stage, write_record
from symmv_builder.errors import (
    MissingWeights,
    NoRows,
    RecipeError,
    UnknownName,
    WrongArguments,
    WrongSetting,
    WrongWeights,
)
from symmv_builder.music import listening
from symmv_builder.music.separate import hear_stems
from symmv_builder.pipeline.keys import ModelIdentity, Plan, Work
from symmv_builder.pipeline.pool import Effort
from symmv_builder.records import SoundFile
from symmv_builder.storage.ledger import Ledger
from symmv_builder.storage.root import Root
from symmv_builder.storage.shards import read_receipt, read_rows
from symmv_builder.storage.sidecars import Sidecars
from symmv_builder.storage.store import Store
from tests.backends.demucs_model import SOURCES, make_htdemucs, wave
from tests.media import Pictures, Samples, paint, write_media

RATE_HZ = 44_100
# What the package demucs 4.1.0 gives for the same weights and the same sound of 20,000 samples
# (shifts=0, overlap=.25): each stem at four samples, left and right.
PLACES = [0, 5000, 11030, 19999]
ORIGINAL = {
    "drums": ([0.025284, 0.025706, 0.026367, 0.035547], [0.043245, 0.043699, 0.042218, 0.036790]),
    "bass": ([0.057031, 0.056991, 0.058427, 0.061549], [0.074025, 0.074173, 0.072493, 0.062916]),
    "other": ([0.084842, 0.084271, 0.086220, 0.083505], [0.092892, 0.092909, 0.091135, 0.079597]),
    "vocals": ([0.094681, 0.094014, 0.096078, 0.089280], [0.089786, 0.090017, 0.088221, 0.078354]),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_htdemucs(tmp_path_factory.mktemp("htdemucs"))


@pytest.fixture(scope="module")
def model(folder: Path) -> SourceSeparator:
    home = ModelHome(paths={"htdemucs": str(folder)})
    identity = backends.identify("separation", "htdemucs", home)
    assert not identity.trained
    return backends.load("separation", "htdemucs", home)


def test_every_stem_is_that_of_the_authors_program(model: SourceSeparator) -> None:
    sound = wave(20_000)
    assert model.stems == tuple(SOURCES)
    for stem, expected in ORIGINAL.items():
        extracted = model.extract(sound, [stem])
        assert extracted.shape == sound.shape
        assert np.abs(extracted[PLACES].T - expected).max() < 2e-5


def test_several_stems_are_their_sum_and_nothing_is_nothing(model: SourceSeparator) -> None:
    sound = wave(4000)
    both = model.extract(sound, ["drums", "vocals"])
    assert (
        np.abs(both - model.extract(sound, ["drums"]) - model.extract(sound, ["vocals"])).max()
        < 1e-6
    )
    assert model.extract(sound[:0], ["drums"]).shape == (0, 2)


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"klass": "demucs.hdemucs.HDemucs"}, "class demucs.hdemucs.HDemucs"),
        ({"t_emb": "cape"}, "t_emb is 'cape'"),
        ({"t_layers": 4}, "Missing key"),
        ({"multi_freqs": [0.5]}, "multi_freqs"),
        ({"depth": 6}, "merged"),
        ({"segment": 0}, "segments"),
    ],
)
def test_another_network_is_refused_in_one_line(
    tmp_path: Path, changed: dict[str, Any], fault: str
) -> None:
    home = ModelHome(paths={"htdemucs": str(make_htdemucs(tmp_path, **changed))})
    with pytest.raises(WrongWeights, match="is not htdemucs") as caught:
        backends.load("separation", "htdemucs", home)
    assert "\n" not in str(caught.value)
    if fault != "Missing key":
        assert fault in str(caught.value)


def test_weights_that_are_not_there_are_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(MissingWeights, match="no file of safetensors"):
        backends.identify("separation", "htdemucs", ModelHome(paths={"htdemucs": str(tmp_path)}))


def test_what_is_left_is_a_recording_of_the_same_length(
    model: SourceSeparator, tmp_path: Path
) -> None:
    path = write_media(tmp_path / "sound.mkv", Samples(wave(9000), RATE_HZ, "stereo"))
    [finish] = listening.listen(path, [hear_stems(model=model, keep="drums")])
    record = finish()
    (tmp_path / "left.flac").write_bytes(record.data.tobytes())
    left = pyav.read_sound(tmp_path / "left.flac")
    expected = model.extract(pyav.read_sound(path).samples, ["drums"])
    assert left.rate_hz == RATE_HZ
    assert np.abs(left.samples / record.gain - expected).max() < 1e-4
    with pytest.raises(WrongSetting, match="no stem"):
        hear_stems(model=model, keep="drums, voice")


class Quieter:
    """A separator that leaves half of the sound, and all of it four times as loud."""

    rate_hz, stems = RATE_HZ, ("drums", "bass", "other", "vocals")

    def extract(self, samples: NDArray[np.float32], stems: list[str]) -> NDArray[np.float32]:
        return samples * (4.0 if len(stems) == 4 else 0.5)


RECIPE = """\
name = "calm"
pairs = false

[splits]
train = 1

[steps.music_asset]

[steps.loudness_lufs]

[steps.separate]

[steps.left]
step = "loudness_lufs"
inputs = { music = "separate" }

[steps.left_again]
step = "loudness_lufs"
inputs = { music = "separate" }
"""


def described(text: str) -> Recipe:
    return read_recipe(text, "calm.toml", datasets.recipe)


def load_toy(slot: str, name: str) -> Any:
    return Quieter()


@pytest.fixture
def film(tmp_path: Path) -> Path:
    (tmp_path / "films").mkdir()
    sound = np.tile(wave(RATE_HZ), (3, 1))
    pictures = Pictures([paint((9, 9, 9))] * 6, [i / 2 for i in range(6)])
    samples = Samples(sound, RATE_HZ, "stereo")
    return write_media(tmp_path / "films" / "film.mkv", pictures, samples)


def built(film: Path, folder: Path, recipe: Recipe) -> tuple[Store, Plan]:
    """The recipe made of a film, in a root of its own."""
    place = Root(str(folder / "root"))
    (folder / "root").mkdir()
    store = Store(place, place, Ledger(f"sqlite:///{folder}/root/ledger.sqlite"))
    take_in(store, find_entries(film.parent, "calm", pairs=False), "calm", lambda _: None)
    remembered.remember(store, recipe)
    plan = Plan("calm", recipe.uses, {("separation", "htdemucs"): ModelIdentity("toy", "1", "0")})
    run = in_processes(plan, store, load_toy, effort=Effort(0), tell=lambda _: None)
    assert build(recipe, plan, store, run).made == 1
    return store, plan


def test_later_steps_of_a_recipe_hear_what_is_left(film: Path, tmp_path: Path) -> None:
    recipe = described(RECIPE)
    listening.passes.clear()
    store, plan = built(film, tmp_path, recipe)
    # The recording once for its loudness and its stems, and once what is left of it.
    assert sorted(listening.passes.values()) == [1, 1]
    receipt = read_receipt(store.root, "calm") or {}
    [row] = read_rows(store.root, "calm", receipt["columns"])
    assert row["left"] == pytest.approx(row["loudness_lufs"] - 6.02, abs=0.05)
    assert row["left_again"] == row["left"]
    assert "separate" not in " ".join(receipt["columns"])
    # Another model is another key of everything behind it.
    other = Plan("calm", recipe.uses, {("separation", "htdemucs"): ModelIdentity("toy", "2", "0")})
    work = Work("film", "a" * 64, "a" * 64)
    changed = {n for n, key in plan.keys(work).items() if other.keys(work)[n] != key}
    assert changed == {"separate", "left", "left_again"}


def test_an_export_has_the_sound_that_later_steps_heard(film: Path, tmp_path: Path) -> None:
    """Bit for bit what was stored, cut to clips as the recording would be."""
    soundfile = pytest.importorskip("soundfile")
    clips = '[clips]\nby = "windows"\nlength_s = 1.0\n'
    store, _ = built(film, tmp_path, described(RECIPE + clips))
    [work] = [w for w in store.ledger.results("calm") if w.artifact == "separate"]
    record, _ = Sidecars(store.root, "calm").load("film", "separate", work.key)
    assert isinstance(record, SoundFile)
    stored, _ = soundfile.read(io.BytesIO(record.data.tobytes()), dtype="int16")
    dataset = sb.open_dataset("calm", root=tmp_path / "root")
    done = dataset.export_media(
        tmp_path / "left", "webdataset", workers=1, video="none", sound_of="separate"
    )
    assert dict(done.samples) == {"train": 2}
    with tarfile.open(tmp_path / "left" / "train-00000.tar") as tar:
        cuts = [tar.extractfile(name) for name in tar.getnames() if name.endswith(".flac")]
        heard = [soundfile.read(io.BytesIO(each.read()), dtype="int16")[0] for each in cuts if each]
    np.testing.assert_array_equal(np.concatenate(heard), stored[: 2 * RATE_HZ])
    # A repeat makes nothing; another sound is another content.
    again = dataset.export_media(
        tmp_path / "left", "webdataset", workers=1, video="none", sound_of="separate"
    )
    assert (again.shards_made, again.shards_kept) == (0, 1)
    assert dataset.export_media(tmp_path / "left", "webdataset", video="none").shards_made == 1
    with pytest.raises(UnknownName, match="calm has no sound 'voices'; it has: separate"):
        dataset.export_media(tmp_path / "other", "webdataset", sound_of="voices")
    with pytest.raises(WrongArguments, match="has no use where `sound` is none"):
        dataset.export_media(tmp_path / "other", "webdataset", sound="none", sound_of="separate")
    assert not (tmp_path / "other").exists()
    # What is gone from the store leaves its rows out, with the reason.
    Sidecars(store.root, "calm").remove("film")
    with pytest.raises(NoRows, match="the sound of separate is not in the store"):
        dataset.export_media(tmp_path / "other", "webdataset", video="none", sound_of="separate")


def test_only_what_reads_music_is_given_it() -> None:
    text = RECIPE.replace(
        '[steps.left]\nstep = "loudness_lufs"\ninputs = { music = "separate" }',
        '[steps.left]\nstep = "similarity"\ninputs = { video = "separate" }',
    )
    with pytest.raises(RecipeError, match="separate is SoundFile; video is to be a recording"):
        described(text)


def test_run_writes_what_is_left_and_stages_behind_it_hear_it(film: Path, tmp_path: Path) -> None:
    recipe = described(RECIPE)
    record = run_stage("separate", film, load_toy, recipe=recipe)
    assert isinstance(record, SoundFile)
    paths = write_record(tmp_path / "out", film, "separate", record)
    assert [path.name for path in paths] == ["film.separate.json", "film.separate.flac"]
    said = json.loads(paths[0].read_text())
    assert said == {"size_bytes": paths[1].stat().st_size, "gain": 1.0, "clock": "music"}
    whole: Any = run_stage("loudness_lufs", film, load_toy, recipe=recipe)
    left: Any = run_stage("left", film, load_toy, recipe=recipe)
    assert left.integrated_lufs == pytest.approx(whole.integrated_lufs - 6.02, abs=0.05)
    loud = run_stage(
        "separate", film, load_toy, recipe=recipe, settings={"keep": ", ".join(SOURCES)}
    )
    assert isinstance(loud, SoundFile)
    assert 0.3 < loud.gain < 1.0
    with pytest.raises(ValueError, match="gain"):
        replace(loud, gain=0.0)
