"""Relative attention against the sum written out, and one step at a time against all at once."""

import math

import pytest
import torch
from torch import Tensor

from symmv_builder.training.amt.attention import Attention, Cache, CausalSelfAttention, skew

LENGTH, WIDTH, HEADS = 12, 16, 4


def attention(relative: str | None) -> CausalSelfAttention:
    torch.manual_seed(0)
    made = CausalSelfAttention(WIDTH, HEADS, 0.0, LENGTH, relative)  # type: ignore[arg-type]
    if made.distances is not None:
        torch.nn.init.normal_(made.distances)
    return made.eval()


def written_out(module: CausalSelfAttention, x: Tensor) -> Tensor:
    """The paper's formula pair by pair: softmax((q k + q r) / sqrt(d)) v, r by distance."""
    t, deep = x.shape[1], WIDTH // HEADS
    query, key, value = module.query(x), module.key(x), module.value(x)
    rows = []
    for song in range(x.shape[0]):
        for i in range(t):
            heads = []
            for head in range(HEADS):
                part = slice(head * deep, (head + 1) * deep)
                q = query[song, i, part]
                scores = []
                for j in range(i + 1):
                    score = q @ key[song, j, part]
                    if module.distances is not None:
                        own = head if len(module.distances) > 1 else 0
                        score = score + q @ module.distances[own, LENGTH - 1 - (i - j)]
                    scores.append(score / math.sqrt(deep))
                weights = torch.softmax(torch.stack(scores), 0)
                heads.append(weights @ value[song, : i + 1, part])
            rows.append(torch.cat(heads))
    out: Tensor = module.out(torch.stack(rows).reshape(x.shape))
    return out


@pytest.mark.parametrize("relative", ["each", "shared", None])
@pytest.mark.parametrize("length", [1, 5, LENGTH])
def test_skewed_attention_is_the_sum_over_pairs(relative: str | None, length: int) -> None:
    module = attention(relative)
    x = torch.randn(2, length, WIDTH)
    torch.testing.assert_close(module(x, x, None), written_out(module, x), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("relative", ["each", "shared", None])
def test_gradients_are_those_of_the_sum_over_pairs(relative: str | None) -> None:
    module = attention(relative)
    x = torch.randn(2, 7, WIDTH)
    found: list[Tensor] = []
    wanted: list[Tensor] = []
    for gradients, compute in ((found, module(x, x, None)), (wanted, written_out(module, x))):
        module.zero_grad()
        compute.square().sum().backward()
        gradients += [p.grad.clone() for p in module.parameters() if p.grad is not None]
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)


def test_skewing_puts_each_distance_below_the_diagonal() -> None:
    # Row i holds at place t - 1 - d what belongs to distance d.
    by_distance = torch.arange(4).flip(0).expand(4, 4).float()
    skewed = skew(by_distance[None])[0]
    for i in range(4):
        assert skewed[i, : i + 1].tolist() == [i - j for j in range(i + 1)]


@pytest.mark.parametrize("relative", ["each", "shared", None])
def test_one_step_at_a_time_gives_the_same_rows(relative: str | None) -> None:
    module = attention(relative)
    x = torch.randn(3, LENGTH, WIDTH)
    cache = Cache()
    steps = [module.step(x[:, i : i + 1], cache) for i in range(LENGTH)]
    torch.testing.assert_close(torch.cat(steps, 1), module(x, x, None), atol=1e-5, rtol=1e-4)


def test_what_comes_later_changes_nothing() -> None:
    module = attention("each")
    x = torch.randn(2, 9, WIDTH)
    other = x.clone()
    other[:, 5:] += 100
    torch.testing.assert_close(module(x, x, None)[:, :5], module(other, other, None)[:, :5])


def test_a_masked_key_changes_nothing() -> None:
    torch.manual_seed(0)
    module = Attention(WIDTH, HEADS, 0.0).eval()
    x, source = torch.randn(2, 3, WIDTH), torch.randn(2, 6, WIDTH)
    allowed = torch.tensor([True] * 4 + [False] * 2)[None, None, None, :]
    other = source.clone()
    other[:, 4:] = 1e4
    torch.testing.assert_close(module(x, source, allowed), module(x, other, allowed))
    torch.testing.assert_close(module(x, source, allowed), module(x, source[:, :4], None))


def test_a_sequence_longer_than_the_known_distances_is_refused() -> None:
    x = torch.randn(1, LENGTH + 1, WIDTH)
    with pytest.raises(ValueError, match="13 positions, but distances are known for 12"):
        attention("each")(x, x, None)
