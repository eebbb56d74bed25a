"""Chords to notes against Table 3 of Video2Music, written out here a second time."""

import numpy as np
import pytest

from symmv_builder.errors import StopRun
from symmv_builder.records import Notes
from symmv_builder.training.amt.arrange import (
    PATTERNS,
    arrange,
    pattern_levels,
    velocities,
    voicing,
)
from symmv_builder.vocab import MUVISYNC_LABELS, muvisync_parts

TABLE_3 = """\
1 * * * 2 * * * 3 * * * 4 * * *
1 * 2 * 3 * * * 4 * 2 * 3 * * *
1 * 2 * 3 * 4 * 3 * 2 * 3 * 4 *
1 2 3 2 4 * 3 * 2 1 2 3 4 * 3 *
1 2 3 2 4 3 2 3 2 1 2 3 4 3 2 3""".splitlines()
C_MAJOR = {60: "1", 64: "2", 67: "3", 72: "4"}


def as_steps(notes: Notes, names: dict[int, str], seconds: int) -> str:
    """What begins at each eighth of a second, in the table's own spelling."""
    steps = ["*"] * (8 * seconds)
    for start, pitch in zip(notes.starts_s, notes.pitches, strict=True):
        assert start * 8 == int(start * 8)
        steps[int(start * 8)] = names[int(pitch)]
    return " ".join(steps)


@pytest.mark.parametrize("level", range(5))
def test_a_chord_and_its_repetition_play_the_pattern_of_table_3(level: int) -> None:
    density = [3, 8, 13, 18, 25][level]
    notes = arrange(["C", "C"], [density] * 2, [0.2] * 2)
    assert as_steps(notes, C_MAJOR, 2) == TABLE_3[level]
    assert as_steps(arrange(["C", "C"], pattern=level + 1), C_MAJOR, 2) == TABLE_3[level]


def test_there_is_a_pattern_for_each_row_of_the_table() -> None:
    assert len(PATTERNS) == len(TABLE_3)


def test_a_third_equal_chord_begins_the_pattern_again() -> None:
    notes = arrange(["C"] * 5, pattern=1)
    first, second = TABLE_3[0][:15], TABLE_3[0][16:]
    assert as_steps(notes, C_MAJOR, 5) == " ".join([first, second, first, second, first])


def test_another_chord_begins_the_pattern_again() -> None:
    notes = arrange(["C", "A:min", "C"], pattern=1)
    assert notes.pitches.tolist() == [60, 64, 69, 72, 60, 64]


def test_density_is_looked_up_as_whole_notes() -> None:
    density = [0, 5, 5.49, 5.5, 6, 10, 10.5, 15, 15.6, 20, 20.49, 20.5, 21, 90]
    assert pattern_levels(density).tolist() == [1, 1, 1, 2, 2, 2, 3, 3, 4, 4, 4, 5, 5, 5]


def test_the_predicted_density_chooses_the_pattern_and_loudness_does_not() -> None:
    sparse = arrange(["C", "F"], [2, 2], [0.1, 0.1])
    dense = arrange(["C", "F"], [30, 30], [0.1, 0.1])
    louder = arrange(["C", "F"], [2, 2], [0.9, 0.9])
    assert len(sparse.pitches) == 4
    assert len(dense.pitches) == 16
    assert louder.starts_s.tolist() == sparse.starts_s.tolist()
    assert louder.pitches.tolist() == sparse.pitches.tolist()
    assert (louder.velocities > sparse.velocities).all()
    assert (dense.velocities == sparse.velocities[0]).all()


def test_each_second_has_its_own_density_and_loudness() -> None:
    notes = arrange(["C", "F", "G"], [1, 12, 30], [0, 0.5, 1])
    assert np.bincount(notes.starts_s.astype(int)).tolist() == [2, 4, 8]
    assert notes.velocities.tolist() == [49] * 2 + [80] * 4 + [112] * 8


