"""Written words are lawful whatever a model says, and hold what is asked of them."""

import numpy as np
import pytest
import torch

from symmv_builder.training.cmt.config import CmtConfig
from symmv_builder.training.cmt.control import Control
from symmv_builder.training.cmt.grammar import WordWriting
from symmv_builder.training.cmt.model import CmtModel
from symmv_builder.training.cmt.sampling import CmtSampling, heeded, sample
from symmv_builder.training.cmt.tokens import (
    BEGIN,
    DENSITY,
    DURATION,
    END,
    FIELDS,
    INSTRUMENT,
    MOST_NOTES,
    NOTE,
    PIANO,
    PITCH,
    RHYTHM,
    SIZES,
    STRENGTH,
    Sequence,
    score_of,
    tokens_of,
)
from symmv_builder.training.vmusprod.tokens import BAR, BARBEAT, FIRST_POSITION, TYPE

TINY = CmtConfig(width=16, heads=2, feedforward=16, layers=1)


@pytest.fixture(scope="module")
def model() -> CmtModel:
    torch.manual_seed(3)
    return CmtModel(TINY)


def check(sequence: Sequence, bars: int, instruments: set[int]) -> None:
    """The rules, one by one, as a reader of the sequence would find them."""
    tokens = sequence.tokens
    assert (tokens[0, TYPE], tokens[-1, TYPE]) == (BEGIN, END)
    assert set(tokens[1:-1, TYPE].tolist()) <= {RHYTHM, NOTE}
    assert int((tokens[:, BARBEAT] == BAR).sum()) == bars
    assert tokens[1, BARBEAT] == BAR
    step, instrument, pitch, notes, density, onsets = -1, 0, 0, 1, 0, set[int]()
    for token in tokens[1:-1]:
        if token[TYPE] == RHYTHM:
            assert notes > 0, "a 16th is named and nothing begins there"
            assert not token[[PITCH, DURATION]].any()
        if token[BARBEAT] == BAR:
            assert 1 <= token[DENSITY] <= 17
            assert not token[[STRENGTH, INSTRUMENT]].any()
            step, instrument, notes = -1, 0, 1
            density, onsets = int(token[DENSITY]) - 1, set()
        elif token[TYPE] == RHYTHM:
            place = int(token[BARBEAT]) - FIRST_POSITION
            assert (place, int(token[INSTRUMENT])) > (step, instrument)
            assert int(token[INSTRUMENT]) in instruments
            assert 1 <= token[STRENGTH] <= MOST_NOTES
            step, instrument, pitch, notes = place, int(token[INSTRUMENT]), 0, 0
            onsets.add(place)
            assert token[DENSITY] == 1 + max(0, density - len(onsets))
        else:
            assert step >= 0
            assert not token[[BARBEAT, DENSITY, STRENGTH, INSTRUMENT]].any()
            assert token[PITCH] > pitch
            assert 1 <= token[DURATION] <= 16
            pitch, notes = int(token[PITCH]), notes + 1
            assert notes <= MOST_NOTES


@pytest.mark.parametrize("instruments", [(PIANO,), (1, 2, 4)])
@pytest.mark.parametrize("share", [0.0, 1.0])
def test_what_an_untrained_model_writes_is_lawful(
    instruments: tuple[int, ...], share: float, model: CmtModel
) -> None:
    rng = np.random.default_rng(5)
    controls = [
        Control(rng.integers(-1, 17, bars), rng.integers(0, 4, 16 * bars)) for bars in (1, 2, 3)
    ]
    written = sample(
        model, controls, seeds=[1, 2, 3], instruments=instruments, sampling=CmtSampling(share)
    )
    for sequence, control in zip(written, controls, strict=True):
        bars = len(control.densities)
        check(sequence, bars, set(instruments))
        score = score_of(sequence)
        np.testing.assert_array_equal(score_of(tokens_of(score)).pitches, score.pitches)
        if share == 0.0:
            continue
        tokens = sequence.tokens
        told = tokens[tokens[:, BARBEAT] == BAR, DENSITY] - 1
        asked = control.densities >= 0
        np.testing.assert_array_equal(told[asked], control.densities[asked])
        steps = sequence.bars * 16 + sequence.beats
        named = tokens[:, BARBEAT] >= FIRST_POSITION
        for step in np.flatnonzero(control.strengths).tolist():
            assert step in score.onsets
            strengths = set(tokens[named & (steps == step), STRENGTH].tolist())
            assert strengths == {int(control.strengths[step])}


def test_a_piece_depends_on_its_own_seed_alone(model: CmtModel) -> None:
    controls = [Control.free(2)] * 3

    def written(seeds: list[int], **how: bool) -> list[np.ndarray]:
        made = sample(
            model,
            controls[: len(seeds)],
            seeds=seeds,
            instruments=(PIANO,),
            sampling=CmtSampling(**how),
        )
        return [sequence.tokens for sequence in made]

    three, again, one = written([4, 5, 6]), written([4, 5, 6]), written([5])
    assert all(np.array_equal(a, b) for a, b in zip(three, again, strict=True))
    assert np.array_equal(three[1], one[0])
    assert not np.array_equal(three[0], three[2])
    greedy = written([4, 5], greedy=True)
    assert np.array_equal(greedy[0], greedy[1])


