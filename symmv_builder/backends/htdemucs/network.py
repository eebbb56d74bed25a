"""Hybrid Transformer Demucs as a network: one branch on the spectrum, one on the samples.

Rouard, Massa and Defossez, "Hybrid Transformers for Music Source Separation" (ICASSP 2023); the
layers are those of Defossez, "Hybrid Spectrogram and Waveform Source Separation" (2021). For
inference alone. Names of modules are those of the published weights.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from symmv_builder.backends.htdemucs.transformer import CrossTransformer, Scale


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes in which models of this kind differ; defaults are those of its authors' code.

    `segment` is how many samples the network takes at once.
    """

    sources: tuple[str, ...]
    segment: int = 441_000
    samplerate: int = 44_100
    audio_channels: int = 2
    channels: int = 48
    channels_time: int | None = None
    growth: int = 2
    nfft: int = 4096
    depth: int = 4
    kernel_size: int = 8
    stride: int = 4
    context: int = 1
    freq_emb: float = 0.2
    emb_scale: float = 10.0
    dconv_mode: int = 1
    dconv_depth: int = 2
    dconv_comp: int = 8
    bottom_channels: int = 0
    t_layers: int = 5
    t_heads: int = 8
    t_hidden_scale: float = 4.0


class _Residual(nn.Module):
    """Dilated convolutions in a narrow space, added to what comes in, ``[b, c, t]``."""

    def __init__(self, channels: int, shape: Shape) -> None:
        super().__init__()
        hidden = channels // shape.dconv_comp
        self.layers = nn.ModuleList(
            nn.Sequential(
                nn.Conv1d(channels, hidden, 3, dilation=2**i, padding=2**i),
                nn.GroupNorm(1, hidden),
                nn.GELU(),
                nn.Conv1d(hidden, 2 * channels, 1),
                nn.GroupNorm(1, 2 * channels),
                nn.GLU(1),
                Scale(channels, channels_first=True),
            )
            for i in range(shape.dconv_depth)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Also of a spectrum ``[b, c, f, t]``, each frequency by itself."""
        if x.ndim == 3:
            return self._add(x)
        examples, channels, bins, steps = x.shape
        x = self._add(x.transpose(1, 2).reshape(-1, channels, steps))
        return x.reshape(examples, bins, channels, steps).transpose(1, 2)

    def _add(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = x + layer(x)
        return x


def _kinds(of_spectrum: bool) -> tuple[Any, Any]:
    return (nn.Conv2d, nn.ConvTranspose2d) if of_spectrum else (nn.Conv1d, nn.ConvTranspose1d)


class _Encoder(nn.Module):
    """A layer that makes frequencies (of a spectrum), or samples, fewer by the stride."""

    def __init__(self, inputs: int, outputs: int, shape: Shape, *, of_spectrum: bool) -> None:
        super().__init__()
        convolution, _ = _kinds(of_spectrum)
        sizes: tuple[Any, ...] = (shape.kernel_size, shape.stride, shape.kernel_size // 4)
        if of_spectrum:
            sizes = ((sizes[0], 1), (sizes[1], 1), (sizes[2], 0))
        self.conv = convolution(inputs, outputs, *sizes)
        self.dconv = _Residual(outputs, shape) if shape.dconv_mode & 1 else nn.Identity()
        self.rewrite = convolution(outputs, 2 * outputs, 1)
        self._stride, self._of_spectrum = shape.stride, of_spectrum

    def forward(self, x: Tensor) -> Tensor:
        if not self._of_spectrum:
            x = F.pad(x, (0, -x.shape[-1] % self._stride))
        return F.glu(self.rewrite(self.dconv(F.gelu(self.conv(x)))), dim=1)


class _Decoder(nn.Module):
    """The layer that undoes an encoder; the last of all ends without its nonlinearity."""

    def __init__(
        self, inputs: int, outputs: int, shape: Shape, *, of_spectrum: bool, last: bool
    ) -> None:
        super().__init__()
        convolution, transposed = _kinds(of_spectrum)
        sizes: tuple[Any, ...] = (shape.kernel_size, shape.stride)
        if of_spectrum:
            sizes = ((sizes[0], 1), (sizes[1], 1))
        self.conv_tr = transposed(inputs, outputs, *sizes)
        self.rewrite = convolution(inputs, 2 * inputs, 1 + 2 * shape.context, padding=shape.context)
        self.dconv = _Residual(inputs, shape) if shape.dconv_mode & 2 else nn.Identity()
        self._pad, self._of_spectrum, self._last = shape.kernel_size // 4, of_spectrum, last

    def forward(self, x: Tensor, skip: Tensor, length: int) -> Tensor:
        """Decode.

        `length` is that of the samples before the encoder, a spectrum's follows from it.
        """
        x = self.conv_tr(self.dconv(F.glu(self.rewrite(x + skip), dim=1)))
        if self._of_spectrum:
            x = x[..., self._pad : -self._pad, :]
        else:
            x = x[..., self._pad : self._pad + length]
        return x if self._last else F.gelu(x)


class _Embedding(nn.Module):
    """A vector for each frequency, that learned faster by a factor."""

    def __init__(self, bins: int, channels: int, factor: float) -> None:
        super().__init__()
        self.embedding = nn.Embedding(bins, channels)
        self._factor = factor

    def forward(self) -> Tensor:
        return self.embedding.weight * self._factor


class HTDemucs(nn.Module):
    """Samples ``[b, c, n]`` to those of each source ``[b, sources, c, n]``, n = `Shape.segment`."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.encoder, self.decoder = nn.ModuleList(), nn.ModuleList()
        self.tencoder, self.tdecoder = nn.ModuleList(), nn.ModuleList()
        # Real and imaginary part are channels of the spectrum.
        inputs, inputs_t = 2 * shape.audio_channels, shape.audio_channels
        outputs, outputs_t = shape.channels, shape.channels_time or shape.channels
        for index in range(shape.depth):
            last = index == 0
            self.encoder.append(_Encoder(inputs, outputs, shape, of_spectrum=True))
            self.tencoder.append(_Encoder(inputs_t, outputs_t, shape, of_spectrum=False))
            if last:
                inputs, inputs_t = inputs * len(shape.sources), inputs_t * len(shape.sources)
            self.decoder.insert(0, _Decoder(outputs, inputs, shape, of_spectrum=True, last=last))
            self.tdecoder.insert(
                0, _Decoder(outputs_t, inputs_t, shape, of_spectrum=False, last=last)
            )
            inputs, inputs_t = outputs, outputs_t
            outputs, outputs_t = shape.growth * outputs, shape.growth * outputs_t
        bins = shape.nfft // 2 // shape.stride
        self.freq_emb = (
            _Embedding(bins, shape.channels, shape.emb_scale) if shape.freq_emb else None
        )
        width = inputs
        if shape.bottom_channels:
            for suffix in ("", "_t"):
                up = nn.Conv1d(width, shape.bottom_channels, 1)
                down = nn.Conv1d(shape.bottom_channels, width, 1)
                self.add_module(f"channel_upsampler{suffix}", up)
                self.add_module(f"channel_downsampler{suffix}", down)
            width = shape.bottom_channels
        if shape.t_layers:
            hidden = int(width * shape.t_hidden_scale)
            self.crosstransformer = CrossTransformer(width, shape.t_heads, hidden, shape.t_layers)

    def forward(self, samples: Tensor) -> Tensor:
        spectrum = self._spectrum(samples)
        x, mean, std = _normalised(spectrum)
        y, mean_t, std_t = _normalised(samples)
        skips, skips_t, lengths = [], [], []
        for index, (encode, encode_t) in enumerate(zip(self.encoder, self.tencoder, strict=True)):
            lengths.append(y.shape[-1])
            x, y = encode(x), encode_t(y)
            if index == 0 and self.freq_emb is not None:
                x = x + self.shape.freq_emb * self.freq_emb().T[None, :, :, None]
            skips.append(x)
            skips_t.append(y)
        x, y = self._across(x, y)
        for decode, decode_t in zip(self.decoder, self.tdecoder, strict=True):
            length = lengths.pop()
            x = decode(x, skips.pop(), length)
            y = decode_t(y, skips_t.pop(), length)
        sources = len(self.shape.sources)
        x = x.reshape(len(x), sources, -1, *x.shape[2:]) * std[:, None] + mean[:, None]
        y = y.reshape(len(y), sources, -1, y.shape[2]) * std_t[:, None] + mean_t[:, None]
        return y + self._samples(x, samples.shape[-1])

    def _across(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        if not self.shape.t_layers:
            return x, y
        parts: Any = self
        if self.shape.bottom_channels:
            bins = x.shape[2]
            x = parts.channel_upsampler(x.flatten(2))
            x = x.reshape(*x.shape[:2], bins, -1)
            x, y = self.crosstransformer(x, parts.channel_upsampler_t(y))
            x = parts.channel_downsampler(x.flatten(2))
            return x.reshape(*x.shape[:2], bins, -1), parts.channel_downsampler_t(y)
        x, y = self.crosstransformer(x, y)
        return x, y

    def _spectrum(self, samples: Tensor) -> Tensor:
        """Compute the spectrum ``[b, 2 c, f, t]`` of samples ``[b, c, n]``, ``t = ceil(n / hop)``.

        Without its highest bin, so that the strides divide it; frame i lies around the i-th hop.
        """
        nfft, hop = self.shape.nfft, self.shape.nfft // 4
        steps = -(-samples.shape[-1] // hop)
        beyond = hop // 2 * 3
        padded = F.pad(samples, (beyond, beyond + steps * hop - samples.shape[-1]), mode="reflect")
        window = torch.hann_window(nfft).to(samples)
        spectrum = torch.stft(
            padded.flatten(0, 1), nfft, hop, window=window, normalized=True, return_complex=True
        )[:, :-1, 2 : 2 + steps]
        parts = torch.view_as_real(spectrum)
        parts = parts.reshape(*samples.shape[:2], *parts.shape[1:])
        return parts.permute(0, 1, 4, 2, 3).flatten(1, 2)

    def _samples(self, spectra: Tensor, length: int) -> Tensor:
        """Compute the samples ``[b, s, c, length]`` of spectra ``[b, s, 2 c, f, t]``."""
        hop = self.shape.nfft // 4
        parts = spectra.reshape(*spectra.shape[:2], -1, 2, *spectra.shape[3:])
        parts = parts.permute(0, 1, 2, 4, 5, 3)
        whole = F.pad(torch.view_as_complex(parts.contiguous()), (2, 2, 0, 1))
        beyond = hop // 2 * 3
        window = torch.hann_window(self.shape.nfft).to(spectra)
        samples: Tensor = torch.istft(
            whole.flatten(0, 2), self.shape.nfft, hop, window=window, normalized=True,
            length=hop * -(-length // hop) + 2 * beyond,
        )  # fmt: skip
        return samples.reshape(*whole.shape[:3], -1)[..., beyond : beyond + length]


def _normalised(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Normalise each example to mean 0 and deviation 1; gives both as they were."""
    over = tuple(range(1, x.ndim))
    mean, std = x.mean(dim=over, keepdim=True), x.std(dim=over, keepdim=True)
    return (x - mean) / (1e-5 + std), mean, std
