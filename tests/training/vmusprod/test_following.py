"""Bar lines that go to the cuts of a video, and a piece that ends with it."""

from pathlib import Path

import numpy as np
import pytest

from symmv_builder.backends.midi import midi_bytes, read_notes
from symmv_builder.records import Key, Notes
from symmv_builder.training.vmusprod.compose import compose_all
from symmv_builder.training.vmusprod.following import (
    BEND,
    CUT_ACCENT,
    LEEWAY,
    ON_LINE_S,
    SCENE_VELOCITY,
    TempoMap,
    VideoTiming,
    distances,
    follow_cuts,
    steady_beats,
)
from symmv_builder.training.vmusprod.piece import SHORTEST_END_S, Wish, plan_piece
from tests.training.vmusprod.test_compose import ABOUT, SAMPLING, make_models

A_MINOR = Key("A", "minor", 1.0)
NOTHING = np.zeros(0)


def shown(*cuts_s: float, motion: float = 7.0, seconds: float = 30.0) -> VideoTiming:
    return VideoTiming(np.array(cuts_s, dtype=np.float64), np.full(round(5 * seconds), motion))


def on_lines(beats: TempoMap, cuts_s: np.ndarray, end_s: float) -> int:
    return int((distances(cuts_s, beats.bar_lines_s(4, end_s)) <= ON_LINE_S).sum())


def test_cuts_at_bars_of_a_near_tempo_are_all_met() -> None:
    """A video cut to music of 104 to the minute, of which the motion says 110."""
    bar_s = 240 / 104
    cuts = np.array([3, 5, 9, 10]) * bar_s
    beats = follow_cuts(110.0, 12 * bar_s, cuts)
    assert on_lines(beats, cuts, 12 * bar_s) == 4
    assert beats.tempo_bpm == pytest.approx(104.0)
    assert beats(np.array([12 * 16])) == pytest.approx(12 * bar_s)


def test_bar_lines_meet_many_times_more_random_cuts_than_a_steady_tempo() -> None:
    rng = np.random.default_rng(0)
    followed = by_chance = total = 0
    for _ in range(20):
        tempo, end_s = rng.uniform(95, 125), 40.0
        cuts = np.sort(rng.uniform(1.0, 39.0, 8))
        followed += on_lines(follow_cuts(tempo, end_s, cuts), cuts, end_s)
        by_chance += on_lines(steady_beats(tempo, end_s), cuts, end_s)
        total += 8
    # A steady tempo meets as many as two frames of 40 ms are of a bar of 2.2 s: four in a hundred.
    assert by_chance < 0.1 * total
    assert followed > 0.35 * total


@pytest.mark.parametrize("tempo_bpm", [90.0, 101.0, 130.0])
def test_a_piece_keeps_near_its_tempo_and_within_the_papers_range(tempo_bpm: float) -> None:
    rng = np.random.default_rng(int(tempo_bpm))
    beats = follow_cuts(tempo_bpm, 60.0, np.sort(rng.uniform(0, 60, 25)))
    tempos = np.array([bpm for _, bpm in beats.tempos()])
    assert (tempos >= max(90.0, tempo_bpm * (1 - LEEWAY) * (1 - BEND)) - 1e-6).all()
    assert (tempos <= min(130.0, tempo_bpm * (1 + LEEWAY) * (1 + BEND)) + 1e-6).all()
    assert (np.diff(beats.times_s) > 0).all()
    assert (np.diff(beats.numbers) >= 1).all()
    assert (beats.numbers == np.rint(beats.numbers)).all()


@pytest.mark.parametrize("end_s", [0.1, 0.4, 1.0, 2.0])
def test_a_video_of_a_few_beats_has_a_steady_tempo_or_whole_beats(end_s: float) -> None:
    beats = follow_cuts(110.0, end_s, np.array([end_s / 2]))
    assert 90 <= beats.tempo_bpm <= 130
    assert beats.times_s[-1] == end_s


def test_a_clock_goes_on_at_its_last_tempo() -> None:
    beats = TempoMap(np.array([0.0, 2.0, 3.0]), np.array([0.0, 4.0, 6.0]))
    assert beats(np.array([0, 8, 16, 20, 24, 32])) == pytest.approx([0, 1, 2, 2.5, 3, 4])


def test_scenes_differ_in_loudness_and_cuts_have_an_accent() -> None:
    motion = np.concatenate([np.full(50, 4.0), np.full(50, 20.0)]).astype(np.float32)
    # The difference across the cut itself belongs to no scene.
    motion[50] = 200.0
    film = VideoTiming(np.array([10.0]), motion)
    assert film.levels(20.0) == pytest.approx([-0.5, 0.5])
    starts = np.array([5.0, 9.99, 10.0, 15.0])
    notes = Notes(starts, starts + 1, np.full(4, 60), np.full(4, 70))
    half = SCENE_VELOCITY // 2
    accented = 70 + half + CUT_ACCENT
    assert film.shaped(notes, 20.0).velocities.tolist() == [
        70 - half,
        accented,
        accented,
        70 + half,
    ]


