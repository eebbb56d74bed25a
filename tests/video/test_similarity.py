"""SSIM between pictures a second apart: against the definition, on stills, cuts and slide shows."""

from pathlib import Path

import numpy as np
import pytest

from symmv_builder.timeline import Clock
from symmv_builder.video import frames
from symmv_builder.video.similarity import ssim, watch_similarity
from tests.media import Pictures, noise, paint, steady, write_media


def by_definition(left: np.ndarray, right: np.ndarray) -> float:
    """Window by window, as the paper's equations 13 to 16 say it."""
    grid = np.arange(11) - 5
    weights = np.exp(-(grid[:, None] ** 2 + grid[None] ** 2) / 4.5)
    weights /= weights.sum()
    found = []
    for row in range(left.shape[0] - 10):
        for column in range(left.shape[1] - 10):
            x = left[row : row + 11, column : column + 11].astype(float)
            y = right[row : row + 11, column : column + 11].astype(float)
            mx, my = (weights * x).sum(), (weights * y).sum()
            vx, vy = (weights * (x - mx) ** 2).sum(), (weights * (y - my) ** 2).sum()
            both = (weights * (x - mx) * (y - my)).sum()
            c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
            top = (2 * mx * my + c1) * (2 * both + c2)
            found.append(top / ((mx**2 + my**2 + c1) * (vx + vy + c2)))
    return float(np.mean(found))


def test_ssim_is_that_of_the_definition() -> None:
    random = np.random.default_rng(0)
    left = random.integers(0, 256, (20, 26)).astype(np.uint8)
    right = np.clip(left + random.normal(0, 30, left.shape), 0, 255).astype(np.uint8)
    assert ssim(left, right) == pytest.approx(by_definition(left, right), abs=1e-9)
    assert ssim(left, left) == pytest.approx(1.0)
    assert abs(ssim(left, random.integers(0, 256, (20, 26)).astype(np.uint8))) < 0.1


def test_a_still_is_alike_and_a_cut_is_not(tmp_path: Path) -> None:
    shown = [noise(1)] * 60 + [noise(2)] * 50
    path = write_media(tmp_path / "v.mp4", Pictures(shown, steady(110)))
    [track] = frames.watch(path, [watch_similarity()])
    assert (track.hop_s, track.clock, track.values.shape) == (1.0, Clock.VIDEO, (5, 1))
    values = track.values[:, 0]
    assert (values[[0, 1, 2, 4]] > 0.98).all()
    assert values[3] < 0.7


def test_one_picture_that_stays_is_as_still_as_can_be(tmp_path: Path) -> None:
    path = write_media(tmp_path / "v.mp4", Pictures([paint((90, 20, 20))] * 2, [0.0, 2.96]))
    [track] = frames.watch(path, [watch_similarity()])
    assert track.values[:, 0].tolist() == pytest.approx([1.0] * len(track.values), abs=1e-3)
    path = write_media(tmp_path / "w.mp4", Pictures([noise(1)], [0.0]))
    [track] = frames.watch(path, [watch_similarity()])
    assert track.values[:, 0].tolist() == [1.0]
