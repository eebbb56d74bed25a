"""The table [clips] of a recipe: what it gives, what it inherits, and how mistakes are named."""

import pytest

from symmv_builder import datasets
from symmv_builder.clips import Bars, Shots, Windows
from symmv_builder.datasets.recipe import ClipRules, Recipe
from symmv_builder.datasets.recipe_file import read_recipe
from symmv_builder.datasets.recipe_writer import differences, write_recipe
from symmv_builder.errors import RecipeError
from symmv_builder.schema import CLIP

HEAD = 'name = "mine"\nbase = "muvisync"\n'


def read(clips: str, head: str = HEAD, base: Recipe | None = None) -> Recipe:
    return read_recipe(head + clips, "mine.toml", lambda name: base or datasets.recipe(name))


def rules_of(clips: str, base: Recipe | None = None) -> ClipRules:
    rules = read(clips, base=base).clips
    assert rules is not None
    return rules


def test_the_three_ways_to_cut_and_what_they_leave_to_us() -> None:
    assert rules_of('[clips]\nby = "windows"\nlength_s = 10').cut == Windows(10.0, 10.0, 10.0)
    full = '[clips]\nby = "windows"\nlength_s = 10.0\nhop_s = 2.5\nleast_s = 4'
    assert rules_of(full).cut == Windows(10.0, 2.5, 4.0)
    shots = '[clips]\nby = "scenes"\nleast_s = 2\ngreatest_s = 30'
    assert rules_of(shots).cut == Shots(2.0, 30.0)
    assert rules_of('[clips]\nby = "beats"\nbars = 8', beats()).cut == Bars(8, 8)


def beats() -> Recipe:
    """MuVi-Sync with beats."""
    text = 'name = "b"\nbase = "muvisync"\n[steps.beats]\n[steps.grid]\nstep = "quantise"\n'
    return read_recipe(text, "b.toml", datasets.recipe)


def test_columns_of_clips_stand_behind_those_of_the_entry() -> None:
    names = [column.name for column in read('[clips]\nby = "windows"\nlength_s = 10').columns]
    at = names.index("clip_id")
    assert names[at - 1] == "video_frame_rate_hz"
    assert names[at : at + len(CLIP)] == [column.name for column in CLIP]
    assert "clip_id" not in [column.name for column in datasets.recipe("muvisync").columns]


SCREENED = """
[clips]
by = "windows"
length_s = 10.0
hop_s = 5.0
[clips.screens.screen_motion]
min_mean = 1.5
[clips.screens.not_silent]
step = "screen_loudness"
"""


def test_a_recipe_inherits_and_changes_the_table_of_its_base() -> None:
    base = read(SCREENED)
    assert read("", base=base).clips == base.clips
    assert read("clips = false", base=base).clips is None
    assert rules_of("[clips]\nhop_s = 3.0", base).cut == Windows(10.0, 3.0, 10.0)
    # Another length begins the lengths anew.
    assert rules_of("[clips]\nlength_s = 4.0", base).cut == Windows(4.0, 4.0, 4.0)
    other = rules_of('[clips]\nby = "scenes"\nleast_s = 1\ngreatest_s = 9', base)
    assert (other.cut, [use.makes for use in other.screens]) == (
        Shots(1.0, 9.0),
        ["screen_motion", "not_silent"],
    )
    changed = rules_of(
        '[clips]\nwithout = ["not_silent"]\n[clips.screens.screen_motion]\nmin_mean = 2', base
    )
    assert [dict(use.parameters) for use in changed.screens] == [{"min_mean": 2.0}]


def test_a_written_recipe_is_read_to_the_same() -> None:
    for recipe in (
        read(SCREENED),
        read('[clips]\nby = "scenes"\nleast_s = 2\ngreatest_s = 30'),
        read('[clips]\nby = "beats"\nbars = 8', base=beats()),
    ):
        text = write_recipe(recipe)
        assert read_recipe(text, "again.toml", datasets.recipe) == recipe
        assert "[clips]" in text


def test_differences_name_what_changed_in_the_cut() -> None:
    old, new = read(SCREENED), read(SCREENED.replace("5.0", "2.0").replace("1.5", "1.0"))
    hop, screen = differences(old, new)
    assert hop == "clips.hop_s: 5.0 -> 2.0"
    assert screen.startswith("clips.screens.screen_motion: ")
    assert differences(old, read("")) == ["rows are entries"]
    assert differences(read(""), old) == ["rows are clips"]


