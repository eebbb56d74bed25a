"""Notes become words and come back; densities and strengths against counts by hand."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from symmv_builder.training.cmt.examples import CmtExamples, arrays_of, score_in, song_in_score
from symmv_builder.training.cmt.tokens import (
    BEGIN,
    DENSITY,
    END,
    FIELDS,
    INSTRUMENT,
    NOTE,
    PIANO,
    RHYTHM,
    SIZES,
    STRENGTH,
    WordScore,
    score_of,
    tokens_of,
)
from symmv_builder.training.vmusprod.sounding import notes_of_song
from symmv_builder.training.vmusprod.tempo import steady
from symmv_builder.training.vmusprod.tokens import BAR, BARBEAT, TYPE
from tests.training.vmusprod.song_rows import song_row


def score(notes: list[tuple[int, int, int, int]], bars: int = 2) -> WordScore:
    """A score out of (onset, instrument, pitch, duration)."""
    table = np.array(sorted(notes), dtype=np.int64).reshape(-1, 4)
    return WordScore(bars, *(table[:, column] for column in range(4)))


def is_same(one: WordScore, other: WordScore) -> bool:
    return all(
        np.array_equal(getattr(one, name), getattr(other, name))
        for name in WordScore.__dataclass_fields__
    )


@st.composite
def scores(draw: st.DrawFn) -> WordScore:
    bars = draw(st.integers(1, 4))
    key = st.tuples(st.integers(0, 16 * bars - 1), st.integers(1, 5), st.integers(0, 127))
    notes = draw(st.dictionaries(key, st.integers(1, 16), max_size=40))
    return score([(*place, duration) for place, duration in notes.items()], bars)


@given(scores())
@settings(max_examples=100, deadline=None)
def test_words_say_the_notes_that_they_were_made_of(made: WordScore) -> None:
    sequence = tokens_of(made)
    assert is_same(score_of(sequence), made)
    tokens = sequence.tokens
    assert tokens.shape[1] == len(FIELDS)
    for place, name in enumerate(FIELDS):
        assert 0 <= tokens[:, place].min() <= tokens[:, place].max() < SIZES[name]
    assert (tokens[0, TYPE], tokens[-1, TYPE]) == (BEGIN, END)


def test_densities_and_strengths_are_those_that_are_counted_by_hand() -> None:
    """Bar 1: a chord of three and a bass on 0, one note on 4, two on 15. Bar 2: one on 16."""
    made = score(
        [
            *((0, 2, pitch, 4) for pitch in (60, 64, 67)),
            (0, 4, 36, 8),
            (4, 2, 72, 2),
            *((15, 2, pitch, 1) for pitch in (50, 57)),
            (16, 2, 60, 16),
        ]
    )
    assert made.densities().tolist() == [3, 1]
    tokens = tokens_of(made).tokens
    rhythm = tokens[tokens[:, TYPE] == RHYTHM]
    told = [tuple(int(row[c]) for c in (BARBEAT, DENSITY, STRENGTH, INSTRUMENT)) for row in rhythm]
    # A bar's density counts from 1; a 16th says how many are still to come.
    assert told == [
        (BAR, 1 + 3, 0, 0),
        (2 + 0, 1 + 2, 3, 2),
        (2 + 0, 1 + 2, 1, 4),
        (2 + 4, 1 + 1, 1, 2),
        (2 + 15, 1 + 0, 2, 2),
        (BAR, 1 + 1, 0, 0),
        (2 + 0, 1 + 0, 1, 2),
    ]
    assert int((tokens[:, TYPE] == NOTE).sum()) == 8


def words_one_by_one(made: WordScore) -> list[tuple[int, tuple[int, ...]]]:
    """The words between ``begin`` and ``end`` with their 16ths, as the paper describes them.

    Section 4 of Di et al. (2021), and the release's countdown of the density, without arrays.
    """
    columns = (made.onsets, made.instruments, made.pitches, made.durations)
    notes = list(zip(*(column.tolist() for column in columns), strict=True))
    words: list[tuple[int, tuple[int, ...]]] = []
    for bar in range(made.bars):
        inside = [note for note in notes if 16 * bar <= note[0] < 16 * (bar + 1)]
        places = sorted({note[0] for note in inside})
        words.append((16 * bar, (RHYTHM, BAR, 1 + len(places), 0, 0, 0, 0)))
        for number, place in enumerate(places):
            for instrument in range(1, 6):
                chord = sorted(n[2:] for n in inside if n[:2] == (place, instrument))
                to_come, strength = len(places) - number - 1, min(len(chord), 20)
                rhythm = (RHYTHM, 2 + place % 16, 1 + to_come, strength, instrument, 0, 0)
                words += [(place, rhythm)] if chord else []
                words += [(place, (NOTE, 0, 0, 0, 0, 1 + pitch, length)) for pitch, length in chord]
    return words


@given(scores())
@settings(max_examples=60, deadline=None)
def test_words_are_those_that_are_written_down_one_by_one(made: WordScore) -> None:
    words = words_one_by_one(made)
    sequence = tokens_of(made)
    assert [tuple(token) for token in sequence.tokens[1:-1].tolist()] == [word for _, word in words]
    for rounding, half in (("floor", 0.0), ("round", 0.5)):
        told = arrays_of(sequence, made.bars, rounding)  # type: ignore[arg-type]
        assert told["steps"][1:-1].tolist() == [place for place, _ in words]
        # The share of the piece that has passed, in hundredths.
        shares = [int(100 * place / (16 * made.bars) + half) for place, _ in words]
        assert told["timing"][1:-1].tolist() == shares


def test_a_row_is_the_words_of_its_notes_and_where_they_stand() -> None:
    row = song_row(0, 4)
    example = CmtExamples(4096, "round", transposes=False)(row, np.random.default_rng(0))
    tokens, steps, timing = (example[name] for name in ("tokens", "steps", "timing"))
    # A triad and a melody note on each half, a melody note on the other beats.
    rhythm = tokens[(tokens[:, TYPE] == RHYTHM) & (tokens[:, BARBEAT] > BAR)]
    assert rhythm[:, STRENGTH].tolist() == [4, 1, 4, 1] * 4
    assert set(rhythm[:, INSTRUMENT].tolist()) == {PIANO}
    bars = tokens[tokens[:, BARBEAT] == BAR]
    assert bars[:, DENSITY].tolist() == [1 + 4] * 4
    assert timing.tolist() == [int(100 * step / 64 + 0.5) for step in steps.tolist()]
    cut = CmtExamples(20, "round", transposes=False)(row, np.random.default_rng(1))
    assert len(cut["tokens"]) <= 20
    place = int(cut["steps"][1])
    at = int(np.flatnonzero((steps == place) & (tokens[:, BARBEAT] == BAR))[0])
    np.testing.assert_array_equal(cut["tokens"][1:], tokens[at : at + len(cut["tokens"]) - 1])


def test_a_song_in_words_sounds_as_the_song() -> None:
    from symmv_builder.training.vmusprod.songs import song_in_fours

    song = song_in_fours(song_row(3, 4))
    again = song_in_score(score_of(tokens_of(score_in(song))), PIANO, song.tempo_bpm)
    clock = steady(song.tempo_bpm)
    melody, accompaniment = notes_of_song(song, clock)
    _, heard = notes_of_song(again, clock)
    both = sorted([*melody.starts_s.tolist(), *accompaniment.starts_s.tolist()])
    assert sorted(heard.starts_s.tolist()) == both
