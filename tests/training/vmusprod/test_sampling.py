"""Sampling from models that know nothing: what is written must be well formed all the same."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from symmv_builder.training.vmusprod import sequences
from symmv_builder.training.vmusprod import tokens as tk
from symmv_builder.training.vmusprod.grammar import Form, Writing
from symmv_builder.training.vmusprod.sampling import TokenSampling, nucleus, sample
from symmv_builder.training.vmusprod.songs import QuantisedSong
from symmv_builder.training.vmusprod.tempo import Rounding, timing_of
from tests.training.vmusprod.made_songs import make_song, songs

PIANO = (21, 108)


class Biased:
    """A model whose logits are the same for every piece at one place, and differ over places.

    It writes down what it was given, for tests to look at.
    """

    def __init__(self, seed: int, types: Mapping[int, float] | None = None) -> None:
        rng = torch.Generator().manual_seed(seed)
        self.tables = {n: 3 * torch.randn(97, s, generator=rng) for n, s in tk.SIZES.items()}
        for kind, logit in (types or {}).items():
            self.tables["type"][:, kind] = logit
        self.seen: list[tuple[Tensor, ...]] = []

    def begin(self, batch_size: int, context: None) -> int:
        return 0

    def step(
        self, tokens: Tensor, bars: Tensor, beats: Tensor, tempo: Tensor, timing: Tensor, state: int
    ) -> tuple[Tensor, int]:
        self.seen.append((tokens, bars, beats, tempo, timing))
        return torch.full((len(tokens),), state % 97), state + 1

    def type_logits(self, hidden: Tensor) -> Tensor:
        return self.tables["type"][hidden]

    def decided(self, hidden: Tensor, kind: Tensor) -> Tensor:
        return hidden

    def field_logits(self, name: str, decided: Tensor, before: Tensor | None) -> Tensor:
        return self.tables[name][decided]


class Remembering:
    """A model that is sure of one sequence."""

    def __init__(self, sequence: tk.Sequence) -> None:
        self.following = torch.from_numpy(sequence.tokens[1:])

    def begin(self, batch_size: int, context: None) -> int:
        return 0

    def step(
        self, tokens: Tensor, bars: Tensor, beats: Tensor, tempo: Tensor, timing: Tensor, state: int
    ) -> tuple[Tensor, int]:
        row = self.following[min(state, len(self.following) - 1)]
        return row.expand(len(tokens), -1), state + 1

    def sure(self, hidden: Tensor, name: str) -> Tensor:
        wanted = hidden[:, tk.FIELDS.index(name), None]
        return torch.where(torch.arange(tk.SIZES[name]) == wanted, 50.0, 0.0)

    def type_logits(self, hidden: Tensor) -> Tensor:
        return self.sure(hidden, "type")

    def decided(self, hidden: Tensor, kind: Tensor) -> Tensor:
        return hidden

    def field_logits(self, name: str, decided: Tensor, before: Tensor | None) -> Tensor:
        return self.sure(decided, name)


def form_of(kind: int, *bars: int, steps_per_bar: int = 16) -> Form:
    return Form(kind, torch.tensor(bars), steps_per_bar)


def drawn(
    model: Biased, form: Form, seeds: list[int], primer: Tensor | None = None
) -> list[tk.Sequence]:
    tempo = torch.ones(len(seeds), dtype=torch.int64)
    return sample(
        model, None, form, tempo=tempo, seeds=seeds, sampling=TokenSampling(top_p=1), primer=primer
    )


def is_canonical(sequence: tk.Sequence) -> bool:
    """Whether the tokens are those that their own events would be written as."""
    again = tk.sequence_of(tk.events_of(sequence))
    return bool(np.array_equal(again.tokens, sequence.tokens))


@given(st.integers(0, 2**32), st.sampled_from([12, 16]), st.sampled_from([tk.CHORD, tk.NOTE]))
@settings(deadline=None, max_examples=30)
def test_whatever_a_model_thinks_its_sequences_are_well_formed(
    seed: int, steps_per_bar: int, kind: int
) -> None:
    form = form_of(kind, 3, 1, 5, steps_per_bar=steps_per_bar)
    found = drawn(Biased(seed), form, [seed, seed + 1, seed + 2])
    for sequence, bars in zip(found, (3, 1, 5), strict=True):
        assert is_canonical(sequence)
        events = tk.events_of(sequence)
        assert (events.bars, events.steps_per_bar) == (bars, steps_per_bar)
        if kind == tk.CHORD:
            assert len(events.steps) == 0
            assert set(range(bars)) <= set((events.chord_steps / steps_per_bar).tolist())
            assert (events.chord_steps % 4 == 0).all()
            assert ((events.roots == 12) == (events.qualities == 10)).all()
            changes = events.chord_steps[1:] % steps_per_bar != 0
            names = events.roots * 11 + events.qualities
            assert (np.diff(names)[changes] != 0).all()
        else:
            assert len(events.chord_steps) == 0
            assert np.unique(events.steps, return_counts=True)[1].max(initial=0) <= 10
            assert ((events.durations >= 1) & (events.durations <= 64)).all()


@given(songs(keys=PIANO))
@settings(deadline=None, max_examples=40)
def test_a_model_that_is_sure_of_a_song_writes_that_song(song: QuantisedSong) -> None:
    for sequence, kind in (
        (sequences.chord_sequence(song), tk.CHORD),
        (sequences.melody_sequence(song), tk.NOTE),
        (sequences.accompaniment_sequence(song), tk.NOTE),
    ):
        [written] = sample(
            Remembering(sequence),
            None,
            Form(kind, torch.tensor([song.bars]), song.steps_per_bar, notes_per_position=128),
            tempo=torch.ones(1, dtype=torch.int64),
            seeds=[0],
            sampling=TokenSampling(),
        )
        assert np.array_equal(written.tokens, sequence.tokens)


@given(songs(keys=PIANO))
@settings(deadline=None, max_examples=40)
def test_every_token_of_a_real_sequence_was_allowed(song: QuantisedSong) -> None:
    for sequence, kind in (
        (sequences.chord_sequence(song), tk.CHORD),
        (sequences.full_sequence(song), tk.NOTE),
    ):
        form = Form(kind, torch.tensor([song.bars]), song.steps_per_bar, notes_per_position=128)
        writing = Writing(form)
        for i, token in enumerate(torch.from_numpy(sequence.tokens[1:])):
            type_, barbeat, pitch, _, root, quality = token.tolist()
            assert writing.types()[0, type_]
            if type_ == tk.RHYTHM:
                assert writing.barbeats()[0, barbeat]
            if type_ == tk.NOTE:
                assert writing.pitches()[0, pitch]
            if type_ == tk.CHORD:
                assert writing.roots()[0, root]
                assert writing.qualities(token[None, tk.ROOT])[0, quality]
            assert torch.equal(writing.closed(token[None])[0], token)
            writing.write(token[None])
            assert int(writing.bar.clamp(min=0)) == sequence.bars[i + 1]
            assert int(writing.beat.clamp(min=0)) == sequence.beats[i + 1]
        assert bool(writing.done)


@pytest.mark.parametrize("rounding", ["floor", "round"])
def test_the_model_reads_places_and_timing_as_in_training(rounding: Rounding) -> None:
    model = Biased(3)
    [sequence] = drawn(model, replace(form_of(tk.NOTE, 4), rounding=rounding), [5])
    seen = [torch.cat(columns).numpy() for columns in zip(*model.seen, strict=True)]
    tokens, bars, beats, _, timing = (column[: len(sequence) - 1] for column in seen)
    assert np.array_equal(tokens, sequence.tokens[:-1])
    assert np.array_equal(bars, sequence.bars[:-1])
    assert np.array_equal(beats, sequence.beats[:-1])
    expected = timing_of(
        sequence.bars, sequence.beats, steps_per_bar=16, total_bars=4, rounding=rounding
    )
    assert np.array_equal(timing, expected[:-1])


def test_a_piece_does_not_depend_on_those_beside_it() -> None:
    alone = drawn(Biased(1), form_of(tk.NOTE, 4), [11])[0]
    among = drawn(Biased(1), form_of(tk.NOTE, 9, 4, 2), [3, 11, 8])[1]
    assert np.array_equal(alone.tokens, among.tokens)


def test_a_seed_repeats_and_another_differs() -> None:
    one, again, other = drawn(Biased(1), form_of(tk.NOTE, 4, 4, 4), [1, 1, 2])
    assert np.array_equal(one.tokens, again.tokens)
    assert not np.array_equal(one.tokens, other.tokens)


@pytest.mark.parametrize("closing", [tk.END, tk.RHYTHM])
def test_end_means_the_end_of_a_bar(closing: int) -> None:
    model = Biased(1, types={tk.NOTE: -90, tk.RHYTHM: -90, closing: 90})
    model.tables["barbeat"][:, tk.BAR] = 90
    [sequence] = drawn(model, form_of(tk.NOTE, 3), [0])
    assert sequence.tokens[:, tk.BARBEAT].tolist() == [0, tk.BAR, tk.BAR, tk.BAR, 0]
    assert sequence.tokens[-1, tk.TYPE] == tk.END


def test_a_primer_is_kept_and_gone_on_with() -> None:
    song = make_song([], [(0, 9, 1), (8, 5, 0), (16, 7, 0)], bars=2)
    primer = torch.from_numpy(sequences.chord_sequence(song, end=False).tokens[1:])
    [sequence] = drawn(Biased(1), form_of(tk.CHORD, 4), [1], primer[None])
    assert np.array_equal(sequence.tokens[1 : 1 + len(primer)], primer.numpy())
    assert is_canonical(sequence)
    assert tk.events_of(sequence).bars == 4


def test_drawing_follows_the_probabilities() -> None:
    logits = torch.tensor([0.5, 0.3, 0.2]).log().expand(30_000, -1)
    chance = torch.rand(30_000, generator=torch.Generator().manual_seed(0))
    found = nucleus(logits, torch.ones_like(logits, dtype=torch.bool), chance, 1.0, 1.0)
    shares = torch.bincount(found, minlength=3) / len(found)
    assert shares.tolist() == pytest.approx([0.5, 0.3, 0.2], abs=0.01)


def test_the_nucleus_is_the_fewest_that_hold_top_p() -> None:
    logits = torch.tensor([0.2, 0.5, 0.3]).log().expand(1000, -1)
    chance = torch.linspace(0, 1, 1000)
    every = torch.ones_like(logits, dtype=torch.bool)
    assert set(nucleus(logits, every, chance, 1.0, 0.5).tolist()) == {1}
    assert set(nucleus(logits, every, chance, 1.0, 0.6).tolist()) == {1, 2}
    assert set(nucleus(logits, every, chance, 1.0, 0.9).tolist()) == {0, 1, 2}


def test_what_is_not_allowed_is_never_drawn_however_likely() -> None:
    logits = torch.tensor([9.0, 0.0, 0.0]).expand(100, -1)
    allowed = torch.tensor([False, True, True]).expand(100, -1)
    found = nucleus(logits, allowed, torch.linspace(0, 1, 100), 1.0, 1.0)
    assert set(found.tolist()) == {1, 2}


def test_a_low_temperature_takes_the_likeliest() -> None:
    logits = torch.tensor([1.0, 1.1, 0.9]).expand(100, -1)
    every = torch.ones_like(logits, dtype=torch.bool)
    assert set(nucleus(logits, every, torch.linspace(0, 0.999, 100), 0.01, 1.0).tolist()) == {1}


def test_impossible_sampling_is_refused() -> None:
    for wrong in (
        {"pitch": 0.0},
        {"top_p": 1.5},
        {"top_p": 0.0},
        {"top_k": 0},
        {"notes_per_position": 0},
    ):
        with pytest.raises(ValueError):
            TokenSampling(**wrong)


def test_progress_is_told_from_nought_to_all() -> None:
    told: list[float] = []
    sample(
        Biased(2),
        None,
        form_of(tk.NOTE, 60),
        tempo=torch.ones(1, dtype=torch.int64),
        seeds=[0],
        sampling=TokenSampling(top_p=1),
        tell=told.append,
    )
    assert told == sorted(told)
    assert len(told) > 1
    assert told[-1] == 1.0


def test_a_sequence_begins_on_the_16th_that_is_asked_for_at_the_latest() -> None:
    # A model that would rather close every bar without a note.
    silent = Biased(4, {tk.END: 30.0})
    first_by = [15, -1, 3, 0]
    form = Form(tk.NOTE, torch.tensor([1, 1, 3, 3]), first_by=torch.tensor(first_by))
    written = [tk.events_of(sequence) for sequence in drawn(silent, form, [0, 1, 2, 3])]
    assert [notes.bars for notes in written] == [1, 1, 3, 3]
    assert [len(notes.steps) > 0 for notes in written] == [True, False, True, True]
    assert all(
        notes.steps.max() <= by for notes, by in zip(written, first_by, strict=True) if by >= 0
    )


def test_no_note_lies_beyond_the_keys_of_a_piano() -> None:
    form = Form(tk.NOTE, torch.tensor([6] * 8))
    written = sample(
        Biased(3), None, form, tempo=torch.zeros(8, dtype=torch.int64), seeds=range(8),
        sampling=TokenSampling(top_p=1.0),
    )  # fmt: skip
    pitches = np.concatenate([tk.events_of(sequence).pitches for sequence in written])
    assert len(pitches) > 20
    assert (pitches.min() >= PIANO[0], pitches.max() <= PIANO[1]) == (True, True)


def plain_draw(
    logits: list[float], allowed: list[bool], chance: float, top_k: int | None, temperature: float
) -> int:
    """The same draw one value after another: sorted, cut to K, by cumulated odds."""
    places = [n for n, may in enumerate(allowed) if may]
    kept = sorted(places, key=lambda n: (-logits[n], n))[:top_k]
    weights = [float(np.exp((logits[n] - logits[kept[0]]) / temperature)) for n in kept]
    reached = np.cumsum(weights) / sum(weights)
    return kept[min(int((reached <= chance).sum()), len(kept) - 1)]


@pytest.mark.parametrize("top_k", [1, 2, 5, 100])
@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_the_k_likeliest_are_drawn_from_as_by_a_plain_loop(top_k: int, temperature: float) -> None:
    rng = np.random.default_rng(top_k)
    logits = rng.normal(size=(200, 12)).round(1)
    allowed = rng.random((200, 12)) < 0.6
    allowed[:, 3] = True
    chance = (rng.integers(0, 97, 200) + 0.5) / 97
    found = nucleus(
        torch.tensor(logits), torch.tensor(allowed), torch.tensor(chance), temperature, 1.0, top_k
    )
    wanted = [
        plain_draw(*row, top_k, temperature)
        for row in zip(logits.tolist(), allowed.tolist(), chance.tolist(), strict=True)
    ]
    assert found.tolist() == wanted


def test_greedy_is_the_same_whatever_the_seed_and_drawing_is_not() -> None:
    def write(seed: int, **how: object) -> list[list[int]]:
        (sequence,) = sample(
            Biased(2),
            None,
            form_of(tk.NOTE, 4),
            tempo=torch.ones(1, dtype=torch.int64),
            seeds=[seed],
            sampling=TokenSampling(**how),  # type: ignore[arg-type]
        )
        rows: list[list[int]] = sequence.tokens.tolist()
        return rows

    assert write(1, greedy=True) == write(2, greedy=True) == write(3, top_k=1)
    assert write(1) != write(2)
