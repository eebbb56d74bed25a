"""Imports that are cut into clips: by what a release itself says of times, or one line that says
why not."""

import json
from pathlib import Path

import numpy as np
import pytest

import symmv_builder as sb
from symmv_builder.backends.midi import midi_bytes
from symmv_builder.datasets import recipe_in_file
from symmv_builder.datasets.export import export
from symmv_builder.errors import RecipeError
from tests.datasets.imports.small_releases import (
    Call,
    Read,
    WriteDataset,
    notes,
    splits_of,
    write_pop909,
)
from tests.synthetic_rows import make_row

WINDOWS = '[clips]\nby = "windows"\nlength_s = 2.0\n'
BARS = '[clips]\nby = "beats"\nbars = 1\n'


def recipe_file(folder: Path, base: str, clips: str, name: str = "cut") -> Path:
    path = folder / f"{name}.toml"
    path.write_text(f'name = "{name}"\nbase = "{base}"\n{clips}')
    return path


def test_songs_of_pop909_are_cut_into_bars_by_their_published_beats(
    tmp_path: Path, call: Call, read: Read
) -> None:
    for number in ("001", "002"):
        write_pop909(tmp_path / "POP909", number)
    bars, root = recipe_file(tmp_path, "pop909", BARS), tmp_path / "root"
    code, said, wrong = call("import", bars, tmp_path / "POP909", "--root", root, "--workers", 1)
    assert (code, "left out" in wrong) == (0, False)
    assert "4 clips of 2 entries, cut by beats, 1 bars, one every 1" in said
    receipt, rows = read(root, "cut")
    assert (receipt["schema"], receipt["entries"]) == ("symmv/v2", 2)
    # The first downbeat is at 1.5 s, the last note ends at 6.5 s, in the third bar.
    starts = {(row["entry_id"], row["clip_start_s"], row["clip_end_s"]) for row in rows}
    assert starts == {(n, s, s + 2) for n in ("001", "002") for s in (1.5, 3.5)}
    for row in rows:
        assert row["beats_positions"].tolist() == [1, 2, 3, 4]
        assert row["beats_times_s"].tolist() == [0.0, 0.5, 1.0, 1.5]
        # Notes that begin in the bar, of all three tracks, counted from its start.
        onsets = [0.5 + 0.5 * n for n in range(12)] * 2 + [1.0, 1.5]
        inside = sorted(t - row["clip_start_s"] for t in onsets if 0 <= t - row["clip_start_s"] < 2)
        np.testing.assert_allclose(row["notes_starts_s"], inside, atol=2e-3)
        assert row["parts_onset_steps"].min() == 0
        # The key of the song is that of its clips.
        assert (row["key_tonic"], row["key_mode"]) == ("E-", "minor")
    # Clips of one song stand in one split.
    assert {(row["song_id"], row["split"]) for row in rows} == set(splits_of(root, "cut").items())


def test_every_door_knows_the_clips_of_an_import(tmp_path: Path, call: Call, read: Read) -> None:
    write_pop909(tmp_path / "POP909", "001")
    windows, root = recipe_file(tmp_path, "pop909", WINDOWS), tmp_path / "root"
    assert call("import", windows, tmp_path / "POP909", "--root", root, "--workers", 1)[0] == 0
    assert "3 clips of 1 entry" in call("status", "cut", "--root", root)[1]
    assert "001@00002000ms (cut), song 001" in call("show", "001@2", "--root", root)[1]
    assert "made: 2 to 4 s" in call("why", "001@2", "--root", root)[1]
    dataset = sb.open_dataset("cut", root=root)
    assert dataset.is_imported
    assert dataset["001@2"].beats.times_s.tolist() == [0.0, 0.5, 1.0, 1.5]
    split = splits_of(root, "cut")["001"]
    names = [row["clip_id"] for row in dataset.rows(split, ["entry_id", "notes_pitches"])]
    assert names == [f"001@0000{n}000ms" for n in (0, 2, 4)]
    # The licence is that of the release.
    call("release", "cut", "1.0.0", "--root", root)
    card = (root / "releases" / "cut" / "1.0.0" / "README.md").read_text()
    assert "MIT" in card
    # What was remembered is read again, and another cut by the same file runs no stage.
    assert call("build", "cut", "--root", root)[0] == 0
    windows.write_text(windows.read_text().replace("2.0", "3.0"))
    code, said, _ = call("build", windows, "--root", root)
    assert (code, "2 clips of 1 entry, cut by windows of 3 s" in said) == (0, True)
    assert call("takedown", "cut", "001@0", "--reason", "asked", "--root", root)[0] == 0
    assert not (dataset.rows(split) if read(root, "cut")[1] else ())


