"""musicnn (Pons and Serra, "musicnn: Pre-trained convolutional neural networks for music audio
tagging", 2019; network: Pons et al., "End-to-end learning for music audio tagging at scale",
ISMIR 2018): what three seconds of music sound like, in 200 numbers or as tags.

The weights trained on MagnaTagATune lie in musicnn's package as a TensorFlow checkpoint; the
network is written here with PyTorch, so neither TensorFlow nor the package's code is needed.
On the same spectrograms the package under TensorFlow gives the same hidden layer to 5e-6.

Two behaviours of the package are left out. It keeps the mel spectrogram in half precision, in
which ten thousand times a loud band is infinite, and then all its answers for that segment are
the same; here it is float32. And its "penultimate" is the first batch's for a whole file.
"""

import math
from functools import partial
from typing import Any, ClassVar, final

import numpy as np
import soxr
from numpy.typing import NDArray

from symmv_builder.backends import About, ModelHome, ModelIdentity, hash_files
from symmv_builder.backends.musicnn.checkpoint import read_tensors
from symmv_builder.backends.slots import AudioEmbedder, Tagger
from symmv_builder.backends.wheels import Packed, Wheel, files_of
from symmv_builder.errors import WrongWeights
from symmv_builder.packages import import_compiled

NAME = "musicnn"
WHEEL = Wheel(
    get=NAME,
    project="musicnn",
    version="0.1.0",
    sha256="f38a4890c648c1ddbb141c5d96d2b0a8cfcd36746002d896989f7b88beb65cfa",
    megabytes=29,
    files=(
        Packed(
            "musicnn/MTT_musicnn/.index",
            4948,
            "da2d7bb670b2b31e9bc441bb1bd75eca31b5b061f963cc1f9630c1aff3238f57",
        ),
        Packed(
            "musicnn/MTT_musicnn/.data-00000-of-00001",
            9_465_596,
            "041f3935e981a65cea739842d30c188d3a7d2adf4410955c8668eb3de4a5acab",
        ),
    ),
)
RATE_HZ, FFT, HOP, MELS = 16_000, 512, 256, 96
SEGMENT_S = 3.0
FRAMES = 187
_LENGTH = round(SEGMENT_S * RATE_HZ)
WIDTH = 200
BATCH = 16
EPSILON = 1e-3
TAGS = (
    *("guitar", "classical", "slow", "techno", "strings", "drums", "electronic", "rock", "fast"),
    *("piano", "ambient", "beat", "violin", "vocal", "synth", "female", "indian", "opera", "male"),
    *("singing", "vocals", "no vocals", "harpsichord", "loud", "quiet", "flute", "woman"),
    *("male vocal", "no vocal", "pop", "soft", "sitar", "solo", "man", "classic", "choir"),
    *("voice", "new age", "dance", "male voice", "female vocal", "beats", "harp", "cello"),
    *("no voice", "weird", "country", "metal", "female voice", "choral"),
)

# Height (in time) and width (in mel bands) of the first filters, and how many of each.
_TIMBRAL = ((7, 38), (7, 67))
_TEMPORAL = ((128, 1), (64, 1), (32, 1))
_MANY, _FEW, _MIDDLE = 204, 51, 64
_FRONT = len(_TIMBRAL) * _MANY + len(_TEMPORAL) * _FEW
_POOLED = 2 * (_FRONT + 3 * _MIDDLE)
_NORM_PARTS = ("gamma", "beta", "moving_mean", "moving_variance")


def expected_shapes() -> dict[str, tuple[int, ...]]:
    """Give name and shape of every tensor of the network, as TensorFlow numbered them."""
    kernels = [(*size, 1, _MANY) for size in _TIMBRAL] + [(*size, 1, _FEW) for size in _TEMPORAL]
    kernels += [(7, width, 1, _MIDDLE) for width in (_FRONT, _MIDDLE, _MIDDLE)]
    shapes: dict[str, tuple[int, ...]] = {}
    for number, kernel in enumerate(kernels):
        shapes[f"{_numbered('conv2d', number)}/kernel"] = kernel
        shapes[f"{_numbered('conv2d', number)}/bias"] = kernel[-1:]
    widths = [1, *(kernel[-1] for kernel in kernels), _POOLED, WIDTH]
    for number, width in enumerate(widths):
        for part in _NORM_PARTS:
            shapes[f"{_numbered('batch_normalization', number)}/{part}"] = (width,)
    for number, (rows, columns) in enumerate(((_POOLED, WIDTH), (WIDTH, len(TAGS)))):
        shapes[f"{_numbered('dense', number)}/kernel"] = (rows, columns)
        shapes[f"{_numbered('dense', number)}/bias"] = (columns,)
    return shapes


