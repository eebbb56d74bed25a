"""Tokens of songs written out by hand, and any song there and back."""

import numpy as np
import pytest
from hypothesis import given, settings

from symmv_builder.training.vmusprod import sequences
from symmv_builder.training.vmusprod import tokens as tk
from symmv_builder.training.vmusprod.songs import QuantisedSong, song_of_sequences
from tests.training.vmusprod.made_songs import is_same, make_song, songs

SONG = make_song(
    [(0, 48, 16, False), (0, 72, 2, True), (6, 74, 2, True), (16, 50, 8, False)],
    [(0, 0, 0), (8, 9, 1)],
    bars=3,
)


def spoken(sequence: tk.Sequence) -> list[str]:
    """Tokens as short words."""
    words = []
    for kind, barbeat, pitch, duration, root, quality in sequence.tokens.tolist():
        words.append(
            {
                tk.BEGIN: f"begin{duration}",
                tk.END: "end",
                tk.RHYTHM: "bar" if barbeat == tk.BAR else f"at{barbeat - tk.FIRST_POSITION}",
                tk.CHORD: f"chord{root - 1}.{quality - 1}",
                tk.NOTE: f"note{pitch - 1}x{duration}",
            }[kind]
        )
    return words


def test_a_chord_sequence_states_its_chord_in_every_bar() -> None:
    sequence = sequences.chord_sequence(SONG)
    assert spoken(sequence) == [
        *("begin16", "bar", "at0", "chord0.0", "at8", "chord9.1"),
        *("bar", "at0", "chord9.1", "bar", "at0", "chord9.1", "end"),
    ]
    assert sequence.bars.tolist() == [0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 2]
    assert sequence.beats.tolist() == [0, 0, 0, 0, 8, 8, 0, 0, 0, 0, 0, 0, 0]


def test_a_bar_without_notes_has_its_token() -> None:
    assert spoken(sequences.melody_sequence(SONG)) == [
        *("begin16", "bar", "at0", "note72x2", "at6", "note74x2", "bar", "bar", "end")
    ]


def test_a_position_is_named_once_and_its_notes_rise() -> None:
    assert spoken(sequences.full_sequence(SONG)) == [
        *("begin16", "bar", "at0", "note48x16", "note72x2", "at6", "note74x2"),
        *("bar", "at0", "note50x8", "bar", "end"),
    ]


def test_the_merged_sequence_has_chords_before_notes_of_one_position() -> None:
    merged = tk.merged_sequence(sequences.chord_sequence(SONG), sequences.melody_sequence(SONG))
    assert spoken(merged)[:9] == [
        *("begin16", "bar", "at0", "chord0.0", "note72x2", "at6", "note74x2", "at8", "chord9.1")
    ]


def test_sequences_of_different_bars_are_not_merged() -> None:
    with pytest.raises(ValueError, match="same bars"):
        tk.merged_sequence(
            sequences.chord_sequence(SONG), sequences.melody_sequence(SONG.cropped(0, 1))
        )


def test_a_stretch_of_a_song_has_no_end() -> None:
    assert spoken(sequences.melody_sequence(SONG, end=False))[-1] == "bar"


def test_tokens_without_begin_are_refused() -> None:
    broken = tk.placed(sequences.melody_sequence(SONG).tokens[1:])
    with pytest.raises(ValueError, match="begin"):
        tk.events_of(broken)


@given(songs())
@settings(deadline=None)
def test_any_song_comes_back_from_its_sequences(song: QuantisedSong) -> None:
    back = song_of_sequences(
        sequences.chord_sequence(song),
        sequences.melody_sequence(song),
        sequences.accompaniment_sequence(song),
        tempo_bpm=song.tempo_bpm,
        beats=song.beats,
    )
    assert is_same(back, song)


@given(songs())
@settings(deadline=None)
def test_every_field_of_every_token_lies_in_its_vocabulary(song: QuantisedSong) -> None:
    chords, melody = sequences.chord_sequence(song), sequences.melody_sequence(song)
    for sequence in (
        chords,
        melody,
        sequences.full_sequence(song),
        tk.merged_sequence(chords, melody),
    ):
        assert (sequence.tokens >= 0).all()
        assert (sequence.tokens < np.array([tk.SIZES[name] for name in tk.FIELDS])).all()
        for kind, fields in tk.FIELDS_OF.items():
            rows = sequence.tokens[sequence.tokens[:, tk.TYPE] == kind]
            held = {name for name in tk.FIELDS[1:] if (rows[:, tk.FIELDS.index(name)] > 0).any()}
            assert held <= {*fields, *(("duration",) if kind == tk.BEGIN else ())}
