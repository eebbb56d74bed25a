"""What is kept: tests that an entry must pass, each with its measure and its limit.

SymMV's authors sorted out still and lyric videos and broken transcriptions by hand (Zhuo
et al., section 3.1). Here every test is a number against a limit of the recipe, and a
rejection says both.
"""

from symmv_builder.errors import Reason, RejectEntry
from symmv_builder.pipeline.step import Step
from symmv_builder.records import Asset, FeatureTrack, Notes, Screened


def _at_least(measure: str, value: float, limit: float, reason: Reason, unit: str) -> Screened:
    if value < limit:
        raise RejectEntry(reason, f"{measure} is {value:.3g} {unit}, below the limit of {limit:g}")
    return Screened(measure, float(value), float(limit))


def screen_length(
    music_asset: Asset, video_asset: Asset, *, min_duration_s: float = 5.0
) -> Screened:
    """Both recordings last at least `min_duration_s` seconds; else `TOO_SHORT`."""
    shorter = min(music_asset.duration_s, video_asset.duration_s)
    return _at_least("shorter recording", shorter, min_duration_s, Reason.TOO_SHORT, "s")


def screen_loudness(loudness: FeatureTrack, *, min_peak: float = 0.001) -> Screened:
    """The loudest second reaches `min_peak` of full scale (0-1); else `SILENT`."""
    peak = float(loudness.values.max(initial=0.0))
    return _at_least("loudest second", peak, min_peak, Reason.SILENT, "of full scale")


def screen_motion(motion: FeatureTrack, *, min_mean: float = 0.5) -> Screened:
    """The mean RGB difference (0-255) reaches `min_mean`; else `STATIC_VIDEO`.

    A still picture is not quite 0: lossy coding moves it a little.
    """
    mean = float(motion.values.mean()) if motion.values.size else 0.0
    return _at_least("mean RGB difference", mean, min_mean, Reason.STATIC_VIDEO, "of 255")


def screen_notes(
    notes: Notes, music_asset: Asset, *, min_notes_per_minute: float = 20.0
) -> Screened:
    """The transcription has at least so many notes a minute; else `TOO_FEW_NOTES`."""
    minutes = max(music_asset.duration_s, 1.0) / 60
    rate = len(notes.starts_s) / minutes
    return _at_least(
        "notes a minute", rate, min_notes_per_minute, Reason.TOO_FEW_NOTES, "notes a minute"
    )


LENGTH = Step("screen_length", 1, reads=("music_asset", "video_asset"), run=screen_length)
LOUDNESS = Step("screen_loudness", 1, reads=("loudness",), run=screen_loudness)
MOTION = Step("screen_motion", 1, reads=("motion",), run=screen_motion)
NOTES = Step("screen_notes", 1, reads=("notes", "music_asset"), run=screen_notes)