def test_what_is_written_behind_a_primer_begins_with_a_bar_and_ends_with_the_last(
    model: CmtModel,
) -> None:
    def written(**more: object) -> Sequence:
        [sequence] = sample(
            model,
            [Control.free(5)],
            seeds=[more.pop("seed", 4)],  # type: ignore[list-item]
            instruments=(PIANO,),
            sampling=CmtSampling(),
            **more,  # type: ignore[arg-type]
        )
        return sequence

    whole = written()
    primer = whole.tokens[whole.bars < 2]
    behind = written(primer=primer, last_bar=3, seed=9)
    assert np.array_equal(behind.tokens[: len(primer)], primer)
    assert behind.tokens[len(primer), BARBEAT] == BAR
    assert set(behind.bars.tolist()) == {0, 1, 2, 3}
    ended = np.concatenate([behind.tokens, whole.tokens[-1:]])
    check(Sequence(ended, behind.bars, behind.beats), 4, {PIANO})
    # Up to the piece's last bar there is the end.
    check(written(primer=primer, last_bar=4), 5, {PIANO})


def test_controls_are_heeded_as_often_as_is_said() -> None:
    control = Control(np.full(4000, 9), np.full(64000, 2))
    found = heeded(control, 1, 0.7)
    assert (found.densities == 9).mean() == pytest.approx(0.7, abs=0.03)
    assert set(np.unique(found.densities).tolist()) == {-1, 9}
    assert (found.strengths == 2).mean() == pytest.approx(0.7, abs=0.01)
    assert not heeded(control, 1, 0.0).strengths.any()
    assert (heeded(control, 1, 1.0).densities == 9).all()


def test_illegal_words_are_masked() -> None:
    """Behind the 16th 5 of a bar: no 16th before it, no note before its word, no other opening."""

    def word(**fields: int) -> torch.Tensor:
        token = torch.zeros(1, len(FIELDS), dtype=torch.int64)
        for name, value in fields.items():
            token[0, FIELDS.index(name)] = value
        return token

    known = torch.zeros(SIZES["instrument"], dtype=torch.bool)
    known[[PIANO, 4]] = True
    writing = WordWriting(torch.tensor([2]), known, "floor")
    assert writing.types()[0].nonzero().flatten().tolist() == [RHYTHM]
    assert writing.barbeats()[0].nonzero().flatten().tolist() == [BAR]
    writing.write(word(type=RHYTHM, barbeat=BAR, density=1 + 3))
    assert writing.types()[0].nonzero().flatten().tolist() == [END, RHYTHM]
    place = word(type=RHYTHM, barbeat=FIRST_POSITION + 5, strength=2, instrument=PIANO)
    place = writing.lawful(place)
    assert place[0, DENSITY] == 1 + 2
    writing.write(place)
    assert writing.types()[0].nonzero().flatten().tolist() == [NOTE]
    writing.write(word(type=NOTE, pitch=1 + 60, duration=4))
    assert writing.types()[0].nonzero().flatten().tolist() == [END, RHYTHM, NOTE]
    assert writing.pitches()[0].nonzero().flatten().tolist() == list(range(62, 110))
    # The same 16th once more, of an instrument that comes later.
    allowed = writing.barbeats()[0].nonzero().flatten().tolist()
    assert allowed == [BAR, *range(FIRST_POSITION + 5, FIRST_POSITION + 16)]
    again = writing.instruments(torch.tensor([FIRST_POSITION + 5]))
    assert again[0].nonzero().flatten().tolist() == [4]
    # What ends before the last bar opens it; behind the last bar a bar is the end.
    closed = writing.lawful(word(type=END))
    assert closed[0, [TYPE, BARBEAT]].tolist() == [RHYTHM, BAR]
    writing.write(closed)
    closed = writing.lawful(word(type=RHYTHM, barbeat=BAR, density=3))
    assert closed[0, [TYPE, BARBEAT, DENSITY]].tolist() == [END, 0, 0]


def test_one_word_at_a_time_is_the_whole_at_once(model: CmtModel) -> None:
    written = sample(
        model, [Control.free(2)], seeds=[9], instruments=(PIANO,), sampling=CmtSampling()
    )
    tokens = torch.from_numpy(written[0].tokens)[None]
    steps = torch.from_numpy(written[0].bars * 16 + written[0].beats)[None]
    timing = (100 * steps + 16) // 32
    model.eval()
    with torch.no_grad():
        mask = torch.ones_like(steps, dtype=torch.bool)
        whole = model.decoder(model._embed(tokens, steps, timing), mask)[0]
        sums = model.begin(1, tokens.device)
        for place in range(tokens.shape[1]):
            hidden, sums = model.step(tokens[:, place], steps[:, place], timing[:, place], sums)
            torch.testing.assert_close(hidden[0], whole[place], rtol=1e-3, atol=1e-4)
