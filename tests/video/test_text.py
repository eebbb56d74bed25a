"""The share of writing is measured every few seconds, once a picture."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from symmv_builder.backends.slots import TextModel
from symmv_builder.errors import Reason, RejectEntry
from symmv_builder.screen import screen_text
from symmv_builder.timeline import Clock
from symmv_builder.video.frames import watch
from symmv_builder.video.text import watch_text
from tests.media import Pictures, paint, write_media
from tests.standins import StandInModel
from tests.weights import need_model


class Bright(StandInModel, TextModel):
    """Takes bright pixels for text, and counts the pictures that it was given."""

    layout = "rgb24"

    def __init__(self) -> None:
        self.sizes: list[tuple[int, ...]] = []

    def size(self, width: int, height: int) -> tuple[int, int]:
        return width // 2, height // 2

    def text_mask(self, picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
        self.sizes.append(picture.shape)
        return np.asarray(picture.mean(axis=2) > 150)


def test_the_share_of_each_sampled_picture_is_measured(tmp_path: Path) -> None:
    # Black for ten seconds, then the right half is white.
    shown = [paint((0, 0, 0))] * 10 + [paint((255, 255, 255))] * 10
    path = write_media(tmp_path / "v.mkv", Pictures(shown, [float(i) for i in range(20)]))
    model = Bright()
    [track] = watch(path, [watch_text(model=model)])
    assert (track.name, track.hop_s, track.clock) == ("text_area", 5.0, Clock.VIDEO)
    assert track.values[:, 0].tolist() == pytest.approx([0.0, 0.0, 0.5, 0.5], abs=0.05)
    assert model.sizes == [(24, 32, 3)] * 4


def test_a_picture_that_stays_is_looked_at_once(tmp_path: Path) -> None:
    path = write_media(
        tmp_path / "v.mkv", Pictures([paint((255, 255, 255)), paint((0, 0, 0))], [0.0, 20.0])
    )
    model = Bright()
    [track] = watch(path, [watch_text(model=model, hop_s=4.0)])
    assert len(track.values) >= 5
    assert len(model.sizes) <= 2
    assert (track.values[:5] > 0.3).all()


def test_a_video_with_words_on_it_is_told_from_one_without(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    need_model("text", "rapidocr")
    cv2 = pytest.importorskip("cv2")
    from symmv_builder.backends import ModelHome, load

    model = load("text", "rapidocr", ModelHome())
    plain = [paint((30 + 10 * i, 90, 140), 240, 320) for i in range(10)]
    worded = [picture.copy() for picture in plain]
    for number, picture in enumerate(worded):
        text = f"line {number} of this song"
        cv2.putText(picture, text, (20, 200), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (255,) * 3, 2)
    times_s = [float(i) for i in range(10)]
    tracks = [
        watch(
            write_media(tmp_path / f"{name}.mkv", Pictures(pictures, times_s)),
            [watch_text(model=model, hop_s=2.0)],
        )[0]
        for name, pictures in (("plain", plain), ("worded", worded))
    ]
    assert screen_text(tracks[0]).value == 0.0
    with pytest.raises(RejectEntry) as rejected:
        screen_text(tracks[1])
    assert rejected.value.reason is Reason.LYRIC_VIDEO
    assert "is 1 of 1" in rejected.value.detail
