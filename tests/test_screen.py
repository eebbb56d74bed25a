"""Every screen lets good entries pass and says measure and limit of what it turns away."""

from collections.abc import Callable

import numpy as np
import pytest

from symmv_builder import screen
from symmv_builder.errors import Reason, RejectEntry
from symmv_builder.records import (
    Alignment,
    Asset,
    FeatureTrack,
    MediaKind,
    Notes,
    Scenes,
    Screened,
    SoundShares,
)
from symmv_builder.timeline import Clock


def lasting(duration_s: float) -> Asset:
    return Asset("0" * 64, MediaKind.VIDEO, 1, "mp4", duration_s)


def track(*values: float, name: str = "motion") -> FeatureTrack:
    return FeatureTrack(name, 1.0, np.array(values)[:, None], Clock.VIDEO)


def shots(*starts_s: float, end_s: float) -> Scenes:
    ends_s = [*starts_s[1:], end_s]
    return Scenes(np.array(starts_s), np.array(ends_s), np.arange(len(starts_s)))


def scale(*, per_s: float, duration_s: float, pitches: tuple[int, ...] = (48, 60, 72)) -> Notes:
    """Notes in turn through the pitches, each lasting until the next."""
    starts_s = np.arange(0.0, duration_s, 1.0 / per_s)
    count = len(starts_s)
    return Notes(starts_s, starts_s + 1.0 / per_s, np.resize(pitches, count), np.full(count, 64))


def straight(
    confidence: float, *, seconds: float = 100.0, jump_s: float = 0.0, jumps: int = 0
) -> Alignment:
    """One point a second, the video ahead by `jump_s` more at each of so many jumps."""
    music_s = np.arange(seconds + 1)
    ahead = np.floor(music_s * (jumps + 1) / (seconds + 2)) * jump_s
    return Alignment(music_s, music_s + ahead, confidence)


def piano(fading: float, held: float, seconds: int = 10) -> FeatureTrack:
    values = np.tile([fading, held, 5.0], (seconds, 1))
    return FeatureTrack("piano_share", 1.0, values, Clock.MUSIC)


def heard(music: float, vocals: float = 0.0, speech: float = 0.0) -> SoundShares:
    """Ten seconds of which such shares are music, sung, spoken."""
    shares = 10 * np.array([music, vocals, speech])
    seconds = (np.arange(10)[:, None] < shares).astype(np.float32)
    return SoundShares(*seconds.T)


