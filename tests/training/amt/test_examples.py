"""Rows as the model reads them: what begins, what ends, what is cut."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from symmv_builder.errors import StopRun
from symmv_builder.training.amt.config import PRESETS, AmtConfig
from symmv_builder.training.amt.examples import PADDING, Example, columns_of, prepare
from symmv_builder.training.amt.losses import NO_EMOTION
from symmv_builder.training.amt.vocabulary import END, PAD, START
from symmv_builder.training.padding import stack
from symmv_builder.training.usable import UnusableRow
from symmv_builder.vocab import muvisync_id
from tests.training.amt.amt_rows import amt_row

PAPER = PRESETS["paper"]


def example(row: dict[str, Any], config: AmtConfig = PAPER) -> Example:
    made = prepare(row, config)
    return made


def numbers(row: dict[str, Any]) -> list[int]:
    return [muvisync_id(label) for label in row["normalised_chords_labels"]]


def test_the_chord_of_each_second_is_told_from_those_before_it() -> None:
    row = amt_row(0, 7)
    made = example(row)
    chords = numbers(row)
    assert made["inputs"].tolist() == [START, *chords]
    assert made["targets"].tolist() == [*chords, END]
    assert made["video"].shape == (7, 16)
    assert made["video"].dtype == np.float32
    assert made["key"] == 1


@pytest.mark.parametrize("seconds", [298, 299, 300, 301, 640])
@pytest.mark.parametrize("start", ["symbol", "first_chord"])
def test_a_song_of_any_length_about_300_works(seconds: int, start: str) -> None:
    row = amt_row(2, seconds)
    made = example(row, replace(PAPER, start=start))  # type: ignore[arg-type]
    given = 1 if start == "symbol" else 0
    length = min(seconds + given, 300)
    assert [len(made[n]) for n in ("inputs", "targets", "emotions")] == [length] * 3
    assert len(made["video"]) == min(seconds, 300)
    assert (made["targets"][-1] == END) == (seconds + given <= 300)
    assert END not in made["targets"][:-1]


@pytest.mark.parametrize("start", ["symbol", "first_chord"])
@pytest.mark.parametrize("crop", ["start", "random"])
def test_end_never_is_an_input_and_start_never_a_target(start: str, crop: str) -> None:
    config = replace(PAPER, length=20, start=start, crop=crop)  # type: ignore[arg-type]
    rng = np.random.default_rng(0)
    songs = [prepare(amt_row(n, 2 + n % 30), config, rng) for n in range(60)]
    batch = stack([song for song in songs if song], PADDING)
    assert END not in batch["inputs"]
    assert START not in batch["targets"]
    assert START not in batch["inputs"][:, 1:]
    assert ((batch["inputs"] == PAD) == ~batch["inputs_mask"]).all()
    assert ((batch["targets"] == PAD) == ~batch["targets_mask"]).all()
    assert (batch["emotions"][~batch["emotions_mask"]] == NO_EMOTION).all()


def test_chords_and_video_are_cut_to_the_same_length() -> None:
    longer = amt_row(4, 9, extra_video_s=3)
    assert len(example(longer)["video"]) == 9
    shorter = amt_row(4, 9)
    for name in ("semantic", "emotion", "motion", "scene_offset"):
        shorter[name] = shorter[name][:6]
    made = example(shorter)
    assert len(made["video"]) == 6
    assert made["targets"].tolist() == [*numbers(shorter)[:6], END]


def test_a_stretch_out_of_the_middle_begins_with_the_chord_before_it() -> None:
    config = replace(PAPER, length=10, crop="random")
    row = amt_row(3, 40)
    row["emotion"] = np.eye(6, dtype=np.float32)[np.arange(40) % 5]
    chords = numbers(row)
    whole = example(row, replace(PAPER, length=300))["video"]
    seen = set()
    for seed in range(60):
        made = prepare(row, config, np.random.default_rng(seed))
        assert made is not None
        first = next(at for at in range(40) if np.array_equal(made["video"][0], whole[at]))
        seen.add(first)
        expected = [*chords, END][first : first + 10]
        assert made["targets"].tolist() == expected
        assert made["inputs"].tolist() == [START, *chords][first : first + 10]
        felt = [second % 5 for second in range(first, min(first + 10, 40))]
        assert made["emotions"].tolist() == [*felt, NO_EMOTION][:10]
        assert np.array_equal(made["video"], whole[first : first + 10])
    # From the first chord to the one whose stretch ends with the song.
    assert {0, 31} < seen <= set(range(32))


def test_the_strongest_of_five_feelings_counts_unless_the_code_s_six_are_asked_for() -> None:
    row = amt_row(0, 2)
    row["emotion"] = np.array([[0.1, 0.2, 0, 0, 0.05, 0.65], [0, 0, 0.9, 0.1, 0, 0]], np.float32)
    assert example(row)["emotions"].tolist() == [1, 2, NO_EMOTION]
    released = replace(PAPER, emotions="released")
    assert example(row, released)["emotions"].tolist() == [5, 2, NO_EMOTION]


def test_feelings_belong_to_the_second_whose_chord_is_told() -> None:
    row = amt_row(0, 4)
    row["emotion"] = np.eye(6, dtype=np.float32)[[3, 1, 0, 4]]
    assert example(row)["emotions"].tolist() == [3, 1, 0, 4, NO_EMOTION]
    given = replace(PAPER, start="first_chord")
    assert example(row, given)["emotions"].tolist() == [1, 0, 4, NO_EMOTION]


def test_minor_is_zero_as_in_the_paper_and_one_as_in_its_code() -> None:
    minor = amt_row(1, 3)
    assert minor["key_mode"] == "minor"
    assert example(minor)["key"] == 0
    assert example(minor, replace(PAPER, key_flag="released"))["key"] == 1


def test_a_model_of_chords_alone_needs_no_video() -> None:
    config = replace(PAPER, model="music_transformer")
    row = amt_row(0, 5)
    for name in ("semantic", "motion", "scene_offset", "emotion"):
        del row[name]
    made = example(row, config)
    assert set(made) == {"inputs", "targets", "emotions", "key"}
    assert made["emotions"].tolist() == [NO_EMOTION] * 6
    needed, optional = columns_of(config)
    assert needed == ("normalised_chords_labels", "key_mode")
    assert "emotion" in optional
    with pytest.raises(StopRun, match="column"):
        prepare(row, PAPER)


def test_a_row_without_a_second_is_left_out() -> None:
    row = amt_row(0, 3)
    row["normalised_chords_labels"] = ()
    with pytest.raises(UnusableRow, match="0 seconds"):
        prepare(row, PAPER)
    one = amt_row(0, 1)
    with pytest.raises(UnusableRow, match="1 seconds"):
        prepare(one, replace(PAPER, start="first_chord"))


def test_a_label_outside_the_vocabulary_makes_a_row_unusable() -> None:
    row = amt_row(0, 2) | {"normalised_chords_labels": ("C", "C:maj9")}
    with pytest.raises(UnusableRow, match="'C:maj9' is no label of MuVi-Sync"):
        prepare(row, PAPER)
