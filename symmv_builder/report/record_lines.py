"""A record in one line, however much it holds: counts, means and the first of its labels."""

from collections.abc import Sequence
from functools import singledispatch
from typing import Any

import numpy as np

from symmv_builder.records import (
    Asset,
    AudioCodes,
    Beats,
    Chords,
    FeatureTrack,
    GridNotes,
    Key,
    KeySpans,
    Loudness,
    Notes,
    Parts,
    Pictures,
    Scenes,
    SoundShares,
    TagTrack,
    VisualBeats,
    to_json,
)
from symmv_builder.text import amount

# Of labels and times, so many are shown; longer lists are counted.
_MOST = 12
_TAGS = 3
_MOST_LETTERS = 160


@singledispatch
def describe(record: Any) -> str:
    """Describe a record in one line.

    Kinds without a rule of their own are their fields by name, with long lists counted and long
    texts shortened.
    """
    return ", ".join(f"{name} {_short(value)}" for name, value in to_json(record).items())


def _short(value: Any) -> Any:
    if isinstance(value, list) and len(value) > _MOST:
        return f"{len(value)} values"
    if isinstance(value, float):
        return f"{value:.6g}"
    text = str(value)
    return text if len(text) <= _MOST_LETTERS else f"{text[:_MOST_LETTERS]}…"


def _first(words: Sequence[str]) -> str:
    return " ".join([*words[:_MOST], "…"] if len(words) > _MOST else words)


@describe.register
def _(record: Asset) -> str:
    text = f"{record.duration_s:.2f} s, {record.container}, {record.size_bytes / 1e6:.1f} MB"
    if record.video_codec:
        text += f", {record.video_codec} {record.width}x{record.height}"
        text += f" at {record.frame_rate_hz:.3g} Hz"
    if record.audio_codec:
        text += f", {record.audio_codec} {record.audio_rate_hz} Hz"
    return text


@describe.register
def _(record: Parts) -> str:
    melody = int(record.is_melody.sum())
    return f"{amount(melody, 'melody note')}, {len(record.is_melody) - melody} accompaniment"


@describe.register(Notes)
@describe.register(GridNotes)
def _(record: Notes | GridNotes) -> str:
    if not len(record.pitches):
        return "no notes"
    return (
        f"{amount(len(record.pitches), 'note')}, "
        f"pitch {record.pitches.min()}-{record.pitches.max()}, "
        f"velocity {record.velocities.min()}-{record.velocities.max()}, "
        f"to {record.ends_s.max():.1f} s"
    )


@describe.register
def _(record: Beats) -> str:
    bars = int((record.positions == 1).sum())
    return f"{len(record.times_s)} beats, {bars} bars, {record.tempo_bpm:.1f} to the minute"


@describe.register
def _(record: Chords) -> str:
    spans, different = amount(len(record.labels), "span"), len(set(record.labels))
    return f"{spans}, {different} different: {_first(record.labels)}"


@describe.register
def _(record: Key) -> str:
    return f"{record} (r = {record.correlation:.3f})"


@describe.register
def _(record: KeySpans) -> str:
    names = zip(record.starts_s[:_MOST], record.tonics, record.modes, strict=False)
    return f"{amount(len(record.modes), 'span')}: " + ", ".join(
        f"{Key(tonic, mode, 0.0)} from {start:.2f} s" for start, tonic, mode in names
    )


@describe.register
def _(record: FeatureTrack) -> str:
    mean: Any = record.values.mean() if record.values.size else 0.0
    return f"{_rows(record.values.shape, 1 / record.hop_s)}, mean {mean:.4g}"


@describe.register
def _(record: TagTrack) -> str:
    shape = (len(record.values), len(record.tags))
    means = record.values.mean(axis=0) if record.values.size else np.zeros(0)
    likeliest = [f"{record.tags[n]} {means[n]:.2f}" for n in np.argsort(-means)[:_TAGS]]
    return f"{_rows(shape, 1 / record.hop_s)}, likeliest {', '.join(likeliest) or 'none'}"


@describe.register
def _(record: AudioCodes) -> str:
    return f"{_rows(record.codes.shape, record.rate_hz / record.hop)}, codes"


def _rows(shape: tuple[int, ...], rate_hz: float) -> str:
    return f"{shape[0]} x {shape[1]} at {rate_hz:.4g} Hz"


@describe.register
def _(record: Loudness) -> str:
    return f"{record.integrated_lufs:.1f} LUFS, {len(record.short_term_lufs)} short-term values"


@describe.register
def _(record: SoundShares) -> str:
    shares = (record.music_share, record.vocals_share, record.speech_share)
    return "music {:.0%}, vocals {:.0%}, speech {:.0%}".format(*shares)


@describe.register
def _(record: Pictures) -> str:
    size = f"{len(record.data) / 1e6:.1f} MB"
    return f"{amount(len(record.ends), 'picture')}, one every {record.hop_s:.4g} s, {size}"


@describe.register
def _(record: Scenes) -> str:
    starts = [f"{start:.2f}" for start in record.starts_s]
    return f"{amount(len(starts), 'shot')} from {_first(starts)} s"


@describe.register
def _(record: VisualBeats) -> str:
    return f"{len(record.times_s)} visual beats, {record.tempo_bpm:.1f} to the minute"