def _numbered(kind: str, number: int) -> str:
    return f"{kind}_{number}" if number else kind


class _Network:
    """The network with its weights, whatever it is asked for."""

    needs: ClassVar[tuple[str, ...]] = ("librosa", "torch")

    @classmethod
    def identify(cls, home: ModelHome) -> ModelIdentity:
        del home
        return ModelIdentity(NAME, "1", hash_files(files_of(WHEEL)))

    @classmethod
    def about(cls) -> About:
        return About("musicnn (MagnaTagATune)", "ISC", WHEEL.where, fetched=True)

    def __init__(self, home: ModelHome) -> None:
        index, data = files_of(WHEEL)
        import torch

        librosa = import_compiled("librosa")
        self._torch, self._device = torch, home.device
        expected = expected_shapes()
        try:
            tensors = read_tensors(index, data, expected)
        except (OSError, ValueError) as error:
            problem = f"{index.parent} is not musicnn's checkpoint: {error}"
            raise WrongWeights("musicnn", problem) from error
        odd = sorted(name for name, tensor in tensors.items() if tensor.shape != expected[name])
        if odd:
            problem = f"{index.parent} does not fit musicnn at {', '.join(odd[:3])}"
            raise WrongWeights("musicnn", problem)
        self._state = {
            name: torch.from_numpy(_as_torch_orders(tensor)).to(home.device)
            for name, tensor in tensors.items()
        }
        bank = librosa.filters.mel(sr=RATE_HZ, n_fft=FFT, n_mels=MELS)
        self._bank: Any = torch.from_numpy(bank).to(home.device)

    def run(
        self, mono: NDArray[np.float32], starts: NDArray[np.float64]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Compute the last hidden layer ``[s, 200]`` and all tags' likelihoods ``[s, 50]``.

        Segment i is three seconds of 16 kHz samples ``[n]`` from the sample ``starts[i]`` on, or
        from up to one frame (16 ms) before.
        """
        firsts = np.floor(starts / HOP).astype(np.int64)
        with self._torch.inference_mode():
            spectrogram = self.spectrogram(np.ascontiguousarray(mono, dtype=np.float32))
            hidden, likely = [], []
            for at in range(0, len(firsts), BATCH):
                patches = [spectrogram[n : n + FRAMES] for n in firsts[at : at + BATCH]]
                output = self.forward(self._torch.stack(patches))
                hidden.append(output[0].float().cpu().numpy())
                likely.append(output[1].sigmoid().float().cpu().numpy())
        return np.concatenate(hidden), np.concatenate(likely)

    def spectrogram(self, mono: NDArray[np.float32]) -> Any:
        """Log mel power ``[frames, 96]`` at 62.5 frames a second of 16 kHz samples ``[n]``."""
        torch = self._torch
        spectrum = torch.stft(
            torch.from_numpy(mono).to(self._device),
            FFT,
            HOP,
            window=torch.hann_window(FFT, device=self._device),
            pad_mode="constant",
            return_complex=True,
        )
        return torch.log10(10_000 * (self._bank @ spectrum.abs().square()).T + 1)

    def forward(self, patches: Any) -> tuple[Any, Any]:
        """Hidden layer ``[b, 200]`` and logits ``[b, 50]`` of log mel patches ``[b, t, 96]``."""
        torch, state = self._torch, self._state
        from torch.nn.functional import linear, relu

        norm = partial(_norm, state)
        front = _front(state, norm(0, patches[:, None]))
        layers = [front]
        x = _layer(state, 5, front)
        layers.append(x)
        for number in (6, 7):
            x = x + _layer(state, number, x)
            layers.append(x)
        features = torch.cat(layers, dim=1)
        pooled = torch.stack((features.amax(dim=2), features.mean(dim=2)), dim=2).flatten(1)
        hidden = linear(norm(9, pooled), state["dense/kernel"], state["dense/bias"])
        hidden = norm(10, relu(hidden))
        return hidden, linear(hidden, state["dense_1/kernel"], state["dense_1/bias"])


@final
class Musicnn(_Network, AudioEmbedder):
    """Sound to an embedding, or to tags, of every three seconds."""

    width = WIDTH
    segment_s = SEGMENT_S
    tags = TAGS

    def embed(self, samples: NDArray[np.float32], rate_hz: int) -> NDArray[np.float32]:
        """Embed samples ``[n]`` or ``[n, c]`` by the last hidden layer: float32 ``[k, 200]``.

        Segment i is the sound from 3 i to 3 i + 3 seconds; a remainder is left out, but a sound
        shorter than that is filled up with silence to one segment.
        """
        return self._segments(samples, rate_hz)[0]

    def tag(self, samples: NDArray[np.float32], rate_hz: int) -> NDArray[np.float32]:
        """Likelihood of every tag of `tags`, float32 ``[segments, 50]`` in 0..1, as `embed`."""
        return self._segments(samples, rate_hz)[1]

    def _segments(
        self, samples: NDArray[np.float32], rate_hz: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        mono = samples.mean(axis=1, dtype=np.float32) if samples.ndim == 2 else samples
        if rate_hz != RATE_HZ:
            mono = soxr.resample(mono, rate_hz, RATE_HZ, quality="HQ")
        mono = _filled(mono)
        return self.run(mono, np.arange(len(mono) // _LENGTH, dtype=np.float64) * _LENGTH)


@final
class MusicnnTags(_Network, Tagger):
    """Sound to the likelihoods of MagnaTagATune's 50 most frequent tags."""

    rate_hz = RATE_HZ
    segment_s = SEGMENT_S
    tags = TAGS

    def tag_at(
        self, samples: NDArray[np.float32], starts_s: NDArray[np.float64]
    ) -> NDArray[np.float32]:
        """Likelihoods float32 ``[s, 50]`` of segments of 16 kHz samples ``[n]``.

        A segment is heard from its start, or from up to one frame (16 ms) before.
        """
        if not len(starts_s):
            return np.zeros((0, len(TAGS)), dtype=np.float32)
        filled = _filled(samples, last_s=float(starts_s.max()))
        return self.run(filled, starts_s * RATE_HZ)[1]


def _filled(mono: NDArray[np.float32], last_s: float = 0.0) -> NDArray[np.float32]:
    """Add silence behind samples, so that the segment from `last_s` on is a whole one."""
    lacks = math.ceil(last_s * RATE_HZ) + _LENGTH - len(mono)
    return np.pad(mono, (0, lacks)) if lacks > 0 else mono


def _as_torch_orders(tensor: NDArray[np.float32]) -> NDArray[np.float32]:
    """Reorder a kernel's axes, outputs first: TensorFlow has (time, mel, in, out) and (in, out)."""
    if tensor.ndim == 4:
        tensor = tensor.transpose(3, 2, 0, 1)
    elif tensor.ndim == 2:
        tensor = tensor.T
    return np.ascontiguousarray(tensor)


def _norm(state: dict[str, Any], number: int, x: Any) -> Any:
    """Batch normalisation over the second axis, by the statistics of training."""
    name = _numbered("batch_normalization", number)
    shape = (1, -1) + (1,) * (x.dim() - 2)
    gain, bias, mean, variance = (state[f"{name}/{part}"].reshape(shape) for part in _NORM_PARTS)
    return (x - mean) * (gain * (variance + EPSILON).rsqrt()) + bias


def _front(state: dict[str, Any], x: Any) -> Any:
    """Apply the first filters over time and mel bands ``[b, 1, t, 96]``: each one's strongest band.

    The normalisation rises or falls with what is heard, by the sign of its gain, so the strongest
    band is looked for before it: the same numbers, of far fewer values.
    """
    import torch
    from torch.nn.functional import conv2d, pad, relu

    branches = []
    for number, (height, _) in enumerate((*_TIMBRAL, *_TEMPORAL)):
        name = _numbered("conv2d", number)
        # An even filter that keeps the length looks one frame further ahead than back.
        padded = pad(x, (0, 0, (height - 1) // 2, height // 2))
        y = conv2d(padded, state[f"{name}/kernel"], state[f"{name}/bias"])
        lowest, highest = y.aminmax(dim=3)
        rises = state[f"{_numbered('batch_normalization', number + 1)}/gamma"] > 0
        strongest = torch.where(rises[:, None], highest, lowest)
        branches.append(_norm(state, number + 1, relu(strongest)))
    return torch.cat(branches, dim=1)


def _layer(state: dict[str, Any], number: int, x: Any) -> Any:
    """Apply a filter of seven frames over all channels of ``[b, c, t]``."""
    from torch.nn.functional import conv1d, relu

    name = _numbered("conv2d", number)
    kernel = state[f"{name}/kernel"].squeeze(1).transpose(1, 2)
    return _norm(state, number + 1, relu(conv1d(x, kernel, state[f"{name}/bias"], padding=3)))
