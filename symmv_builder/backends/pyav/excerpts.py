"""Parts of recordings as files of their own: sound as FLAC or MP3, video as MP4, frames as JPEG.

A span is a start and an end in seconds on the clock of its file (`backends.pyav`). However many
spans are taken from a recording, it is decoded once. Sound lies on a temporary file while it is
cut, so that memory does not grow with the length of the recording. In a span nothing may be heard
or seen, behind the end of the pictures for example: `faults` is told of such spans, by number, and
the others get their files; without it the first of them ends all.

Pictures are copied without being decoded where a span begins with a key frame and where the
pictures up to its end are one run of packets, so that no picture refers to one that is left out.
All other spans are encoded again as H.264, which is exact in time and close to the original in
looks.
"""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends.pyav.encode import Voice, writing
from symmv_builder.backends.pyav.opening import (
    DEFAULT_LIMITS,
    Completeness,
    Limits,
    best_audio,
    has_presentation_times,
    opened,
    packets,
    time_origin_s,
)
from symmv_builder.backends.pyav.pictures import frames, timed
from symmv_builder.backends.pyav.sound import Converter, SoundStream
from symmv_builder.backends.pyav.soundtrack import (
    COPIED_CODECS,
    ENCODED_BASE,
    encode_picture,
    encoded_stream,
    pictures_of,
    with_decoding_times,
)
from symmv_builder.errors import Reason, RejectEntry
from symmv_builder.storage.outputs import replacing_file

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

Span = tuple[float, float]

# Times of containers are rational numbers that were rounded once or twice.
_NEAR_S = 1e-3
# The rates that encoders know; other sound is resampled to the next one above.
_MP3_RATES_HZ = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_AAC_RATES_HZ = (*_MP3_RATES_HZ, 64000, 88200, 96000)
_JPEG_QUALITY = 90
# By FFmpeg's name of the container.
_SUFFIXES = {"mov": ".mp4", "matroska": ".mkv", "mpegts": ".ts", "asf": ".wmv", "mpeg": ".mpg"}


