"""Put subtitles into a recording that came without them: its own streams are copied as they are."""

import logging
from pathlib import Path
from typing import Any

from symmv_builder.backends.pyav.captions import Captions, read_caption_file
from symmv_builder.backends.pyav.encode import writing
from symmv_builder.backends.pyav.facts import probe
from symmv_builder.backends.pyav.opening import (
    DEFAULT_LIMITS,
    Limits,
    opened,
    packets,
    time_origin_s,
)
from symmv_builder.errors import SymMVError
from symmv_builder.records import Asset
from symmv_builder.storage.outputs import replacing_file

LOG = logging.getLogger(__name__)
# By the suffix of a recording: FFmpeg's container, and how it holds text.
_CONTAINERS = {
    ".mp4": ("mp4", "mov_text"),
    ".webm": ("webm", "webvtt"),
    ".mkv": ("matroska", "srt"),
}
# How much longer or shorter a copy may be than the recording, in seconds.
_SAME_S = 0.1


def add_captions(
    recording: Path, captions: Path, language: str, *, limits: Limits = DEFAULT_LIMITS
) -> bool:
    """Copy a recording with the lines of a subtitle file as one more stream, and take its place.

    `language` is a code of ISO 639-2. False, and the recording as it was, where the file holds no
    lines, where the container takes none (only MP4, WebM and Matroska do), or where the copy
    would not be the same recording.
    """
    form = _CONTAINERS.get(recording.suffix.lower())
    tracks = read_caption_file(captions)[:1]
    if form is None or not tracks:
        return False
    tracks[0].language = language
    copy = recording.with_name(f"{recording.stem}.captioned{recording.suffix}")
    try:
        before = probe(recording, "0" * 64, limits=limits)
        with replacing_file(copy) as temporary, writing(temporary, form[0]) as target:
            _copy(recording, target, tracks, form[1], before.duration_s, limits)
        is_same = _is_same(before, probe(copy, "0" * 64, limits=limits))
    except SymMVError as error:
        LOG.info("subtitles of %s are left out: %s", recording.name, error)
        is_same = False
    if is_same:
        copy.replace(recording)
    copy.unlink(missing_ok=True)
    return is_same


def _copy(
    recording: Path, target: Any, tracks: Any, codec: str, length_s: float, limits: Limits
) -> None:
    with opened(recording, limits) as source:
        origin_s = time_origin_s(source)
        streams = [*source.streams.video, *source.streams.audio]
        copies = {
            stream.index: target.add_stream_from_template(stream, opaque=True) for stream in streams
        }
        lines = Captions(target, tracks, length_s, codec=codec)
        for packet in packets(source):
            if packet.stream.index not in copies or not packet.size:
                continue
            if packet.pts is not None and packet.time_base is not None:
                lines.write_until(float(packet.pts * packet.time_base) - origin_s)
            packet.stream = copies[packet.stream.index]
            target.mux(packet)
        lines.finish()


def _is_same(before: Asset, after: Asset) -> bool:
    """Check whether two files are one recording by their facts."""
    names = ("audio_codec", "audio_rate_hz", "audio_channels", "video_codec", "width", "height")
    return abs(before.duration_s - after.duration_s) < _SAME_S and all(
        getattr(before, name) == getattr(after, name) for name in names
    )
