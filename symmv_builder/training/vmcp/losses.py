"""InfoNCE over everything that the ranks hold, without what is only padding.

Zhuo et al. 2023, section 5.1: each segment of a video is to find its own segment of music among
all N x L segments of the batch, and the other way round. Padded segments are neither asked nor
answers. Over several ranks the batch is that of all of them, and the loss is the one that a
single process would have with it.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, pad

from symmv_builder.training.ranks import Ranks


class _Gathered(torch.autograd.Function):
    """A tensor of every rank, one below the other; a gradient goes back to where it is from."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor, rank: int, world: int) -> Tensor:
        ctx.rows = slice(rank * len(tensor), (rank + 1) * len(tensor))
        parts = [torch.empty_like(tensor) for _ in range(world)]
        torch.distributed.all_gather(parts, tensor.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        gradient = gradient.contiguous()
        torch.distributed.all_reduce(gradient)
        return gradient[ctx.rows], None, None


def info_nce(
    video: Tensor, music: Tensor, mask: Tensor, scale: Tensor, ranks: Ranks
) -> tuple[Tensor, Tensor]:
    """Sum over this rank's pairs of half the losses of both directions, and of hits.

    `video` and `music` are unit vectors ``[n, d]`` in pairs, `mask` bool ``[n]`` says which are
    real, `scale` is one over the temperature. A hit is a piece of music whose most similar
    video, of all ranks', is its own. Both results are scalars.
    """
    video, music = video.float(), music.float()
    all_video, all_music, all_mask, first = video, music, mask, 0
    if ranks.world > 1:
        size = torch.tensor(len(mask), device=mask.device)
        torch.distributed.all_reduce(size, torch.distributed.ReduceOp.MAX)
        more = int(size) - len(mask)
        first = int(size) * ranks.rank
        all_video, all_music = (
            _Gathered.apply(pad(x, (0, 0, 0, more)), ranks.rank, ranks.world)  # type: ignore[no-untyped-call]
            for x in (video, music)
        )
        all_mask = _gather_mask(pad(mask, (0, more)), ranks.world)
    own = first + torch.arange(len(mask), device=mask.device)
    targets = own.masked_fill(~mask, -100)
    nce, hits = video.new_zeros(()), video.new_zeros(())
    for queries, answers in ((video, all_music), (music, all_video)):
        logits = scale * queries @ answers.T
        # Finite, so that a batch without anything real has a gradient of zero and not of nan.
        logits = logits.masked_fill(~all_mask, torch.finfo(logits.dtype).min)
        nce = nce + cross_entropy(logits, targets, reduction="sum") / 2
    if len(mask):
        hits = ((logits.argmax(dim=1) == own) & mask).sum().float()
    return nce, hits


def _gather_mask(mask: Tensor, world: int) -> Tensor:
    numbers = mask.to(torch.uint8)
    parts = [torch.empty_like(numbers) for _ in range(world)]
    torch.distributed.all_gather(parts, numbers)
    return torch.cat(parts).bool()