@pytest.mark.parametrize(
    "film", [shown(), VideoTiming(np.array([1.0]), NOTHING), shown(0.01, 29.99)]
)
def test_a_film_that_says_nothing_leaves_the_loudness(film: VideoTiming) -> None:
    assert (film.levels(30.0) == 0).all()


def test_without_videos_behind_it_a_model_takes_the_tempo_of_ordinary_motion() -> None:
    unknown = ABOUT | {"motion": None}
    calm, lively = (
        plan_piece(Wish(seconds=40.0, shown=shown(motion=m, seconds=40)), unknown, 16)
        for m in (1.0, 60.0)
    )
    assert 90 <= calm.tempo_bpm < 100
    assert 117 < lively.tempo_bpm <= 130


def test_a_tempo_that_is_asked_for_is_kept_whatever_the_cuts() -> None:
    plan = plan_piece(Wish(seconds=20.0, tempo_bpm=143.0, shown=shown(7.7)), ABOUT, 16)
    assert plan.tempo_bpm == pytest.approx(143.0)
    assert plan.beats is not None
    assert len(plan.beats.times_s) == 2


@pytest.mark.parametrize("seconds", [4.1, 9.0, 17.3, 30.0])
def test_a_piece_ends_on_its_tonic_held_until_the_video_is_over(seconds: float) -> None:
    wish = Wish(seed=4, seconds=seconds, shown=shown(3.3, seconds=seconds))
    [piece] = compose_all(
        make_models(sees=False), [wish], find_key=lambda notes: A_MINOR, sampling=SAMPLING
    )
    assert piece.duration_s == seconds
    notes = piece.notes
    last = notes.starts_s == notes.starts_s.max()
    assert notes.starts_s.max() <= seconds - SHORTEST_END_S
    assert notes.ends_s[last] == pytest.approx(seconds)
    assert set(notes.pitches[last] % 12) == {9, 0, 4}
    assert notes.pitches[last].min() % 12 == 9
    # All that sounded before is over when the last chord is struck.
    assert (notes.ends_s[~last] <= notes.starts_s.max() + 1e-9).all()
    assert piece.chords.labels[-1] == "Am"
    assert piece.chords.ends_s[-1] == pytest.approx(seconds)
    assert (piece.melody.starts_s == notes.starts_s.max()).sum() == 1
    assert piece.melody.pitches[-1] == notes.pitches[last].max()


@pytest.mark.parametrize("variant", ["full", "video2music", "video2chord2music"])
def test_every_variant_ends(variant: str) -> None:
    wish = Wish(seed=4, seconds=9.0, shown=shown(3.3, seconds=9))
    models = make_models(variant, sees=False)
    [piece] = compose_all(models, [wish], find_key=lambda n: A_MINOR, sampling=SAMPLING)
    last = piece.notes.starts_s == piece.notes.starts_s.max()
    assert set(piece.notes.pitches[last] % 12) == {9, 0, 4}


@pytest.mark.parametrize("seconds", [0.1, 1.5])
def test_what_is_too_short_to_end_is_broken_off_with_the_video(seconds: float) -> None:
    wish = Wish(seconds=seconds, shown=shown(seconds=seconds))
    plan = plan_piece(wish, ABOUT, 16)
    assert (plan.bars, plan.ends) == (1, False)
    [piece] = compose_all(
        make_models(sees=False), [wish], find_key=lambda n: A_MINOR, sampling=SAMPLING
    )
    assert piece.notes.ends_s.max(initial=0.0) <= seconds


def test_a_tempo_map_keeps_times_over_an_hour_of_changes(tmp_path: Path) -> None:
    """Read back, every note is within a tick of where it was."""
    rng = np.random.default_rng(3)
    numbers = np.concatenate(([0], np.cumsum(rng.integers(4, 30, 300)))).astype(np.float64)
    times = np.concatenate(([0], np.cumsum(np.diff(numbers) * 60 / rng.uniform(90, 130, 300))))
    starts = np.interp(np.arange(0, numbers[-1], 1.5), numbers, times)
    notes = Notes(starts, starts + 0.1, np.full(len(starts), 60), np.full(len(starts), 70))
    data = midi_bytes({"piano": notes}, tempo_bpm=110.0, tempo_map=(times, numbers))
    path = tmp_path / "map.mid"
    path.write_bytes(data)
    found = read_notes(path)
    assert np.abs(found.starts_s - starts).max() < 0.003
    assert data.count(b"\xff\x51\x03") == 300