def test_a_folder_of_midi_files_is_cut_with_the_choice_of_its_beats(
    tmp_path: Path, call: Call, read: Read
) -> None:
    (tmp_path / "songs").mkdir()
    tune = notes([60, 64, 67, 72, 62, 65, 69, 74] * 4)
    (tmp_path / "songs" / "a.mid").write_bytes(midi_bytes({"piano": tune}))
    bars, root = recipe_file(tmp_path, "midi", BARS), tmp_path / "root"
    words = ("import", bars, tmp_path / "songs", "--beats", "file", "--root", root)
    assert call(*words, "--workers", 1)[0] == 0
    assert json.loads((root / "cut" / "import.json").read_text()) == {"beats": "file"}
    _, rows = read(root, "cut")
    assert len(rows) == 8
    assert {len(row["beats_times_s"]) for row in rows} == {4}
    # A build by the file goes on by the choice that was made.
    code, said, _ = call("build", bars, "--root", root)
    assert (code, "up to date" in said) == (0, True)


def test_songs_without_a_recording_last_as_long_as_their_tracks(
    write_dataset: WriteDataset, tmp_path: Path, call: Call, read: Read
) -> None:
    rows = [make_row("muvisync", n, seconds=12, split="train") for n in range(2)]
    export(write_dataset("muvisync", rows), "muvisync", tmp_path / "tree")
    windows, root = recipe_file(tmp_path, "muvi-sync", WINDOWS), tmp_path / "root"
    code, _, wrong = call("import", windows, tmp_path / "tree", "--root", root, "--workers", 1)
    assert (code, wrong) == (0, wrong)
    receipt, clips = read(root, "cut")
    assert receipt["clips"]["duration_of"] == "density"
    assert len(clips) == 2 * 6
    whole = {row["entry_id"]: row for row in rows}
    for clip in clips:
        start, end = int(clip["clip_start_s"]), int(clip["clip_end_s"])
        song = whole[clip["entry_id"]]
        for name in ("semantic", "density", "chords_labels"):
            assert np.array_equal(clip[name], song[name][start:end]), name


@pytest.mark.parametrize(
    ("base", "clips", "message"),
    [
        ("musiccaps", WINDOWS, "line 3: clips: an import of musiccaps makes labels: nothing of it"),
        ("youtube-8m", WINDOWS, "an import of youtube-8m makes labels: nothing of it has a time"),
        (
            "symmv-release",
            '[clips]\nby = "scenes"\nleast_s = 2\ngreatest_s = 9\nclocks = "together"\n',
            "line 3: clips: clips would be cut by scenes, which an import of symmv-release",
        ),
        ("symmv-release", WINDOWS, 'or say clocks = "together"'),
        ("bgm909", WINDOWS, 'or say clocks = "together"'),
        (
            "pop909",
            WINDOWS + 'duration_of = "chords"\n',
            "line 6: clips.duration_of: chords is Chords, and no recording or track",
        ),
        ("pop909", WINDOWS + 'duration_of = "film"\n', "which no step makes in a build"),
    ],
)
def test_what_has_no_time_line_is_refused_at_the_line_of_the_recipe(
    base: str, clips: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(RecipeError) as error:
        recipe_in_file(recipe_file(tmp_path, base, clips))
    assert message in str(error.value)


def test_music_and_video_that_begin_together_are_cut_by_the_music(tmp_path: Path) -> None:
    together = recipe_file(tmp_path, "symmv-release", WINDOWS + 'clocks = "together"\n')
    recipe = recipe_in_file(together)
    assert (recipe.release, recipe.schema) == ("symmv-release", "symmv")
    assert recipe.clip_inputs == ("music_asset",)


def test_a_recipe_of_an_import_takes_no_strangers_and_no_name_of_an_import(
    tmp_path: Path, call: Call
) -> None:
    windows, root = recipe_file(tmp_path, "pop909", WINDOWS), tmp_path / "root"
    code, _, wrong = call("build", windows, "--root", root)
    assert (code, "symmv import RECIPE.toml PATH" in wrong) == (2, True)
    assert not root.exists()
    for name in ("pop909", "midi"):
        with pytest.raises(RecipeError, match=f"{name} is what an import is called"):
            recipe_in_file(recipe_file(tmp_path, "pop909", WINDOWS, name))
    own = tmp_path / "own.toml"
    own.write_text('name = "own"\nbase = "muvisync"\n')
    code, _, wrong = call("import", own, tmp_path, "--root", root)
    assert (code, "entries are those of no import" in wrong) == (2, True)
    windows.write_text('release = "nothing"\n' + windows.read_text())
    with pytest.raises(RecipeError, match="line 1: release: no import is called 'nothing'"):
        recipe_in_file(windows)
