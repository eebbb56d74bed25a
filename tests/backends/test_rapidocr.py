"""The text detector finds lines that were written into pictures, and none where none are."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from symmv_builder.backends import ModelHome, load
from symmv_builder.backends.pyav import frames
from symmv_builder.backends.rapidocr import LONGER_SIDE, MULTIPLE, RapidOcr
from symmv_builder.errors import StopRun
from tests.media import Pictures, steady, write_media

pytest.importorskip("onnxruntime")
try:
    RapidOcr.identify(ModelHome())
except StopRun as error:
    pytest.skip(str(error), allow_module_level=True)
LINE = "we could be walking in the rain"


@pytest.fixture(scope="module")
def model() -> RapidOcr:
    found = load("text", "rapidocr", ModelHome())
    assert isinstance(found, RapidOcr)
    return found


def written(text: str, *, width: int = 480, height: int = 256, y: int = 200) -> NDArray[np.uint8]:
    """A line of text, white on a blue picture with some grain."""
    cv2 = pytest.importorskip("cv2")
    grain = np.random.default_rng(0).integers(0, 12, (height, width, 3))
    picture = (np.array([120, 60, 30]) + grain).astype(np.uint8)
    cv2.putText(picture, text, (20, y), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (255, 255, 255), 2)
    return picture


def test_a_line_of_text_is_found_where_it_stands(model: RapidOcr) -> None:
    mask = model.text_mask(written(LINE))
    rows = np.flatnonzero(mask.any(axis=1))
    assert mask.shape == (256, 480)
    assert 165 < rows.min() < 195
    assert 195 < rows.max() < 225
    assert 0.03 < mask.mean() < 0.15


@pytest.mark.parametrize("seed", range(3))
def test_blocks_of_colour_hold_no_text(model: RapidOcr, seed: int) -> None:
    blocks = np.random.default_rng(seed).integers(0, 256, (8, 15, 3))
    picture = np.kron(blocks, np.ones((32, 32, 1))).astype(np.uint8)
    assert model.text_mask(picture).mean() < 0.01


@pytest.mark.parametrize(
    ("width", "height", "wanted"),
    [(1920, 1080, (480, 256)), (1080, 1920, (256, 480)), (320, 240, (320, 256)), (8, 4, (32, 32))],
)
def test_pictures_are_asked_for_small_and_in_steps_of_the_network(
    model: RapidOcr, width: int, height: int, wanted: tuple[int, int]
) -> None:
    assert model.size(width, height) == wanted
    assert all(side <= LONGER_SIDE and side % MULTIPLE == 0 for side in wanted)
    assert model.text_mask(np.zeros((wanted[1], wanted[0], 3), np.uint8)).mean() == 0


def test_it_is_known_by_the_hash_of_its_network() -> None:
    identity = RapidOcr.identify(ModelHome())
    assert len(identity.weights_sha256) == 64
    assert identity.trained


@pytest.mark.twin("test_a_made_film_has_text_in_its_title_alone")
def test_a_film_has_text_in_a_title_alone(shared_data: Path, model: RapidOcr) -> None:
    shares = text_shares(shared_data / "video" / "sintel_score_26s.mp4", model, every=50)
    assert np.median(shares) == 0
    assert sum(share >= 0.012 for share in shares) <= 1


def test_a_made_film_has_text_in_its_title_alone(tmp_path: Path, model: RapidOcr) -> None:
    blocks = np.random.default_rng(7).integers(0, 256, (6, 8, 15, 3))
    scenes = [np.kron(each, np.ones((32, 32, 1))).astype(np.uint8) for each in blocks]
    pictures = Pictures([written(LINE), *scenes], steady(7))
    shares = text_shares(write_media(tmp_path / "film.mp4", pictures), model, every=1)
    assert shares[0] >= 0.012
    assert max(shares[1:]) < 0.012


def text_shares(path: Path, model: RapidOcr, every: int) -> list[float]:
    """The share of the picture that is text, in one of so many frames."""
    shares = []
    for frame in frames(path):
        if frame.index % every == 0:
            width, height = model.size(frame.width, frame.height)
            mask = model.text_mask(frame.small(width, height, model.layout))
            shares.append(float(mask.mean()))
    return shares
