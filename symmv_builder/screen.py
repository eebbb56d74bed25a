"""What is kept: tests that an entry must pass, each with its measure and its limit.

SymMV's authors sorted out still and lyric videos, wrong pairs and broken transcriptions by
hand (Zhuo et al. 2023, section 3.1). Here every test is a number against a limit of the
recipe, and a rejection says both. The defaults were chosen on the tables that
``benchmarks/screening.py`` prints.
"""

import numpy as np

from symmv_builder.errors import Reason, RejectEntry
from symmv_builder.pipeline.step import Step
from symmv_builder.records import (
    Alignment,
    Asset,
    FeatureTrack,
    Notes,
    Scenes,
    Screened,
    SoundShares,
)

# The map between two clocks has a point a second; where points lie further apart it jumps.
_JUMP_S = 3.0


def _at_least(measure: str, value: float, limit: float, reason: Reason, unit: str) -> Screened:
    if value < limit:
        raise RejectEntry(reason, f"{measure} is {value:.3g} {unit}, below the limit of {limit:g}")
    return Screened(measure, float(value), float(limit))


def _at_most(measure: str, value: float, limit: float, reason: Reason, unit: str) -> Screened:
    if value > limit:
        raise RejectEntry(reason, f"{measure} is {value:.3g} {unit}, above the limit of {limit:g}")
    return Screened(measure, float(value), float(limit))


def screen_length(
    music_asset: Asset, video_asset: Asset, *, min_duration_s: float = 5.0
) -> Screened:
    """Require that both recordings last at least `min_duration_s` seconds; else `TOO_SHORT`."""
    shorter = min(music_asset.duration_s, video_asset.duration_s)
    return _at_least("shorter recording", shorter, min_duration_s, Reason.TOO_SHORT, "s")


def screen_longest(
    music_asset: Asset, video_asset: Asset, *, max_duration_s: float = 480.0
) -> Screened:
    """Neither recording lasts longer than `max_duration_s` seconds; else `TOO_LONG`.

    Eight minutes is V2M's limit (VidMuse, Tian et al. 2025, section 3).
    """
    longer = max(music_asset.duration_s, video_asset.duration_s)
    return _at_most("longer recording", longer, max_duration_s, Reason.TOO_LONG, "s")


def screen_duration_ratio(
    music_asset: Asset, video_asset: Asset, *, min_ratio: float = 0.5, max_ratio: float = 1.6
) -> Screened:
    """Require that music lasts `min_ratio` to `max_ratio` times as long as video.

    Else `DURATION_MISMATCH`.

    A short film around a song, an hour of loops or an excerpt is not the cover's video.
    """
    ratio = music_asset.duration_s / max(video_asset.duration_s, 1e-9)
    measure, reason = "duration of the music over the video's", Reason.DURATION_MISMATCH
    _at_least(measure, ratio, min_ratio, reason, "times")
    return _at_most(measure, ratio, max_ratio, reason, "times")


def screen_loudness(loudness: FeatureTrack, *, min_peak: float = 0.001) -> Screened:
    """Require that the loudest second reaches `min_peak` of full scale (0-1); else `SILENT`."""
    peak = float(loudness.values.max(initial=0.0))
    return _at_least("loudest second", peak, min_peak, Reason.SILENT, "of full scale")


def screen_sound(
    sound_shares: SoundShares,
    *,
    min_music: float = 0.5,
    max_vocals: float = 1.0,
    max_speech: float = 1.0,
) -> Screened:
    """So much of the sound is music, at most so much is sung or spoken, shares of 0-1 of the
    duration; else `LITTLE_MUSIC`, `VOCALS`, `SPEECH`.

    The result is the share of music. Half of it is V2M's limit (VidMuse, section 3); how far the
    shares are to be trusted says ``music/sound_shares.py``.
    """
    shares, unit = sound_shares, "of 1"
    screened = _at_least("share of music", shares.music_share, min_music, Reason.LITTLE_MUSIC, unit)
    _at_most("share that is sung", shares.vocals_share, max_vocals, Reason.VOCALS, unit)
    _at_most("share that is spoken", shares.speech_share, max_speech, Reason.SPEECH, unit)
    return screened


