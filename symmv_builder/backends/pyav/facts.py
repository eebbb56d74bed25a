"""What a file holds, found out by opening it and reading it through once without decoding it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from symmv_builder.backends.pyav.opening import (
    DEFAULT_LIMITS,
    Completeness,
    Limits,
    best_audio,
    best_video,
    bound_threads,
    check_picture_size,
    opened,
    packets,
    time_origin_s,
    too_long,
)
from symmv_builder.backends.pyav.pictures import displayed_size, frame_rate_hz, quarter_turns
from symmv_builder.errors import Reason, RejectEntry
from symmv_builder.records import Asset, MediaKind

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream


def probe(path: Path, sha256: str, *, limits: Limits = DEFAULT_LIMITS) -> Asset:
    """Read the facts of a recording whose hash is known.

    The first frame of the best video and of the best audio stream are decoded, and all
    packets are read: a file that is cut short, or of which nothing can be decoded, is
    found here. `duration_s` is where the later of the two streams
    ends, `rotation_degrees` how far the picture is turned clockwise for display.
    Raises `RejectEntry`: EMPTY_FILE, NOT_MEDIA, UNREADABLE, TOO_LARGE, TOO_LONG.
    """
    with opened(path, limits) as container:
        video, audio = best_video(container), best_audio(container)
        if video is None and audio is None:
            raise RejectEntry(Reason.NOT_MEDIA, "the file has neither sound nor video to decode")
        if video is not None:
            check_picture_size(video, limits)
        picture, sound, duration_s = _read_through(container, (video, audio), limits)
        if duration_s > limits.max_duration_s:
            raise too_long(duration_s, limits)
        facts: dict[str, Any] = {}
        if video is not None:
            facts |= _video_facts(video, picture, limits)
        if audio is not None:
            facts |= _audio_facts(audio, sound, limits)
        return Asset(
            sha256=sha256,
            kind=MediaKind.AUDIO if video is None else MediaKind.VIDEO,
            size_bytes=path.stat().st_size,
            container=container.format.name,
            duration_s=duration_s,
            **facts,
        )


def _read_through(
    container: "InputContainer",
    streams: "tuple[VideoStream | None, AudioStream | None]",
    limits: Limits,
) -> "tuple[VideoFrame | None, AudioFrame | None, float]":
    """Find first picture, first sound and the end in seconds of the two streams."""
    by_index = {stream.index: stream for stream in streams if stream is not None}
    for stream in by_index.values():
        bound_threads(stream)
    first: dict[int, Any] = {}
    watch = Completeness(container, limits)
    for packet in packets(container):
        watch.add(packet)
        index = packet.stream.index
        if index in by_index and index not in first and (decoded := watch.decode(packet)):
            first[index] = decoded[0]
    for index, stream in by_index.items():
        if index not in first and (decoded := watch.drain(stream)):
            first[index] = decoded[0]
    watch.check()
    video, audio = (None if s is None else first.get(s.index) for s in streams)
    ends = [end for index in by_index if (end := watch.end_s(index)) is not None]
    end_s = max(ends, default=0.0) - time_origin_s(container)
    return video, audio, end_s if end_s > 0 else (container.duration or 0) / 1e6


def _video_facts(
    stream: "VideoStream", picture: "VideoFrame | None", limits: Limits
) -> dict[str, Any]:
    if picture is None:
        raise RejectEntry(Reason.UNREADABLE, "no picture of the file can be decoded")
    width, height = displayed_size(picture, stream, limits)
    return {
        "video_codec": stream.codec_context.name,
        "width": width,
        "height": height,
        "frame_rate_hz": frame_rate_hz(stream),
        "rotation_degrees": -quarter_turns(picture) % 4 * 90,
    }


def _audio_facts(
    stream: "AudioStream", sound: "AudioFrame | None", limits: Limits
) -> dict[str, Any]:
    if sound is None:
        raise RejectEntry(Reason.UNREADABLE, "no audio of the file can be decoded")
    channels = sound.layout.nb_channels
    if channels > limits.max_channels:
        limit = f"the limit is {limits.max_channels}"
        raise RejectEntry(Reason.TOO_LARGE, f"the file has {channels} channels; {limit}")
    return {
        "audio_codec": stream.codec_context.name,
        "audio_rate_hz": sound.sample_rate,
        "audio_channels": channels,
    }
