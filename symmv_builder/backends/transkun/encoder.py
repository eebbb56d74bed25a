"""The network of Transkun, evaluated in an order that suits a processor's caches.

Frames of sound become mel spectra under six windows, a small convolution makes patches of 8 frames
by 4 bands of them, and six layers attend over frequency and over time, in turn. Beside the patches
stand 90 rows that ask for the two pedals and the 88 keys; what they hold at the end is brought back
to single frames. The weights are the package's. Three things are done otherwise than by its own
``forward``, which is written for training on a GPU: attention has four dimensions, for which torch
has a fused kernel; layers work on a few rows at a time, so that what lies between two matrices
stays in the cache; and the last layer is evaluated for the 90 rows alone. On a GPU all rows, of
several segments, are worked on at once.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

# Rows of time, and of frequency, that a layer works on at once on a CPU. Measured on one core: 3.2
# s a segment against 3.6 s for all of them at once.
_TIMES_AT_ONCE, _BANDS_AT_ONCE = 11, 19
_PATCH_FRAMES = 8


class SegmentEncoder:
    """From samples of one segment to the context of every symbol at every frame."""

    def __init__(self, model: Any) -> None:
        self._model, self._backbone = model, model.backbone
        device = next(model.parameters()).device
        self._symbols = torch.tensor(model.targetMIDIPitch, device=device).float()
        self._layers = [_Layer(block) for block in self._backbone.encoderLayers]
        front = model.framewiseFeatureExtractor
        spectrum = front.spectrogramExtractor
        self._windows = torch.cat([spectrum.win[None], spectrum.winGen.get().T])
        # The filters end far below half of the rate: what lies above is not computed.
        self._bins = int(front.freq2mels.any(dim=1).nonzero().max()) + 1
        self._filters = front.freq2mels[: self._bins].contiguous()
        self._floor = float(front.eps)
        skip = self._backbone.upConv1dSkip
        # A transposed convolution whose stride is its width is a linear map to so many frames.
        self._up = skip.weight.permute(2, 1, 0).reshape(-1, skip.in_channels).contiguous()
        self._up_bias = skip.bias.repeat(_PATCH_FRAMES)

    def contexts(self, segments: Tensor) -> Tensor:
        """Compute contexts ``[b, symbols, frames, d]`` of segments ``[b, channels, n]``."""
        features = torch.stack([self._features(self._frames(samples)) for samples in segments])
        hidden, first = self._patches(features)
        for layer in self._layers[:-1]:
            hidden = layer.run(hidden)
        # The first row of time is that of the whole segment: no frame.
        queries = self._layers[-1].run(hidden, first)[:, 1:].transpose(1, 2).contiguous()
        up = F.linear(queries, self._up, self._up_bias)
        frames = up.view(*queries.shape[:2], -1, up.shape[-1] // _PATCH_FRAMES)
        return frames[:, :, : features.shape[1]]

    def _frames(self, samples: Tensor) -> Tensor:
        """Overlapping frames ``[channels, frames, window]`` of unit gain, centred on each hop."""
        hop, window = self._model.hopSize, self._model.windowSize
        count = -(-samples.shape[-1] // hop) + 1
        right = (count - 1) * hop + window // 2 - samples.shape[-1]
        frames = F.pad(samples, (window // 2, right)).unfold(-1, window, hop)
        # Both are taken over all channels, and a channel twice changes neither but for the one
        # that the deviation leaves out of its count.
        mean, deviation = frames.mean(), frames.std()
        if len(samples) > 1 and all(torch.equal(samples[0], other) for other in samples[1:]):
            frames = frames[:1]
        return (frames - mean) / (deviation + 1e-8)

    def _features(self, frames: Tensor) -> Tensor:
        """Logarithmic mel spectra ``[frames, mels, windows]``, the mean power of all channels."""
        spectra = []
        for window in self._windows:
            spectrum = torch.fft.rfft(frames * window, norm="ortho")[..., : self._bins]
            power = spectrum.real.square() + spectrum.imag.square()
            spectra.append(power.mean(dim=0) @ self._filters)
        floor = torch.log(torch.tensor(self._floor, device=frames.device))
        mels = torch.stack(spectra, dim=-1)
        return ((mels + self._floor).log() - floor) / -floor

    def _patches(self, features: Tensor) -> tuple[Tensor, int]:
        """Give what the layers read ``[b, 1 + times, 1 + bands + symbols, d]``.

        Where symbols begin.
        """
        backbone = self._backbone
        # Channels first, also in memory: the other layout is convolved to other bits.
        picture = features.permute(0, 3, 1, 2).contiguous()
        device = features.device
        bands = torch.arange(picture.shape[-1], device=device).float()
        places = backbone.posEmbedBuilder(bands).transpose(-1, -2).unsqueeze(-2)
        hidden = backbone.downConv(backbone.inputConv(picture) + places)
        # A row of time and one of frequency in front, in which the whole segment is collected.
        hidden = F.pad(hidden.permute(0, 2, 3, 1), (0, 0, 1, 0, 1, 0))
        times = torch.arange(hidden.shape[1], device=device).float()
        bands = torch.arange(hidden.shape[2], device=device).float()
        hidden = hidden + backbone.posEmbedBuilderAttnTF(times, bands)
        queries = backbone.posEmbedBuilderAttnTE(times, self._symbols)
        queries = queries.expand(len(hidden), *queries.shape)
        return torch.cat([hidden, queries], dim=2).contiguous(), hidden.shape[2]


class _Layer:
    """Attention over frequency and over time, each with its two linear maps."""

    def __init__(self, block: Any) -> None:
        self._over_bands = _Half(block.mhaBlockF, block.fnnBlockF)
        self._over_times = _Half(block.mhaBlockT, block.fnnBlockT)

    def run(self, hidden: Tensor, first: int = 0) -> Tensor:
        """Compute the layer's output ``[b, times, bands, d]``, for the bands from `first` on."""
        segments, times, bands, width = hidden.shape
        is_cpu = hidden.device.type == "cpu"
        times_at_once = _TIMES_AT_ONCE if is_cpu else segments * times
        bands_at_once = _BANDS_AT_ONCE if is_cpu else bands
        rows_of_all = hidden.flatten(0, 1)
        middle = hidden.new_empty(bands - first, segments * times, width)
        for start in range(0, segments * times, times_at_once):
            rows = rows_of_all[start : start + times_at_once]
            mixed = self._over_bands.run(rows[:, first:], rows)
            middle[:, start : start + times_at_once] = mixed.transpose(0, 1)
        out = hidden.new_empty(segments, times, bands - first, width)
        # Both halves attend to what the layer was given, not to what the first one made.
        attended = hidden[:, :, first:].permute(2, 0, 1, 3)
        for start in range(0, bands - first, bands_at_once):
            columns = slice(start, start + bands_at_once)
            # In one piece, so that one segment is computed to the same bits as ever.
            rows = attended[columns].contiguous().view(-1, times, width)
            mixed = self._over_times.run(middle[columns].view(-1, times, width), rows)
            out[:, :, columns] = mixed.view(-1, segments, times, width).permute(1, 2, 0, 3)
        return out


