"""From contexts to intervals: which spans of frames of a symbol are notes, by an exact search.

Yan and Duan (ISMIR 2024) score every span of a symbol; the best set of spans that do not overlap is
that of a semi-Markov field without a score for silence (Yan et al., "Skipping the Frame-Level",
NeurIPS 2021). The search is the backward one of Viterbi. The scores of a span's start lie side by
side in memory, and the half of them that ends before it begins is not computed.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

Interval = tuple[int, int]

_STARTS_AT_ONCE = 96


def best_intervals(scorer: Any, context: Tensor, starts: Sequence[int]) -> list[list[Interval]]:
    """Find the intervals (first and last frame) of each symbol, in order of time.

    `context` is ``[symbols, frames, d]``; the intervals of a symbol begin at its frame of `starts`
    or later. Of equal scores the silence wins, then the earlier end. An interval of one frame may
    stand at the end of another and at the start of a third.
    """
    return follow(*search(scorer, context, min(starts)), starts)


def search(scorer: Any, context: Tensor, first: int = 0) -> tuple[Tensor, Tensor]:
    """Find what `follow` goes by, for each symbol and frame of ``[symbols, frames, d]``.

    Where the best interval that begins there ends, 0 where it is better to go on; and whether an
    interval of this frame alone is one. Frames before `first` are left out of the former. Symbols
    may be those of several segments: each is searched by itself.
    """
    symbols, frames, width = context.shape
    ends_at, begins_at, alone = scorer.map(context).split([width, width, 1], dim=-1)
    ends_at, alone = ends_at / width**0.5, alone[..., 0]
    singles = torch.where(alone > 0, alone, 0.0)
    total = context.new_zeros(symbols, frames)
    total[:, -1] = singles[:, -1]
    ends = torch.zeros(symbols, frames, dtype=torch.int64, device=context.device)
    numbers = torch.arange(frames, device=context.device)
    for stop in range(frames - 1, first, -_STARTS_AT_ONCE):
        start = max(first, stop - _STARTS_AT_ONCE)
        scores = begins_at[:, start:stop] @ ends_at[:, start + 1 :].transpose(1, 2)
        scores *= (numbers[start + 1 :] - numbers[start:stop, None]).abs()
        for frame in range(stop - 1, start - 1, -1):
            after = frame + 1
            best, place = (scores[:, frame - start, frame - start :] + total[:, after:]).max(dim=1)
            silent = total[:, after]
            total[:, frame] = torch.maximum(best, silent) + singles[:, frame]
            ends[:, frame] = torch.where(best > silent, place + after, 0)
    return ends, alone > 0


def follow(ends: Tensor, singles: Tensor, starts: Sequence[int]) -> list[list[Interval]]:
    """Trace the intervals along the best path of each symbol, from its frame of `starts` on."""
    intervals = []
    for end_of, is_single, start in zip(ends.tolist(), singles.tolist(), starts, strict=True):
        path: list[Interval] = []
        frame, last = start, len(end_of) - 1
        while frame < last:
            if is_single[frame]:
                path.append((frame, frame))
            if end_of[frame]:
                path.append((frame, end_of[frame]))
                frame = end_of[frame]
            else:
                frame += 1
        if is_single[last]:
            path.append((last, last))
        intervals.append(path)
    return intervals