def cut_sound(
    source: Path,
    spans: Sequence[Span],
    outs: Sequence[Path],
    *,
    rate_hz: int | None = None,
    mono: bool = False,
    faults: dict[int, str] | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> None:
    """Write the sound of each span to its file of `outs`, as ``.flac`` (16 bits) or ``.mp3``.

    Sample i of a file is sample ``round(start_s * rate) + i`` of the recording as `read_sound`
    gives it; sound of 16 bits comes out of FLAC as it went in. A span that goes beyond the end of
    the recording ends there. `RejectEntry` as `read_sound`, and UNREADABLE for a span without
    sound; `StopRun` where nothing can be written.
    """
    is_mp3 = bool(outs) and outs[0].suffix == ".mp3"
    with _spooled(source, limits, rate_hz, mono, _MP3_RATES_HZ if is_mp3 else ()) as sound:
        for number, (span, out) in enumerate(zip(spans, outs, strict=True)):
            samples = sound.of(span)
            if len(samples):
                _write_sound(out, samples, sound.rate_hz)
                continue
            _tell(faults, number, f"the recording has no sound from {_in_words(span)}")


def cut_video(
    source: Path,
    spans: Sequence[Span],
    stems: Sequence[Path],
    *,
    faults: dict[int, str] | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> list[tuple[Path, bool]]:
    """Write the pictures and the sound of each span; its file, and whether pictures were copied.

    Time zero of a file is the start of its span. A span of the whole recording is a copy of the
    file, with the suffix of its container; others are ``stem.mp4`` with H.264, or what was copied,
    and AAC. The first picture is the one on screen at the start. `RejectEntry` as `frames`, and
    UNREADABLE for a span without a picture; `StopRun` where nothing can be written.
    """
    excerpts: dict[int, tuple[Path, bool]] = {}
    with opened(source, limits) as container:
        survey = _surveyed(container, limits)
    for number, (start_s, end_s) in enumerate(spans):
        if start_s <= _NEAR_S and end_s >= survey.length_s - _NEAR_S:
            out = stems[number].with_suffix(survey.suffix)
            shutil.copyfile(source, out)
            excerpts[number] = out, True
    if len(excerpts) < len(spans):
        with ExitStack() as stack:
            sound = None
            if survey.has_sound:
                spool = _spooled(source, limits, None, False, _AAC_RATES_HZ)
                sound = stack.enter_context(spool)
            todo = [number for number in range(len(spans)) if number not in excerpts]
            for number in todo:
                out = stems[number].with_suffix(".mp4")
                if _copy(source, spans[number], survey, sound, out, limits):
                    excerpts[number] = out, True
            todo = [number for number in todo if number not in excerpts]
            outs = [stems[number].with_suffix(".mp4") for number in todo]
            empty = _encode(source, [spans[number] for number in todo], sound, outs, limits)
            for place in empty:
                _no_picture(faults, todo[place], spans[todo[place]])
            excerpts |= {number: (out, False) for number, out in zip(todo, outs, strict=True)}
    return [excerpts[number] for number in range(len(spans))]


def take_frames(
    source: Path,
    spans: Sequence[Span],
    folders: Sequence[Path],
    *,
    rate_hz: float,
    side: int,
    faults: dict[int, str] | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> list[list[Path]]:
    """Write pictures of each span into its folder as JPEG, ``0000.jpg`` and so on; gives the files.

    The k-th picture is the one on screen ``k / rate_hz`` seconds after the start of its span. Its
    shorter side is `side` pixels; smaller videos stay as they are. Errors as `cut_video`.
    """
    from PIL import Image

    pictures: list[list[Path]] = [[] for _ in spans]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    last_s = max((end_s for _, end_s in spans), default=0.0)
    for frame in frames(source, limits=limits):
        if frame.time_s >= last_s:
            break
        until_s = frame.time_s + frame.duration_s - _NEAR_S
        for (start_s, end_s), folder, paths in zip(spans, folders, pictures, strict=True):
            while (at_s := start_s + len(paths) / rate_hz) < min(until_s, end_s - _NEAR_S):
                if at_s < frame.time_s - _NEAR_S and frame.index:
                    break
                share = min(1.0, side / min(frame.width, frame.height))
                size = (max(1, round(frame.width * share)), max(1, round(frame.height * share)))
                path = folder / f"{len(paths):04d}.jpg"
                picture = Image.fromarray(frame.small(*size, interpolation="BICUBIC"))
                picture.save(path, "JPEG", quality=_JPEG_QUALITY)
                paths.append(path)
    for number, paths in enumerate(pictures):
        if not paths:
            _no_picture(faults, number, spans[number])
    return pictures


@dataclass(frozen=True, slots=True, eq=False)
class _Spool:
    """The sound of a recording on a temporary file, mapped: float32 ``[n, channels]``."""

    samples: NDArray[np.float32]
    rate_hz: int

    def of(self, span: Span) -> NDArray[np.float32]:
        start, end = (max(0, round(at_s * self.rate_hz)) for at_s in span)
        return self.samples[start:end]


@contextmanager
def _spooled(
    source: Path, limits: Limits, rate_hz: int | None, mono: bool, rates_hz: Sequence[int]
) -> Iterator[_Spool]:
    """Decode the sound to a file; an encoder takes `rates_hz`, any rate where there are none."""
    stream = SoundStream(source, limits)
    convert: Converter | None = None
    with tempfile.TemporaryFile(prefix="symmv-") as file:
        for block in stream:
            if convert is None:
                rate = rate_hz or stream.rate_hz
                if rates_hz:
                    rate = min((each for each in rates_hz if each >= rate), default=rates_hz[-1])
                convert = Converter(stream, rate_hz=rate, mono=mono)
            file.write(np.ascontiguousarray(convert(block)).tobytes())
        if convert is None:
            raise RejectEntry(Reason.UNREADABLE, "no audio of the file can be decoded")
        file.write(np.ascontiguousarray(convert.end()).tobytes())
        file.flush()
        channels = 1 if mono else stream.channels
        flat = np.memmap(file, np.float32, "r")
        yield _Spool(flat.reshape(-1, channels), convert.rate_hz)


def _write_sound(out: Path, samples: NDArray[np.float32], rate_hz: int) -> None:
    with replacing_file(out) as temporary:
        if out.suffix == ".mp3":
            with writing(temporary, "mp3") as container:
                Voice(container, "libmp3lame", "fltp", samples, rate_hz).finish()
        else:
            # Full scale of 16 bits is 32768, one more than the greatest sample: what was decoded
            # from 16 bits is the same again.
            whole = np.clip(np.rint(samples * 32768.0), -32768, 32767).astype(np.int16)
            with writing(temporary, "flac") as container:
                Voice(container, "flac", "s16", whole, rate_hz).finish()


@dataclass(frozen=True, slots=True)
class _Survey:
    """The facts of a video once its packets were read through, none decoded.

    `shown` holds when each packet of the pictures is shown, in the stream's time base and the
    file's order, and `is_key` whether it is a key frame; both are empty where packets cannot be
    copied. `length_s` is the end of the file on its clock.
    """

    base: Fraction
    origin_s: float
    length_s: float
    shown: Sequence[int]
    is_key: Sequence[bool]
    has_sound: bool
    suffix: str

    def run_of(self, span: Span) -> range | None:
        """Find the packets that can be copied for a span, `None` where it has to be encoded."""
        start, end = (round((self.origin_s + at_s) / self.base) for at_s in span)
        near = max(1, round(_NEAR_S / self.base))
        inside = [n for n, at in enumerate(self.shown) if start - near <= at < end - near]
        if not inside or inside[-1] - inside[0] + 1 != len(inside):
            return None
        first = inside[0]
        if not self.is_key[first] or abs(self.shown[first] - start) > near:
            return None
        is_first_shown = self.shown[first] == min(self.shown[n] for n in inside)
        return range(first, first + len(inside)) if is_first_shown else None


def _surveyed(container: "InputContainer", limits: Limits) -> _Survey:
    stream = pictures_of(container, limits)
    base, origin_s = stream.time_base or ENCODED_BASE, time_origin_s(container)
    is_copied = stream.codec_context.codec.canonical_name in COPIED_CODECS
    is_copied = is_copied and has_presentation_times(stream)
    watch = Completeness(container, limits)
    shown: list[int] = []
    is_key: list[bool] = []
    audio = best_audio(container)
    for packet in packets(container):
        watch.add(packet)
        if packet.stream.index != stream.index:
            continue
        if packet.pts is None or not packet.size or packet.is_discard:
            is_copied = False
        else:
            shown.append(packet.pts)
            is_key.append(packet.is_keyframe)
    watch.check()
    ends = [watch.end_s(each.index) for each in (stream, audio) if each is not None]
    length_s = max((end for end in ends if end is not None), default=0.0) - origin_s
    return _Survey(
        base,
        origin_s,
        length_s,
        shown if is_copied else (),
        is_key if is_copied else (),
        audio is not None,
        suffix_of(container.format.name),
    )


def suffix_of(container: str) -> str:
    """Choose the suffix of a file by FFmpeg's name of its container, as an `Asset` has it.

    >>> suffix_of("mov,mp4,m4a,3gp,3g2,mj2"), suffix_of("avi")
    ('.mp4', '.avi')
    """
    name = container.partition(",")[0]
    return _SUFFIXES.get(name, f".{name}")


def _copy(
    source: Path, span: Span, survey: _Survey, sound: _Spool | None, out: Path, limits: Limits
) -> bool:
    """Copy the pictures of a span, encode its sound; false where the pictures cannot be copied."""
    run = survey.run_of(span)
    times = with_decoding_times([survey.shown[n] for n in run]) if run else None
    if run is None or times is None:
        return False
    with opened(source, limits) as container:
        stream = pictures_of(container, limits)
        container.seek(survey.shown[run[0]], stream=stream)
        with replacing_file(out) as temporary, writing(temporary, "mp4") as target:
            output: Any = target.add_stream_from_template(stream, opaque=True)
            voice = _voice(target, sound, span)
            own = (packet for packet in packets(container) if packet.stream.index == stream.index)
            place = 0
            for packet in own:
                if not place and packet.pts != survey.shown[run[0]]:
                    continue
                pts, dts = times[place]
                if packet.pts != pts:
                    # The container does not find the place again: it is encoded instead.
                    break
                place += 1
                packet.pts, packet.dts = pts - times[0][0], dts - times[0][0]
                packet.stream = output
                if place == len(times):
                    # MP4 has gaps between decoding times alone: what follows the last is free.
                    end = round((survey.origin_s + span[1]) / survey.base)
                    packet.duration = max(1, end - max(survey.shown[n] for n in run))
                target.mux(packet)
                if voice is not None:
                    voice.write_until(float((pts - times[0][0]) * survey.base))
                if place == len(times):
                    break
            if voice is not None:
                voice.finish()
    return place == len(times)


def _voice(target: Any, sound: _Spool | None, span: Span) -> Voice | None:
    samples = None if sound is None else sound.of(span)
    if sound is None or samples is None or not len(samples):
        return None
    return Voice(target, "aac", "fltp", samples, sound.rate_hz)


def _encode(
    source: Path,
    spans: Sequence[Span],
    sound: _Spool | None,
    outs: Sequence[Path],
    limits: Limits,
) -> list[int]:
    """Encode the pictures and the sound of spans, in one pass over the pictures.

    Gives the numbers of the spans in which no picture is shown: these have no file.
    """
    if not spans:
        return []
    last_s = max(end_s for _, end_s in spans)
    clips = [_Clip(span, sound, out) for span, out in zip(spans, outs, strict=True)]
    with ExitStack() as stack, opened(source, limits) as container:
        for clip in clips:
            stack.push(clip.leave)
        stream = pictures_of(container, limits)
        for frame, (time_s, stays_s) in timed(container, stream, limits):
            if time_s >= last_s:
                break
            for clip in clips:
                clip.see(frame, stream, time_s, stays_s)
        for clip in clips:
            clip.finish()
    return [number for number, clip in enumerate(clips) if clip.is_empty]


class _Clip:
    """A clip that is being encoded; its file is opened with its first picture."""

    def __init__(self, span: Span, sound: _Spool | None, out: Path) -> None:
        self._span, self._sound, self._out = span, sound, out
        self._files = ExitStack()
        self._target: Any = None
        self._stream: Any = None
        self._voice: Voice | None = None
        self._last = -1
        self._is_done = False

    def see(
        self, frame: "VideoFrame", stream: "VideoStream", time_s: float, stays_s: float
    ) -> None:
        """Take the picture if it is on screen within the span."""
        start_s, end_s = self._span
        if self._is_done or time_s + stays_s <= start_s + _NEAR_S:
            return
        if time_s >= end_s - _NEAR_S:
            self.finish()
            return
        if self._target is None:
            temporary = self._files.enter_context(replacing_file(self._out))
            self._target = self._files.enter_context(writing(temporary, "mp4"))
            self._stream = encoded_stream(self._target, stream, frame, threads=1)
            self._voice = _voice(self._target, self._sound, self._span)
        from_s, until_s = max(time_s, start_s), min(time_s + stays_s, end_s)
        at = max(self._last + 1, round((from_s - start_s) / ENCODED_BASE))
        self._last = at
        self._target.mux(encode_picture(self._stream, frame, at, until_s - from_s))
        if self._voice is not None:
            self._voice.write_until(float(at * ENCODED_BASE))

    def finish(self) -> None:
        """Complete the file, once; there is none where the span has no picture."""
        if self._is_done:
            return
        self._is_done = True
        if self.is_empty:
            return
        self._target.mux(self._stream.encode())
        if self._voice is not None:
            self._voice.finish()
        self._files.close()

    @property
    def is_empty(self) -> bool:
        """Whether no picture was on screen within the span so far."""
        return self._target is None

    def leave(self, kind: Any, error: Any, trace: Any) -> None:
        """Remove what is not finished when its pass ends with an error."""
        if not self._is_done:
            self._files.__exit__(kind, error, trace)


def _no_picture(faults: dict[int, str] | None, number: int, span: Span) -> None:
    _tell(faults, number, f"the video shows no picture from {_in_words(span)}")


def _tell(faults: dict[int, str] | None, number: int, fault: str) -> None:
    if faults is None:
        raise RejectEntry(Reason.UNREADABLE, fault)
    faults[number] = fault


def _in_words(span: Span) -> str:
    return f"{span[0]:.3f} to {span[1]:.3f} s"
