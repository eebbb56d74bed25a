"""Recipes as text: read, written, derived from each other, and refused with line and key."""

import ast
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from symmv_builder import datasets
from symmv_builder.assemble import assemble_row
from symmv_builder.datasets import imports
from symmv_builder.datasets.recipe import Recipe, with_models
from symmv_builder.datasets.recipe_file import read_recipe
from symmv_builder.datasets.recipe_writer import differences, write_recipe
from symmv_builder.datasets.schemas import label_of
from symmv_builder.datasets.step_table import find_step, step_names
from symmv_builder.errors import StopRun
from symmv_builder.records import Entry, Listing, SongInfo, Source
from symmv_builder.schema import METADATA, Column, arrow_schema
from symmv_builder.storage.tables import build_table, rows_of
from symmv_builder.toml_text import line_of

WAYS: Mapping[str, Mapping[str, Any]] = {
    "symmv-release": {"chords": "recomputed"},
    "muvi-sync": {"lacks": ["chords"], "emotion": "published"},
    "midi": {"beats": "tracked"},
}
OWN = """
name = "mine"
base = "symmv"
without = ["colour"]

[steps.motion]
hop_s = 1

[steps.slow_motion]
step = "motion"
after = "motion"
hop_s = 2.5
variant = "sampled"
"""


def read(text: str) -> Recipe:
    return read_recipe(text, "mine.toml", datasets.recipe)


@pytest.mark.parametrize("name", datasets.built_in())
def test_a_built_in_recipe_survives_being_written(name: str) -> None:
    recipe = datasets.recipe(name)
    assert recipe.name == name
    assert read(write_recipe(recipe, ["About it."])) == recipe


@pytest.mark.parametrize("name", datasets.IMPORTED)
def test_the_recipe_of_an_import_survives_being_written(name: str) -> None:
    for recipe in (imports.recipe(name), imports.recipe(name, WAYS.get(name, {}))):
        assert read(write_recipe(recipe)) == recipe


def test_a_recipe_changes_leaves_out_and_adds_steps_of_its_base() -> None:
    base, mine = datasets.recipe("symmv"), read(OWN)
    assert differences(base, mine) == [
        "colour: left out",
        "motion.hop_s: 0.2 -> 1.0",
        "slow_motion: new, by the step motion",
    ]
    names = [use.makes for use in mine.uses]
    assert names[names.index("motion") + 1] == "slow_motion"
    assert "colour" not in {column.name for column in mine.columns}
    [slow] = [use for use in mine.uses if use.makes == "slow_motion"]
    assert slow.parameters == {"hop_s": 2.5, "variant": "sampled"}


def test_a_base_that_is_no_name_is_told_once() -> None:
    with pytest.raises(StopRun) as caught:
        read('name = "mine"\nbase = ["symmv"]\n')
    assert str(caught.value) == "mine.toml, line 2: base: ['symmv'] should be a text in quotes"


def test_a_column_that_is_not_that_of_the_schema_is_told_with_its_unit() -> None:
    head = 'name = "mine"\nschema = "muvisync"\npairs = false\n[splits]\ntrain = 1\n'
    with pytest.raises(StopRun) as caught:
        read(head + '[steps.music_asset]\n[steps.motion]\nstep = "loudness"\n')
    assert "line 2: schema: motion is list<float32> 0-1 here, which is not" in str(caught.value)


