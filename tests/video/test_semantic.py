"""Semantic features: the right picture at the right time, in batches."""

from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from symmv_builder.backends import ModelHome, load
from symmv_builder.backends.slots import ClipModel, Later
from symmv_builder.timeline import Clock
from symmv_builder.video import frames, semantic
from tests.media import Pictures, noise, steady, write_media
from tests.standins import StandInModel


class MeanColour(StandInModel, ClipModel):
    """Embeds a picture as the mean of its channels and remembers its batches."""

    dimensions = 3

    def __init__(self) -> None:
        self.batches: list[int] = []

    def embed_images(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        self.batches.append(len(pictures))
        return np.array([p.mean(axis=(0, 1)) for p in pictures], dtype=np.float32)

    def embed_words(self, words: Sequence[str]) -> NDArray[np.float32]:
        raise AssertionError("pictures alone are asked for")


@pytest.mark.parametrize("hop_s", [1.0, 1 / 6])
def test_each_row_is_the_embedding_of_the_picture_on_screen(tmp_path: Path, hop_s: float) -> None:
    path = write_media(tmp_path / "v.mp4", Pictures([noise(n) for n in range(110)], steady(110)))
    model = MeanColour()
    [track] = frames.watch(path, [semantic.watch_semantic(model=model, hop_s=hop_s)])
    with av.open(str(path)) as container:
        native = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    wanted = [
        native[int(np.floor(step * hop_s * 25 + 2.5e-3))].mean(axis=(0, 1))
        for step in range(len(track.values))
    ]
    assert track.clock is Clock.VIDEO
    assert track.hop_s == hop_s
    assert len(track.values) == int(np.ceil(4.4 / hop_s - 1e-6))
    np.testing.assert_allclose(track.values, wanted, rtol=1e-6)
    assert max(model.batches) <= semantic.BATCH


def test_a_picture_that_stays_is_embedded_once(tmp_path: Path) -> None:
    path = write_media(tmp_path / "v.mp4", Pictures([noise(1), noise(2)], [0.0, 5.5]))
    model = MeanColour()
    [track] = frames.watch(path, [semantic.watch_semantic(model=model)])
    assert sum(model.batches) == 1
    assert len(track.values) == 6
    assert np.ptp(track.values, axis=0).max() == 0


def test_the_untrained_model_fits_the_stage(tmp_path: Path) -> None:
    path = write_media(tmp_path / "v.mp4", Pictures([noise(n) for n in range(60)], steady(60)))
    model = load("clip", "untrained-768", ModelHome())
    [track] = frames.watch(path, [semantic.watch_semantic(model=model)])
    assert track.values.shape == (3, 768)
    assert track.values.dtype == np.float32


class LateColour(MeanColour):
    """Gives its answers when they are asked for, and remembers how many were waited for then."""

    def __init__(self) -> None:
        super().__init__()
        self.unfinished: list[int] = []
        self._begun = 0

    def start_images(self, pictures: Sequence[NDArray[np.uint8]]) -> Later:
        self._begun += 1
        kept = list(pictures)

        def answer() -> NDArray[np.float32]:
            self.unfinished.append(self._begun)
            self._begun -= 1
            return self.embed_images(kept)

        return answer


def test_a_video_is_decoded_on_while_a_few_batches_are_computed(tmp_path: Path) -> None:
    path = write_media(tmp_path / "v.mp4", Pictures([noise(n) for n in range(110)], steady(110)))
    late, at_once = LateColour(), MeanColour()
    watchers = [semantic.watch_semantic(model=model, hop_s=1 / 25) for model in (late, at_once)]
    tracks = frames.watch(path, watchers)
    assert np.array_equal(tracks[0].values, tracks[1].values)
    assert late.batches == at_once.batches
    # One more begins while as many as are allowed are unfinished; the last ones are waited for.
    batches = len(at_once.batches)
    ahead = semantic.AHEAD
    assert batches > ahead + 2
    assert late.unfinished == [ahead + 1] * (batches - ahead) + list(range(ahead, 0, -1))
