"""The video-music CLIP: two transformer encoders over segments and one space for both.

Zhuo et al., "Video Background Music Generation: Dataset, Method and Evaluation", 2023, section
5.1, after Surís et al., "It's Time for Artistic Correspondence in Music and Video", CVPR 2022.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from symmv_builder.training.ranks import Ranks
from symmv_builder.training.vmcp.config import VmcpConfig
from symmv_builder.training.vmcp.entrances import Entrances
from symmv_builder.training.vmcp.losses import info_nce

# CLIP's bound: similarities are never scaled by more.
LARGEST_SCALE = 100.0


class MusicEncoder(nn.Module):
    """Features of segments to unit vectors, each knowing the segments around it."""

    def __init__(self, widths: Sequence[int], config: VmcpConfig) -> None:
        super().__init__()
        self.enter = Entrances(
            widths, lambda width: nn.Sequential(nn.LayerNorm(width), nn.Linear(width, config.width))
        )
        layer = nn.TransformerEncoderLayer(
            config.width,
            config.heads,
            config.hidden,
            config.dropout,
            activation="gelu",
            batch_first=True,
            norm_first=True,
        )
        self.layers = nn.TransformerEncoder(layer, config.layers, enable_nested_tensor=False)
        self.leave = nn.Sequential(
            nn.LayerNorm(config.width), nn.Linear(config.width, config.joint)
        )

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        """Compute unit vectors ``[b, t, joint]`` of features ``[b, t, d]``, `d` one of the widths.

        `mask` ``[b, t]`` is what is real.
        """
        x = self.enter(features)
        x = x + positions(x.shape[1], x.shape[2], x.device).to(x.dtype)
        x = self.layers(x, src_key_padding_mask=~mask)
        return normalize(self.leave(x).float(), dim=-1)


def positions(length: int, width: int, device: torch.device) -> Tensor:
    """Make sines, then cosines, ``[length, width]``, of the places of segments."""
    rates = torch.exp(
        torch.arange(width // 2, device=device) * (-math.log(10_000.0) / (width // 2))
    )
    angles = torch.arange(length, device=device)[:, None] * rates
    return torch.cat((angles.sin(), angles.cos()), dim=1)


class VideoMusicClip(nn.Module):
    """Video and music into one space; what belongs together is close."""

    def __init__(self, video_widths: Sequence[int], music_width: int, config: VmcpConfig) -> None:
        super().__init__()
        self.video = MusicEncoder(video_widths, config)
        self.music = MusicEncoder((music_width,), config)
        self.log_scale = nn.Parameter(torch.tensor(-math.log(config.temperature)))

    # Under which name the entrances of videos are found among the tensors of a checkpoint.
    entrances_name = "video.enter"

    @property
    def entrances(self) -> Entrances:
        return self.video.enter

    def forward(self, video: Tensor, music: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Compute unit vectors of video and music, both ``[b, t, joint]``, and 1 / temperature.

        `video` ``[b, t, dv]`` and `music` ``[b, t, dm]`` are segments in pairs, `mask` bool
        ``[b, t]`` says which are real.
        """
        scale = self.log_scale.exp().clamp(max=LARGEST_SCALE)
        return self.video(video, mask), self.music(music, mask), scale


def clip_sums(outputs: tuple[Tensor, ...], mask: Tensor, ranks: Ranks) -> tuple[Tensor, Tensor]:
    """Compute what a batch adds to the loss ``[3]``, and what that is counted by ``[2]``.

    InfoNCE over segments, 0, hits; segments, songs. `alignment.alignment_sums` has the same form.
    """
    video, music, scale = outputs
    nce, hits = info_nce(video.flatten(0, 1), music.flatten(0, 1), mask.flatten(), scale, ranks)
    counts = torch.stack((mask.sum(), mask.any(dim=1).sum())).float()
    return torch.stack((nce, torch.zeros_like(nce), hits)), counts
