"""InfoNCE as the paper writes it, and without what is only padding."""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from symmv_builder.training.ranks import Ranks
from symmv_builder.training.vmcp.alignment import off_diagonal
from symmv_builder.training.vmcp.losses import info_nce

ALONE = Ranks(0, 1, torch.device("cpu"))
SCALE = torch.tensor(1 / 0.07)


def unit(*shape: int, seed: int) -> Tensor:
    made = torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
    return normalize(made, dim=-1)


def by_the_paper(video: Any, music: Any, mask: Any, temperature: float) -> float:
    """The double sums of section 5.1, both directions, of songs ``[N, L, d]``."""
    total = 0.0
    songs, segments = mask.shape
    for one, other in ((video, music), (music, video)):
        for i in range(songs):
            for l in range(segments):  # noqa: E741
                if not mask[i, l]:
                    continue
                below = 0.0
                for j in range(songs):
                    for k in range(segments):
                        if mask[j, k]:
                            below += math.exp(float(one[i, l] @ other[j, k]) / temperature)
                own = math.exp(float(one[i, l] @ other[i, l]) / temperature)
                total -= math.log(own / below)
    return total / 2


def test_the_loss_is_that_of_the_papers_double_sums() -> None:
    video, music = unit(3, 4, 6, seed=1), unit(3, 4, 6, seed=2)
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0], [1, 0, 0, 0]], dtype=torch.bool)
    nce, _ = info_nce(video.flatten(0, 1), music.flatten(0, 1), mask.flatten(), SCALE, ALONE)
    expected = by_the_paper(video.numpy(), music.numpy(), mask.numpy(), 0.07)
    np.testing.assert_allclose(float(nce), expected, rtol=1e-5)


def test_what_is_padding_changes_neither_loss_nor_gradient() -> None:
    mask = torch.tensor([1, 1, 0, 1, 0], dtype=torch.bool)
    video, music = unit(5, 6, seed=1), unit(5, 6, seed=2)
    found = []
    for seed in (3, 4):
        v, m = video.clone(), music.clone()
        v[~mask], m[~mask] = unit(2, 6, seed=seed), unit(2, 6, seed=seed + 10)
        v.requires_grad_()
        nce, hits = info_nce(v, m, mask, SCALE, ALONE)
        nce.backward()  # type: ignore[no-untyped-call]
        assert v.grad is not None
        assert not v.grad[~mask].any()
        found.append((float(nce.detach()), float(hits), v.grad[mask]))
    assert found[0][:2] == found[1][:2]
    torch.testing.assert_close(found[0][2], found[1][2])
    kept, _ = info_nce(video[mask], music[mask], mask[mask], SCALE, ALONE)
    np.testing.assert_allclose(found[0][0], float(kept), rtol=1e-6)


def test_a_batch_of_padding_alone_has_no_loss_and_a_gradient_of_zero() -> None:
    video = unit(4, 6, seed=1).requires_grad_()
    nce, hits = info_nce(video, unit(4, 6, seed=2), torch.zeros(4, dtype=torch.bool), SCALE, ALONE)
    nce.backward()  # type: ignore[no-untyped-call]
    assert float(nce.detach()) == float(hits) == 0
    assert video.grad is not None
    assert not video.grad.any()


def test_music_that_is_its_video_is_a_hit_and_costs_almost_nothing() -> None:
    same = torch.eye(8)
    mask = torch.tensor([1, 1, 1, 1, 1, 1, 0, 0], dtype=torch.bool)
    nce, hits = info_nce(same, same, mask, SCALE, ALONE)
    assert float(hits) == 6
    assert float(nce) < 1e-4
    swapped, hits = info_nce(same, same[[1, 2, 3, 4, 5, 0, 6, 7]], mask, SCALE, ALONE)
    assert float(hits) == 0
    assert float(swapped) > 50


def test_equation_3_is_the_mean_distance_of_the_diagonal_from_one_over_real_segments() -> None:
    attention = torch.tensor([[[0.5, 0.5, 0], [0.2, 0.8, 0], [0, 0, 1]], [[1.0, 0, 0]] * 3])
    mask = torch.tensor([[1, 1, 0], [1, 0, 0]], dtype=torch.bool)
    torch.testing.assert_close(off_diagonal(attention, mask), torch.tensor([0.35, 0.0]))
