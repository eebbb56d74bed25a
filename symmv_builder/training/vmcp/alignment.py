"""GVMGen's evaluation model: does music belong to a video, and moment to moment?

Zuo et al., "GVMGen: A General Video-to-Music Generation Model with Hierarchical Attentions",
2025, section "Evaluation Model". Features of both are brought to one width H; the cross-attention
a(v, m) from each moment of the video to those of the music is to be its diagonal (equation 3),
and what it gathers, z_v = f(v, m, v) and z_m = f(v, m, m), summed up to a vector each, is to
find its partner among the batch (equations 4 and 5).

Where the paper leaves a choice: the summary is a mean over time and a linear layer; both losses
weigh the same; equation 3 is taken as written, a mean of absolute differences, though the text
calls it MSE. Segments have no positions: with them attention could learn the diagonal from the
numbers of the segments, and alignment would be perfect for any music.
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


class AlignmentModel(nn.Module):
    """One cross-attention between video and music of the same length."""

    scale: Tensor

    def __init__(self, video_widths: Sequence[int], music_width: int, config: VmcpConfig) -> None:
        super().__init__()
        self.video = Entrances(video_widths, lambda width: self._enter(width, config))
        self.music = self._enter(music_width, config)
        self.query = nn.Linear(config.width, config.width)
        self.key = nn.Linear(config.width, config.width)
        self.video_value = nn.Linear(config.width, config.width)
        self.music_value = nn.Linear(config.width, config.width)
        self.video_summary = nn.Linear(config.width, config.joint)
        self.music_summary = nn.Linear(config.width, config.joint)
        self.register_buffer("scale", torch.tensor(1 / config.temperature), persistent=False)

    @staticmethod
    def _enter(features: int, config: VmcpConfig) -> nn.Module:
        return nn.Sequential(
            nn.LayerNorm(features),
            nn.Linear(features, config.hidden),
            nn.GELU(),
            nn.Dropout(config.dropout),
            nn.Linear(config.hidden, config.width),
        )

    # Under which name the entrances of videos are found among the tensors of a checkpoint.
    entrances_name = "video"

    @property
    def entrances(self) -> Entrances:
        return self.video

    def forward(
        self, video: Tensor, music: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Compute unit summaries of video and music ``[b, joint]``, attention ``[b, t, t]``, scale.

        `video` ``[b, t, dv]`` and `music` ``[b, t, dm]`` are on one clock, `mask` bool
        ``[b, t]`` says which segments are real; padding gets no attention.
        """
        v, m = self.video(video), self.music(music)
        scores = self.query(v) @ self.key(m).transpose(1, 2) / math.sqrt(v.shape[-1])
        scores = scores.float()
        scores = scores.masked_fill(~mask[:, None], torch.finfo(scores.dtype).min)
        attention = scores.softmax(dim=-1)
        weights = mask[:, :, None] / mask.sum(dim=1).clamp(min=1)[:, None, None]
        outputs = []
        for values, summary in (
            (self.video_value(v), self.video_summary),
            (self.music_value(m), self.music_summary),
        ):
            z = attention.to(values.dtype) @ values
            outputs.append(normalize(summary((z * weights).sum(dim=1)).float(), dim=-1))
        return outputs[0], outputs[1], attention, self.scale


def off_diagonal(attention: Tensor, mask: Tensor) -> Tensor:
    """Equation 3 for each song ``[b]``: the mean over its segments of ``|1 - a_ii|``."""
    missed = (1 - attention.diagonal(dim1=1, dim2=2)).abs() * mask
    return missed.sum(dim=1) / mask.sum(dim=1).clamp(min=1)


def alignment_sums(
    outputs: tuple[Tensor, ...], mask: Tensor, ranks: Ranks
) -> tuple[Tensor, Tensor]:
    """Compute what a batch adds to the loss ``[3]``, and what that is counted by ``[2]``.

    InfoNCE over songs, equation 3, hits; songs, songs.
    """
    video, music, attention, scale = outputs
    is_song = mask.any(dim=1)
    nce, hits = info_nce(video, music, is_song, scale, ranks)
    songs = is_song.sum().float()
    missed = (off_diagonal(attention, mask) * is_song).sum()
    return torch.stack((nce, missed, hits)), torch.stack((songs, songs))
