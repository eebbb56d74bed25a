"""The demo's performances: played like a person, and true to their scores."""

import numpy as np
import pytest

from symmv_builder.backends.music21 import read_score
from symmv_builder.backends.sampler import render, sounding_ends
from symmv_builder.demo.repertoire import PIECES, Performance, piece, play
from symmv_builder.errors import StopRun
from symmv_builder.records import Notes


@pytest.fixture(scope="module")
def sonata() -> Performance:
    return play(piece("sonata-k545"), longest_s=14.0)


def test_there_are_at_least_four_pieces_with_names_of_their_own() -> None:
    assert len({piece.name for piece in PIECES}) == len(PIECES) >= 4


def test_the_same_seed_plays_the_same_and_another_seed_another(sonata: Performance) -> None:
    again = play(piece("sonata-k545"), longest_s=14.0)
    other = play(piece("sonata-k545"), longest_s=14.0, seed=99)
    assert np.array_equal(again.notes.starts_s, sonata.notes.starts_s)
    assert np.array_equal(again.notes.velocities, sonata.notes.velocities)
    assert not np.array_equal(other.notes.starts_s, sonata.notes.starts_s)
    assert np.array_equal(np.sort(other.notes.pitches), np.sort(sonata.notes.pitches))


def test_the_notes_are_the_scores(sonata: Performance) -> None:
    score = read_score("mozart/k545/movement1_exposition")
    count = len(sonata.notes.pitches)
    assert sorted(sonata.notes.pitches) == sorted(score.pitches[:count])
    assert sonata.notes.pitches[0] in (60, 72)


def test_a_performance_ends_in_time_on_a_downbeat(sonata: Performance) -> None:
    assert 10.0 < sonata.duration_s < 15.0
    assert sonata.notes.ends_s.max() <= sonata.duration_s
    assert sonata.beats.positions[0] == sonata.beats.positions[-1] == 1


def test_timing_is_close_to_the_beats_but_not_on_them(sonata: Performance) -> None:
    nearest = np.abs(sonata.notes.starts_s[:, None] - sonata.beats.times_s).min(axis=1)
    on_beat = nearest[nearest < 0.06]
    assert len(on_beat) > 20
    assert 0.001 < on_beat.mean() < 0.03
    gaps = np.diff(sonata.beats.times_s)
    assert gaps.std() > 0.002
    assert (gaps > 0.3).all()


def test_the_melody_is_louder_than_what_accompanies_it(sonata: Performance) -> None:
    high = sonata.notes.pitches >= 67
    velocities = sonata.notes.velocities
    assert velocities[high].mean() > velocities[~high].mean() + 5
    assert velocities.std() > 4


def test_a_key_rises_before_it_is_struck_again(sonata: Performance) -> None:
    for pitch in np.unique(sonata.notes.pitches):
        same = sonata.notes.pitches == pitch
        assert (sonata.notes.ends_s[same][:-1] <= sonata.notes.starts_s[same][1:]).all()


def test_a_pickup_bar_holds_the_last_beats_of_its_bar() -> None:
    score = read_score("joplin/maple_leaf_rag")
    assert score.beats_q[0] == 0.5
    assert score.beat_positions[:3].tolist() == [1, 2, 1]


def test_a_score_that_music21_does_not_carry_stops_the_run() -> None:
    with pytest.raises(StopRun, match="nobody/nothing"):
        read_score("nobody/nothing")


def test_rendered_notes_sound_when_they_should() -> None:
    notes = Notes(
        np.array([0.5, 1.5]), np.array([1.0, 2.0]), np.array([60, 64]), np.array([80, 80])
    )
    sound = render(notes, rate_hz=22050, tail_s=0.5)
    assert sound.shape == (round(2.5 * 22050), 2)
    assert sound.dtype == np.float32
    assert np.abs(sound[: round(0.49 * 22050)]).max() == 0
    assert 0.79 < np.abs(sound).max() <= 0.801
    assert np.array_equal(sound, render(notes, rate_hz=22050, tail_s=0.5))


def test_the_pedal_holds_notes_until_it_rises_or_they_are_struck_again() -> None:
    notes = Notes(
        np.array([0.0, 0.2, 0.6]),
        np.array([0.1, 0.3, 0.7]),
        np.array([60, 64, 60]),
        np.array([80, 80, 80]),
        pedal_starts_s=np.array([0.05]),
        pedal_ends_s=np.array([1.0]),
    )
    assert sounding_ends(notes).tolist() == [0.6, 1.0, 1.0]
    dry = Notes(notes.starts_s, notes.ends_s, notes.pitches, notes.velocities)
    late = slice(round(0.8 * 22050), round(0.95 * 22050))
    held, short = (render(each, rate_hz=22050)[late] for each in (notes, dry))
    assert np.abs(held).mean() > 3 * np.abs(short).mean()


def test_no_notes_are_silence() -> None:
    assert not render(
        Notes(np.array([]), np.array([]), np.array([]), np.array([])), rate_hz=8000, tail_s=0.1
    ).any()
