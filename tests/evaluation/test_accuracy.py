"""Scores of single songs, on values that were counted by hand."""

import math

import numpy as np
import pytest

from symmv_builder.evaluation.accuracy import TASKS, score_song
from symmv_builder.evaluation.differences import holm
from symmv_builder.evaluation.significance import compare_paired, confidence_interval
from symmv_builder.records import Beats, Chords, Key, Notes


def notes(*rows: tuple[float, float, int]) -> Notes:
    table = np.array(sorted(rows), dtype=np.float64).reshape(-1, 3)
    pitches = table[:, 2].astype(np.int64)
    return Notes(table[:, 0], table[:, 1], pitches, np.full(len(table), 64))


def beats(times: list[float], bar: int = 4) -> Beats:
    return Beats(np.array(times), np.arange(len(times)) % bar + 1)


def chords(*rows: tuple[float, float, str]) -> Chords:
    return Chords(
        np.array([r[0] for r in rows]), np.array([r[1] for r in rows]), tuple(r[2] for r in rows)
    )


def test_notes_count_by_onset_and_by_offset_within_two_tolerances() -> None:
    reference = notes((0, 1, 60), (1, 2, 62), (2, 3, 64), (3, 4, 65))
    # Right; 80 ms late; right but half as long; wrong pitch.
    estimate = notes((0, 1, 60), (1.08, 2, 62), (2, 2.5, 64), (3, 4, 66))
    scores = score_song("transcription", estimate, reference)
    assert scores == pytest.approx(
        {
            "onset_f1_50ms": 2 / 4,
            "onset_f1_100ms": 3 / 4,
            "offset_f1_50ms": 1 / 4,
            "offset_f1_100ms": 2 / 4,
        }
    )


def test_melody_has_precision_and_recall() -> None:
    reference = notes((0, 1, 60), (1, 2, 62))
    estimate = notes((0, 1, 60), (1, 2, 62), (1, 2, 50), (1.5, 2, 50))
    scores = score_song("melody", estimate, reference)
    assert scores == pytest.approx({"note_precision": 0.5, "note_recall": 1, "note_f1": 2 / 3})


def test_notes_of_no_length_are_measured() -> None:
    assert score_song("melody", notes((1, 1, 60)), notes((1, 1, 60)))["note_f1"] == 1


def test_beats_are_measured_at_three_levels() -> None:
    times = [0.5 * i for i in range(16)]
    reference = beats(times)
    same = score_song("beats", beats(times), reference)
    assert same["beat_f"] == same["downbeat_f"] == same["cmlt"] == same["amlt"] == 1
    # Beats twice as fast: the reference's are half of them, P = 16 / 31.
    double = score_song("beats", beats([0.25 * i for i in range(31)]), reference)
    assert double["beat_f"] == pytest.approx(2 * 16 / (16 + 31))
    assert double["beat_f_double"] == double["beat_f_best"] == 1
    assert double["cmlt"] == 0
    assert double["amlt"] == 1
    # Every second beat, beginning with the second.
    half = score_song("beats", beats(times[1::2]), reference)
    assert half["beat_f"] == pytest.approx(2 * 8 / (8 + 16))
    assert half["beat_f_half"] == half["beat_f_best"] == 1


def test_downbeats_are_left_out_where_none_are_annotated() -> None:
    reference = Beats(np.array([0.0, 1.0, 2.0]), np.array([0, 0, 0]))
    scores = score_song("beats", beats([0.0, 1.0, 2.0]), reference)
    assert not [name for name in scores if name.startswith("downbeat")]


def test_chords_count_by_time_in_four_comparisons() -> None:
    reference = chords((0, 4, "C:maj7"), (4, 8, "A:min7"), (8, 9, "N"), (9, 10, "D:min"))
    # Right; the seventh is missing; a gap is no chord; the third is wrong.
    estimate = chords((0, 4, "C:maj7"), (4, 8, "A:min"), (9, 10, "D:maj"))
    scores = score_song("chords", estimate, reference)
    assert scores == pytest.approx({"root": 1.0, "majmin": 0.9, "thirds": 0.9, "sevenths": 0.5})


