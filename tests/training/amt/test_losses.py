"""Both losses against their formulas, and what must not count."""

import math

import pytest
import torch
from torch import Tensor

from symmv_builder.training.amt.losses import NO_EMOTION, LossSums, sum_losses
from symmv_builder.training.amt.vocabulary import END, PAD, matching_table
from symmv_builder.vocab import EMOTIONS

TABLE = torch.from_numpy(matching_table())
SAD = EMOTIONS.index("sad")


def means(sums: LossSums) -> tuple[float, float]:
    return float(sums.chord / sums.chords), float(sums.emotion / sums.emotions)


def logits_of(*shape: int) -> Tensor:
    return torch.randn(*shape, 159, generator=torch.Generator().manual_seed(5))


def test_the_chord_loss_is_equation_6_over_chords_and_end() -> None:
    logits = logits_of(1, 3)
    sums = sum_losses(logits, torch.tensor([[7, END, PAD]]), torch.full((1, 3), NO_EMOTION), TABLE)
    by_hand = [-math.log(torch.softmax(logits[0, i], 0)[c]) for i, c in ((0, 7), (1, END))]
    assert int(sums.chords) == 2
    assert means(sums)[0] == pytest.approx(sum(by_hand) / 2, rel=1e-5)


def test_the_emotion_loss_is_equation_7_over_159_logits() -> None:
    logits = logits_of(1, 1)
    sums = sum_losses(logits, torch.tensor([[3]]), torch.tensor([[SAD]]), TABLE)
    total = 0.0
    for z, suits in zip(logits[0, 0].tolist(), TABLE[SAD].tolist(), strict=True):
        share = 1 / (1 + math.exp(-z))
        total -= math.log(share if suits else 1 - share)
    assert means(sums)[1] == pytest.approx(total / 159, rel=1e-5)


def test_the_total_weighs_both_means_by_lambda() -> None:
    sums = sum_losses(
        logits_of(2, 4), torch.randint(0, 157, (2, 4)), torch.full((2, 4), SAD), TABLE
    )
    chord, emotion = means(sums)
    total = sums.total(0.4, sums.chords, sums.emotions)
    assert float(total) == pytest.approx(0.4 * chord + 0.6 * emotion, rel=1e-5)
    assert float(sums.total(1.0, sums.chords, sums.emotions)) == pytest.approx(chord, rel=1e-5)


def test_padding_counts_in_neither_loss_whatever_stands_there() -> None:
    targets = torch.tensor([[5, 9, PAD, PAD], [1, PAD, PAD, PAD]])
    # A feeling beside padding, as a batch padded with zeros would have it.
    emotions = torch.tensor([[SAD, 0, 0, 0], [2, 0, 0, 0]])
    logits = logits_of(2, 4)
    rubbish = logits.masked_fill((targets == PAD)[..., None], 50.0)
    a, b = (sum_losses(z, targets, emotions, TABLE) for z in (logits, rubbish))
    assert int(a.chords) == int(a.emotions) == 3
    assert means(a) == means(b)
    alone = [
        sum_losses(logits[:1, :2], targets[:1, :2], emotions[:1, :2], TABLE),
        sum_losses(logits[1:, :1], targets[1:, :1], emotions[1:, :1], TABLE),
    ]
    assert float(a.emotion) == pytest.approx(sum(float(s.emotion) for s in alone), rel=1e-5)
    assert float(a.chord) == pytest.approx(sum(float(s.chord) for s in alone), rel=1e-5)


def test_no_gradient_reaches_the_logits_of_padding() -> None:
    targets = torch.tensor([[5, PAD]])
    logits = logits_of(1, 2).requires_grad_()
    sums = sum_losses(logits, targets, torch.tensor([[SAD, SAD]]), TABLE)
    sums.total(0.4, sums.chords, sums.emotions).backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert logits.grad[0, 0].abs().sum() > 0
    assert logits.grad[0, 1].abs().sum() == 0


def test_the_end_of_a_song_has_no_feeling() -> None:
    targets = torch.tensor([[5, END]])
    sums = sum_losses(logits_of(1, 2), targets, torch.tensor([[SAD, NO_EMOTION]]), TABLE)
    assert (int(sums.chords), int(sums.emotions)) == (2, 1)


def test_a_batch_without_any_feeling_has_no_emotion_loss() -> None:
    sums = sum_losses(logits_of(1, 2), torch.tensor([[5, 6]]), torch.full((1, 2), -1), TABLE)
    chord = float(sums.chord) / 2
    assert float(sums.total(0.4, sums.chords, sums.emotions)) == pytest.approx(0.4 * chord)


def test_neutral_asks_for_no_chord_where_the_code_s_six_feelings_are_used() -> None:
    neutral = torch.tensor([[EMOTIONS.index("neutral")]])
    quiet = torch.full((1, 1, 159), -30.0)
    sums = sum_losses(quiet, torch.tensor([[3]]), neutral, TABLE)
    assert means(sums)[1] == pytest.approx(0, abs=1e-6)
