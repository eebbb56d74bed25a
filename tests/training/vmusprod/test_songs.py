"""Rows into songs: bars, trimming, chords on beats, transposition, crops."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symmv_builder.backends.midi import read_beats, read_notes
from symmv_builder.music.melody import split_parts
from symmv_builder.music.rhythm import quantise
from symmv_builder.records import Beats, Notes
from symmv_builder.training.usable import UnusableRow
from symmv_builder.training.vmusprod.sequences import (
    accompaniment_sequence,
    chord_sequence,
    melody_sequence,
)
from symmv_builder.training.vmusprod.songs import QuantisedSong, song_of, song_of_sequences
from symmv_builder.training.vmusprod.sounding import chords_of_song, merged, notes_of_song
from symmv_builder.training.vmusprod.tempo import along, steady
from tests.training.vmusprod.made_songs import is_same, make_song, songs


def row_of(steps: list[int], positions: list[int], **fields: Any) -> dict[str, Any]:
    """A row of notes an eighth long at these steps, with half a second a beat."""
    return {
        "beats_times_s": 0.5 * np.arange(len(positions)),
        "beats_positions": np.array(positions),
        "parts_pitches": np.full(len(steps), 60),
        "parts_onset_steps": np.array(steps),
        "parts_duration_steps": np.full(len(steps), 2),
        "parts_is_melody": np.ones(len(steps), dtype=bool),
    } | fields


def test_notes_before_the_first_downbeat_lie_in_a_bar_of_their_own() -> None:
    song = song_of(row_of([-2, 0, 17], [4, 1, 2, 3, 4, 1, 2, 3, 4, 1]))
    assert song.onsets.tolist() == [14, 16, 33]
    assert (song.bars, song.steps_per_bar, song.tempo_bpm) == (3, 16, 120.0)
    assert song.beats[:5].tolist() == [-3, -2, -1, 0, 1]


def test_silent_bars_at_either_end_are_left_out() -> None:
    song = song_of(row_of([33, 50], [1, 2, 3, 4] * 6))
    assert (song.onsets.tolist(), song.bars, song.beats[0]) == ([1, 18], 2, 8)


def test_at_its_tempo_a_song_lasts_as_long_as_it_was_played() -> None:
    gaps_s = [0.5] * 8 + [0.7] * 4 + [3.0]
    song = song_of(
        row_of([0, 47], [1, 2, 3, 4] * 3 + [1, 2], beats_times_s=np.cumsum([0.0, *gaps_s]))
    )
    assert song.bars == 3
    assert song.tempo_bpm == pytest.approx(60 * 11 / (8 * 0.5 + 3 * 0.7))


def test_a_waltz_has_bars_of_twelve() -> None:
    song = song_of(row_of([0, 13], [1, 2, 3] * 4))
    assert (song.steps_per_bar, song.onsets.tolist(), song.bars) == (12, [0, 13], 2)


def test_a_half_bar_is_left_out_and_what_follows_keeps_its_place() -> None:
    positions = [*[1, 2, 3, 4] * 4, 1, 2, *[1, 2, 3, 4] * 4]
    song = song_of(row_of([0, 60, 64, 72, 88], positions))
    assert song.onsets.tolist() == [0, 60, 64, 80]
    assert song.beats[14:18].tolist() == [14, 15, 18, 19]


def test_a_missed_downbeat_makes_two_bars() -> None:
    positions = [*[1, 2, 3, 4] * 3, 5, 6, 7, 8, *[1, 2, 3, 4] * 2]
    assert song_of(row_of([0, 50, 80], positions)).onsets.tolist() == [0, 50, 80]


def test_bars_of_two_beats_are_read_in_pairs() -> None:
    song = song_of(row_of([0, 8, 16], [1, 2] * 8))
    assert (song.steps_per_bar, song.onsets.tolist(), song.bars) == (16, [0, 8, 16], 2)


def test_a_short_first_bar_in_which_the_notes_begin_is_a_pickup() -> None:
    positions = [1, 2, *[1, 2, 3, 4] * 4]
    song = song_of(row_of([0, 6, 8, 24, 39], positions))
    assert song.onsets.tolist() == [8, 14, 16, 32, 47]
    assert (song.bars, song.beats[:5].tolist()) == (3, [-2, -1, 0, 1, 2])


def test_notes_before_a_short_first_bar_lie_in_a_bar_that_ends_there() -> None:
    positions = [4, 1, 2, *[1, 2, 3, 4] * 5]
    song = song_of(row_of([-3, 0, 8, 24], positions))
    assert song.onsets.tolist() == [13, 16, 32], "what lies in the short bar is left out"
    assert song.beats[:5].tolist() == [-3, -2, -1, 0, 3]


def test_several_short_bars_before_the_first_note_are_none_of_the_song() -> None:
    positions = [*[1, 2, 3] * 2, *[1, 2, 3, 4] * 5]
    assert song_of(row_of([24, 41], positions)).onsets.tolist() == [0, 17]
    assert song_of(row_of([13, 24, 41], positions)).onsets.tolist() == [5, 16, 33]


def test_a_bar_of_five_beats_among_those_of_four_loses_its_last() -> None:
    positions = [1, 2, 3, 4, 5, *[1, 2, 3, 4] * 4]
    song = song_of(row_of([0, 17, 20, 52], positions))
    assert song.onsets.tolist() == [0, 16, 48]
    assert song.beats.tolist() == [0, 1, 2, 3, *range(5, 17)]


@given(
    st.lists(st.integers(2, 6), min_size=1, max_size=12),
    st.integers(0, 4),
    st.lists(st.integers(-20, 160), min_size=1, max_size=12),
)
def test_whatever_the_bars_a_note_stays_on_its_beat_or_is_left_out(
    bars: list[int], before: int, steps: list[int]
) -> None:
    positions = [*range(9 - before, 9), *(beat for bar in bars for beat in range(1, bar + 1))]
    try:
        song = song_of(row_of(sorted(set(steps)), positions))
    except UnusableRow:
        return
    # Steps count from the first downbeat, the song's beats from the first tracked one.
    kept = 4 * (song.beats[song.onsets // 4] - before) + song.onsets % 4
    assert set(kept.tolist()) <= set(steps)
    lost = len(set(steps)) - len(kept)
    assert lost == 0 or set(bars) != {4}, "in even bars every note has its place"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (row_of([], [1, 2, 3, 4]), "no notes"),
        (row_of([0], [1]), "1 beats"),
        (row_of([0], []), "0 beats"),
        (row_of([0], [1, 2, 3, 4, 5] * 4), "neither three nor four"),
        (row_of([0, 100], [*[1, 2, 3, 4, 1, 2, 3] * 3, 1, 2, 3, 4, 1, 2, 3, 4]), "too uneven"),
        (row_of([17], [1, 2, 3, 4, 5, *[1, 2, 3, 4] * 3]), "no note begins in a whole bar"),
        (row_of([0, 2**40], [1, 2, 3, 4] * 2), "beats apart"),
        (row_of([0], [1, 2, 3, 4], beats_positions=np.array([1, 2])), "have a place"),
        (row_of([0], [1, 2, 3, 4], beats_times_s=np.zeros(4)), "do not rise"),
        (row_of([0], [1, 2, 3, 4], beats_times_s=np.array([0, 1, np.nan, 3])), "do not rise"),
        (row_of([0, 4], [1, 2, 3, 4], parts_pitches=np.array([60])), "not of one length"),
        (row_of([0], [1, 2, 3, 4], parts_pitches=np.array([200])), "notes in range"),
        (
            row_of(
                [0],
                [1, 2, 3, 4],
                chords_starts_s=np.array([np.inf]),
                chords_ends_s=np.array([np.inf]),
                chords_labels=("CM",),
            ),
            "chords are not finite",
        ),
        (
            row_of(
                [0],
                [1, 2, 3, 4],
                chords_starts_s=np.array([0.0]),
                chords_ends_s=np.array([2.0]),
                chords_labels=("A:min7",),
            ),
            "'A:min7' is not one of SymMV's",
        ),
    ],
)
def test_a_row_that_holds_no_song_says_why(row: dict[str, Any], reason: str) -> None:
    with pytest.raises(UnusableRow, match=reason):
        song_of(row)


def test_chords_begin_on_the_beat_nearest_to_their_time() -> None:
    chords = {
        "chords_starts_s": np.array([0.0, 1.04, 3.1]),
        "chords_ends_s": np.array([0.98, 2.0, 4.0]),
        "chords_labels": ("CM", "Am7", "Bbsus2"),
    }
    song = song_of(row_of([0, 31], [1, 2, 3, 4] * 3, **chords))
    assert song.chord_onsets.tolist() == [0, 8, 16, 24]
    assert song.chord_roots.tolist() == [0, 9, 12, 10]
    assert song.chord_qualities.tolist() == [0, 6, 10, 8]
    named = chords_of_song(song, steady(song.tempo_bpm))
    assert named.labels == ("CM", "Am7", "Bbsus2")
    assert named.starts_s.tolist() == [0.0, 1.0, 3.0]


def test_a_row_without_chords_has_none() -> None:
    song = song_of(row_of([0], [1, 2, 3, 4]))
    assert (song.chord_onsets.tolist(), song.chord_roots.tolist()) == ([0], [12])


def test_a_crop_begins_with_the_chord_that_sounds_there() -> None:
    song = make_song([(0, 60, 1, True), (17, 62, 1, True)], [(0, 0, 0), (4, 7, 4)])
    crop = song.cropped(1, 1)
    assert (crop.onsets.tolist(), crop.chord_onsets.tolist()) == ([1], [0])
    assert (crop.chord_roots.tolist(), crop.beats.tolist()) == ([7], [4, 5, 6, 7])


def test_a_crop_beyond_the_song_is_refused() -> None:
    with pytest.raises(ValueError, match="bars 1 to 3 of 2"):
        make_song([(0, 60, 1, True)]).cropped(1, 2)


@given(songs(), st.integers(-11, 11))
@settings(deadline=None)
def test_transposing_moves_every_pitch_class_and_root_alike(song: QuantisedSong, by: int) -> None:
    moved = song.transposed(by)
    assert set(moved.pitches % 12) == set((song.pitches + by) % 12)
    has_root = song.chord_roots != 12
    assert ((moved.chord_roots - song.chord_roots)[has_root] % 12 == by % 12).all()
    assert (moved.chord_roots[~has_root] == 12).all()
    inside = (song.pitches + by >= 0) & (song.pitches + by <= 127)
    if inside.all():
        assert is_same(moved.transposed(-by), song)


@given(songs())
@settings(deadline=None)
def test_crops_of_every_bar_hold_all_notes(song: QuantisedSong) -> None:
    crops = [song.cropped(bar, 1) for bar in range(song.bars)]
    onsets = [crop.onsets + bar * song.steps_per_bar for bar, crop in enumerate(crops)]
    assert np.concatenate(onsets).tolist() == song.onsets.tolist()


@pytest.mark.twin("test_a_played_song_comes_back_with_its_times")
def test_a_real_song_comes_back_with_its_times(shared_data: Path) -> None:
    path = shared_data / "pop909" / "009" / "009.mid"
    assert_comes_back(read_notes(path), read_beats(path).times_s)


def test_a_played_song_comes_back_with_its_times() -> None:
    """A tune over broken chords, a little out of time, on beats that are not quite steady."""
    random = np.random.default_rng(4)
    times_s = 0.5 * np.arange(65) + 0.02 * np.sin(np.arange(65))
    onsets = np.concatenate([np.arange(0, 60, 0.5), np.arange(0, 60, 1.0)])
    pitches = np.concatenate([random.integers(40, 60, 120), random.integers(67, 84, 60)])
    late_s = np.abs(random.normal(0, 0.01, 180))
    starts_s = np.interp(onsets, np.arange(65), times_s) + late_s
    order = np.lexsort((pitches, starts_s))
    notes = Notes(starts_s[order], starts_s[order] + 0.3, pitches[order], np.full(len(pitches), 64))
    assert_comes_back(notes, times_s)


def assert_comes_back(notes: Notes, times_s: np.ndarray) -> None:
    beats = Beats(times_s, np.arange(len(times_s)) % 4 + 1)
    grid = split_parts(quantise(notes, beats))
    row = {
        "beats_times_s": beats.times_s,
        "beats_positions": beats.positions,
        "parts_pitches": grid.pitches,
        "parts_onset_steps": grid.onset_steps,
        "parts_duration_steps": grid.duration_steps,
        "parts_is_melody": grid.is_melody,
    }
    song = song_of(row)
    sequences = [make(song) for make in (chord_sequence, melody_sequence, accompaniment_sequence)]
    back = song_of_sequences(*sequences, tempo_bpm=song.tempo_bpm, beats=song.beats)
    assert is_same(back, song)
    heard = merged(*notes_of_song(back, along(beats.times_s, back.beats)))
    assert heard.starts_s == pytest.approx(grid.starts_s)
    assert heard.pitches.tolist() == grid.pitches.tolist()
    short = grid.duration_steps <= 64
    assert heard.ends_s[short] == pytest.approx(grid.ends_s[short])
