"""Drawing chords: the limits, the seed, the key, and music longer than the model."""

from dataclasses import replace
from itertools import groupby
from typing import Any

import pytest
import torch
from torch import Tensor

from symmv_builder.errors import StopRun
from symmv_builder.training.amt.model import ChordModel
from symmv_builder.training.amt.sampling import (
    SILENCE,
    ChordSampling,
    barred,
    choose,
    sample_chords,
)
from symmv_builder.training.amt.vocabulary import CHORDS, END, PAD, START, key_value
from symmv_builder.vocab import muvisync_id
from tests.training.amt.amt_rows import TINY

FREE = ChordSampling(max_repeats=None, max_silences=None)
C, G, A_MINOR = (muvisync_id(label) for label in ("C", "G", "A:min"))


def make(**settings: Any) -> ChordModel:
    torch.manual_seed(3)
    config = replace(TINY, **{"model": "music_transformer", "length": 16, **settings})
    return ChordModel(config, 5 if config.sees_video else 0).eval()


def wanting(*chords: int) -> Tensor:
    """Logits that rank these chords first, END and PAD before all."""
    logits = torch.zeros(159)
    for place, chord in enumerate(reversed(chords), 1):
        logits[chord] = 10.0 * place
    logits[[END, PAD]] = 1000.0
    return logits


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def longest_runs(chords: list[int]) -> tuple[int, int]:
    runs = [(chord, len(list(run))) for chord, run in groupby(chords)]
    return (
        max((n for chord, n in runs if chord != SILENCE), default=0),
        max((n for chord, n in runs if chord == SILENCE), default=0),
    )


def test_behind_two_equal_chords_the_second_most_probable_is_taken() -> None:
    greedy = ChordSampling(greedy=True)
    logits = wanting(C, A_MINOR, G)
    assert choose(logits, [C], greedy, rng()) == C
    assert choose(logits, [G, C, C], greedy, rng()) == A_MINOR
    assert choose(logits, [C, C, G], greedy, rng()) == C
    assert choose(logits, [C, C], replace(greedy, max_repeats=None), rng()) == C
    assert choose(logits, [C], replace(greedy, max_repeats=1), rng()) == A_MINOR


def test_behind_two_silences_something_sounds() -> None:
    greedy = ChordSampling(greedy=True, max_repeats=None)
    logits = wanting(SILENCE, G)
    assert choose(logits, [C, SILENCE], greedy, rng()) == SILENCE
    assert choose(logits, [C, SILENCE, SILENCE], greedy, rng()) == G
    assert choose(logits, [], replace(greedy, max_silences=0), rng()) == G
    assert barred([], ChordSampling()) == set()
    assert barred([SILENCE, SILENCE], ChordSampling()) == {SILENCE}
    assert barred([C, C], ChordSampling()) == {C}


def test_a_model_that_wants_one_chord_only_is_held_to_the_limits() -> None:
    for chord in (C, SILENCE):
        model = make()
        with torch.no_grad():
            model.out.weight.zero_()
            model.out.bias.copy_(wanting(chord, G))
        free = sample_chords(model, seconds=12, mode="major", sampling=replace(FREE, greedy=True))
        assert free == [chord] * 12
        held = sample_chords(model, seconds=12, mode="major", sampling=ChordSampling(greedy=True))
        assert held == [chord, chord, G] * 4
        drawn = sample_chords(
            model, seconds=60, mode="major", sampling=ChordSampling(temperature=20.0)
        )
        assert max(longest_runs(drawn)) <= 2


def test_neither_end_nor_padding_is_ever_drawn() -> None:
    model = make()
    with torch.no_grad():
        model.out.weight.zero_()
        model.out.bias.zero_()
        model.out.bias[[END, PAD]] = 100.0
    drawn = sample_chords(model, seconds=40, mode="minor", sampling=FREE)
    assert len(drawn) == 40
    assert all(0 <= chord < CHORDS for chord in drawn)


def test_the_same_seed_draws_the_same_chords_and_another_draws_others() -> None:
    model = make()
    a, b, c = (
        sample_chords(model, seconds=30, mode="major", sampling=ChordSampling(seed=s))
        for s in (1, 1, 2)
    )
    assert a == b != c


