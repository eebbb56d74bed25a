"""Directogram, flow magnitude and visual beats on films whose motion is known."""

from pathlib import Path

import numpy as np
import pytest

from symmv_builder.backends import ModelHome, load
from symmv_builder.backends.slots import FlowModel
from symmv_builder.records import FeatureTrack, VisualBeats, to_json
from symmv_builder.timeline import Clock
from symmv_builder.video import directogram, flow_magnitude, frames, visual_beats
from tests.media import Pictures, paint, write_media
from tests.video.moving import HEIGHT, film, sliding


@pytest.fixture(scope="module")
def model() -> FlowModel:
    pytest.importorskip("cv2")
    found: FlowModel = load("flow", "farneback", ModelHome())
    return found


def seen(path: Path, model: FlowModel) -> FeatureTrack:
    [track] = frames.watch(path, [directogram.watch_directogram(model=model)])
    assert isinstance(track, FeatureTrack)
    return track


def track(values: np.ndarray, hop_s: float = 0.04) -> FeatureTrack:
    return FeatureTrack("directogram", hop_s, values.astype(np.float32), Clock.VIDEO)


def test_each_pixel_adds_its_speed_to_its_direction() -> None:
    rng = np.random.default_rng(1)
    flow = rng.normal(size=(9, 7, 2)).astype(np.float32)
    wanted = np.zeros(16)
    for across, down in flow.reshape(-1, 2).tolist():
        angle = np.arctan2(down, across) % (2 * np.pi)
        wanted[int(angle / (2 * np.pi / 16))] += np.hypot(across, down) / 63
    np.testing.assert_allclose(directogram.by_direction(flow, 16), wanted, rtol=1e-5)


@pytest.mark.parametrize("rate", [24, 30, 60])
def test_speed_is_that_of_the_picture_whatever_the_frame_rate(
    rate: int, tmp_path: Path, model: FlowModel
) -> None:
    found = seen(sliding(tmp_path / "v.mp4", 1.2, 50.0, rate), model)
    speed = flow_magnitude.mean_flow(found)
    assert (speed.name, speed.hop_s, speed.clock) == ("flow_magnitude", 0.2, Clock.VIDEO)
    np.testing.assert_allclose(speed.values[:6, 0], 50 / HEIGHT, rtol=0.05)
    # To the right is on both sides of the angle 0: the first bin and the last.
    assert found.values[:, [0, 15]].sum() > 0.95 * found.values.sum()


def test_the_flow_of_a_cell_is_the_mean_of_its_rows() -> None:
    values = np.random.default_rng(2).random((23, 16))
    found = flow_magnitude.mean_flow(track(values))
    wanted = [values[i : i + 5].sum() / len(values[i : i + 5]) for i in range(0, 23, 5)]
    np.testing.assert_allclose(found.values[:, 0], wanted, rtol=1e-5)
    assert len(flow_magnitude.mean_flow(track(np.zeros((0, 16)))).values) == 0


@pytest.mark.parametrize("beat_s", [0.4, 0.6])
def test_motion_that_stops_in_time_has_its_beats_there(
    beat_s: float, tmp_path: Path, model: FlowModel
) -> None:
    path = film(tmp_path / "v.mp4", 10.5 * beat_s, beat_s)
    found = visual_beats.find_visual_beats(seen(path, model))
    assert found.tempo_bpm == pytest.approx(60 / beat_s, rel=0.01)
    np.testing.assert_allclose(found.times_s, np.arange(1, 11) * beat_s, atol=0.041)
    assert found.strengths.min() > 0.8


def test_an_impact_is_a_fall_of_motion_in_one_direction() -> None:
    """What turns round falls in one direction and rises in the other: that is an impact, too."""
    values = np.zeros((20, 4))
    values[0:8, 0] = 2.0
    values[8:15, 1] = 2.0
    values[15:, 1] = 1.0
    # A cut: everything seems to move, for one row.
    values[10] += 9.0
    envelope = visual_beats.impact_envelope(values.astype(np.float32))
    assert np.flatnonzero(envelope).tolist() == [8, 15]
    assert envelope[8] == 1.0
    assert envelope[15] == pytest.approx(0.5, rel=0.02)


def test_of_many_stops_those_in_time_are_beats() -> None:
    values = np.zeros((300, 4))
    on, off = np.arange(12, 300, 15), np.array([19, 94, 169])
    for row in (1, 2, 3):
        values[on - row, 0] = 1.0
        values[off - row, 0] = 0.3
    found = visual_beats.find_visual_beats(track(values))
    assert np.rint(found.times_s / 0.04).astype(int).tolist() == on.tolist()
    assert found.tempo_bpm == pytest.approx(100, rel=0.01)


def test_the_tempogram_is_the_autocorrelation_of_the_envelope() -> None:
    envelope = np.random.default_rng(3).random(400)
    lags, found = visual_beats.tempogram(envelope, 0.04)
    assert (lags[0], lags[-1]) == (9, 25)
    window = np.hanning(151)
    centred = envelope - envelope.mean()
    row, lag = 200, 12
    near = range(row - 75, row + 76)
    weights = [window[i - row + 75] for i in near]
    product = sum(w * centred[i] * centred[i - lag] for w, i in zip(weights, near, strict=True))
    energy = sum(w * centred[i] ** 2 for w, i in zip(weights, near, strict=True))
    usual = np.exp(-0.5 * np.log2(60 / 0.48 / 120) ** 2)
    assert found[3, row] == pytest.approx(usual * product / energy)


def test_a_still_picture_has_no_flow_and_no_beats(tmp_path: Path, model: FlowModel) -> None:
    path = write_media(tmp_path / "v.mp4", Pictures([paint((90, 9, 9))] * 3, [0.0, 0.5, 1.0]))
    found = seen(path, model)
    assert found.values.max() < 1e-9
    beats = visual_beats.find_visual_beats(found)
    assert (len(beats.times_s), beats.tempo_bpm) == (0, 0.0)
    assert to_json(beats) == {"times_s": [], "strengths": [], "tempo_bpm": 0.0, "clock": "video"}
    one = write_media(tmp_path / "one.mp4", Pictures([paint((90, 9, 9))], [0.0]))
    assert seen(one, model).values.max() == 0


@pytest.mark.parametrize(
    "fields",
    [
        ([1.0, 1.0], [0.5, 0.5], 120.0),
        ([1.0, 2.0], [0.5], 120.0),
        ([1.0], [1.5], 120.0),
        ([1.0], [0.5], float("inf")),
    ],
)
def test_visual_beats_are_checked_when_they_are_made(fields: tuple[list[float], ...]) -> None:
    with pytest.raises(ValueError, match="VisualBeats"):
        VisualBeats(*fields)  # type: ignore[arg-type]
