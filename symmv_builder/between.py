"""Records of an entry between two times: what a clip holds of each of them.

Times become relative to the clip's start on the record's own clock, so a clip reads as an entry of
its own does. `between` has one rule for each kind of record.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import singledispatch
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from symmv_builder.clips import SAME_S, Clip, Span, sample_range
from symmv_builder.records import (
    Alignment,
    Asset,
    AudioCodes,
    Beats,
    Chords,
    FeatureTrack,
    Floats,
    GridNotes,
    Key,
    KeySpans,
    Loudness,
    MusicLabels,
    Notes,
    Parts,
    Pictures,
    PublishedLabels,
    Scenes,
    Screened,
    SongInfo,
    SoundShares,
    TagTrack,
    TimedText,
    VisualBeats,
)
from symmv_builder.timeline import Clock

_Spans = TypeVar("_Spans", Chords, KeySpans, TimedText)
_Grid = TypeVar("_Grid", GridNotes, Parts)
_Sampled = TypeVar("_Sampled", FeatureTrack, TagTrack, SoundShares, Loudness)


@singledispatch
def between(record: Any, clip: Clip) -> Any:
    """Cut a record to what a clip holds of it, with times from the clip's start.

    - Notes belong to the clip in which they begin, and end with it at the latest; the pedal is
      what of it is down in the clip. Steps on the grid count from the clip's own first downbeat.
    - Chords, keys and shots are what lies in the clip of each.
    - A line of text is in every clip in which it is shown, for as long as that.
    - Beats and samples of a feature are those whose times lie in the clip, its end excluded. The
      first sample may lie up to one hop behind the clip's start.
    - An alignment keeps its points in the clip, and gets one at each end.
    - A recording (`Asset`) is as long as the clip; a VIDEO's by default, see `cut_records`.
    - Codes of a sound are those of its stretch. Where the codec took windows, the clip begins
      within one, and its sound decoded differs a little from that of the whole.
    - Integrated loudness is that of the whole recording.
    - What has no times (the key of the piece, facts and labels of the song) stays as it is.

    `TypeError` for a kind of record that has no rule.
    """
    raise TypeError(f"{type(record).__name__} cannot be taken between two times")


def can_cut(kind: type) -> bool:
    """Check whether there is a rule for a kind of record."""
    return between.dispatch(kind) is not between.dispatch(object)


def cut_records(records: Mapping[str, Any], clip: Clip) -> dict[str, Any]:
    """Cut each record to what a clip holds of it, by artifact.

    A recording does not say on whose clock it runs: ``music_asset`` is the music's.
    """
    music = replace(clip, start_s=clip.music_start_s, end_s=clip.music_end_s)
    return {
        name: between(record, music if name == "music_asset" else clip)
        for name, record in records.items()
    }


def _inside(times_s: Floats, span: Span) -> slice:
    """Take the sorted times that lie in a stretch, its end excluded."""
    first, last = np.searchsorted(times_s, np.array(span) - SAME_S)
    return slice(int(first), int(last))


def _overlapping(starts_s: Floats, ends_s: Floats, span: Span) -> NDArray[np.bool_]:
    return (starts_s < span[1] - SAME_S) & (ends_s > span[0] + SAME_S)


def _relative(times_s: Floats, span: Span) -> Floats:
    return np.clip(times_s, *span) - span[0]


@between.register
def _(record: Notes, clip: Clip) -> Notes:
    span = clip.span(record.clock)
    selected = _inside(record.starts_s, span)
    down = _overlapping(record.pedal_starts_s, record.pedal_ends_s, span)
    return replace(
        record,
        starts_s=_relative(record.starts_s[selected], span),
        ends_s=_relative(record.ends_s[selected], span),
        pitches=record.pitches[selected],
        velocities=record.velocities[selected],
        pedal_starts_s=_relative(record.pedal_starts_s[down], span),
        pedal_ends_s=_relative(record.pedal_ends_s[down], span),
    )


def _grid_between(record: _Grid, clip: Clip, **more: Any) -> _Grid:
    span = clip.span(record.clock)
    selected = _inside(record.starts_s, span)
    return replace(
        record,
        starts_s=_relative(record.starts_s[selected], span),
        ends_s=_relative(record.ends_s[selected], span),
        pitches=record.pitches[selected],
        velocities=record.velocities[selected],
        onset_steps=record.onset_steps[selected] - clip.steps_before,
        duration_steps=record.duration_steps[selected],
        **{name: values[selected] for name, values in more.items()},
    )


@between.register
def _(record: GridNotes, clip: Clip) -> GridNotes:
    return _grid_between(record, clip)


@between.register
def _(record: Parts, clip: Clip) -> Parts:
    return _grid_between(record, clip, is_melody=record.is_melody)


@between.register
def _(record: Beats, clip: Clip) -> Beats:
    span = clip.span(record.clock)
    selected = _inside(record.times_s, span)
    times_s = np.maximum(record.times_s[selected] - span[0], 0.0)
    return replace(record, times_s=times_s, positions=record.positions[selected])


def _spans_between(record: _Spans, clip: Clip, *texts: str) -> _Spans:
    span = clip.span(record.clock)
    selected = np.flatnonzero(_overlapping(record.starts_s, record.ends_s, span)).tolist()
    labels: dict[str, Any] = {
        name: tuple(getattr(record, name)[number] for number in selected) for name in texts
    }
    return replace(
        record,
        starts_s=_relative(record.starts_s[selected], span),
        ends_s=_relative(record.ends_s[selected], span),
        **labels,
    )


@between.register
def _(record: Chords, clip: Clip) -> Chords:
    return _spans_between(record, clip, "labels")


@between.register
def _(record: KeySpans, clip: Clip) -> KeySpans:
    return _spans_between(record, clip, "tonics", "modes")


@between.register
def _(record: Scenes, clip: Clip) -> Scenes:
    span = clip.span(record.clock)
    selected = _overlapping(record.starts_s, record.ends_s, span)
    return replace(
        record,
        starts_s=_relative(record.starts_s[selected], span),
        ends_s=_relative(record.ends_s[selected], span),
        start_frames=np.maximum(record.start_frames[selected] - clip.first_frame, 0),
    )


def _samples_between(record: _Sampled, clip: Clip, *names: str) -> _Sampled:
    first, last = sample_range(clip.span(record.clock), record.hop_s)
    samples: dict[str, Any] = {name: getattr(record, name)[first:last] for name in names}
    return replace(record, **samples)


@between.register
def _(record: FeatureTrack, clip: Clip) -> FeatureTrack:
    return _samples_between(record, clip, "values")


@between.register
def _(record: VisualBeats, clip: Clip) -> VisualBeats:
    span = clip.span(record.clock)
    selected = _inside(record.times_s, span)
    times_s = np.maximum(record.times_s[selected] - span[0], 0.0)
    return replace(record, times_s=times_s, strengths=record.strengths[selected])


@between.register
def _(record: TimedText, clip: Clip) -> TimedText:
    return _spans_between(record, clip, "texts")


@between.register
def _(record: TagTrack, clip: Clip) -> TagTrack:
    return _samples_between(record, clip, "values")


@between.register
def _(record: SoundShares, clip: Clip) -> SoundShares:
    return _samples_between(record, clip, "music", "vocals", "speech")


@between.register
def _(record: Loudness, clip: Clip) -> Loudness:
    return _samples_between(record, clip, "short_term_lufs")


@between.register
def _(record: AudioCodes, clip: Clip) -> AudioCodes:
    first, last = sample_range(clip.span(record.clock), record.hop / record.rate_hz)
    return replace(record, codes=record.codes[first:last])


@between.register
def _(record: Pictures, clip: Clip) -> Pictures:
    first, last = sample_range(clip.span(record.clock), record.hop_s)
    ends = record.ends[first:last]
    start = int(record.ends[first - 1]) if first and len(ends) else 0
    stop = int(ends[-1]) if len(ends) else start
    return replace(record, data=record.data[start:stop], ends=ends - start)


@between.register
def _(record: Alignment, clip: Clip) -> Alignment:
    if not len(record.video_s):
        return record
    inner = (record.video_s > clip.start_s) & (record.video_s < clip.end_s)
    music_s = np.array([clip.music_start_s, *record.music_s[inner], clip.music_end_s])
    video_s = np.array([clip.start_s, *record.video_s[inner], clip.end_s])
    return replace(
        record,
        music_s=_relative(music_s, clip.span(Clock.MUSIC)),
        video_s=_relative(video_s, clip.span(Clock.VIDEO)),
    )


@between.register
def _(record: Asset, clip: Clip) -> Asset:
    left_s = min(clip.end_s, record.duration_s) - clip.start_s
    return replace(record, duration_s=max(0.0, left_s))


@between.register(Key)
@between.register(MusicLabels)
@between.register(PublishedLabels)
@between.register(SongInfo)
@between.register(Screened)
def _(record: Any, clip: Clip) -> Any:
    del clip
    return record
