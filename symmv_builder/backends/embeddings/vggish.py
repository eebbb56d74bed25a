"""VGGish (Hershey et al., "CNN Architectures for Large-Scale Audio Classification", ICASSP 2017):
0.96 s of sound in 128 numbers, over which the Frechet audio distance was first defined.

The network is written here for the tensors of the published PyTorch weights (a port of AudioSet's
release). As for the distance of Kilgour et al., the last layer has no activation, and what the
release adds for YouTube-8M, principal components and eight bits, is left out. Spectrograms are
those of the release: magnitudes, 64 bands of mels between 125 and 7500 Hz, the log of 0.01 more.
"""

from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends import (
    About,
    ModelHome,
    ModelIdentity,
    hash_files,
    reading_checkpoint,
    required_path,
)
from symmv_builder.backends.embeddings.segments import as_mono
from symmv_builder.backends.pretrained import UNTRAINED
from symmv_builder.backends.slots import AudioEmbedder

NAME = "vggish"
WHAT = "its PyTorch weights"
HOW = "Get vggish-10086976.pth of the release v0.1 of github.com/harritaylor/torchvggish."
RATE_HZ, WINDOW, HOP, FFT = 16_000, 400, 160, 512
MELS, LOWEST_HZ, HIGHEST_HZ, OFFSET = 64, 125.0, 7500.0, 0.01
# Frames of 10 ms in a segment.
FRAMES = 96
SEGMENT_S, WIDTH, BATCH = 0.96, 128, 32
# Channels of each convolution; a number that is 0 halves both sides.
_LAYERS = (64, 0, 128, 0, 256, 256, 0, 512, 512, 0)


@final
class Vggish(AudioEmbedder):
    """Sound to an embedding of every 0.96 s."""

    needs = ("torch",)
    width = WIDTH
    segment_s = SEGMENT_S

    @classmethod
    def identify(cls, home: ModelHome) -> ModelIdentity:
        path = required_path(home, NAME, WHAT, HOW)
        trained = not path.with_name(UNTRAINED).exists()
        return ModelIdentity(NAME, "1", hash_files([path]), trained=trained)

    @classmethod
    def about(cls) -> About:
        return About("VGGish (AudioSet)", "Apache-2.0", HOW)

    def __init__(self, home: ModelHome) -> None:
        path = required_path(home, NAME, WHAT, HOW)
        import torch

        self._torch, self._device = torch, home.device
        with reading_checkpoint(NAME, "VGGish", path, HOW):
            state = torch.load(path, map_location="cpu", weights_only=True)
            network = make_network(hidden=len(state["embeddings.0.bias"]))
            network.load_state_dict(state)
        self._network: Any = network.to(home.device).eval()
        self._bank: Any = torch.from_numpy(mel_bank()).to(home.device)

    def embed(self, samples: NDArray[np.float32], rate_hz: int) -> NDArray[np.float32]:
        """Embed samples ``[n]`` or ``[n, c]`` as float32 ``[segments, 128]``.

        Segment i is the sound from 0.96 i to 0.96 i + 0.975 seconds; a remainder is left out, but
        a sound shorter than that is filled up with silence to one segment.
        """
        torch = self._torch
        mono = as_mono(samples, rate_hz, RATE_HZ)
        shortest = (FRAMES - 1) * HOP + WINDOW
        if len(mono) < shortest:
            mono = np.pad(mono, (0, shortest - len(mono)))
        with torch.inference_mode():
            frames = self.spectrogram(mono)
            count = len(frames) // FRAMES
            patches = frames[: count * FRAMES].reshape(count, FRAMES, MELS)
            parts = [self.forward(part) for part in torch.split(patches, BATCH)]
            return np.asarray(torch.cat(parts).float().cpu().numpy(), dtype=np.float32)

    def spectrogram(self, mono: NDArray[np.float32]) -> Any:
        """Log mel magnitudes ``[frames, 64]`` at 100 frames a second of 16 kHz samples ``[n]``."""
        torch = self._torch
        frames = torch.from_numpy(mono).to(self._device).unfold(0, WINDOW, HOP)
        window = torch.hann_window(WINDOW, device=self._device)
        magnitudes = torch.fft.rfft(frames * window, FFT).abs()
        return torch.log(magnitudes @ self._bank + OFFSET)

    def forward(self, patches: Any) -> Any:
        """Embed log mel patches ``[b, 96, 64]`` as ``[b, 128]``."""
        features = self._network["features"](patches[:, None])
        # TensorFlow, where the weights come from, has the channels last.
        return self._network["embeddings"](features.permute(0, 2, 3, 1).flatten(1))


def make_network(hidden: int = 4096) -> Any:
    """Make the network with random weights, its tensors named as in the published file."""
    from torch import nn

    layers: list[nn.Module] = []
    channels = 1
    for width in _LAYERS:
        if width:
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
        else:
            layers.append(nn.MaxPool2d(2))
    flat = channels * (FRAMES // 16) * (MELS // 16)
    last = [
        *(nn.Linear(flat, hidden), nn.ReLU()),
        *(nn.Linear(hidden, hidden), nn.ReLU()),
        nn.Linear(hidden, WIDTH),
    ]
    return nn.ModuleDict({"features": nn.Sequential(*layers), "embeddings": nn.Sequential(*last)})


def mel_bank() -> NDArray[np.float32]:
    """Make weights ``[bins, bands]``: triangles over mels, 1127 ln(1 + f / 700), no constant."""
    mels = _mels(np.linspace(0, RATE_HZ / 2, FFT // 2 + 1))[:, None]
    edges = np.linspace(_mels(LOWEST_HZ), _mels(HIGHEST_HZ), MELS + 2)
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    rising, falling = (mels - low) / (middle - low), (high - mels) / (high - middle)
    bank: NDArray[np.float32] = np.maximum(0.0, np.minimum(rising, falling)).astype(np.float32)
    bank[0] = 0.0
    return bank


def _mels(hertz: Any) -> Any:
    return 1127.0 * np.log1p(np.asarray(hertz) / 700.0)
