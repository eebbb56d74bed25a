"""Beat This! with our spectrogram and chunks, against librosa and the package."""

import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from symmv_builder.backends.beat_this import BeatThis, _positions
from symmv_builder.packages import import_compiled
from tests.backends.sounds import home_of, plucked, random_beat_this

torch: Any = pytest.importorskip("torch")
pytest.importorskip("beat_this.model.beat_tracker")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> BeatThis:
    return BeatThis(home_of("beat_this", random_beat_this(tmp_path_factory.mktemp("weights"))))


@pytest.mark.slow
def test_its_spectrogram_is_that_of_the_paper(model: BeatThis) -> None:
    pytest.importorskip("librosa")
    librosa = import_compiled("librosa")
    mono = plucked(rate_hz=22050)[:, 0]
    magnitude = np.abs(librosa.stft(mono, n_fft=1024, hop_length=441, pad_mode="reflect"))
    bank = librosa.filters.mel(
        sr=22050, n_fft=1024, n_mels=128, fmin=30, fmax=11000, norm=None, dtype=np.float64
    )
    wanted = np.log1p(1000 * (bank @ (magnitude / np.sqrt(1024))).T)
    assert np.allclose(model.spectrogram(mono).numpy(), wanted, atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("frames", [400, 1488, 1489, 4000])
def test_its_chunks_are_joined_as_in_the_package(
    model: BeatThis, frames: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in = ModuleType("torchaudio")
    stand_in.__spec__ = ModuleSpec("torchaudio", None)
    if "torchaudio" not in sys.modules:
        monkeypatch.setitem(sys.modules, "torchaudio", stand_in)
    from beat_this.inference import split_predict_aggregate

    torch.manual_seed(1)
    spectrogram = torch.rand(frames, 128)
    with torch.inference_mode():
        theirs = split_predict_aggregate(spectrogram, 1500, 6, "keep_first", model._network)
        ours = model._logits(spectrogram)
    assert torch.allclose(ours[0], theirs["beat"], atol=1e-5)
    assert torch.allclose(ours[1], theirs["downbeat"], atol=1e-5)


def test_beats_before_the_first_downbeat_lead_up_to_it() -> None:
    times = np.asarray(np.arange(9) * 0.5, np.float64)
    assert _positions(times, times[[2, 5, 8]]).tolist() == [2, 3, 1, 2, 3, 1, 2, 3, 1]
    assert _positions(times[:3], times[:0]).tolist() == [1, 2, 3]
    assert _positions(times[:3], times[1:2]).tolist() == [4, 1, 2]
    assert _positions(times[:0], times[:0]).tolist() == []


def test_a_checkpoint_is_hashed_into_its_identity(tmp_path: Path) -> None:
    path = random_beat_this(tmp_path)
    before = BeatThis.identify(home_of("beat_this", path))
    path.write_bytes(path.read_bytes() + b"\0")
    assert BeatThis.identify(home_of("beat_this", path)) != before
