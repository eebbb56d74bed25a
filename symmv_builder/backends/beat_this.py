"""Beat This! (Foscarin, Schlüter and Widmer, "Beat This! Accurate beat tracking without
DBN postprocessing", ISMIR 2024), by checkpoint path.

The network and the minimal post-processing are the package's. Its mel spectrogram needs
torchaudio, which does not import beside a CPU torch; the same one is computed here. The
package takes any name that it does not find for an address to download: here a path is a
path.
"""

import inspect
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends import (
    About,
    ModelHome,
    ModelIdentity,
    hash_files,
    package_version,
    reading_checkpoint,
    required_path,
)
from symmv_builder.backends.slots import BeatTracker
from symmv_builder.packages import import_compiled
from symmv_builder.records import Beats, Floats, Ints

NAME = "beat_this"
WHAT = "a checkpoint"
HOW = "Get final0.ckpt as github.com/CPJKU/beat_this tells."
WINDOW, HOP, MELS, LOWEST_HZ, HIGHEST_HZ = 1024, 441, 128, 30.0, 11000.0
# Frames that the network sees at once, and those at either end whose answer is not used.
CHUNK, BORDER = 1500, 6


@final
class BeatThis(BeatTracker):
    """Mono samples at 22.05 kHz to beats and their places in the bar."""

    needs = ("beat_this", "librosa", "torch")
    rate_hz = 22050
    mono = True

    @classmethod
    def identify(cls, home: ModelHome) -> ModelIdentity:
        weights = required_path(home, NAME, WHAT, HOW)
        return ModelIdentity(NAME, package_version("beat-this"), hash_files([weights]))

    @classmethod
    def about(cls) -> About:
        return About("Beat This!", "MIT", HOW)

    def __init__(self, home: ModelHome) -> None:
        path = required_path(home, NAME, WHAT, HOW)
        package_version("beat-this")
        librosa = import_compiled("librosa")
        import torch
        from beat_this.model.beat_tracker import BeatThis as Network
        from beat_this.model.postprocessor import Postprocessor

        self._torch, self._device = torch, home.device
        with reading_checkpoint(NAME, "Beat This!", path, HOW):
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
            accepted = set(inspect.signature(Network).parameters)
            settings = {k: v for k, v in checkpoint["hyper_parameters"].items() if k in accepted}
            self._network: Any = Network(**settings)
            state = {k.removeprefix("model."): v for k, v in checkpoint["state_dict"].items()}
            self._network.load_state_dict(state)
        self._network.to(home.device).eval()
        self._post: Any = Postprocessor(type="minimal")
        bank = librosa.filters.mel(
            sr=self.rate_hz, n_fft=WINDOW, n_mels=MELS, fmin=LOWEST_HZ, fmax=HIGHEST_HZ, norm=None
        )
        self._bank: Any = torch.from_numpy(bank).to(home.device)

    def track(self, samples: NDArray[np.float32]) -> Beats:
        """Track the beats of samples ``[n, 1]``, numbered from each downbeat."""
        if len(samples) <= WINDOW:
            return Beats(times_s=np.empty(0), positions=np.empty(0, dtype=np.int64))
        mono = np.array(samples[:, 0])
        with self._torch.inference_mode():
            logits = self._logits(self.spectrogram(mono))
        times_s, downbeats_s = self._post(*logits.float().cpu())
        times_s = np.unique(np.asarray(times_s, dtype=np.float64))
        return Beats(times_s=times_s, positions=_positions(times_s, np.asarray(downbeats_s)))

    def spectrogram(self, mono: NDArray[np.float32]) -> Any:
        """Log mel magnitudes ``[frames, mels]`` at 50 frames a second."""
        torch = self._torch
        spectrum = torch.stft(
            torch.from_numpy(mono).to(self._device),
            WINDOW,
            HOP,
            window=torch.hann_window(WINDOW, device=self._device),
            normalized=True,
            return_complex=True,
        )
        return torch.log1p(1000 * (self._bank @ spectrum.abs()).T)

    def _logits(self, spectrogram: Any) -> Any:
        """Score beats and downbeats ``[2, frames]`` in chunks; where two overlap, by the first."""
        torch, length, step = self._torch, len(spectrogram), CHUNK - 2 * BORDER
        starts = list(range(-BORDER, length - BORDER, step))
        if length > step:
            starts[-1] = length - CHUNK + BORDER
        padded = torch.nn.functional.pad(spectrogram, (0, 0, BORDER, BORDER))
        logits = torch.full((2, length), -1000.0, device=self._device)
        for start in reversed(starts):
            chunk = padded[start + BORDER : start + BORDER + CHUNK]
            answer = self._network(chunk[None])
            both = torch.stack((answer["beat"][0], answer["downbeat"][0]))[:, BORDER:-BORDER]
            logits[:, start + BORDER : start + BORDER + both.shape[1]] = both.float()
        return logits


def _positions(times_s: Floats, downbeats_s: Floats) -> Ints:
    """Number each beat in its bar; those before the first downbeat lead up to it."""
    downbeats = np.flatnonzero(np.isin(times_s, downbeats_s))
    beats = np.arange(len(times_s))
    if not len(downbeats):
        return beats + 1
    last_downbeat = downbeats[(np.searchsorted(downbeats, beats, side="right") - 1).clip(0)]
    bar_length = int(np.median(np.diff(downbeats))) if len(downbeats) > 1 else 4
    from_downbeat = beats - last_downbeat
    return np.asarray(
        np.where(from_downbeat < 0, from_downbeat % bar_length, from_downbeat) + 1, dtype=np.int64
    )
