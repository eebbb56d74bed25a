"""Loudness in LUFS: the filters of BS.1770's table, and the signals of EBU Tech 3341."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from symmv_builder.crawl.probe import probe_music
from symmv_builder.music.loudness_lufs import hear_lufs, integrated, k_weighting
from symmv_builder.records import Loudness
from tests.hearing import heard
from tests.media import Samples, write_media

pytest.importorskip("scipy")
RATE_HZ = 48_000


def sine(*parts: tuple[float, float], rate_hz: int = RATE_HZ) -> NDArray[np.float32]:
    """1 kHz in both channels, with peaks of so many dBFS for so many seconds each."""
    levels = np.concatenate(
        [np.full(round(seconds * rate_hz), 10 ** (db / 20)) for db, seconds in parts]
    )
    wave = levels * np.sin(2 * np.pi * 1000 * np.arange(len(levels)) / rate_hz)
    return np.stack([wave, wave], axis=1).astype(np.float32)


def loudness(samples: NDArray[np.float32], rate_hz: int = RATE_HZ) -> Loudness:
    listener = hear_lufs()
    for start in range(0, len(samples), rate_hz):
        listener.hear(samples[start : start + rate_hz], rate_hz)
    seconds = len(samples) / rate_hz

    class Facts:
        duration_s = seconds

    return listener.finish(Facts)  # type: ignore[arg-type]


def test_the_filters_at_48_khz_are_those_of_the_standards_tables() -> None:
    shelf = [1.53512485958697, -2.69169618940638, 1.19839281085285]
    shelf += [1.0, -1.69065929318241, 0.73248077421585]
    high_pass = [1.0, -2.0, 1.0, 1.0, -1.99004745483398, 0.99007225036621]
    np.testing.assert_allclose(k_weighting(48_000), [shelf, high_pass], atol=1e-8)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        pytest.param([(-23, 20)], -23.0, id="case 1"),
        pytest.param([(-33, 20)], -33.0, id="case 2"),
        pytest.param([(-36, 10), (-23, 60), (-36, 10)], -23.0, id="case 3, relative gate"),
        pytest.param(
            [(-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)], -23.0, id="case 4, both gates"
        ),
        pytest.param([(-26, 20), (-20, 20.1), (-26, 20)], -23.0, id="case 5"),
    ],
)
def test_the_signals_of_ebu_tech_3341_have_their_loudness(
    parts: list[tuple[float, float]], expected: float
) -> None:
    assert loudness(sine(*parts, rate_hz=16_000), 16_000).integrated_lufs == pytest.approx(
        expected, abs=0.1
    )


@pytest.mark.parametrize("rate_hz", [8_000, 22_050, 44_100, 96_000])
def test_a_full_sine_of_one_channel_is_at_minus_three_at_every_rate(rate_hz: int) -> None:
    """BS.1770-4, annex 1: 997 Hz at 0 dBFS in one channel indicates -3.01 LKFS."""
    wave = np.sin(2 * np.pi * 997 * np.arange(4 * rate_hz) / rate_hz)[:, None].astype(np.float32)
    assert loudness(wave, rate_hz).integrated_lufs == pytest.approx(-3.01, abs=0.05)


def test_a_second_has_the_loudness_of_the_three_around_it() -> None:
    found = loudness(sine((-40, 4), (-20, 4), rate_hz=16_000), 16_000).short_term_lufs
    assert len(found) == 8
    assert found[[0, 1, 2]] == pytest.approx([-40] * 3, abs=0.1)
    assert found[[5, 6, 7]] == pytest.approx([-20] * 3, abs=0.1)
    # Two thirds of its three seconds are loud: 10 lg 2/3 less.
    assert found[4] == pytest.approx(-21.7, abs=0.1)


def test_silence_is_the_floor_and_so_is_nothing() -> None:
    silent = loudness(np.zeros((5 * 8000, 2), np.float32), 8000)
    assert silent.integrated_lufs == -70.0
    assert silent.short_term_lufs.tolist() == [-70.0] * 5
    assert integrated(np.zeros((0, 2))) == -70.0


def test_a_recording_is_measured_as_its_samples_in_one_pass(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    samples = (0.1 * random.standard_normal((round(4.35 * 11_025), 2))).astype(np.float32)
    path = write_media(tmp_path / "noise.wav", Samples(samples, 11_025, "stereo"))
    found: Loudness = heard(path, hear_lufs(), probe_music(path))
    alone = loudness(samples, 11_025)
    assert found.integrated_lufs == pytest.approx(alone.integrated_lufs, abs=1e-4)
    assert len(found.short_term_lufs) == 5
    # In one go, without blocks.
    from scipy.signal import sosfilt

    power = np.square(sosfilt(k_weighting(11_025), samples, axis=0)).mean(axis=0).sum()
    assert found.integrated_lufs == pytest.approx(-0.691 + 10 * np.log10(power), abs=0.1)


def test_a_moment_of_sound_has_a_loudness() -> None:
    wave = sine((-20, 0.15))
    assert loudness(wave).integrated_lufs == pytest.approx(-20, abs=0.5)