def test_a_step_that_another_replaces_takes_nothing_of_it() -> None:
    text = OWN + '\n[steps.chords]\nstep = "chords"\nmodel = "btc"\n'
    [chords] = [use for use in read(text).uses if use.makes == "chords"]
    assert (chords.step.name, chords.model) == ("chords", "btc")
    assert chords.inputs == ("music_asset", "music")


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('"symmv"', '"symphony"', "line 3: base: no dataset is called 'symphony'"),
        ('["colour"]', '["color"]', "line 4: without: the base makes no 'color'"),
        ("hop_s = 1\n", "hop = 1\n", "line 7: steps.motion.hop: steps.motion has no such key"),
        ("hop_s = 1\n", 'hop_s = "1"\n', "line 7: steps.motion.hop_s: '1' should be a number"),
        ('"sampled"', '"slow"', "line 13: steps.slow_motion.variant: 'slow' is none of adjacent"),
        ('after = "motion"', 'after = "x"', "line 11: steps.slow_motion.after: nothing before"),
        (
            'step = "motion"',
            'step = "x"',
            "line 10: steps.slow_motion.step: no step of an installed package",
        ),
        (
            'step = "motion"',
            'model = "x"',
            "line 9: steps.slow_motion: no step of an installed package",
        ),
        ("[steps.motion]", "[steps.motion", "this is not TOML"),
        ('name = "mine"', 'name = "My set"', "line 2: name: 'My set' should be"),
        ('name = "mine"', "name = 3", "line 2: name: 3 should be a text in quotes"),
        ('name = "mine"', "", "name is missing, a text in quotes"),
        ('name = "mine"', 'name = "mine"\nnmae = 1', "line 3: nmae: a recipe has no such key"),
        ('["colour"]', '["notes"]', "screen_notes: it reads notes, which no step before it makes"),
        ('["colour"]', '["notes"]', "line 4: without: screen_notes: it reads notes"),
        ("without", "[splits]\ntrain = 1e3\n#", "line 5: splits.train: 1000.0 should be a whole"),
        ("without", f"[splits]\ntrain = 1{'0' * 400}\n#", "line 4: splits: shares are 0 or more"),
        ('["colour"]', '"colour"', "line 4: without: 'colour' should be a list"),
        ("[steps.slow_motion]", "[steps.Slow]", "steps.Slow: a result is called by a-z"),
        ("[steps.slow_motion]", "[steps.music]", "steps.music: music is given to steps"),
        ("hop_s = 2.5", "inputs = { video = 3 }", "line 12: steps.slow_motion.inputs.video: 3"),
        ("hop_s = 2.5", 'inputs = { vid = "a" }', "steps.slow_motion.inputs has no such key"),
        ("hop_s = 2.5", 'inputs = { video = "a" }', "line 12: steps.slow_motion.inputs.video: it"),
        ("hop_s = 2.5", 'model = "a"', "line 12: steps.slow_motion.model: the step motion has no"),
        ("hop_s = 2.5", 'when = "now"', "line 12: steps.slow_motion.when: 'now' is none of"),
        ("without", "[splits]\ntrain = 0\n#", "line 4: splits: shares are 0 or more"),
        ("without", "[splits]\ntraining = 8\n#", "line 5: splits.training: splits has no such"),
        ("without", 'schema = "other"\n#', "line 4: schema: 'other' is none of symmv"),
        ("without", 'absent = ["x"]\n#', "line 4: absent: mine has no column x"),
        ('["colour"]', '["colour"]\nsteps = 3\n[other]', "this is not TOML"),
        ("hop_s = 2.5", "hop_s = nan", "line 12: steps.slow_motion.hop_s: nan should lie between"),
        ("hop_s = 2.5", "hop_s = inf", "line 12: steps.slow_motion.hop_s: inf should lie between"),
        ("hop_s = 2.5", "hop_s = -1", "line 12: steps.slow_motion.hop_s: -1.0 should lie between"),
        ("hop_s = 2.5", "hop_s = 0", "line 12: steps.slow_motion.hop_s: 0.0 should lie between"),
        ("hop_s = 2.5", "hop_s = " + "9" * 400, "line 12: steps.slow_motion.hop_s: 999"),
        ("hop_s = 2.5", "hop_s = " + "9" * 5000, "this is not TOML"),
        ("hop_s = 2.5", "hop_s = " + "[" * 100_000, "this is not TOML"),
        ('after = "motion"', 'after = "slow_motion"', "a step does not come after itself"),
        ('name = "mine"', 'name = "assets"', "assets is a folder of every data root"),
        ("without", 'absent = ["entry_id"]\n#', "line 4: absent: rows are found by entry_id"),
        ("[steps.motion]\nhop_s = 1\n", "[[steps]]\n", "line 6: steps: "),
    ],
)
def test_a_mistake_is_named_with_its_line_and_key(before: str, after: str, said: str) -> None:
    assert before in OWN
    with pytest.raises(StopRun) as caught:
        read(OWN.replace(before, after, 1))
    assert said in str(caught.value)
    assert str(caught.value).startswith("mine.toml")


