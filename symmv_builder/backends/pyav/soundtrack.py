"""A video with another sound: the pictures as they are, the sound in place of the old one.

The pictures are copied without being decoded where their codec is one that players expect in an
MP4 and the file says when each of them is shown; anything else is encoded again as H.264. How far
the picture is turned, chapters and subtitles of text are kept. Other streams (the old sound,
subtitles that are pictures, attachments) are left behind, and so is what the file says of itself.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import numpy as np
from av.container import InputContainer
from av.sidedata.sidedata import Type as SideData
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange
from av.video.stream import VideoStream
from numpy.typing import NDArray

from symmv_builder.backends.pyav.captions import CaptionReader, Captions, CaptionTrack
from symmv_builder.backends.pyav.encode import Voice, writing
from symmv_builder.backends.pyav.opening import (
    DEFAULT_LIMITS,
    Completeness,
    Limits,
    best_video,
    bound_threads,
    check_picture_size,
    has_presentation_times,
    opened,
    packets,
    time_origin_s,
)
from symmv_builder.backends.pyav.pictures import timed
from symmv_builder.errors import Reason, RejectEntry
from symmv_builder.storage.outputs import replacing_file

# Codecs that players expect in an MP4.
COPIED_CODECS = {"h264", "hevc", "av1", "vp9", "mpeg4"}
ENCODED_BASE = Fraction(1, 90_000)
# Sound that is cut off fades out within this time, so that it does not click.
_FADE_S = 0.05


def replace_sound(
    video: Path,
    samples: NDArray[np.float32],
    rate_hz: int,
    out: Path,
    *,
    limits: Limits = DEFAULT_LIMITS,
) -> None:
    """Write `video` with `samples` ``[n, c]`` as its only sound to an MP4 file.

    Sample 0 sounds at time zero of the file, which is where features count from. The sound lasts
    as long as the pictures: a longer one is cut there, a shorter one is followed by silence.
    `RejectEntry` where the video cannot be read or has no pictures, `StopRun` where nothing can
    be written.
    """
    with opened(video, limits) as source:
        survey = _survey(source, pictures_of(source, limits), limits)
    with opened(video, limits) as source:
        stream = pictures_of(source, limits)
        with replacing_file(out) as temporary, writing(temporary, "mp4") as target:
            if survey.times is None:
                pictures = _encoded(source, stream, target, limits)
            else:
                pictures = _copied(source, stream, target, survey)
            voice = Voice(target, "aac", "fltp", _fitted(samples, rate_hz, survey), rate_hz)
            captions = Captions(target, survey.captions, survey.length_s)
            target.set_chapters(_chapters(source, survey))
            for time_s, packet in pictures:
                captions.write_until(time_s)
                target.mux(packet)
                voice.write_until(time_s)
            captions.finish()
            voice.finish()


@dataclass(frozen=True, slots=True)
class _Survey:
    """The facts of a video once its packets have been read through, none decoded.

    `length_s` is the end of the pictures on the file's clock. `times` says of each of their packets
    when it is shown and decoded, in the stream's time base and the file's order; it is `None`
    where they cannot be copied. `last_stays` is how long the last picture stays, in the same unit.
    """

    origin_s: float
    length_s: float
    times: Sequence[tuple[int, int]] | None
    last_stays: int
    captions: Sequence[CaptionTrack]


def pictures_of(source: InputContainer, limits: Limits) -> VideoStream:
    """Find the best video stream.

    `RejectEntry` where there is none, or none that may be decoded.
    """
    stream = best_video(source)
    if stream is None:
        raise RejectEntry(Reason.NO_VIDEO, "the file has no video stream that can be decoded")
    check_picture_size(stream, limits)
    return stream


def _survey(source: InputContainer, stream: VideoStream, limits: Limits) -> _Survey:
    origin_s, base = time_origin_s(source), stream.time_base or ENCODED_BASE
    watch, captions = Completeness(source, limits), CaptionReader(source, origin_s)
    shown: list[int] = []
    decoding: list[int] = []
    decoded: list[Any] = []
    bound_threads(stream)
    is_timed = has_presentation_times(stream)
    is_copied = stream.codec_context.codec.canonical_name in COPIED_CODECS
    for packet in packets(source):
        watch.add(packet)
        captions.saw(packet)
        if packet.stream.index != stream.index:
            continue
        if packet.pts is None or not packet.size or not (shown or packet.is_keyframe):
            is_copied = False
        elif packet.is_discard and float(packet.pts * base) >= origin_s:
            # An edit list that leaves pictures out at the end: a copy would show them.
            is_copied = False
        else:
            shown.append(packet.pts)
            decoding.append(packet.pts if packet.dts is None else packet.dts)
        if is_copied and not is_timed:
            decoded.extend(frame.pts for frame in watch.decode(packet))
    if is_copied and not is_timed:
        decoded.extend(frame.pts for frame in watch.drain(stream))
        shown = _in_order_of(decoded, shown, decoding)
    watch.check()
    end_s = watch.end_s(stream.index) or 0.0
    return _Survey(
        origin_s=origin_s,
        length_s=end_s - origin_s,
        times=with_decoding_times(shown) if is_copied else None,
        last_stays=round(end_s / base) - max(shown, default=0),
        captions=captions.tracks(),
    )


def _in_order_of(decoded: Sequence[Any], own: Sequence[int], decoding: Sequence[int]) -> list[int]:
    """Presentation times of packets whose `own` times tell nothing but which packet it is.

    `decoded` holds these in the order in which the pictures came out of the decoder, `decoding`
    when the packets are decoded. Empty where not every packet gave one picture.
    """
    if sorted(decoded) != sorted(own):
        return []
    shown = dict(zip(decoded, sorted(decoding), strict=True))
    return [shown[time] for time in own]


def with_decoding_times(shown: Sequence[int]) -> list[tuple[int, int]] | None:
    """Presentation times of packets, each with the time of its decoding as encoders choose it.

    The n-th packet is decoded when the picture is shown that comes `delay` before the n-th in
    order of presentation, for the smallest `delay` by which no picture is shown before it is
    decoded. Containers may say nothing of it (Matroska) or not of the first packets. `None`
    where two pictures are shown at once.
    """
    order = sorted(shown)
    gap = min((later - earlier for earlier, later in pairwise(order)), default=1)
    if not order or gap < 1:
        return None
    place = {time: number for number, time in enumerate(order)}
    delay = max(number - place[time] for number, time in enumerate(shown))
    before = [order[0] - gap * number for number in range(delay, 0, -1)]
    return list(zip(shown, before + order, strict=False))


def _copied(
    source: InputContainer, stream: VideoStream, target: Any, survey: _Survey
) -> Iterator[tuple[float, Any]]:
    """Packets of the pictures on the new file's clock, each with its time in seconds."""
    output = target.add_stream_from_template(stream, opaque=True)
    base = stream.time_base or ENCODED_BASE
    origin = round(survey.origin_s / base)
    times = survey.times or []

    def moved() -> Iterator[tuple[float, Any]]:
        own = (each for each in packets(source) if each.stream.index == stream.index)
        for number, (packet, (pts, dts)) in enumerate(zip(own, times, strict=True), start=1):
            packet.pts, packet.dts = pts - origin, dts - origin
            if number == len(times):
                # MP4 has gaps between decoding times alone: what follows the last one is free.
                packet.duration = survey.last_stays
            time_s = float((pts - origin) * base)
            packet.stream = output
            yield time_s, packet

    return moved()


