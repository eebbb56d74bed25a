"""The colour histogram against the definition, written out pixel by pixel."""

from pathlib import Path

import numpy as np
import pytest

from symmv_builder.video import colour, frames
from tests.media import Pictures, noise, steady, write_media


def direct(rgb: np.ndarray, bins: int) -> np.ndarray:
    """HistoGAN's equations as they stand, one pixel and one plane at a time."""
    centres = np.linspace(-3, 3, bins)
    out = np.zeros((3, bins, bins))
    for pixel in rgb.reshape(-1, 3) / 255.0:
        intensity = np.sqrt((pixel**2).sum() + 1e-6)
        logs = np.log(pixel + 1e-6)
        for plane, (first, second) in enumerate([(1, 2), (0, 2), (0, 1)]):
            u, v = logs[plane] - logs[first], logs[plane] - logs[second]
            k_u = 1 / (1 + (np.abs(u - centres) / 0.02) ** 2)
            k_v = 1 / (1 + (np.abs(v - centres) / 0.02) ** 2)
            out[plane] += intensity * np.outer(k_u, k_v)
    return np.asarray(out / (out.sum() + 1e-6))


@pytest.mark.parametrize("bins", [8, 64])
def test_the_histogram_equals_the_direct_computation(bins: int) -> None:
    rgb = np.random.default_rng(3).integers(0, 256, (12, 17, 3)).astype(np.uint8)
    rgb[0, :3] = [[0, 0, 0], [255, 0, 0], [255, 255, 255]]
    found = colour.histogram(rgb, bins=bins)
    np.testing.assert_allclose(found, direct(rgb, bins), rtol=2e-4, atol=1e-8)
    assert found.sum() == pytest.approx(1.0, abs=1e-5)


def test_grey_lies_in_the_middle_whatever_its_brightness() -> None:
    for level in (20, 120, 250):
        found = colour.histogram(np.full((10, 10, 3), level, np.uint8), bins=65)
        assert [np.unravel_index(p.argmax(), p.shape) for p in found] == [(32, 32)] * 3


def test_the_track_holds_the_histogram_of_each_second(tmp_path: Path) -> None:
    pictures = [noise(n // 25) for n in range(60)]
    path = write_media(tmp_path / "v.mp4", Pictures(pictures, steady(60)))
    [track] = frames.watch(path, [colour.watch_colour(bins=16)])
    assert track.values.shape == (3, 3 * 16 * 16)
    import av

    with av.open(str(path)) as container:
        native = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    for row, number in zip(track.values, (0, 25, 50), strict=True):
        np.testing.assert_allclose(row, direct(native[number], 16).ravel(), rtol=1e-3, atol=1e-7)


def test_a_large_picture_is_first_made_small(tmp_path: Path) -> None:
    large = np.kron(noise(1, 48, 64), np.ones((8, 8, 1))).astype(np.uint8)
    path = write_media(tmp_path / "v.mp4", Pictures([large] * 3, steady(3)))
    [track] = frames.watch(path, [colour.watch_colour()])
    assert track.values.shape == (1, 12288)
    assert track.values.sum() == pytest.approx(1.0, abs=1e-4)