def test_top_k_and_temperature_narrow_the_choice() -> None:
    logits = wanting(C, A_MINOR, G)
    logits[[C, A_MINOR, G]] = torch.tensor([3.0, 2.9, 2.8])
    source = rng()

    def drawn(sampling: ChordSampling) -> set[int]:
        return {choose(logits, [], sampling, source) for _ in range(200)}

    assert drawn(replace(FREE, top_k=2)) == {C, A_MINOR}
    assert drawn(replace(FREE, top_k=1)) == {C}
    assert drawn(replace(FREE, temperature=0.001)) == {C}
    assert len(drawn(FREE)) > 20
    for wrong in ({"temperature": 0.0}, {"top_k": 0}, {"max_repeats": 0}, {"max_silences": -1}):
        with pytest.raises(StopRun):
            ChordSampling(**wrong)


def test_the_primer_comes_first_and_is_heard() -> None:
    model = make()
    greedy = ChordSampling(greedy=True)
    for primer in ([C, A_MINOR, G], [G, G, C]):
        chords = sample_chords(model, seconds=8, mode="major", primer=primer, sampling=greedy)
        assert chords[:3] == primer
        inputs = torch.tensor([[START, *primer]])
        logits = model(inputs, torch.tensor([key_value("major", "paper")]))[0, -1]
        assert chords[3] == choose(logits.detach(), primer, greedy, rng())
    assert sample_chords(model, seconds=2, mode="major", primer=[C, A_MINOR, G]) == [C, A_MINOR]


@pytest.mark.parametrize("settings", [{}, {"start": "first_chord"}])
@pytest.mark.parametrize("name", ["amt", "music_transformer"])
def test_long_music_is_written_in_stretches_as_the_parallel_model_would(
    name: str, settings: dict[str, str]
) -> None:
    """Every chord is the parallel model's choice, given the stretch before it."""
    model = make(model=name, **settings)
    greedy = replace(FREE, greedy=True)
    seconds, length = 40, model.config.length
    film = torch.randn(seconds, 5) if name == "amt" else None
    chords = sample_chords(model, seconds=seconds, mode="minor", video=film, sampling=greedy)
    assert len(chords) == seconds
    ahead = 1 if settings else 0
    begins = ahead
    while begins < seconds:
        first = 0 if begins < length else begins - length // 2
        given = chords[first:] if ahead else [START, *chords][first:]
        inputs = torch.tensor([given[:length]])
        pictures = None if film is None else film[None, first : first + length]
        logits = model(inputs, torch.tensor([0.0]), None, pictures)[0]
        ends = min(first + length + ahead, seconds)
        for second in range(begins, ends):
            assert chords[second] == int(logits[second - first - ahead, :CHORDS].argmax()), second
        begins = ends


def test_a_model_that_never_learned_to_begin_begins_on_the_tonic() -> None:
    model = make(start="first_chord")
    assert sample_chords(model, seconds=3, mode="major")[0] == C
    assert sample_chords(model, seconds=3, mode="minor")[0] == A_MINOR
    assert sample_chords(model, seconds=0, mode="minor") == []


@pytest.mark.parametrize("top_k", [1, 3, 20, 500])
def test_the_k_most_probable_chords_are_drawn_as_often_as_their_odds_say(top_k: int) -> None:
    logits = torch.randn(159, generator=rng()).round(decimals=1)
    last = int(logits[:CHORDS].argmax())
    sampling = replace(FREE, top_k=top_k, max_repeats=1)
    places = sorted(set(range(CHORDS)) - {last}, key=lambda n: (-float(logits[n]), n))[:top_k]
    odds = {n: float(logits[n].double().exp()) for n in places}
    draws, chance = 4000, rng()
    found = [choose(logits, [last], sampling, chance) for _ in range(draws)]
    assert set(found) <= set(places)
    first = odds[places[0]] / sum(odds.values())
    spread = (first * (1 - first) / draws) ** 0.5
    assert found.count(places[0]) / draws == pytest.approx(first, abs=5 * spread + 1e-9)


def test_greedy_takes_the_first_of_the_most_probable_chords_that_may_follow() -> None:
    logits = torch.randn(159, generator=rng()).round(decimals=0)
    for last in range(CHORDS):
        sampling = replace(FREE, greedy=True, max_repeats=1)
        wanted = max((n for n in range(CHORDS) if n != last), key=lambda n: (float(logits[n]), -n))
        assert choose(logits, [last], sampling, rng()) == wanted


def test_greedy_chords_are_the_same_whatever_the_seed() -> None:
    model = make()
    film = torch.randn(12, 5, generator=rng()) if model.config.sees_video else None
    first, second = (
        sample_chords(
            model,
            seconds=12,
            mode="major",
            video=film,
            sampling=ChordSampling(greedy=True, seed=seed),
        )
        for seed in (1, 2)
    )
    assert first == second
