"""Templates: every chord that can be named, wherever it stands and whoever counted the beats."""

import numpy as np
import pytest

from symmv_builder.backends import ModelHome
from symmv_builder.backends.chord_templates import Templates
from symmv_builder.backends.chord_templates.chord_templates import (
    CHANGE,
    CHANGE_IN_MIDDLE,
    CHANGE_ON_DOWNBEAT,
    QUALITIES,
    change_costs,
    piano_roll,
)
from symmv_builder.music.chords import name_chords
from symmv_builder.records import Beats, Notes
from symmv_builder.vocab import SYMMV_LABELS, SYMMV_QUALITIES, SYMMV_ROOTS

MODEL = Templates(ModelHome())
every_chord = pytest.mark.parametrize(
    ("root", "quality"), [(root, quality) for root in range(12) for quality in SYMMV_QUALITIES]
)
# A chord whose tones are those of no other of the 120: its bass says nothing of its root.
UNAMBIGUOUS = ("M", "m", "o", "7", "M7", "m7")


def steady(count: int, gap_s: float = 0.5, bar: int = 4) -> Beats:
    return Beats(
        times_s=np.asarray(np.arange(count) * gap_s, np.float64),
        positions=np.arange(count) % bar + 1,
    )


def tones(root: int, quality: str, inversion: int = 0) -> list[int]:
    """A chord in close position from the octave below middle C, on its root or another tone."""
    pitches = [48 + root + step for step in QUALITIES[quality][0]]
    return sorted(pitches[inversion:] + [pitch + 12 for pitch in pitches[:inversion]])


def notes_of(*spans: tuple[float, float, list[int]]) -> Notes:
    rows = sorted((start, pitch, end) for start, end, pitches in spans for pitch in pitches)
    table = np.array(rows, dtype=np.float64).reshape(-1, 3)
    return Notes(table[:, 0], table[:, 2], table[:, 1].astype(np.int64), np.full(len(rows), 64))


def labels(notes: Notes, beats: Beats) -> list[tuple[float, float, str]]:
    named = name_chords(notes, beats, model=MODEL)
    fields = (named.starts_s.tolist(), named.ends_s.tolist(), named.labels)
    return [(round(a, 6), round(b, 6), c) for a, b, c in zip(*fields, strict=True)]


def test_its_qualities_are_symmvs() -> None:
    assert set(QUALITIES) == set(SYMMV_QUALITIES)


@every_chord
def test_a_struck_chord_is_named(root: int, quality: str) -> None:
    played = notes_of((0, 2, tones(root, quality)))
    assert labels(played, steady(5)) == [(0, 2, SYMMV_ROOTS[root] + quality)]


@every_chord
def test_a_chord_broken_within_each_beat_is_named(root: int, quality: str) -> None:
    chord = tones(root, quality)
    order = [chord[0] - 24, *chord[1:], chord[1]][:4]
    arpeggio = [
        (beat / 2 + place / 8, beat / 2 + place / 8 + 0.125, [pitch + 12])
        for beat in range(4)
        for place, pitch in enumerate(order)
    ]
    played = notes_of(*arpeggio)
    assert labels(played, steady(5)) == [(0, 2, SYMMV_ROOTS[root] + quality)]


@pytest.mark.parametrize("quality", UNAMBIGUOUS)
@pytest.mark.parametrize("inversion", [1, 2, 3])
def test_an_inversion_keeps_its_name(quality: str, inversion: int) -> None:
    if inversion >= len(QUALITIES[quality][0]):
        inversion = 0
    for root in range(12):
        played = notes_of((0, 2, tones(root, quality, inversion)))
        assert labels(played, steady(5)) == [(0, 2, SYMMV_ROOTS[root] + quality)]


def test_tones_of_two_names_are_named_by_the_bass() -> None:
    for bass, label in ((48, "Csus2"), (43, "Gsus4"), (50, "Dsus4")):
        upper = {"Csus2": [60, 62, 67], "Gsus4": [60, 62, 67], "Dsus4": [62, 67, 69]}[label]
        assert labels(notes_of((0, 2, [bass, *upper])), steady(5)) == [(0, 2, label)]


SONG = (
    (0.0, 1.0, [48, 60, 64, 67]), (1.0, 2.0, [45, 60, 64, 67, 69]), (2.0, 3.0, [41, 57, 60, 65]),
    (3.0, 4.0, [43, 59, 62, 65, 67]), (4.0, 5.0, [48, 60, 64, 67]), (4.5, 5.0, [74]),
)  # fmt: skip
LABELS = ["CM", "Am7", "FM", "G7", "CM"]


