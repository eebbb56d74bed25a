"""Two recordings of one song are found to be one, with their clocks; others are not."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from symmv_builder.backends.sampler import render
from symmv_builder.demo.repertoire import piece, play
from symmv_builder.errors import Reason, RejectEntry
from symmv_builder.music import align as alignment
from symmv_builder.music.align import RATE_HZ, align_features, chroma_features, hear_alignment
from symmv_builder.records import Alignment, Notes
from tests.hearing import heard
from tests.media import Pictures, Samples, noise, steady, write_media

HOP_S = 0.25
STRINGS, FLUTE = 48, 73
PIECES = ("maple-leaf-rag", "mazurka-op6-no2", "polonaise-op1-no1", "sonata-k545", "sonata-h186")


@dataclass(frozen=True)
class Known:
    """A performance as the video has it, and as a cover has it: the cover is at
    ``cover_s[i]`` where the video is at ``video_s[i]``."""

    video: NDArray[np.float32]
    cover: NDArray[np.float32]
    video_s: NDArray[np.float64]
    cover_s: NDArray[np.float64]


def moved(notes: Notes, at_s: NDArray[np.float64], to_s: NDArray[np.float64], shift: int) -> Notes:
    kept = (notes.starts_s >= at_s[0]) & (notes.starts_s < at_s[-1])
    return Notes(
        np.interp(notes.starts_s[kept], at_s, to_s),
        np.interp(notes.ends_s[kept], at_s, to_s) + 0.02,
        notes.pitches[kept] + shift,
        notes.velocities[kept],
    )


def sound(notes: Notes, program: int = 0) -> NDArray[np.float32]:
    return np.asarray(render(notes, rate_hz=RATE_HZ, program=program).mean(axis=1))


def known(
    name: str, *, rate: float, shift: int, skipped_s: float = 0.0, late_s: float = 3.0
) -> Known:
    """A piece on strings, and on the piano: `rate` times as long, transposed, its first
    seconds left out, with a tempo that wavers, `late_s` after the beginning."""
    notes = play(piece(name), seed=77).notes
    end_s = float(notes.ends_s.max())
    knots = np.linspace(skipped_s, end_s, 7)
    wavering = np.diff(knots) * rate * np.array([1.0, 1.06, 0.95, 1.04, 0.97, 1.0])
    cover_s = late_s + np.concatenate([[0.0], np.cumsum(wavering)])
    cover = sound(moved(notes, knots, cover_s, shift))
    return Known(sound(notes, STRINGS), cover, knots, cover_s)


def aligned(pair: Known) -> Alignment:
    music, video = (chroma_features(each, hop_s=HOP_S) for each in (pair.cover, pair.video))
    return align_features(music, video, hop_s=HOP_S)


def errors_s(found: Alignment, pair: Known) -> NDArray[np.float64]:
    inside = (found.music_s >= pair.cover_s[0]) & (found.music_s <= pair.cover_s[-1])
    truth_s = np.interp(found.music_s[inside], pair.cover_s, pair.video_s)
    return np.asarray(np.abs(found.video_s[inside] - truth_s))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "rate", "shift", "skipped_s"),
    [
        ("maple-leaf-rag", 1.25, 0, 0.0),
        ("mazurka-op6-no2", 0.8, -3, 0.0),
        ("polonaise-op1-no1", 1.1, 6, 8.0),
        ("sonata-h186", 0.9, 1, 10.0),
    ],
)
def test_a_cover_at_another_pace_and_pitch_is_placed_within_a_third_of_a_second(
    name: str, rate: float, shift: int, skipped_s: float
) -> None:
    pair = known(name, rate=rate, shift=shift, skipped_s=skipped_s)
    found = aligned(pair)
    assert found.confidence > 0.9
    assert found.shift_semitones == shift
    assert np.median(errors_s(found, pair)) < 0.3
    played_s = pair.cover_s[-1] - pair.cover_s[0]
    assert found.music_s[-1] - found.music_s[0] > 0.85 * played_s


@pytest.mark.slow
def test_points_rise_on_both_clocks_about_one_a_second() -> None:
    found = aligned(known("mazurka-op6-no2", rate=1.2, shift=2))
    assert (np.diff(found.music_s) > 0).all()
    assert (np.diff(found.video_s) >= 0).all()
    assert 0.5 < np.median(np.diff(found.music_s)) < 1.5


@pytest.mark.slow
def test_pieces_that_are_not_the_same_are_not_taken_for_one_song() -> None:
    features = [
        chroma_features(sound(play(piece(name), seed=5).notes, program), hop_s=HOP_S)
        for name, program in zip(PIECES, (0, STRINGS, 0, FLUTE, STRINGS), strict=True)
    ]
    confidences = [
        align_features(one, other, hop_s=HOP_S).confidence
        for number, one in enumerate(features)
        for other in features[number + 1 :]
    ]
    assert max(confidences) < 0.5


@pytest.mark.slow
def test_a_part_that_only_the_video_has_is_jumped_over() -> None:
    notes = play(piece("polonaise-op1-no1"), seed=9).notes
    whole = sound(notes, STRINGS)
    middle = 20 * RATE_HZ
    other = sound(play(piece("maple-leaf-rag")).notes, STRINGS)[: 20 * RATE_HZ]
    video = np.concatenate([whole[:middle], other, whole[middle:]])
    found = align_features(
        chroma_features(sound(notes), hop_s=HOP_S), chroma_features(video, hop_s=HOP_S), hop_s=HOP_S
    )
    truth_s = found.music_s + np.where(found.music_s < 20.0, 0.0, 20.0)
    wrong = np.abs(found.video_s - truth_s) > 0.5
    assert wrong.mean() < 0.1
    assert np.diff(found.video_s).max() > 15.0


@pytest.mark.slow
def test_a_recording_a_quarter_tone_sharp_is_still_in_its_key() -> None:
    notes = play(piece("sonata-k545"), seed=3).notes
    straight = sound(notes, STRINGS)
    # Played faster by a quarter tone's ratio.
    places = np.arange(0, len(straight) - 1, 2 ** (0.4 / 12))
    sharp = np.interp(places, np.arange(len(straight)), straight).astype(np.float32)
    found = align_features(
        chroma_features(sound(notes), hop_s=HOP_S), chroma_features(sharp, hop_s=HOP_S), hop_s=HOP_S
    )
    assert found.confidence > 0.9
    assert found.shift_semitones == 0


def test_silence_is_like_nothing_and_has_no_map() -> None:
    music = chroma_features(sound(play(piece("sonata-k545")).notes), hop_s=HOP_S)
    for length in (0, 100, 24000):
        silence = chroma_features(np.zeros(length, np.float32), hop_s=HOP_S)
        found = align_features(music, silence, hop_s=HOP_S)
        assert found.confidence < 0.01
        assert len(found.music_s) == len(found.video_s) == 0


def test_the_path_with_jumps_scores_no_less_than_the_path_without() -> None:
    rng = np.random.default_rng(0)
    music, video = (rng.normal(size=(60, 12)).astype(np.float32) for _ in range(2))
    music, video = (each / np.linalg.norm(each, axis=1)[:, None] for each in (music, video))
    plain = alignment.local_scores(music, video)
    for shift in range(12):
        score, path = alignment.best_path(music, np.roll(video, shift, axis=1))
        assert score >= plain[shift] - 1e-4
        assert (np.diff(path[:, 0]) > 0).all()
        assert (np.diff(path[:, 1]) > 0).all()


def test_two_files_are_read_on_their_own_clocks(tmp_path: Path) -> None:
    notes = play(piece("mazurka-op6-no2"), longest_s=30.0).notes
    samples = sound(notes)[:, None]
    music = write_media(tmp_path / "cover.wav", Samples(samples, RATE_HZ))
    video = write_media(
        tmp_path / "video.mkv",
        Pictures([noise(number) for number in range(30)], steady(30, rate=1)),
        Samples(samples, RATE_HZ, start_s=5.0),
    )
    found = heard(music, hear_alignment(), video)
    assert found.confidence > 0.9
    assert np.abs(found.video_s - found.music_s - 5.0).max() < 0.3


def test_a_video_without_sound_is_turned_away(tmp_path: Path) -> None:
    music = write_media(tmp_path / "cover.wav", Samples(np.zeros((8000, 1), np.float32)))
    video = write_media(tmp_path / "mute.mkv", Pictures([noise(1)] * 10, steady(10)))
    with pytest.raises(RejectEntry) as rejected:
        heard(music, hear_alignment(), video)
    assert rejected.value.reason is Reason.NO_AUDIO


def test_a_recording_too_long_to_compare_is_turned_away_with_its_length(tmp_path: Path) -> None:
    music = write_media(tmp_path / "cover.wav", Samples(np.zeros((80000, 1), np.float32)))
    with pytest.raises(RejectEntry, match="10 s are more than the 5 s") as rejected:
        heard(music, hear_alignment(longest_s=5.0), music)
    assert rejected.value.reason is Reason.TOO_LONG