def test_a_comparison_leaves_out_what_it_does_not_look_at() -> None:
    reference = chords((0, 1, "C:sus4"), (1, 2, "C:maj"))
    scores = score_song("chords", chords((0, 2, "C:maj")), reference)
    assert scores["majmin"] == 1
    assert "majmin" not in score_song("chords", reference, chords((0, 1, "C:sus4")))


@pytest.mark.parametrize(
    ("estimate", "score"),
    [("E-", 1.0), ("B-", 0.5), ("A-", 0.0), ("F", 0.0)],
)
def test_keys_a_fifth_above_count_half(estimate: str, score: float) -> None:
    scores = score_song("key", Key(estimate, "major", 0.0), Key("D#", "major", 0.0))
    assert scores == {"weighted_key": score, "exact_key": float(score == 1)}


def test_relative_and_parallel_keys_count_a_little() -> None:
    reference = Key("C", "major", 0.0)
    assert score_song("key", Key("A", "minor", 0.0), reference)["weighted_key"] == 0.3
    assert score_song("key", Key("C", "minor", 0.0), reference)["weighted_key"] == 0.2


EMPTY = {
    "transcription": notes(),
    "melody": notes(),
    "beats": Beats(np.array([]), np.array([])),
    "chords": chords(),
}
FULL = {
    "transcription": notes((0, 1, 60)),
    "melody": notes((0, 1, 60)),
    "beats": beats([0.0, 1.0, 2.0]),
    "chords": chords((0, 1, "C:maj")),
}


@pytest.mark.parametrize("task", EMPTY)
def test_an_empty_estimate_scores_nothing_and_an_empty_reference_cannot_be_met(task: str) -> None:
    assert set(score_song(task, EMPTY[task], FULL[task]).values()) == {0}
    with pytest.raises(ValueError, match="the reference has"):
        score_song(task, FULL[task], EMPTY[task])


def test_every_task_is_tried_here() -> None:
    assert {*EMPTY, "key"} == set(TASKS)


def test_a_label_that_is_no_chord_is_an_error_of_one_line() -> None:
    with pytest.raises(ValueError, match="H:strange") as caught:
        score_song("chords", chords((0, 1, "H:strange")), FULL["chords"])
    assert "\n" not in str(caught.value)


def test_the_interval_is_the_bootstraps() -> None:
    # With two songs a resample has mean 0, .5 or 1 with chances 1/4, 1/2, 1/4.
    assert confidence_interval([0.0, 1.0]) == (0.0, 1.0)
    assert confidence_interval([0.0, 1.0], level=0.4) == (0.5, 0.5)
    assert all(map(math.isnan, confidence_interval([0.7])))
    values = np.random.default_rng(1).normal(0.5, 0.1, 400)
    low, high = confidence_interval(values)
    # The mean's standard error is .1 / 20.
    assert low == pytest.approx(values.mean() - 1.96 * values.std() / 20, abs=1e-3)
    assert high == pytest.approx(values.mean() + 1.96 * values.std() / 20, abs=1e-3)
    assert confidence_interval(values) == (low, high)
    assert confidence_interval(values, seed=1) != (low, high)
    with pytest.raises(ValueError, match="one song"):
        confidence_interval([])


def test_the_signed_rank_test_is_wilcoxons() -> None:
    # Six songs, all better: of 64 signs two are as extreme, p = 2 / 64.
    a, b = [0.5, 0.6, 0.7, 0.8, 0.9, 1.0], [0.41, 0.52, 0.63, 0.74, 0.85, 0.96]
    found = compare_paired(a, b)
    assert (found.songs, found.statistic) == (6, 0)
    assert found.p == pytest.approx(2 / 64)
    assert found.difference == pytest.approx(found.mean_a - found.mean_b)
    assert found.low <= found.difference <= found.high
    assert compare_paired(b, a).p == pytest.approx(2 / 64)


def test_equal_results_do_not_differ() -> None:
    found = compare_paired([0.5, 0.6], [0.5, 0.6])
    assert (found.difference, found.statistic, found.p) == (0, 0, 1)
    alone = compare_paired([0.5], [0.6])
    assert all(map(math.isnan, (alone.low, alone.high, alone.p)))
    assert holm([0.02, math.nan, 0.01])[::2] == [0.02, 0.02]
    assert math.isnan(holm([0.02, math.nan, 0.01])[1])
    with pytest.raises(ValueError, match="same songs"):
        compare_paired([1.0], [1.0, 2.0])