def test_velocity_is_linear_in_loudness_from_49_to_112() -> None:
    loudness = np.arange(64) / 63
    assert velocities(loudness).tolist() == list(range(49, 113))
    assert arrange(["C", "C"], [1, 1], [-0.2, 1.7]).velocities.tolist() == [49, 49, 112, 112]


def test_a_note_lasts_until_the_next_one_or_the_end_of_its_second() -> None:
    notes = arrange(["C", "F"], pattern=4)
    lengths = (notes.ends_s - notes.starts_s)[:6]
    assert lengths.tolist() == [0.125, 0.125, 0.125, 0.125, 0.25, 0.25]
    assert notes.starts_s[6:].tolist() == [1, 1.125, 1.25, 1.375, 1.5, 1.75]
    assert notes.ends_s[-1] == 2


def test_no_chord_is_silence_and_its_second_passes() -> None:
    notes = arrange(["N", "C", "N", "N", "C"], pattern=1)
    assert notes.starts_s.tolist() == [1, 1.5, 4, 4.5]
    assert len(arrange(["N", "N"], [30, 30], [1, 1]).pitches) == 0
    assert len(arrange([], [], []).pitches) == 0


def test_triads_end_an_octave_higher_and_sevenths_have_four_tones() -> None:
    assert voicing("C") == (60, 64, 67, 72)
    assert voicing("A:min") == (69, 72, 76, 81)
    assert voicing("F#:sus4") == (66, 71, 73, 78)
    assert voicing("C:min7") == (60, 63, 67, 70)
    assert voicing("B:maj6") == (71, 75, 78, 80)
    assert voicing("N") == ()


def test_dim7_is_fully_and_hdim7_half_diminished() -> None:
    assert voicing("C:dim7") == (60, 63, 66, 69)
    assert voicing("C:hdim7") == (60, 63, 66, 70)
    played = arrange(["C:dim7", "C:hdim7"], pattern=5)
    assert set(played.pitches[:8].tolist()) == {60, 63, 66, 69}
    assert set(played.pitches[8:].tolist()) == {60, 63, 66, 70}


def test_every_label_is_voiced_upwards_from_its_root() -> None:
    for label in MUVISYNC_LABELS[1:]:
        parts = muvisync_parts(label)
        assert parts is not None
        pitches = voicing(label)
        assert len(pitches) == 4
        assert pitches[0] == 60 + parts[0]
        assert list(pitches) == sorted(set(pitches))


def test_what_cannot_be_arranged_stops_the_run() -> None:
    with pytest.raises(StopRun, match="label is 'H'; labels of MuVi-Sync"):
        arrange(["H"], [1], [0])
    with pytest.raises(StopRun, match=r"density of the music has shape \(1,\)"):
        arrange(["C", "C"], [1], [0, 0])
    with pytest.raises(StopRun, match=r"loudness of the music has shape \(2, 1\)"):
        arrange(["C", "C"], [1, 1], [[0], [0]])
    with pytest.raises(StopRun, match="density of the music holds values that are not finite"):
        arrange(["C"], [np.nan], [0])
    with pytest.raises(StopRun, match="chosen by density"):
        arrange(["C"], None, [0])
    with pytest.raises(StopRun, match="pattern is 0; arpeggios are 1 to 5"):
        arrange(["C"], pattern=0)


def test_a_model_that_sees_no_video_plays_at_medium_strength() -> None:
    assert set(arrange(["C", "F"], pattern=3).velocities.tolist()) == {80}


def test_the_released_style_follows_loudness_and_saturates() -> None:
    assert velocities([0, 0.25, 0.5, 1], "released").tolist() == [49, 100, 112, 112]
    quiet = arrange(["C"], [30], [0.04], style="released")
    loud = arrange(["C"], [1], [0.4], style="released")
    assert (len(quiet.pitches), len(loud.pitches)) == (2, 8)
    assert (loud.ends_s - loud.starts_s == 1).all()
