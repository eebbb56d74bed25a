"""What a video asks, against a computation of its own."""

from pathlib import Path

import numpy as np
import pytest

from symmv_builder.backends import ModelHome, load
from symmv_builder.training.cmt.control import (
    USUAL_FLOW,
    USUAL_SALIENCE,
    bar_means,
    control_of,
    levels,
    video_in,
    video_quantiles,
)
from symmv_builder.training.usable import UnusableRow
from symmv_builder.video import directogram, flow_magnitude, frames, visual_beats
from tests.video.moving import film

# A corpus whose bars have 2 to 6 onsets, and whose simu-notes have 1 to 3 notes.
DENSITIES = [0, 0, 10, 20, 40, 20, 10, *[0] * 10]
STRENGTHS = [50, 30, 20, *[0] * 17]
ABOUT = {
    "densities": DENSITIES,
    "strengths": STRENGTHS,
    "flow_quantiles": np.linspace(0, 1, 101).tolist(),
    "salience_quantiles": np.linspace(0, 1, 101).tolist(),
}


def level_by_hand(value: float, counts: list[int], quantiles: list[float]) -> int:
    """The least level whose share of the music is above the share of videos below the value."""
    below = float(np.interp(value, quantiles, np.linspace(0, 1, len(quantiles))))
    gone = 0
    for level, count in enumerate(counts):
        gone += count
        if gone / sum(counts) > below + 1e-12:
            return level
    return max(level for level, count in enumerate(counts) if count)


def test_a_level_has_the_rank_of_its_value() -> None:
    values = np.random.default_rng(1).random(200)
    quantiles = np.linspace(0, 1, 101).tolist()
    for counts in (DENSITIES, STRENGTHS):
        found = levels(values, counts, quantiles)
        wanted = [level_by_hand(value, counts, quantiles) for value in values.tolist()]
        assert found.tolist() == wanted
    # Values like those of the corpus ask for levels as often as the corpus has them.
    spread = levels(np.linspace(0, 1, 1000, endpoint=False), DENSITIES, quantiles)
    assert np.bincount(spread, minlength=17).tolist() == [10 * count for count in DENSITIES]


def test_what_a_made_film_asks_is_what_is_found_by_hand(tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    path = film(tmp_path / "v.mp4", 6.0, 0.5)
    model = load("flow", "farneback", ModelHome())
    [seen] = frames.watch(path, [directogram.watch_directogram(model=model)])
    flow = flow_magnitude.mean_flow(seen).values[:, 0].astype(np.float64)
    beats = visual_beats.find_visual_beats(seen)
    row = {
        "flow_magnitude": flow,
        "visual_beats_times_s": beats.times_s,
        "visual_beats_strengths": beats.strengths,
    }
    bars = 4
    found = control_of(row, bars, 120.0, ABOUT)
    # A bar lasts two seconds, so that it is ten values of flow; the fourth is behind the film.
    means = [float(flow[start : start + 10].mean()) for start in range(0, 30, 10)]
    wanted = [level_by_hand(mean, DENSITIES, ABOUT["flow_quantiles"]) for mean in means]
    assert found.densities.tolist() == [*wanted, -1]
    asked = dict(zip(beats.times_s.tolist(), beats.strengths.tolist(), strict=True))
    strengths = [0] * (16 * bars)
    for time_s, salience in asked.items():
        step = int(time_s * 8 + 0.5)
        level = 1 + level_by_hand(salience, STRENGTHS, ABOUT["salience_quantiles"])
        strengths[step] = max(strengths[step], level)
    assert found.strengths.tolist() == strengths
    # The film stops on each beat of 120 to the minute: on every fourth 16th.
    assert np.flatnonzero(found.strengths).tolist() == list(range(4, 48, 4))


def test_columns_that_say_nothing_are_refused() -> None:
    row = {"flow_magnitude": [0.1, float("nan")]}
    with pytest.raises(UnusableRow, match="flow_magnitude holds values that are not finite"):
        video_in(row)
    with pytest.raises(UnusableRow, match="1 of its 2 visual beats"):
        video_in({"visual_beats_times_s": [1.0, 2.0], "visual_beats_strengths": [0.5]})
    assert video_in({"pitch": 3}) == {}


def test_a_video_without_columns_asks_nothing() -> None:
    free = control_of({}, 3, 100.0, ABOUT)
    assert free.densities.tolist() == [-1] * 3
    assert not free.strengths.any()


@pytest.mark.parametrize("bar_s", [2.0, 1.7, 0.3])
def test_the_flow_of_a_bar_is_its_mean_over_time(bar_s: float) -> None:
    flow = np.random.default_rng(4).random(33)
    found = bar_means(flow, 0.2, bar_s)
    fine = np.repeat(flow, 2000)
    times = (np.arange(len(fine)) + 0.5) * 1e-4
    wanted = [fine[(times >= s) & (times < s + bar_s)].mean() for s in np.arange(0, 6.6, bar_s)]
    np.testing.assert_allclose(found, wanted, rtol=1e-3)


def test_thresholds_come_from_the_corpus_or_from_the_release() -> None:
    assert video_quantiles([{}]) == (USUAL_FLOW, USUAL_SALIENCE)
    rows = [
        {"flow_magnitude": np.full(10, speed), "visual_beats_strengths": np.array([speed])}
        for speed in (0.1, 0.2, 0.3)
    ]
    flow, salience = video_quantiles(rows)
    assert (flow[0], flow[50], flow[100]) == pytest.approx((0.1, 0.2, 0.3))
    assert salience == pytest.approx(flow)
    # The release's music meets the release's thresholds: density 8 begins at .191 pixels a frame.
    shares = np.diff([0, 1.95, 2.86, 3.51, 4.26, 6.19, 8.53, 11.87, 16.30, 43.39, 100])
    pixels = np.array([0.19, 0.20]) * np.pi / 2 / 360 * 25
    assert levels(pixels, shares.tolist(), USUAL_FLOW).tolist() == [7, 8]
    for quantiles in (USUAL_FLOW, USUAL_SALIENCE):
        assert len(quantiles) == 101
        assert quantiles == sorted(quantiles)
