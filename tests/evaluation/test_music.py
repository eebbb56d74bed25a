"""The five music metrics by hand, against MusPy itself, and against mgeval's definition of IOI."""

import math
import time
from itertools import pairwise
from pathlib import Path

import muspy
import numpy as np
import pretty_midi
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symmv_builder.backends.midi import midi_bytes, read_piece
from symmv_builder.evaluation.music import (
    METRICS,
    MusicScores,
    distance,
    empty_beat_rate,
    mean_onset_gap_s,
    pitch_class_entropy_bits,
    pitch_entropy_bits,
    scale_consistency,
    score_song,
    summarise,
)
from symmv_builder.records import Notes

C_MAJOR = np.array([60, 62, 64, 65, 67, 69, 71])


def of_muspy(music: muspy.Music) -> list[float]:
    return [
        float(metric(music))
        for metric in (
            muspy.scale_consistency,
            muspy.pitch_entropy,
            muspy.pitch_class_entropy,
            muspy.empty_beat_rate,
        )
    ]


def of_file(path: Path) -> MusicScores:
    piece = read_piece(path)
    notes = piece.notes
    return score_song(notes.starts_s, notes.ends_s, notes.pitches, piece.beats.times_s, piece.end_s)


def scores(*values: float) -> MusicScores:
    return dict(zip((metric.name for metric in METRICS), values, strict=True))


def as_music(ticks: list[tuple[int, int, int]], resolution: int) -> muspy.Music:
    notes = [muspy.Note(time=t, duration=d, pitch=p) for t, d, p in ticks]
    return muspy.Music(resolution=resolution, tracks=[muspy.Track(notes=notes)])


def test_a_scale_and_one_strange_note_are_seven_eighths_consistent() -> None:
    assert scale_consistency(C_MAJOR) == 1.0
    # With F sharp the notes fit G major no better: F is then outside.
    assert scale_consistency(np.append(C_MAJOR, 66)) == 7 / 8


def test_a_minor_scale_is_the_natural_one() -> None:
    natural = np.array([57, 59, 60, 62, 64, 65, 67])
    assert scale_consistency(natural) == 1.0
    assert scale_consistency(np.array([57, 59, 60, 62, 64, 65, 68])) == 6 / 7


def test_entropies_are_in_bits_over_counts_of_notes() -> None:
    assert pitch_entropy_bits(np.array([60, 60, 60])) == 0.0
    assert math.copysign(1, pitch_entropy_bits(np.array([60]))) == 1.0
    assert pitch_entropy_bits(np.array([60, 72, 61, 73])) == 2.0
    assert pitch_class_entropy_bits(np.array([60, 72, 61, 73])) == 1.0
    assert pitch_class_entropy_bits(np.arange(120)) == pytest.approx(math.log2(12))


def test_a_beat_in_which_a_note_ends_is_not_empty() -> None:
    # Beats of half a second: 0, 1 sound; the note ends as beat 2 begins; 3 and 4 are empty.
    starts, ends = np.array([0.0, 2.5]), np.array([1.0, 2.75])
    assert empty_beat_rate(starts, ends) == pytest.approx(2 / 6)


def test_silence_at_the_beginning_counts_as_empty_beats() -> None:
    assert empty_beat_rate(np.array([1.0]), np.array([1.25])) == pytest.approx(2 / 3)


def test_an_end_after_the_last_note_adds_empty_beats() -> None:
    assert empty_beat_rate(np.array([0.0]), np.array([0.25]), end_s=1.5) == pytest.approx(3 / 4)


def test_tracked_beats_are_carried_on_at_their_median_gap() -> None:
    beats = np.array([1.0, 2.0, 3.0])
    # Beats 0 1 2 3 4 5 6: notes sound in 0, and from 5 to 6.
    starts, ends = np.array([0.2, 5.5]), np.array([0.6, 6.5])
    assert empty_beat_rate(starts, ends, beats) == pytest.approx(4 / 7)


def test_a_note_before_the_first_beat_has_a_beat_of_its_own() -> None:
    beats = np.array([0.4, 0.9, 1.4])
    assert empty_beat_rate(np.array([0.1, 1.0]), np.array([0.2, 1.1]), beats) == pytest.approx(
        1 / 3
    )


def test_one_beat_is_no_grid() -> None:
    with pytest.raises(ValueError, match="two at least"):
        empty_beat_rate(np.array([0.0]), np.array([1.0]), np.array([0.5]))


def test_the_notes_of_a_chord_have_gaps_of_zero() -> None:
    # Onsets 0 0 0 1: gaps 0 0 1.
    assert mean_onset_gap_s(np.array([1.0, 0.0, 0.0, 0.0])) == pytest.approx(1 / 3)


def test_no_note_has_no_metric_and_one_note_no_gap() -> None:
    nothing = score_song(np.array([]), np.array([]), np.array([], dtype=np.int64))
    assert list(nothing) == [metric.name for metric in METRICS]
    assert all(map(math.isnan, nothing.values()))
    alone = score_song(np.array([0.0]), np.array([1.0]), np.array([60]))
    assert math.isnan(alone["ioi"])
    assert [alone[name] for name in ("sc", "pe", "pce", "ebr")] == [1.0, 0.0, 0.0, 0.0]


def test_a_song_counts_for_all_metrics_or_for_none() -> None:
    nan = float("nan")
    one, two = scores(1.0, 4.0, 2.0, 0.0, 0.1), scores(0.5, 2.0, 2.0, 0.2, 0.3)
    summary = summarise([one, scores(1.0, 0.0, 0.0, 0.0, nan), two])
    assert (summary.songs, summary.left_out) == (2, 1)
    assert summary.mean["sc"] == 0.75
    assert summary.median["pe"] == 3.0
    assert summary.deviation["ioi"] == pytest.approx(0.1)