def test_a_model_that_is_not_known_is_named_with_those_that_are() -> None:
    with pytest.raises(StopRun, match=r"line \d+: steps.notes.model: no piano model .* transkun"):
        read(OWN + '\n[steps.notes]\nmodel = "transcun"\n')


def test_a_recipe_on_its_own_needs_everything() -> None:
    with pytest.raises(StopRun, match="pairs is missing"):
        read('name = "mine"')
    with pytest.raises(StopRun, match="steps is missing, a table"):
        read('name = "mine"\npairs = true\nsplits = { train = 1 }')
    with pytest.raises(StopRun, match="no step runs in a build"):
        read('name = "mine"\nschema = "symmv"\npairs = true\nsplits = { train = 1 }\n[steps]')


def test_bases_in_files_are_found_beside_the_recipe(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(OWN)
    (tmp_path / "b.toml").write_text('name = "b"\nbase = "a.toml"\nwithout = ["slow_motion"]\n')
    assert "slow_motion" not in [u.makes for u in datasets.recipe_in_file(tmp_path / "b.toml").uses]
    (tmp_path / "a.toml").write_text(OWN.replace('"symmv"', '"b.toml"'))
    with pytest.raises(StopRun, match="it is its own base"):
        datasets.recipe_in_file(tmp_path / "b.toml")
    with pytest.raises(StopRun, match="is not a file"):
        datasets.recipe_in_file(tmp_path / "c.toml")
    (tmp_path / "d.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(StopRun, match="UTF-8"):
        datasets.recipe_in_file(tmp_path / "d.toml")


def test_ways_of_a_dataset_keep_its_name() -> None:
    assert datasets.variant("symmv", "paper").name == "symmv"
    with pytest.raises(StopRun, match="`way` is 'x'; symmv can be made as paper or released"):
        datasets.variant("symmv", "x")
    with pytest.raises(StopRun, match="pop909 is made in one way only"):
        datasets.variant("pop909", "paper")


def test_a_line_is_that_of_the_key_or_of_the_table_around_it() -> None:
    assert line_of(OWN, ("steps", "slow_motion", "hop_s")) == 12
    assert line_of(OWN, ("steps", "slow_motion", "nothing")) == 9
    assert line_of(OWN, ("splits",)) == 0
    assert line_of("[ 'a' . b ]\nc.d = 1", ("a", "b", "c", "d")) == 2
    assert line_of("x = 1\n[step.motion]\n[step.key]", ("step",)) == 2


def test_every_step_of_the_package_is_found_by_its_name() -> None:
    assert {find_step(name).name for name in step_names()} == set(step_names())
    package = Path(datasets.__file__).parent.parent
    written = set()
    for file in package.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Step":
                name = node.args[0]
                if isinstance(name, ast.Constant):
                    written.add(name.value)
    assert written <= set(step_names())
    assert len(written) > 30


def test_no_setting_of_a_step_is_called_as_a_key_of_its_table() -> None:
    for name in step_names():
        assert not {"step", "model", "inputs", "when", "after", "columns"} & set(
            find_step(name).defaults
        )


def test_a_mistake_is_found_in_a_long_line_at_once() -> None:
    began = time.monotonic()
    with pytest.raises(StopRun, match="no such key"):
        read(OWN + '\n[other]\nzz = """\n[' + " " * 200_000 + '\n"""\n')
    assert time.monotonic() - began < 5


def test_only_a_file_is_a_recipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.toml")
    (tmp_path / "folder.toml").mkdir()
    for name in ("pipe.toml", "folder.toml", "a\0b.toml"):
        with pytest.raises(StopRun, match="is not a file"):
            datasets.recipe_in_file(tmp_path / name)
    (tmp_path / "midi.toml").write_text('name = "midi"\nbase = "symmv"\n')
    with pytest.raises(StopRun, match="line 1: name: midi is what an import is called"):
        datasets.recipe_in_file(tmp_path / "midi.toml")
    (tmp_path / "mark.toml").write_text("\ufeff" + OWN)
    assert datasets.recipe_in_file(tmp_path / "mark.toml").name == "mine"


ALONE = """
name = "alone"
pairs = false
splits = { train = 1 }

[steps.music_asset]
[steps.video_asset]
[steps.motion]
hop_s = 0.5
variant = "sampled"
[steps.slow]
step = "motion"
columns = { values = "slowness" }
[steps.loudness]
"""


def columns(recipe: Recipe) -> dict[str, Column]:
    return {column.name: column for column in recipe.columns}


def test_rows_hold_the_columns_of_the_steps_in_their_order() -> None:
    recipe = read(ALONE)
    assert [*columns(recipe)][-3:] == ["motion", "slowness", "loudness"]
    assert "video_frame_rate_hz" in columns(recipe)
    assert label_of(recipe) == "alone"
    some = read(ALONE.replace("pairs", 'columns = ["loudness", "motion"]\npairs'))
    assert [*columns(some)][-2:] == ["loudness", "motion"]


def test_a_column_says_what_its_settings_make_it() -> None:
    made = columns(read(ALONE))
    assert made["motion"].meaning == "mean absolute RGB difference over 0.5 s, at 2 Hz"
    assert made["slowness"].meaning == "mean absolute RGB difference of adjacent frames"
    assert made["slowness"].take == "slow.values"
    text = """name = "other"
base = "muvisync"
[steps.semantic]
model = "vit-b-32"
hop_s = 0.25
[steps.emotion]
model = "vit-b-32"
causal_window_s = 0
[steps.density]
variant = "onsets"
"""
    other = read(text)
    made = columns(other)
    assert made["semantic"].type == "list<float16[512]>"
    assert made["semantic"].meaning == "CLIP ViT-B/32 image embedding at 4 Hz"
    assert made["emotion"].meaning == "exciting fearful tense sad relaxing neutral, at 4 Hz"
    assert made["density"].meaning == "notes that begin in each second"
    # Another width is another column than the published one: the rows follow no schema.
    assert label_of(other) == "other"
    with pytest.raises(StopRun, match="line 3: schema: semantic is list<float16\\[512\\]> here"):
        read(text.replace("[steps.semantic]", 'schema = "muvisync"\n[steps.semantic]', 1))
    assert label_of(read(OWN)) == "symmv/v2"


def test_feelings_are_named_by_the_model_that_embedded_the_pictures() -> None:
    text = 'name = "mine"\nbase = "muvisync"\n[steps.semantic]\nmodel = "vit-l-14"\n'
    with pytest.raises(StopRun, match="semantic is by vit-l-14, and both have to be by the same"):
        read(text)
    read(f'{text}[steps.emotion]\nmodel = "vit-l-14"\n')


@pytest.mark.parametrize(
    ("change", "model"),
    [
        ('[steps.semantic]\ncolumns = { values = "looks" }', "untrained-768"),
        ('absent = ["semantic"]', "untrained-768"),
        ('columns = ["emotion"]', "untrained-768"),
        (
            '[steps.semantic]\nmodel = "vit-b-32"\ncolumns = { values = "looks" }\n'
            '[steps.emotion]\nmodel = "vit-b-32"',
            "untrained-512",
        ),
    ],
)
def test_the_untrained_model_is_as_wide_as_the_one_that_it_replaces(
    change: str, model: str
) -> None:
    recipe = read(f'name = "mine"\nbase = "muvisync"\n{change}\n')
    changed = with_models(recipe, {"clip": "untrained"})
    [semantic] = [use for use in changed.uses if use.makes == "semantic"]
    assert semantic.model == model
    assert columns(changed).keys() == columns(recipe).keys()
    assert [c.type for c in changed.columns] == [c.type for c in recipe.columns]
    with pytest.raises(StopRun, match="no scenes model is called 'untrained'"):
        with_models(recipe, {"scenes": "untrained"})


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('"slowness"', '"motion"', "line 13: steps.slow.columns.values: its column motion is call"),
        ('"slowness"', '"Slow"', "line 13: steps.slow.columns.values: 'Slow' should be a-z"),
        ('{ values = "slowness" }', '"x"', "line 13: steps.slow.columns: 'x' should be a table"),
        (
            "values =",
            "value =",
            "line 13: steps.slow.columns.value: slow has no field of that name",
        ),
        ("pairs", 'columns = ["x"]\npairs', "line 3: columns: no step makes 'x'"),
        ("pairs", 'columns = ["slow", "slow"]\npairs', "line 3: columns: a result is named twice"),
        ("pairs", 'columns = ["music_asset"]\npairs', "columns: music_asset has no columns"),
        ('"slowness"', '"title"', "steps.slow.columns.values: its column title is called as one"),
    ],
)
def test_a_mistake_about_columns_is_named(before: str, after: str, said: str) -> None:
    with pytest.raises(StopRun) as caught:
        read(ALONE.replace(before, after, 1))
    assert said in str(caught.value)


