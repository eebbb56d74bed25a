"""Which tokens are real, and which of them belong to one bar."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Packing:
    """The places of the tokens of ``[b, t]`` when each bar has a row of its own.

    `index` ``[b, bars, width]`` is the token at each place, `mask` (same shape) whether there
    is one, `place` ``[b, t]`` the place of each token in ``bars * width``, `real` ``[b, t]``
    which tokens are not padding.
    """

    index: Tensor
    mask: Tensor
    place: Tensor
    real: Tensor

    def by_bar(self, x: Tensor) -> Tensor:
        """Lay out ``[b, h, t, d]`` as ``[b, h, bars, width, d]``; empty places hold any token."""
        b, h, _, d = x.shape
        flat = self.index.flatten(1)[:, None, :, None].expand(b, h, -1, d)
        return torch.unflatten(x.gather(2, flat), 2, self.index.shape[1:])

    def by_token(self, x: Tensor) -> Tensor:
        """Undo `by_bar`; padding is zero."""
        b, h, _, _, d = x.shape
        at = self.place[:, None, :, None].expand(b, h, -1, d)
        return x.flatten(2, 3).gather(2, at) * self.real[:, None, :, None].to(x.dtype)


def pack(bars: Tensor, mask: Tensor, count: int, width: int | None = None) -> Packing:
    """Lay out tokens whose bars ``[b, t]`` never fall, with padding behind them.

    `count` is the number of bars, above every bar of a real token. `width` is at least the
    number of tokens of the fullest bar; it is looked up where it is not given, which makes a
    GPU wait.
    """
    # Padding falls into one more bar, which is then cut away.
    bars = torch.where(mask, bars, count)
    counts = torch.zeros(len(bars), count + 1, dtype=torch.int64, device=bars.device)
    counts.scatter_add_(1, bars, torch.ones_like(bars))
    first = counts.cumsum(1) - counts
    wide = widest(counts[:, :count]) if width is None else width
    slots = torch.arange(wide, device=bars.device)
    index = (first[:, :count, None] + slots).clamp(max=bars.shape[1] - 1)
    filled = slots < counts[:, :count, None]
    order = torch.arange(bars.shape[1], device=bars.device)
    place = bars * wide + order - first.gather(1, bars)
    return Packing(index, filled, torch.where(mask, place, 0), mask)


def widest(counts: Tensor) -> int:
    """Give the largest of `counts`; 1 where there are none."""
    return max(int(counts.max().item()), 1) if counts.numel() else 1