@pytest.mark.parametrize(
    ("clips", "line", "key", "problem"),
    [
        ("clips = true", 3, "clips", "a table"),
        ("[clips]\nlength_s = 10", 3, "clips", "by is missing"),
        ('[clips]\nby = "shots"', 4, "clips.by", "none of windows, scenes, beats"),
        ('[clips]\nby = "windows"', 3, "clips", "length_s is missing"),
        ('[clips]\nby = "windows"\nlength_s = "x"', 5, "clips.length_s", "a number of seconds"),
        ('[clips]\nby = "windows"\nlength_s = nan', 5, "clips.length_s", "between 0.1 and"),
        ('[clips]\nby = "windows"\nlength_s = 0', 5, "clips.length_s", "between 0.1 and"),
        ('[clips]\nby = "windows"\nlength_s = 9\nhop_s = 0.01', 6, "clips.hop_s", "between"),
        ('[clips]\nby = "windows"\nlength_s = 9\nleast_s = 10', 6, "clips.least_s", "longer than"),
        ('[clips]\nby = "windows"\nlength_s = 9\nbars = 2', 6, "clips.bars", "no such key"),
        ('[clips]\nby = "scenes"\nleast_s = 9\ngreatest_s = 8', 5, "clips.least_s", "longer than"),
        ('[clips]\nby = "beats"\nbars = 2.5', 5, "clips.bars", "a whole number"),
        ('[clips]\nby = "beats"\nbars = 0', 5, "clips.bars", "between 1 and"),
        ('[clips]\nby = "beats"\nbars = 2', 3, "clips", "cut by beats, which no step makes"),
        ('[clips]\nby = "windows"\nlength_s = 9\nclocks = "x"', 6, "clips.clocks", "none of"),
        ('[clips]\nby = "windows"\nlength_s = 9\nwithout = ["x"]', 6, "clips.without", "no screen"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_line_and_key(
    clips: str, line: int, key: str, problem: str
) -> None:
    with pytest.raises(RecipeError, match=problem) as caught:
        read(clips)
    assert (caught.value.line, caught.value.key) == (line, key)


@pytest.mark.parametrize(
    ("screen", "problem"),
    [
        ("[clips.screens.screen_notes]\nwhen = 'crawl'", "no such key"),
        ("[clips.screens.motion]", "the step motion is no screen of records"),
        ("[clips.screens.chords]", "is no screen of records"),
        ("[clips.screens.screen_piano]", "it reads piano_share, which no step makes in a build"),
        ("[clips.screens.screen_motion]\nmin_men = 1", "min_mean"),
        ("[clips.screens.nothing]", "nothing"),
        ("[clips.screens]\nscreen_motion = 1", "this is a table"),
        (
            "[clips.screens.screen_motion]\ninputs = { motion = 'scenes' }",
            "scenes is Scenes; motion is FeatureTrack",
        ),
        ("[clips.screens.screen_motion]\ninputs = { motion = 'video' }", "reads results"),
    ],
)
def test_what_is_no_screen_of_clips_is_refused(screen: str, problem: str) -> None:
    with pytest.raises(RecipeError, match=problem) as caught:
        read(f'[clips]\nby = "windows"\nlength_s = 10\n{screen}')
    assert caught.value.line >= 3
    assert caught.value.key.startswith("clips.screens")


def test_pairs_need_an_alignment_that_a_build_makes_or_begin_together() -> None:
    head, table = 'name = "mine"\nbase = "symmv"\n', '[clips]\nby = "windows"\nlength_s = 10\n'
    with pytest.raises(RecipeError, match=r'alignment.*with when = "always", or say clocks'):
        read(table, head)
    aligned = read(f'{table}[steps.alignment]\nwhen = "always"', head)
    assert aligned.is_cut_by_alignment
    assert "alignment" in aligned.clip_inputs
    together = read(f'{table}clocks = "together"', head)
    assert not together.is_cut_by_alignment
    assert together.clip_inputs == ("video_asset",)
    # One recording has one clock.
    assert read(table).clip_inputs == ("video_asset",)


def test_rows_are_found_by_the_columns_of_their_clips() -> None:
    with pytest.raises(RecipeError, match="rows are found by clip_id"):
        read('absent = ["clip_id"]\n[clips]\nby = "windows"\nlength_s = 10')