class _Half:
    """Attention, then a linear map out and back, each added to what it was made of."""

    def __init__(self, attention: Any, mapping: Any) -> None:
        self._heads = attention.module.num_heads
        self._query = attention.module.q_proj_weight.T.contiguous()
        keys, values = attention.module.k_proj_weight, attention.module.v_proj_weight
        self._memory = torch.cat([keys, values], dim=1).T.contiguous()
        self._joined, self._attention_scale = attention.module.out_proj, attention.scale
        self._out, self._back = mapping.module[0], mapping.module[3]
        self._mapping_scale = mapping.scale

    def run(self, hidden: Tensor, memory: Tensor) -> Tensor:
        """Compute rows ``[b, n, d]`` that have attended to those of `memory` ``[b, m, d]``."""
        rows, count, width = hidden.shape
        query = F.linear(_normed(hidden), self._query)
        query = query.view(rows, count, self._heads, -1).transpose(1, 2)
        both = F.linear(memory, self._memory).view(rows, memory.shape[1], 2, self._heads, -1)
        key, value = both.permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(query, key, value)
        joined = self._joined(attended.transpose(1, 2).reshape(rows, count, width))
        hidden = torch.addcmul(hidden, joined, self._attention_scale)
        mapped = self._back(F.gelu(self._out(_normed(hidden))))
        return torch.addcmul(hidden, mapped, self._mapping_scale)


def _normed(values: Tensor) -> Tensor:
    return values * torch.rsqrt(values.square().mean(dim=-1, keepdim=True) + 1e-6)