def test_columns_survive_being_written() -> None:
    for recipe in (read(ALONE), read(ALONE.replace("pairs", 'columns = ["slow"]\npairs'))):
        assert read(write_recipe(recipe)) == recipe
    one, other = read(ALONE), read(ALONE.replace("slowness", "pace"))
    assert differences(one, other) == ["slow.column values: slowness -> pace"]
    other = read(ALONE.replace("pairs", 'columns = ["loudness", "motion", "slow"]\npairs'))
    assert differences(one, other) == ["columns: motion, slow, loudness -> loudness, motion, slow"]


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        (
            '[steps.density]\ninputs = { notes = "chords" }',
            "steps.density.inputs.notes: chords is Chords; notes is to be Notes",
        ),
        (
            '[steps.emotion]\nmodel = "vit-l-14-336"\ninputs = { semantic = "scenes" }',
            "steps.emotion.inputs.semantic: scenes is Scenes; semantic is to be FeatureTrack",
        ),
        (
            '[steps.loudness]\ninputs = { music = "music_asset" }',
            "steps.loudness.inputs.music: music_asset is Asset; music is to be a recording",
        ),
        (
            '[steps.density]\ninputs = { notes = "music" }',
            "steps.density.inputs.notes: music is a recording; notes is to be Notes",
        ),
        (
            '[steps.scene_offset]\ninputs = { scenes = "motion" }',
            "steps.scene_offset.inputs.scenes: motion is FeatureTrack; scenes is to be Scenes",
        ),
    ],
)
def test_a_step_is_given_what_it_can_read(steps: str, said: str) -> None:
    head = """
name = "mine"
pairs = false
splits = { train = 1 }
[steps.music_asset]
[steps.video_asset]
[steps.motion]
[steps.scenes]
[steps.chords]
"""
    with pytest.raises(StopRun) as caught:
        read(head + steps)
    line = 9 + 1 + steps.count("\n")
    assert str(caught.value) == f"mine.toml, line {line}: {said}"


