"""Both models: padding is not seen, the right shapes come out, the diagonal can be learned."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from symmv_builder.training.ranks import Ranks
from symmv_builder.training.vmcp.alignment import AlignmentModel, alignment_sums
from symmv_builder.training.vmcp.loading import OBJECTIVES
from symmv_builder.training.vmcp.model import LARGEST_SCALE, VideoMusicClip, clip_sums
from tests.training.vmcp.clip_rows import TINY

ALONE = Ranks(0, 1, torch.device("cpu"))
MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]], dtype=torch.bool)


def batch(seed: int = 0) -> tuple[Tensor, Tensor]:
    torch.manual_seed(seed)
    return torch.randn(2, 5, 12), torch.randn(2, 5, 7)


def made(objective: str, **settings: Any) -> torch.nn.Module:
    torch.manual_seed(3)
    return OBJECTIVES[objective].model((12,), 7, replace(TINY, **settings)).eval()


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_what_stands_in_padding_changes_nothing(objective: str) -> None:
    model = made(objective)
    sums = OBJECTIVES[objective].sums
    video, music = batch()
    first = sums(model(video, music, MASK), MASK, ALONE)
    video[~MASK], music[~MASK] = 50.0, -50.0
    second = sums(model(video, music, MASK), MASK, ALONE)
    for one, other in zip(first, second, strict=True):
        torch.testing.assert_close(one, other)
    short = model(video[1:, :3], music[1:, :3], MASK[1:, :3])
    whole = model(video, music, MASK)
    for one, other in zip(short[:2], whole[:2], strict=True):
        torch.testing.assert_close(one[0], other[1][: one.shape[1]] if one.dim() == 3 else other[1])


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_no_gradient_comes_from_padding(objective: str) -> None:
    model = made(objective)
    video, music = (x.requires_grad_() for x in batch())
    sums, _ = OBJECTIVES[objective].sums(model(video, music, MASK), MASK, ALONE)
    sums.sum().backward()  # type: ignore[no-untyped-call]
    for values in (video, music):
        assert values.grad is not None
        assert not values.grad[~MASK].any()
        assert values.grad[MASK].any(dim=-1).all()


def test_the_clip_gives_unit_vectors_and_a_bounded_scale() -> None:
    model = made("vmcp")
    assert isinstance(model, VideoMusicClip)
    video, music, scale = model(*batch(), MASK)
    assert video.shape == music.shape == (2, 5, TINY.joint)
    torch.testing.assert_close(video.norm(dim=-1), torch.ones(2, 5))
    torch.testing.assert_close(scale, torch.tensor(1 / 0.07))
    with torch.no_grad():
        model.log_scale.fill_(50.0)
        assert float(model(*batch(), MASK)[2]) == LARGEST_SCALE


def test_the_temperature_of_the_clip_is_learned_and_that_of_gvmgen_is_not() -> None:
    assert "log_scale" in dict(made("vmcp").named_parameters())
    model = made("gvmgen")
    assert not [name for name, _ in model.named_parameters() if "scale" in name]
    assert float(model(*batch(), MASK)[3]) == pytest.approx(1 / 0.07)


def test_a_segment_of_the_clip_knows_the_segments_around_it() -> None:
    model = made("vmcp")
    video, music = batch()
    before = model(video, music, MASK)[0]
    video[0, 4] = torch.randn(12)
    after = model(video, music, MASK)[0]
    assert not torch.allclose(before[0, 0], after[0, 0])
    torch.testing.assert_close(before[1], after[1])


def test_attention_of_gvmgen_sums_to_one_over_what_is_real() -> None:
    attention = made("gvmgen")(*batch(), MASK)[2]
    assert attention.shape == (2, 5, 5)
    torch.testing.assert_close(attention.sum(dim=-1), torch.ones(2, 5))
    assert not attention[1, :, 3:].any()


def test_gvmgen_does_not_know_the_numbers_of_segments() -> None:
    """Shuffled alike, video and music are attended to alike: the diagonal is not their order."""
    model = made("gvmgen")
    video, music = batch()
    mask = torch.ones(2, 5, dtype=torch.bool)
    order = torch.tensor([3, 1, 4, 0, 2])
    plain = model(video, music, mask)
    shuffled = model(video[:, order], music[:, order], mask)
    torch.testing.assert_close(shuffled[2], plain[2][:, order][:, :, order])
    torch.testing.assert_close(shuffled[0], plain[0])


def test_sums_count_segments_of_the_clip_and_songs_of_gvmgen() -> None:
    real = MASK.clone()
    real[1] = False
    for model, sums, counts in (
        (made("vmcp"), clip_sums, [5.0, 1.0]),
        (made("gvmgen"), alignment_sums, [1.0, 1.0]),
    ):
        assert sums(model(*batch(), MASK), real, ALONE)[1].tolist() == counts


def test_gvmgens_attention_learns_the_diagonal() -> None:
    model = AlignmentModel((12,), 7, replace(TINY, width=32))
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    video, music = batch(5)
    for _ in range(250):
        sums, counts = alignment_sums(model(video, music, MASK), MASK, ALONE)
        optimizer.zero_grad()
        (sums[:2] / counts).sum().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert float(sums[1].detach() / counts[1]) < 0.05
    assert sums[2].item() == 2
