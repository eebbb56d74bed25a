"""Music, vocals and speech: the rule on what is measured, and the detector on speech."""

import shutil
import subprocess
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from symmv_builder.backends import ModelHome, load, silero_vad
from symmv_builder.backends.pyav import read_sound
from symmv_builder.backends.slots import SpeechDetector
from symmv_builder.music import sound_shares
from symmv_builder.music.sound_shares import hear_shares, steadiness
from symmv_builder.pipeline.step import use
from symmv_builder.records import SoundShares, TagTrack
from tests.hearing import heard
from tests.media import Samples, tone, write_media
from tests.standins import StandInModel
from tests.weights import need_model

RATE_HZ = 8000


class Loud(StandInModel, SpeechDetector):
    """Takes for speech what is louder than a third of full scale."""

    rate_hz: ClassVar[int] = RATE_HZ
    hop_s: ClassVar[float] = 0.1

    def __init__(self, home: ModelHome) -> None:
        """There is nothing to load."""

    def likelihood(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        frames = samples[: len(samples) // 800 * 800].reshape(-1, 800)
        return np.asarray(np.abs(frames).max(axis=1) > 1 / 3, dtype=np.float32)


def shares(path: Path, samples: NDArray[np.float32], **tags: list[float]) -> SoundShares:
    track = TagTrack(tuple(tags), 1.0, np.array(list(tags.values()), np.float32).T)
    write_media(path, Samples(samples, RATE_HZ))
    found: SoundShares = heard(path, hear_shares(model=Loud(ModelHome())), track)
    return found


def test_a_voice_sings_where_tags_hear_music_and_speaks_where_they_do_not(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    samples = np.zeros((6 * RATE_HZ, 1), np.float32)
    samples[: 5 * RATE_HZ] = 0.1 * rng.uniform(-1, 1, (5 * RATE_HZ, 1))
    # A voice in all of the second second, and in half of the third and the fourth.
    for start, end in ((1.0, 2.0), (2.5, 3.5)):
        samples[round(start * RATE_HZ) : round(end * RATE_HZ)] *= 9
    found = shares(
        tmp_path / "a.wav",
        samples,
        piano=[0.5, 0.5, 0.5, 0.01, 0.01, 0.5],
        techno=[0.9] * 6,
        choir=[0, 0, 0, 0, 0.5, 0],
    )
    assert found.music.tolist() == [1, 1, 1, 0, 0, 0]
    assert found.vocals == pytest.approx([0, 1, 0.5, 0, 0, 0])
    assert found.speech == pytest.approx([0, 0, 0, 0.5, 0, 0])
    assert found.music_share == pytest.approx(0.5)
    assert (found.vocals_share, found.speech_share) == pytest.approx((0.25, 0.5 / 6))


def test_a_choir_sings_though_the_detector_hears_nobody(tmp_path: Path) -> None:
    found = shares(tmp_path / "a.wav", 0.1 * tone(2.0), piano=[0.1, 0.1], choir=[0.5, 0.1])
    assert found.vocals.tolist() == [1, 0]
    assert found.music.tolist() == [1, 0]


def test_music_under_speech_is_heard_by_what_holds_its_pitch(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).uniform(-0.1, 0.1, (4 * RATE_HZ, 1)).astype(np.float32)
    clicks = noise.copy()
    clicks[::997] = 0.9
    held = clicks + 0.4 * tone(4.0)
    gone = {"piano": [0.0] * 4}
    assert shares(tmp_path / "held.wav", held, **gone).music.tolist() == [1] * 4
    assert shares(tmp_path / "noise.wav", 8 * noise, **gone).music.tolist() == [0] * 4


def test_a_held_tone_is_steady_and_neither_a_glide_nor_noise_is() -> None:
    times_s = np.arange(3 * 16_000) / 16_000
    glide = np.sin(2 * np.pi * (300 * times_s + 400 * times_s**2))
    signals: dict[str, Any] = {
        "tone": np.sin(2 * np.pi * 440 * times_s),
        "glide": glide,
        "noise": np.random.default_rng(0).normal(size=len(times_s)),
    }
    share = {}
    for name, signal in signals.items():
        held, whole = steadiness(signal.astype(np.float32), 16_000)
        assert len(held) == len(whole) == pytest.approx(3 / 0.016, abs=1)
        share[name] = held[20:-20].sum() / whole[20:-20].sum()
    assert share["tone"] > 0.9
    assert share["glide"] < 0.01
    assert share["noise"] < 0.01


def test_a_sound_of_nothing_has_no_shares(tmp_path: Path) -> None:
    found = shares(tmp_path / "a.wav", np.zeros((10, 1), np.float32), piano=[0.9])
    assert (found.music.tolist(), found.music_share) == ([0], 0.0)
    empty = SoundShares([], [], [])  # type: ignore[arg-type]
    assert empty.speech_share == 0.0


def test_columns_are_of_the_recording_and_of_every_second() -> None:
    placed = use(sound_shares.STEP, model="silero-vad")
    names = [column.name for column in placed.columns({placed.makes: placed})]
    assert names[:3] == ["music_share", "vocals_share", "speech_share"]
    assert names[3:] == [f"sound_shares_{name}" for name in ("music", "vocals", "speech")]


def test_the_detector_hears_speech_and_neither_noise_nor_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need_model("speech", "silero-vad")
    model = load("speech", "silero-vad", ModelHome())
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.1, 40_000).astype(np.float32)
    whole = model.likelihood(noise)
    assert whole.shape == (79,)
    assert whole.max() < 0.5
    assert model.likelihood(np.zeros(16_000, np.float32)).max() < 0.5
    assert model.likelihood(noise[:0]).shape == (0,)
    # The network's memory is handed on: where a call ends changes nothing.
    monkeypatch.setattr(silero_vad, "FRAMES_A_CALL", 10)
    np.testing.assert_allclose(model.likelihood(noise), whole, atol=1e-5)
    if shutil.which("espeak-ng") is None:
        pytest.skip("espeak-ng is not installed: no speech was heard")
    path = tmp_path / "speech.wav"
    text = "The river runs slowly past the old mill."
    subprocess.run(["espeak-ng", "-w", str(path), text], check=True)
    speech = read_sound(path, rate_hz=16_000, mono=True).samples[:, 0]
    assert (model.likelihood(speech) > 0.5).mean() > 0.7