def screen_similarity(similarity: FeatureTrack, *, max_mean: float = 0.8) -> Screened:
    """Require that pictures a hop apart are less alike than `max_mean` on average.

    They are compared by SSIM (1 is the same picture); else `STATIC_VIDEO`.

    The limit is V2M's (VidMuse, section 3). A camera on a tripod comes near it, too.
    """
    mean = float(similarity.values.mean()) if similarity.values.size else 1.0
    return _at_most("mean SSIM", mean, max_mean, Reason.STATIC_VIDEO, "of 1")


def screen_motion(motion: FeatureTrack, *, min_mean: float = 0.5) -> Screened:
    """Require that the mean RGB difference (0-255) reaches `min_mean`; else `STATIC_VIDEO`.

    A still picture is not quite 0: lossy coding moves it a little.
    """
    mean = float(motion.values.mean()) if motion.values.size else 0.0
    return _at_least("mean RGB difference", mean, min_mean, Reason.STATIC_VIDEO, "of 255")


def screen_stillness(
    motion: FeatureTrack, *, still_below: float = 0.1, max_share: float = 0.7
) -> Screened:
    """Require that at most `max_share` of the video is still.

    Still is what changes by less than `still_below` (0-255); else `STATIC_VIDEO`.

    A show of pictures changes much now and then, which a mean forgives.
    """
    still = float((motion.values < still_below).mean()) if motion.values.size else 1.0
    return _at_most("share of a still picture", still, max_share, Reason.STATIC_VIDEO, "of 1")


def screen_cuts(scenes: Scenes, *, min_per_minute: float = 1.0) -> Screened:
    """Require at least so many cuts a minute of the video; else `STATIC_VIDEO`.

    A picture with rain or bars drawn over it moves, but has no cuts. So has an official
    video in one take: a limit of 0 lets it pass.
    """
    minutes = (float(scenes.ends_s[-1]) if len(scenes.ends_s) else 0.0) / 60
    rate = max(0, len(scenes.starts_s) - 1) / max(minutes, 1e-9)
    return _at_least("cuts a minute", rate, min_per_minute, Reason.STATIC_VIDEO, "cuts a minute")


def screen_text(
    text_area: FeatureTrack, *, much: float = 0.012, max_share: float = 0.5
) -> Screened:
    """Writing covers `much` of the picture (0-1) in at most `max_share` of it.

    Else `LYRIC_VIDEO`.

    One sung line covers 0.015 and more of the picture, a channel's mark less than 0.01;
    titles and credits cover much, but not for long.
    """
    share = float((text_area.values >= much).mean()) if text_area.values.size else 0.0
    return _at_most("share of pictures with text", share, max_share, Reason.LYRIC_VIDEO, "of 1")


def screen_alignment(
    alignment: Alignment,
    music_asset: Asset,
    *,
    min_confidence: float = 0.5,
    min_cover: float = 0.5,
) -> Screened:
    """Require that both recordings are one song, else `DIFFERENT_SONG`.

    At least `min_cover` of the music has to be found in the video, else `MISALIGNED`.
    """
    screened = _at_least(
        "confidence that both are the same song",
        alignment.confidence,
        min_confidence,
        Reason.DIFFERENT_SONG,
        "of 1",
    )
    steps_s = np.diff(alignment.music_s)
    found_s = float(steps_s[(steps_s < _JUMP_S) & (np.diff(alignment.video_s) < _JUMP_S)].sum())
    share = found_s / max(music_asset.duration_s, 1e-9)
    measure = "share of the music that is found in the video"
    _at_least(measure, share, min_cover, Reason.MISALIGNED, "of 1")
    return screened


