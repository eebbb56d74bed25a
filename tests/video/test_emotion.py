"""Emotion against a direct computation with scipy."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import softmax

from symmv_builder.backends.slots import ClipModel
from symmv_builder.records import FeatureTrack
from symmv_builder.timeline import Clock
from symmv_builder.video.emotion import STEP, feel
from symmv_builder.vocab import EMOTIONS
from tests.standins import StandInModel


class Words(StandInModel, ClipModel):
    scale = 100.0

    def __init__(self) -> None:
        self.asked: tuple[str, ...] = ()

    def embed_images(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        raise AssertionError("words alone are asked for")

    def embed_words(self, words: Sequence[str]) -> NDArray[np.float32]:
        self.asked = tuple(words)
        return np.random.default_rng(7).normal(size=(len(words), 16)).astype(np.float32)


def semantic(rows: int, hop_s: float = 1.0) -> FeatureTrack:
    values = np.random.default_rng(rows).normal(size=(rows, 16)).astype(np.float32) * 9
    return FeatureTrack("semantic", hop_s, values, Clock.VIDEO)


def raw(track: FeatureTrack) -> np.ndarray:
    words = Words().embed_words(EMOTIONS)
    cosines = [[p @ w / np.linalg.norm(p) / np.linalg.norm(w) for w in words] for p in track.values]
    return np.asarray(softmax(100.0 * np.array(cosines), axis=1))


@pytest.mark.parametrize(("window_s", "hop_s", "rows"), [(5, 1.0, 5), (0, 1.0, 1), (5, 0.5, 10)])
def test_probabilities_are_the_causal_mean_of_a_softmax(
    window_s: float, hop_s: float, rows: int
) -> None:
    track = semantic(23, hop_s)
    found = feel(track, model=Words(), causal_window_s=window_s)
    single = raw(track)
    wanted = [single[max(0, n - rows + 1) : n + 1].mean(axis=0) for n in range(23)]
    np.testing.assert_allclose(found.values, wanted, atol=1e-6)
    np.testing.assert_allclose(found.values.sum(axis=1), 1.0, atol=1e-5)
    assert (found.name, found.hop_s, found.clock) == ("emotion", hop_s, Clock.VIDEO)


def test_the_six_bare_words_are_asked_for_and_five_seconds_is_the_default() -> None:
    model = Words()
    found = feel(semantic(9), model=model)
    assert model.asked == ("exciting", "fearful", "tense", "sad", "relaxing", "neutral")
    assert STEP.defaults == {"causal_window_s": 5.0}
    assert found.values.shape == (9, 6)


def test_embeddings_of_another_width_are_a_mistake() -> None:
    track = FeatureTrack("semantic", 1.0, np.ones((3, 8), np.float32), Clock.VIDEO)
    with pytest.raises(ValueError, match="different models: 8 and 16"):
        feel(track, model=Words())


def test_no_rows_give_no_rows() -> None:
    empty = FeatureTrack("semantic", 1.0, np.zeros((0, 16), np.float32), Clock.VIDEO)
    assert feel(empty, model=Words()).values.shape == (0, 6)