def test_metadata_adds_what_is_known_without_recordings_and_survives_being_written() -> None:
    text = 'name = "mine"\nbase = "muvisync"\nmetadata = true\n'
    recipe = read(text)
    names = [column.name for column in recipe.columns]
    at = names.index("video_frame_rate_hz") + 1
    assert names[at : at + len(METADATA)] == [column.name for column in METADATA]
    assert read(write_recipe(recipe)) == recipe
    assert differences(read(text.replace("true", "false")), recipe) == ["metadata: False -> True"]
    with pytest.raises(StopRun, match="metadata"):
        read(text.replace("true", '"yes"'))


def test_a_row_says_what_the_site_said_and_what_nobody_knows() -> None:
    source = Source("youtube", "KFNEtO7fO9M")
    said = Listing(
        source, "A song", "A band", "UC1", categories=("Music",), view_count=7,
        uploaded="20200102", language="en", licence="Creative Commons Attribution licence",
    )  # fmt: skip
    song = SongInfo(isrc="US1", lyrics_url="https://x.test", identified_by="shazam")
    told = Entry("a", "mine", "a", source, source, song, said)
    row = assemble_row(METADATA, told, "train", {})
    assert [row[name] for name in ("identified_by", "isrc", "lyrics_url", "channel")] == [
        *("shazam", "US1", "https://x.test", "A band")
    ]
    assert (row["categories"], row["uploaded"], row["view_count"]) == (("Music",), "20200102", 7)
    assert (row["language"], row["is_creative_commons"]) == ("en", True)
    nothing = assemble_row(METADATA, Entry("b", "mine", "b", source, source), "train", {})
    assert (nothing["view_count"], nothing["is_creative_commons"]) == (-1, False)
    table = build_table(arrow_schema(METADATA, "mine"), [row, nothing])
    assert list(rows_of(table)) == [row, nothing]