GOOD: dict[str, Callable[[], Screened]] = {
    "length": lambda: screen.screen_length(lasting(200), lasting(240)),
    "ratio": lambda: screen.screen_duration_ratio(lasting(200), lasting(240)),
    "longest": lambda: screen.screen_longest(lasting(480), lasting(30)),
    "sound": lambda: screen.screen_sound(heard(0.5, 0.9, 0.9)),
    "similarity": lambda: screen.screen_similarity(track(0.9, 0.6, name="similarity")),
    "motion": lambda: screen.screen_motion(track(0, 5, 9)),
    "stillness": lambda: screen.screen_stillness(track(0, 0, 5, 9)),
    "cuts": lambda: screen.screen_cuts(shots(0, 10, 25, 40, end_s=60)),
    "text": lambda: screen.screen_text(track(0.2, 0, 0, 0.1, 0, name="text_area")),
    "alignment": lambda: screen.screen_alignment(straight(0.9), lasting(120)),
    "piano": lambda: screen.screen_piano(piano(0.5, 0.49)),
    "transcription": lambda: screen.screen_transcription(
        scale(per_s=4, duration_s=60), lasting(70)
    ),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_good_entry_passes_and_the_measure_is_kept(name: str) -> None:
    passed = GOOD[name]()
    assert isinstance(passed, Screened)
    assert passed.measure
    assert np.isfinite([passed.value, passed.limit]).all()


@pytest.mark.parametrize(
    ("screened", "reason", "detail"),
    [
        (
            lambda: screen.screen_length(lasting(200), lasting(3)),
            Reason.TOO_SHORT,
            "shorter recording is 3 s, below the limit of 5",
        ),
        (
            lambda: screen.screen_duration_ratio(lasting(60), lasting(240)),
            Reason.DURATION_MISMATCH,
            "duration of the music over the video's is 0.25 times, below the limit of 0.5",
        ),
        (
            lambda: screen.screen_duration_ratio(lasting(600), lasting(200)),
            Reason.DURATION_MISMATCH,
            "is 3 times, above the limit of 1.6",
        ),
        (
            lambda: screen.screen_duration_ratio(lasting(600), lasting(0)),
            Reason.DURATION_MISMATCH,
            "above the limit",
        ),
        (
            lambda: screen.screen_longest(lasting(100), lasting(481)),
            Reason.TOO_LONG,
            "longer recording is 481 s, above the limit of 480",
        ),
        (
            lambda: screen.screen_sound(heard(0.4)),
            Reason.LITTLE_MUSIC,
            "share of music is 0.4 of 1, below the limit of 0.5",
        ),
        (
            lambda: screen.screen_sound(heard(1.0, 0.2), max_vocals=0.1),
            Reason.VOCALS,
            "share that is sung is 0.2 of 1, above the limit of 0.1",
        ),
        (
            lambda: screen.screen_sound(heard(1.0, 0.0, 0.2), max_speech=0.1),
            Reason.SPEECH,
            "share that is spoken is 0.2 of 1, above the limit of 0.1",
        ),
        (
            lambda: screen.screen_similarity(track(0.9, 0.8, name="similarity")),
            Reason.STATIC_VIDEO,
            "mean SSIM is 0.85 of 1, above the limit of 0.8",
        ),
        (
            lambda: screen.screen_motion(track(0.0, 0.2, 0.1)),
            Reason.STATIC_VIDEO,
            "mean RGB difference is 0.1 of 255, below the limit of 0.5",
        ),
        (
            # Ten pictures of ten seconds: much on average, but nearly always still.
            lambda: screen.screen_stillness(track(*([0.0] * 9 + [60.0]) * 10)),
            Reason.STATIC_VIDEO,
            "share of a still picture is 0.9 of 1, above the limit of 0.7",
        ),
        (
            lambda: screen.screen_cuts(shots(0, end_s=200)),
            Reason.STATIC_VIDEO,
            "cuts a minute is 0 cuts a minute, below the limit of 1",
        ),
        (
            lambda: screen.screen_text(track(0.03, 0.02, 0.05, 0, name="text_area")),
            Reason.LYRIC_VIDEO,
            "share of pictures with text is 0.75 of 1, above the limit of 0.5",
        ),
        (
            lambda: screen.screen_alignment(straight(0.02), lasting(100)),
            Reason.DIFFERENT_SONG,
            "confidence that both are the same song is 0.02 of 1, below the limit of 0.5",
        ),
        (
            lambda: screen.screen_alignment(straight(0.99), lasting(400)),
            Reason.MISALIGNED,
            "share of the music that is found in the video is 0.25 of 1, below the limit of 0.5",
        ),
        (
            lambda: screen.screen_piano(piano(0.1, 0.1)),
            Reason.NOT_SOLO_PIANO,
            "share that a piano accounts for is 0.1 of the sound, below the limit of 0.43",
        ),
        (
            lambda: screen.screen_piano(piano(0.48, 0.55)),
            Reason.NOT_SOLO_PIANO,
            "share gained by notes that fade is -0.07 of the sound, below the limit of -0.02",
        ),
        (
            lambda: screen.screen_transcription(scale(per_s=0.5, duration_s=60), lasting(60)),
            Reason.BROKEN_TRANSCRIPTION,
            "notes a second is 0.5 notes a second, below the limit of 1",
        ),
        (
            lambda: screen.screen_transcription(scale(per_s=40, duration_s=60), lasting(60)),
            Reason.BROKEN_TRANSCRIPTION,
            "above the limit of 20",
        ),
        (
            lambda: screen.screen_transcription(scale(per_s=6, duration_s=60), lasting(100)),
            Reason.BROKEN_TRANSCRIPTION,
            "longest silence is 40 s, above the limit of 30",
        ),
        (
            lambda: screen.screen_transcription(
                scale(per_s=4, duration_s=60, pitches=(60, 62, 64)), lasting(60)
            ),
            Reason.BROKEN_TRANSCRIPTION,
            "range of pitches is 4 semitones, below the limit of 12",
        ),
    ],
)
def test_what_is_turned_away_is_told_its_value_and_the_limit(
    screened: Callable[[], Screened], reason: Reason, detail: str
) -> None:
    with pytest.raises(RejectEntry) as rejected:
        screened()
    assert rejected.value.reason is reason
    assert detail in rejected.value.detail


@pytest.mark.parametrize(
    ("screened", "reason"),
    [
        (lambda: screen.screen_motion(track()), Reason.STATIC_VIDEO),
        (lambda: screen.screen_stillness(track()), Reason.STATIC_VIDEO),
        (lambda: screen.screen_similarity(track(name="similarity")), Reason.STATIC_VIDEO),
        (lambda: screen.screen_sound(heard(0.0)), Reason.LITTLE_MUSIC),
        (
            lambda: screen.screen_alignment(Alignment((), (), 0.9), lasting(9)),  # type: ignore[arg-type]
            Reason.MISALIGNED,
        ),
        (lambda: screen.screen_piano(piano(0.9, 0.9, seconds=0)), Reason.NOT_SOLO_PIANO),
        (
            lambda: screen.screen_transcription(scale(per_s=1, duration_s=0), lasting(9)),
            Reason.BROKEN_TRANSCRIPTION,
        ),
    ],
)
def test_nothing_at_all_is_turned_away_too(
    screened: Callable[[], Screened], reason: Reason
) -> None:
    with pytest.raises(RejectEntry) as rejected:
        screened()
    assert rejected.value.reason is reason


def test_a_limit_moves_the_line() -> None:
    still = shots(0, end_s=200)
    assert screen.screen_cuts(still, min_per_minute=0.0).value == 0.0
    with pytest.raises(RejectEntry, match="limit of 2"):
        screen.screen_cuts(shots(0, 60, end_s=120), min_per_minute=2.0)


def test_what_the_map_jumps_over_does_not_count_as_found() -> None:
    gap = Alignment(
        np.append(np.arange(30.0), np.arange(70.0, 100.0)),
        np.append(np.arange(30.0), np.arange(70.0, 100.0)),
        0.99,
    )
    with pytest.raises(RejectEntry, match=r"is 0\.58 of 1"):
        screen.screen_alignment(gap, lasting(100), min_cover=0.6)
    assert screen.screen_alignment(straight(0.9, jump_s=20.0, jumps=2), lasting(100)).value == 0.9


def test_quiet_seconds_weigh_less_in_the_piano_s_share() -> None:
    values = np.array([[0.6, 0.6, 10.0]] * 10 + [[-5.0, -5.0, 0.01]] * 10)
    passed = screen.screen_piano(FeatureTrack("piano_share", 1.0, values, Clock.MUSIC))
    assert passed.value > 0.58


def test_a_share_that_is_the_limit_passes_whatever_it_is_stored_in() -> None:
    """27 of 30 seconds are the 0.9 of GVMGen's recipe: in single precision they are less."""
    music = np.ones(30)
    music[:3] = 0
    nothing = np.zeros(30)
    shares = SoundShares(music, nothing, nothing)  # type: ignore[arg-type]
    assert shares.music_share == 0.9
    assert screen.screen_sound(shares, min_music=0.9).value == 0.9