def test_transposed_notes_have_transposed_chords() -> None:
    before = labels(notes_of(*SONG), steady(11))
    assert [label for _, _, label in before] == LABELS
    for shift in range(-11, 12):
        moved = [(a, b, [pitch + shift for pitch in pitches]) for a, b, pitches in SONG]
        expected = []
        for start, end, label in before:
            root = label[0]
            place = (SYMMV_ROOTS.index(root) + shift) % 12
            expected.append((start, end, SYMMV_ROOTS[place] + label[1:]))
        assert labels(notes_of(*moved), steady(11)) == expected


def test_beats_of_double_and_half_tempo_keep_most_of_the_chords() -> None:
    # The truth of each tenth of a second.
    moments = np.arange(0.05, 5, 0.1)
    truth = [LABELS[int(moment)] for moment in moments]
    for gap_s, at_least in ((0.5, 1.0), (0.25, 0.9), (1.0, 0.7), (0.4, 0.7)):
        spans = labels(notes_of(*SONG), steady(int(6 / gap_s), gap_s))
        found = [next((c for a, b, c in spans if a <= m < b), "") for m in moments]
        right = np.mean([ours == theirs for ours, theirs in zip(found, truth, strict=True)])
        assert right >= at_least, gap_s


def test_a_silent_beat_has_no_chord_and_ends_none_of_its_neighbours() -> None:
    played = notes_of((1.0, 2.0, [48, 60, 64, 67]), (2.5, 3.0, [48, 60, 64, 67]))
    assert labels(played, steady(8)) == [(1.0, 2.0, "CM"), (2.5, 3.0, "CM")]


def test_a_song_without_notes_has_no_chords() -> None:
    assert labels(Notes(np.array([]), np.array([]), np.array([]), np.array([])), steady(4)) == []
    none = np.zeros(0, dtype=np.int64)
    assert MODEL.name(none, none, none, ticks_per_beat=480) == []


def test_notes_of_no_length_and_of_all_classes_get_one_name_of_the_vocabulary() -> None:
    assert labels(notes_of((0.0, 0.0, [60]), (0.5, 1.0, [48, 60, 64, 67])), steady(4)) == [
        (0.5, 1.0, "CM")
    ]
    [(start, end, label)] = labels(notes_of((0, 2, list(range(48, 60)))), steady(5))
    assert (start, end) == (0, 2)
    assert label in SYMMV_LABELS


def test_the_piano_roll_is_the_share_of_a_beat_that_a_pitch_sounds() -> None:
    starts, ends = np.array([0.25, 0.5, 0.5, 1.75]), np.array([0.75, 2.5, 1.0, 1.75])
    roll = piano_roll(starts, ends, np.array([60, 64, 64, 67]))
    assert roll.shape == (3, 128)
    assert roll[:, 60].tolist() == [0.5, 0, 0]
    # Two notes of one pitch are at most one.
    assert roll[:, 64].tolist() == [1.0, 1.0, 0.5]
    assert not roll[:, 67].any()


def test_a_change_costs_least_where_a_bar_begins() -> None:
    low, mid, high = CHANGE_ON_DOWNBEAT, CHANGE_IN_MIDDLE, CHANGE
    four = change_costs(np.array([4, 1, 2, 3, 4, 1, 2, 3]))
    assert four.tolist() == [high, low, high, mid, high, low, high, mid]
    assert change_costs(np.array([1, 2, 3, 1, 2, 3])).tolist() == [low, high, high] * 2
    six = change_costs(np.array([1, 2, 3, 4, 5, 6, 1]))
    assert six.tolist() == [low, high, high, mid, high, high, low]
    assert change_costs(np.array([2, 3, 4])).tolist() == [high, mid, high]


def test_an_upbeat_counts_from_the_first_downbeat() -> None:
    # The harmony changes with the bar, which begins at the third beat.
    beats = Beats(
        times_s=np.asarray(np.arange(10) * 0.5, np.float64),
        positions=np.array([3, 4, 1, 2, 3, 4, 1, 2, 3, 4]),
    )
    played = notes_of((0, 1, [43, 59, 62, 67]), (1, 3, [48, 60, 64, 67]), (3, 5, [41, 57, 60, 65]))
    assert [label for _, _, label in labels(played, beats)] == ["GM", "CM", "FM"]
