"""Motion to tempo, tempo to bins, steps to seconds."""

import numpy as np
import pytest

from symmv_builder.training.vmusprod import tempo


def test_the_calmest_video_is_slowest_and_the_liveliest_fastest() -> None:
    corpus = tempo.MotionRange.of([3.0, 11.0, 5.0])
    assert [corpus.tempo_bpm(mean) for mean in (3.0, 5.0, 11.0)] == [90.0, 100.0, 130.0]


def test_motion_that_the_corpus_never_reached_is_cut() -> None:
    corpus = tempo.MotionRange(3.0, 11.0)
    assert (corpus.tempo_bpm(0.0), corpus.tempo_bpm(200.0)) == (90.0, 130.0)


def test_a_corpus_of_one_motion_gives_the_middle() -> None:
    assert tempo.MotionRange.of([4.0]).tempo_bpm(4.0) == 110.0


def test_the_zero_before_the_first_difference_is_no_motion() -> None:
    assert tempo.mean_motion(np.array([0, 4, 8], dtype=np.float32)) == 6.0
    assert tempo.mean_motion(np.array([0], dtype=np.float32)) == 0.0


def test_tempo_bins_rise_from_one_and_hold_what_lies_beyond() -> None:
    bins = tempo.tempo_bin(np.array([10.0, 40.0, 90.0, 130.0, 207.9, 400.0]))
    assert bins[0] == bins[1] == 1
    assert bins[-1] == bins[-2] == tempo.BINS
    assert (np.diff(bins) >= 0).all()
    assert bins[3] - bins[2] >= 7


def test_timing_goes_from_nought_to_under_a_hundred_and_one() -> None:
    timing = tempo.timing_of(
        np.array([0, 1, 3]), np.array([0, 8, 15]), steps_per_bar=16, total_bars=4
    )
    assert timing.tolist() == [0, 37, 98]
    # Of 64 sixteenths 24 are 37.5 hundredths and 63 are 98.4.
    timing = tempo.timing_of(
        np.array([0, 1, 3]), np.array([0, 8, 15]), steps_per_bar=16, total_bars=4, rounding="round"
    )
    assert timing.tolist() == [0, 38, 98]


def test_drawn_tempos_follow_the_corpus() -> None:
    quantiles = tempo.quantiles_of([60.0] * 30 + [120.0] * 70)
    rng = np.random.default_rng(0)
    drawn = np.array([tempo.draw_tempo(quantiles, rng) for _ in range(2000)])
    assert (drawn < 90).mean() == pytest.approx(0.3, abs=0.03)
    assert drawn.min() >= 60
    assert drawn.max() <= 120


def test_a_sixteenth_at_120_lasts_an_eighth_of_a_second() -> None:
    assert tempo.steady(120.0)(np.array([0, 1, 16])).tolist() == [0.0, 0.125, 2.0]


def test_steps_follow_the_tracked_beats_and_go_on_past_them() -> None:
    seconds = tempo.along(np.array([1.0, 1.5, 2.5, 3.5]), np.array([-1, 0, 2, 3]))
    steps = np.array([0, 2, 4, 6, 8, 10, 12, 16, 20])
    assert seconds(steps) == pytest.approx([0.5, 0.75, 1.0, 1.25, 2.5, 3.0, 3.5, 4.5, 5.5])
