"""Songs as they sound: seconds, loudness, merging, cutting, one keyboard."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

from symmv_builder.backends.midi import read_notes, write_notes
from symmv_builder.records import Notes
from symmv_builder.training.vmusprod.sequences import full_sequence, melody_sequence
from symmv_builder.training.vmusprod.songs import QuantisedSong
from symmv_builder.training.vmusprod.sounding import (
    chords_of_song,
    cut,
    merged,
    notes_of,
    notes_of_song,
    struck_once,
)
from symmv_builder.training.vmusprod.tempo import steady
from tests.training.vmusprod.made_songs import make_song, songs

CLOCK = steady(120.0)


def test_steps_become_seconds_of_the_tempo() -> None:
    song = make_song([(0, 60, 4, True), (6, 64, 2, True), (17, 48, 16, False)])
    melody, accompaniment = notes_of_song(song, CLOCK)
    assert melody.starts_s.tolist() == [0.0, 0.75]
    assert melody.ends_s.tolist() == [0.5, 1.0]
    assert (accompaniment.starts_s.tolist(), accompaniment.ends_s.tolist()) == ([2.125], [4.125])


def test_the_beginning_of_a_bar_is_loudest_and_melody_is_above_accompaniment() -> None:
    notes = [(step, pitch, 1, pitch == 72) for step in (0, 2, 4) for pitch in (48, 72)]
    melody, accompaniment = notes_of_song(make_song(notes), CLOCK)
    bar, between, beat = melody.velocities.tolist()
    assert bar > beat > between
    assert (melody.velocities > accompaniment.velocities).all()
    assert accompaniment.velocities.min() >= 15
    assert melody.velocities.max() <= 87


@given(songs())
@settings(deadline=None)
def test_both_parts_merged_are_all_notes(song: QuantisedSong) -> None:
    one_track = merged(*notes_of_song(song, CLOCK))
    whole = notes_of(full_sequence(song), CLOCK)
    assert one_track.starts_s.tolist() == whole.starts_s.tolist()
    assert one_track.pitches.tolist() == whole.pitches.tolist()
    assert one_track.ends_s.tolist() == whole.ends_s.tolist()


@given(songs())
@settings(deadline=None, max_examples=40)
def test_a_song_comes_back_from_its_midi_file(song: QuantisedSong) -> None:
    song = struck_once(song)
    melody, accompaniment = notes_of_song(song, steady(song.tempo_bpm))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "song.mid"
        write_notes(
            path,
            {"melody": melody, "accompaniment": accompaniment},
            tempo_bpm=song.tempo_bpm,
        )
        read = read_notes(path)
    step_s = 60.0 / song.tempo_bpm / 4
    onsets = np.rint(read.starts_s / step_s).astype(int)
    assert onsets.tolist() == song.onsets.tolist()
    assert read.pitches.tolist() == song.pitches.tolist()
    lengths = np.rint((read.ends_s - read.starts_s) / step_s).astype(int)
    assert lengths.tolist() == song.durations.tolist()


def test_the_melody_alone_is_what_its_tokens_say() -> None:
    song = make_song([(0, 60, 4, True), (0, 48, 4, False), (9, 64, 2, True)])
    assert notes_of(melody_sequence(song), CLOCK).pitches.tolist() == [60, 64]


def test_a_note_of_both_parts_is_heard_once_and_as_long_as_the_longer() -> None:
    one, other = (
        Notes(np.array([0.0]), np.array([1.0]), np.array([60]), np.array([70])),
        Notes(np.array([0.0, 0.5]), np.array([2.0, 1.0]), np.array([60, 60]), np.array([50, 50])),
    )
    both = merged(one, other)
    assert (both.starts_s.tolist(), both.ends_s.tolist()) == ([0.0, 0.5], [2.0, 1.0])


def test_music_is_cut_where_it_ends_and_no_scrap_is_left() -> None:
    notes = Notes(
        np.array([0.0, 1.9, 2.0, 3.0]),
        np.array([3.0, 2.5, 2.5, 4.0]),
        np.array([60, 62, 64, 65]),
        np.array([64] * 4),
    )
    assert cut(notes, 2.0).pitches.tolist() == [60, 62]
    assert cut(notes, 2.0).ends_s.tolist() == [2.0, 2.0]
    assert cut(notes, 2.0, shortest_s=0.2).pitches.tolist() == [60]


def test_a_key_that_is_struck_again_ends_its_note() -> None:
    song = make_song([(0, 60, 8, True), (3, 60, 4, False), (3, 62, 9, True), (20, 60, 4, True)])
    assert struck_once(song).durations.tolist() == [3, 4, 9, 4]


@given(songs())
@settings(deadline=None)
def test_on_one_keyboard_no_pitch_sounds_twice_at_once(song: QuantisedSong) -> None:
    played = struck_once(song)
    for pitch in np.unique(played.pitches):
        same = played.pitches == pitch
        ends = (played.onsets + played.durations)[same]
        assert (ends[:-1] <= played.onsets[same][1:]).all()


def test_chords_last_until_the_next_and_no_chord_is_a_gap() -> None:
    song = make_song([], [(0, 0, 0), (8, 12, 10), (16, 9, 6)])
    chords = chords_of_song(song, CLOCK)
    assert chords.labels == ("CM", "Am7")
    assert chords.starts_s == pytest.approx([0.0, 2.0])
    assert chords.ends_s == pytest.approx([1.0, 4.0])