def screen_piano(
    piano_share: FeatureTrack, *, min_share: float = 0.43, min_fading: float = -0.02
) -> Screened:
    """Require that a piano that plays the transcribed notes accounts for the sound.

    That is `min_share` (0-1) of it, and by `min_fading` more than an instrument that would hold the
    notes accounts for; else `NOT_SOLO_PIANO`.

    Real and rendered pianos give 0.48-0.61 and -0.005 to 0.07, with drums 0.39, an organ or
    a flute 0.48 but -0.05, music for film 0.1. Harpsichord and guitar alone pass.
    """
    fading, sustained, loud = piano_share.values.astype(np.float64).T
    total = max(float(loud.sum()), 1e-9)
    share = float((fading * loud).sum()) / total
    reason, unit = Reason.NOT_SOLO_PIANO, "of the sound"
    screened = _at_least("share that a piano accounts for", share, min_share, reason, unit)
    more = share - float((sustained * loud).sum()) / total
    _at_least("share gained by notes that fade", more, min_fading, reason, unit)
    return screened


def screen_notes(
    notes: Notes, music_asset: Asset, *, min_notes_per_minute: float = 20.0
) -> Screened:
    """Require at least so many notes a minute of the transcription; else `TOO_FEW_NOTES`."""
    minutes = max(music_asset.duration_s, 1.0) / 60
    rate = len(notes.starts_s) / minutes
    return _at_least(
        "notes a minute", rate, min_notes_per_minute, Reason.TOO_FEW_NOTES, "notes a minute"
    )


def screen_transcription(
    notes: Notes,
    music_asset: Asset,
    *,
    min_notes_per_s: float = 1.0,
    max_notes_per_s: float = 20.0,
    max_gap_s: float = 30.0,
    min_range_semitones: int = 12,
) -> Screened:
    """Require that the notes are those of a piece for piano; else `BROKEN_TRANSCRIPTION`.

    So many notes a second of the recording, no longer silence than `max_gap_s` (before
    the first note and after the last one too), and 95 % of the notes within no less than
    `min_range_semitones`. In SymMV and POP909 the rate is 3-12 a second, silence at most
    11 s, the range 20-67 semitones.
    """
    reason = Reason.BROKEN_TRANSCRIPTION
    duration_s = max(music_asset.duration_s, 1.0)
    rate = len(notes.starts_s) / duration_s
    screened = _at_least("notes a second", rate, min_notes_per_s, reason, "notes a second")
    _at_most("notes a second", rate, max_notes_per_s, reason, "notes a second")
    sounded_s = np.maximum.accumulate(np.append(0.0, notes.ends_s))
    silences = np.append(notes.starts_s, duration_s) - sounded_s
    _at_most("longest silence", float(silences.max()), max_gap_s, reason, "s")
    low, high = np.percentile(notes.pitches, [2.5, 97.5]) if len(notes.pitches) else (0, 0)
    _at_least("range of pitches", float(high - low), min_range_semitones, reason, "semitones")
    return screened


_ASSETS = ("music_asset", "video_asset")
LENGTH = Step("screen_length", 1, reads=_ASSETS, run=screen_length)
LONGEST = Step("screen_longest", 1, reads=_ASSETS, run=screen_longest)
DURATION_RATIO = Step("screen_duration_ratio", 1, reads=_ASSETS, run=screen_duration_ratio)
LOUDNESS = Step("screen_loudness", 1, reads=("loudness",), run=screen_loudness)
SOUND = Step("screen_sound", 2, reads=("sound_shares",), run=screen_sound)
SIMILARITY = Step("screen_similarity", 1, reads=("similarity",), run=screen_similarity)
MOTION = Step("screen_motion", 1, reads=("motion",), run=screen_motion)
STILLNESS = Step("screen_stillness", 1, reads=("motion",), run=screen_stillness)
CUTS = Step("screen_cuts", 1, reads=("scenes",), run=screen_cuts)
TEXT = Step("screen_text", 1, reads=("text_area",), run=screen_text)
ALIGNMENT = Step("screen_alignment", 1, reads=("alignment", "music_asset"), run=screen_alignment)
PIANO = Step("screen_piano", 1, reads=("piano_share",), run=screen_piano)
NOTES = Step("screen_notes", 1, reads=("notes", "music_asset"), run=screen_notes)
TRANSCRIPTION = Step(
    "screen_transcription", 1, reads=("notes", "music_asset"), run=screen_transcription
)