def test_nothing_to_count_is_no_number() -> None:
    summary = summarise([])
    assert summary.songs == 0
    assert math.isnan(summary.mean["sc"])


def test_distance_is_ours_less_the_reference() -> None:
    ours = scores(*[0.5] * 5)
    assert distance(ours, {**ours, "sc": 0.75})["sc"] == -0.25


def as_file(folder: Path, ticks: list[tuple[int, int, int]], resolution: int = 220) -> Path:
    order = sorted(ticks)
    tick_s = 0.5 / resolution
    notes = Notes(
        starts_s=np.array([t * tick_s for t, _, _ in order]),
        ends_s=np.array([(t + d) * tick_s for t, d, _ in order]),
        pitches=np.array([p for _, _, p in order]),
        velocities=np.full(len(order), 64),
    )
    path = folder / "song.mid"
    path.write_bytes(midi_bytes({"piano": notes}, ticks_per_beat=resolution))
    return path


note = st.tuples(st.integers(0, 5000), st.integers(1, 900), st.integers(21, 108))


@settings(max_examples=100, deadline=None)
@given(st.lists(note, min_size=2, max_size=60))
def test_random_notes_score_as_muspy_scores_them(ticks: list[tuple[int, int, int]]) -> None:
    tick_s = 0.5 / 220
    starts = np.array([t for t, _, _ in ticks]) * 500_000 / (1e6 * 220)
    ends = np.array([t + d for t, d, _ in ticks]) * 500_000 / (1e6 * 220)
    ours = score_song(starts, ends, np.array([p for _, _, p in ticks]))
    theirs = of_muspy(as_music(ticks, 220))
    assert list(ours.values())[:4] == pytest.approx(theirs, abs=1e-9)
    # mgeval's definition, word for word: the mean of the gaps of all onsets in order.
    onsets = sorted(t * tick_s for t, _, _ in ticks)
    gaps = [later - earlier for earlier, later in pairwise(onsets)]
    assert ours["ioi"] == pytest.approx(sum(gaps) / len(gaps), abs=1e-9)


def test_a_file_scores_as_muspy_reads_and_scores_it(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    pitches = rng.integers(40, 80, 200)
    ticks = [
        (int(t), 100, int(p)) for t, p in zip(rng.integers(0, 44_000, 200), pitches, strict=True)
    ]
    path = as_file(tmp_path, ticks)
    ours = of_file(path)
    theirs = of_muspy(muspy.read_midi(path))
    assert list(ours.values())[:4] == pytest.approx(theirs, abs=1e-9)


def test_files_have_the_figures_that_are_worked_out_by_hand(tmp_path: Path) -> None:
    """A scale of eight notes, one a beat, and the same with its last four beats later."""
    scale = [60, 62, 64, 65, 67, 69, 71, 72]
    whole = of_file(as_file(tmp_path, [(220 * n, 200, p) for n, p in enumerate(scale)]))
    late = [(220 * (n + 4 * (n > 3)), 200, p) for n, p in enumerate(scale)]
    mean = summarise([whole, of_file(as_file(tmp_path, late))]).mean
    assert mean["sc"] == 1.0
    assert mean["pe"] == 3.0
    assert mean["pce"] == 2.75
    assert mean["ebr"] == pytest.approx((0 + 4 / 12) / 2)
    assert mean["ioi"] == pytest.approx((0.5 + 5.5 / 7) / 2)


@pytest.mark.slow
@pytest.mark.twin("test_a_file_scores_as_muspy_reads_and_scores_it")
@pytest.mark.parametrize(("folder", "count"), [("symmv/midi", 60), ("pop909", 40)])
def test_real_files_score_as_muspy_scores_them(shared_data: Path, folder: str, count: int) -> None:
    files = sorted((shared_data / folder).rglob("*.mid"))[:count]
    assert len(files) == count
    for path in files:
        ours = of_file(path)
        theirs = of_muspy(muspy.read_midi(path))
        assert list(ours.values())[:4] == pytest.approx(theirs, abs=1e-9), path.name
        # mgeval asks pretty_midi for the onsets and means their differences.
        onsets = pretty_midi.PrettyMIDI(str(path)).get_onsets()
        assert ours["ioi"] == pytest.approx(float(np.mean(np.diff(onsets))), abs=1e-6), path.name


@pytest.mark.twin("test_files_have_the_figures_that_are_worked_out_by_hand")
def test_the_released_symmv_files_have_the_figures_known_of_them(shared_data: Path) -> None:
    """Sixty of 1,140 songs: near the figures of all, .975 4.330 2.705 .0211 .182."""
    mean = summarise(of_file(path) for path in (shared_data / "symmv/midi").glob("*.mid")).mean
    assert mean["sc"] == pytest.approx(0.975, abs=0.01)
    assert mean["pe"] == pytest.approx(4.330, abs=0.1)
    assert mean["pce"] == pytest.approx(2.705, abs=0.05)
    assert mean["ebr"] == pytest.approx(0.0211, abs=0.01)
    assert mean["ioi"] == pytest.approx(0.182, abs=0.01)


def test_a_thousand_songs_take_seconds() -> None:
    rng = np.random.default_rng(0)
    count = 1300
    starts = np.sort(rng.uniform(0, 220, count))
    pitches = rng.integers(21, 109, count)
    beats = np.arange(0, 220, 0.47)
    began = time.process_time()
    for _ in range(1000):
        score_song(starts, starts + 0.3, pitches, beats)
    assert time.process_time() - began < 5