def _encoded(
    source: InputContainer, stream: VideoStream, target: Any, limits: Limits
) -> Iterator[tuple[float, Any]]:
    """Encode the pictures as H.264, each with its time in s, at even sizes as 4:2:0 asks for."""
    frames = timed(source, stream, limits)
    first = next(frames)
    output = encoded_stream(target, stream, first[0])

    def encoded_packets() -> Iterator[tuple[float, Any]]:
        last = -1
        for frame, (time_s, stays_s) in chain([first], frames):
            at = max(last + 1, round(time_s / ENCODED_BASE))
            last = at
            for packet in encode_picture(output, frame, at, stays_s):
                yield float(at * ENCODED_BASE), packet
        for packet in output.encode():
            yield float(last * ENCODED_BASE), packet

    return encoded_packets()


def encoded_stream(target: Any, stream: VideoStream, first: VideoFrame, *, threads: int = 0) -> Any:
    """Add to `target` a stream of H.264, at even sizes, for pictures of `stream`.

    Its clock counts in `ENCODED_BASE`. `first` is the first of the pictures; `threads` 0 is as
    many as the encoder likes, which has a say in the bytes.
    """
    output = target.add_stream("libx264", rate=stream.average_rate or stream.guessed_rate or 25)
    output.width, output.height = (max(2, side // 2 * 2) for side in (stream.width, stream.height))
    output.pix_fmt = "yuv420p"
    output.options = {"crf": "18", "preset": "fast", "x264-params": "log=-1"}
    if threads:
        output.options = {**output.options, "threads": str(threads)}
    output.codec_context.time_base = ENCODED_BASE
    output.codec_context.color_range = ColorRange.MPEG
    _keep_looks(first, stream, output)
    return output


def encode_picture(output: Any, frame: VideoFrame, at: int, stays_s: float) -> list[Any]:
    """Packets of an `encoded_stream` for a picture that is shown at `at`, for so many seconds."""
    picture = frame.reformat(
        output.width, output.height, "yuv420p", dst_color_range=ColorRange.MPEG
    )
    picture.pts, picture.time_base = at, ENCODED_BASE
    picture.duration = max(1, round(stays_s / ENCODED_BASE))
    picture.pict_type = 0
    return list(output.encode(picture))


def _keep_looks(frame: VideoFrame, stream: VideoStream, output: Any) -> None:
    """Copy the source's shape of pixels, their colours and how the picture is turned."""
    if stream.sample_aspect_ratio:
        output.codec_context.sample_aspect_ratio = stream.sample_aspect_ratio
    if frame.format.name.startswith("yuv"):
        for name in ("color_primaries", "color_trc", "colorspace"):
            setattr(output.codec_context, name, getattr(stream.codec_context, name))
    side_data: Any = frame.side_data
    turned = side_data.get(SideData.DISPLAYMATRIX)
    if turned is not None:
        output.set_display_matrix(np.frombuffer(bytes(turned), np.int32).tolist())


def _fitted(samples: NDArray[np.float32], rate_hz: int, survey: _Survey) -> NDArray[np.float32]:
    """Fit samples ``[n, c]`` to as long as there are pictures."""
    length = round(survey.length_s * rate_hz)
    if length <= 0 or length == len(samples):
        return samples
    fitted = np.zeros((length, samples.shape[1]), dtype=np.float32)
    fitted[: len(samples)] = samples[:length]
    if length < len(samples):
        fade = min(length, round(_FADE_S * rate_hz))
        fitted[length - fade :] *= np.linspace(1.0, 0.0, fade, dtype=np.float32)[:, None]
    return fitted


def _chapters(source: InputContainer, survey: _Survey) -> list[Any]:
    """List the source's chapters on the new file's clock.

    Those beyond the pictures are left out.
    """
    chapters: list[Any] = []
    for chapter in source.chapters():
        base = chapter["time_base"] or Fraction(1, 1000)
        origin, end = round(survey.origin_s / base), round(survey.length_s / base)
        start, stop = max(0, chapter["start"] - origin), min(end, chapter["end"] - origin)
        if start < stop:
            chapters.append({**chapter, "start": start, "end": stop})
    return chapters
