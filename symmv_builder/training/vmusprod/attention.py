"""Linear attention: sums of keys and values instead of a weight for every pair of tokens.

Katharopoulos et al., "Transformers are RNNs" (2020): with ``phi(x) = elu(x) + 1`` a query
receives ``phi(q) . sum(phi(k) v) / (phi(q) . sum(phi(k)))``, where the sums run over the keys
that it may see. V-MusProd (section 4.3) builds all its transformers on it. Shapes: queries
and keys ``[b, h, t, d]``, values ``[b, h, t, e]``, masks ``[b, t]`` with True for real tokens.
Whatever autocast says, sums are made in float32. A query that may see nothing receives zeros.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from symmv_builder.training.vmusprod.masks import Packing

EPS = 1e-6
CHUNK = 64


@dataclass(frozen=True, slots=True)
class AttentionSums:
    """Running sums of linear attention: `kv` of keys times values ``[..., d, e]``, `k` of keys
    ``[..., d]``.
    """

    kv: Tensor
    k: Tensor


def phi(x: Tensor) -> Tensor:
    """Compute the feature map ``elu(x) + 1``, positive everywhere, in float32.

    Written out: the compiler plans the gradient of PyTorch's own with strides that it has not.
    """
    x = x.float()
    return functional.relu(x) + x.clamp(max=0.0).exp()


def _features(k: Tensor, mask: Tensor | None) -> Tensor:
    """Compute features of keys; those of padding are zero, so that no sum knows them."""
    features = phi(k)
    return features if mask is None else features * mask[:, None, :, None]


def _divide(numerators: Tensor, denominators: Tensor, kind: torch.dtype) -> Tensor:
    return (numerators / (denominators.unsqueeze(-1) + EPS)).to(kind)


def _exact(x: Tensor) -> Any:
    """Autocast off: half precision loses the sums of a long song."""
    return torch.autocast(x.device.type, enabled=False)


def full(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """Attend from every query to every real key, ``[b, h, t, e]``; `mask` is that of the keys."""
    return read(q, summed(k, v, mask), v.dtype)


def summed(k: Tensor, v: Tensor, mask: Tensor | None = None) -> AttentionSums:
    """Sum over all real keys of each sequence: `kv` ``[b, h, d, e]``, `k` ``[b, h, d]``."""
    with _exact(k):
        features = _features(k, mask)
        return AttentionSums(features.transpose(-1, -2) @ v.float(), features.sum(-2))


def read(q: Tensor, sums: AttentionSums, kind: torch.dtype = torch.float32) -> Tensor:
    """Attend from queries ``[..., t, d]`` to sums ``[..., d, e]``; gives ``[..., t, e]``."""
    with _exact(q):
        features = phi(q)
        return _divide(features @ sums.kv, (features * sums.k.unsqueeze(-2)).sum(-1), kind)


def causal(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None, chunk: int = CHUNK
) -> Tensor:
    """Attend from every query to the real keys up to its own place; gives ``[b, h, t, e]``.

    Within a chunk of so many tokens all pairs are weighed; what lies before a chunk comes
    from running sums over the chunks. Time and memory grow with ``t``, not with its square.
    """
    with _exact(q):
        length = q.shape[2]
        spare = -length % chunk
        queries, keys, values = (
            torch.unflatten(functional.pad(x, (0, 0, 0, spare)), 2, (-1, chunk))
            for x in (phi(q), _features(k, mask), v.float())
        )
        weights = (queries @ keys.transpose(-1, -2)).tril()
        kv, sums = keys.transpose(-1, -2) @ values, keys.sum(-2)
        numerators = weights @ values + queries @ _before(kv)
        denominators = weights.sum(-1) + (queries * _before(sums).unsqueeze(-2)).sum(-1)
        out = _divide(numerators, denominators, v.dtype)
        return out.flatten(2, 3)[:, :, :length]


def _before(sums: Tensor) -> Tensor:
    """Sum all chunks before each one.

    Not a sum less its last term: that would let the chunk itself be seen through rounding.
    """
    return torch.cat([torch.zeros_like(sums[:, :, :1]), sums[:, :, :-1].cumsum(2)], dim=2)


def step(q: Tensor, k: Tensor, v: Tensor, sums: AttentionSums) -> tuple[Tensor, AttentionSums]:
    """Compute one token of `causal`: `q`, `k` ``[b, h, d]`` and `v` ``[b, h, e]`` after `sums`."""
    with _exact(q):
        features = phi(k)
        outer = features.unsqueeze(-1) * v.float().unsqueeze(-2)
        sums = AttentionSums(sums.kv + outer, sums.k + features)
        return read(q.unsqueeze(-2), sums, v.dtype).squeeze(-2), sums


def nothing(batch_size: int, heads: int, d: int, e: int, device: torch.device) -> AttentionSums:
    """Give the sums before the first token, which are zeros."""
    return AttentionSums(
        torch.zeros(batch_size, heads, d, e, device=device),
        torch.zeros(batch_size, heads, d, device=device),
    )


def bar_sums(k: Tensor, v: Tensor, packing: Packing, marks: Tensor | None = None) -> AttentionSums:
    """Sum over the keys of each bar and of the bars beside it: ``[b, h, bars, d, e]``.

    Keys are laid out by bar first, so that no product of single tokens is ever stored. `marks`
    ``[3, h, d]`` are added to keys that are seen from the bar after them, from their own, and
    from the bar before.
    """
    with _exact(k):
        keys, values = packing.by_bar(k.float()), packing.by_bar(v.float())
        real = packing.mask[:, None, :, :, None]
        sums = []
        for mark in k.new_zeros(1, *k.shape[1::2]) if marks is None else marks.float():
            features = phi(keys + mark[:, None, None]) * real
            sums.append(AttentionSums(features.transpose(-1, -2) @ values, features.sum(-2)))
        after, own, before = sums * (3 if marks is None else 1)
        return AttentionSums(
            _from_beside(after.kv, own.kv, before.kv), _from_beside(after.k, own.k, before.k)
        )


def _from_beside(after: Tensor, own: Tensor, before: Tensor) -> Tensor:
    """Give what each bar sees: the bar before it seen from after it, itself, the bar after it."""
    none = torch.zeros_like(own[:, :, :1])
    earlier = torch.cat([none, after[:, :, :-1]], dim=2)
    return earlier + own + torch.cat([before[:, :, 1:], none], dim=2)


def across_bars(q: Tensor, sums: AttentionSums, packing: Packing, kind: torch.dtype) -> Tensor:
    """Attend from queries of bar ``n`` to the keys of bars ``n - 1``, ``n`` and ``n + 1``.

    `packing` is that of the queries, over the same number of bars as `sums`. Queries of
    padding receive zeros.
    """
    return packing.by_token(read(packing.by_bar(q), sums, kind))


def step_across_bars(q: Tensor, sums: AttentionSums, bars: Tensor) -> Tensor:
    """Attend with one token of `across_bars`: `q` ``[b, h, d]`` in bars ``[b]``.

    Past the last sees nothing.
    """
    count = sums.k.shape[2]
    inside = (bars < count).to(sums.k.dtype)
    rows = torch.arange(len(bars), device=bars.device)
    at = bars.clamp(0, count - 1)
    kv = sums.kv[rows, :, at] * inside[:, None, None, None]
    k = sums.k[rows, :, at] * inside[:, None, None]
    return read(q.unsqueeze(-2), AttentionSums(kv, k), q.dtype).squeeze(-2)
