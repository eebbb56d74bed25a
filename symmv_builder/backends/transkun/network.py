"""The modules of Transkun's network, named as its checkpoint names their parameters.

They hold weights and compute the small parts; `encoder` says in which order all of it is
evaluated. What only training needs (dropout, losses, checkpoints of gradients) is left out.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

# Sustain and soft pedal as negative controller numbers, then the 88 keys.
SYMBOLS = (-64, -67, *range(21, 109))
_FLOOR = 1e-5
_GROUPS = 4
_PATCH_FRAMES = 8


class Network(nn.Module):
    """The network of a configuration; the weights are loaded by `load_state_dict`.

    `KeyError` where the configuration lacks a name, `ValueError` where it asks for a part that
    the published model does not have.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__()
        settings = {"useInnerProductScorer": True, "downsampleF": True, "enabledAttn": ["F", "T"]}
        if other := sorted(name for name, value in settings.items() if config[name] != value):
            raise ValueError(f"another {', '.join(other)} than that of Transkun 2.0")
        self.fs, self.hopSize = config["fs"], config["hopSize"]
        self.windowSize = config["windowSize"]
        self.segmentSizeInSecond = config["segmentSizeInSecond"]
        self.segmentHopSizeInSecond = config["segmentHopSizeInSecond"]
        self.targetMIDIPitch: Sequence[int] = SYMBOLS
        width = config["baseSize"] * config["scoringExpansionFactor"]
        self.framewiseFeatureExtractor = _Mels(
            self.windowSize, config["n_mels"], config["nExtraWins"]
        )
        self.scorer = _Scorer(width)
        self.velocityPredictor = _two_layers(3 * width, config["velocityPredictorHiddenSize"], 128)
        self.refinedOFPredictor = _two_layers(3 * width, config["refinedOFPredictorHiddenSize"], 4)
        self.backbone = _Backbone(config, width)


def _two_layers(inside: int, hidden: int, outside: int) -> nn.Sequential:
    """Make two linear maps; the dropout keeps its place because parameters are numbered."""
    return nn.Sequential(
        nn.Linear(inside, hidden), nn.GELU(), nn.Dropout(0.0), nn.Linear(hidden, outside)
    )


class _Mels(nn.Module):
    """Mel filters, and the windows under which a frame is seen; the checkpoint holds both."""

    freq2mels: Tensor

    def __init__(self, window: int, mels: int, extra_windows: int) -> None:
        super().__init__()
        self.eps = _FLOOR
        self.register_buffer("freq2mels", torch.zeros(window // 2 + 1, mels))
        self.spectrogramExtractor = _Windows(window, extra_windows)


class _Windows(nn.Module):
    win: Tensor

    def __init__(self, window: int, extra_windows: int) -> None:
        super().__init__()
        self.register_buffer("win", torch.hann_window(window))
        self.winGen = _GaussianWindows(window, extra_windows)


class _GaussianWindows(nn.Module):
    """Windows whose centres and widths were learned."""

    def __init__(self, window: int, count: int) -> None:
        super().__init__()
        self._window = window
        self.sigma = nn.Parameter(torch.zeros(count))
        self.center = nn.Parameter(torch.zeros(count))

    def get(self) -> Tensor:
        """Give the windows ``[window, count]``."""
        places = torch.arange(self._window, device=self.sigma.device).unsqueeze(1)
        centres = self._window * torch.sigmoid(self.center)
        widths = torch.sigmoid(self.sigma) * self._window / 2
        return (-0.5 * ((places - centres) / widths) ** 2).exp()


class _Scorer(nn.Module):
    """The parts of a span's score: its start, its end, and that of a single frame."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.map = nn.Sequential(nn.Linear(width, 2 * width + 1))


class _Places(nn.Module):
    """An embedding of coordinates, by learned waves."""

    def __init__(self, width: int, coordinates: int) -> None:
        super().__init__()
        self.proj = nn.Linear(coordinates, width)
        self.mlp = _two_layers(width, 4 * width, width)

    def forward(self, *axes: Tensor) -> Tensor:
        """Embed every point of a grid: ``[*lengths of axes, width]``."""
        points = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)
        phase = self.proj(points.float())
        embedded: Tensor = self.mlp(torch.cos(phase) / math.sqrt(phase.shape[-1] / 2))
        return embedded


class _Scaled(nn.Module):
    """A module whose output is scaled before it is added to its input."""

    def __init__(self, module: nn.Module, width: int) -> None:
        super().__init__()
        self.module = module
        self.scale = nn.Parameter(torch.zeros(width))


class _Attention(nn.Module):
    def __init__(self, width: int, heads: int, factor: float) -> None:
        super().__init__()
        self.num_heads = heads
        inside = math.ceil(math.ceil(factor * width) / heads) * heads
        self.q_proj_weight = nn.Parameter(torch.zeros(width, inside))
        self.k_proj_weight = nn.Parameter(torch.zeros(width, inside))
        self.v_proj_weight = nn.Parameter(torch.zeros(width, inside))
        self.out_proj = nn.Linear(inside, width)


class _Block(nn.Module):
    """Attention over frequency and over time, each with its two linear maps."""

    def __init__(self, width: int, config: Mapping[str, Any]) -> None:
        super().__init__()
        heads, factor = config["nHead"], config["hiddenFactorAttn"]
        hidden = math.ceil(width * config["hiddenFactor"])
        self.mhaBlockF = _Scaled(_Attention(width, heads, factor), width)
        self.fnnBlockF = _Scaled(_two_layers(width, hidden, width), width)
        self.mhaBlockT = _Scaled(_Attention(width, heads, factor), width)
        self.fnnBlockT = _Scaled(_two_layers(width, hidden, width), width)


class _Backbone(nn.Module):
    """Patches of 8 frames by 4 bands, layers of attention, and the way back to frames."""

    def __init__(self, config: Mapping[str, Any], width: int) -> None:
        super().__init__()
        base = config["baseSize"]
        self.posEmbedBuilder = _Places(base, 1)
        self.inputConv = nn.Conv2d(config["nExtraWins"] + 1, base, 3, padding=1)
        self.downConv = nn.Sequential(
            nn.ConstantPad2d((2, 1, 4, 3), 0.0),
            *_halved(base, 2 * base, stride=(2, 1)),
            *_halved(2 * base, 4 * base, stride=(2, 2)),
            *_halved(4 * base, 4 * base, stride=(2, 2)),
            nn.Conv2d(4 * base, 4 * base, 3, padding=1),
            nn.GroupNorm(_GROUPS, 4 * base),
        )
        self.upConv1dSkip = nn.ConvTranspose1d(4 * base, width, _PATCH_FRAMES, stride=_PATCH_FRAMES)
        self.posEmbedBuilderAttnTF = _Places(4 * base, 2)
        self.posEmbedBuilderAttnTE = _Places(4 * base, 2)
        self.encoderLayers = nn.ModuleList(
            _Block(4 * base, config) for _ in range(config["nLayers"])
        )


def _halved(inside: int, outside: int, *, stride: tuple[int, int]) -> tuple[nn.Module, ...]:
    return (
        nn.Conv2d(inside, outside, 3, padding=1, stride=stride),
        nn.GroupNorm(_GROUPS, outside),
        nn.GELU(),
        nn.Dropout2d(0.0),
    )
