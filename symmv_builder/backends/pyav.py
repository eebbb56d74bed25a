"""Reading recordings through PyAV, whose wheel carries FFmpeg: sound, frames and facts.

One clock a file: time zero is the start of the best video or the best audio stream,
whichever comes first, so sound and picture of one file stay together and everything is
placed by timestamps, never by counting. Files are untrusted: only the `file` protocol,
only containers that hold their own media (no playlist, no image sequence, no script),
limits checked before and while decoding, and every error of FFmpeg becomes a
`RejectEntry`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np
import soxr
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.stream import VideoStream
from numpy.typing import NDArray

from symmv_builder.errors import Reason, RejectEntry

# Demuxers that read one file and nothing but that file.
FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,flv,asf,mpeg,mpegts,mpegvideo,m4v,h264,hevc,"
    "ogg,wav,w64,aiff,flac,mp3,aac,ac3,eac3,dts,au,caf,ape,tta,wv,amr,nut,ivf,mxf,dv,rm"
)
# Containers whose header states a duration; elsewhere FFmpeg estimates one.
STATED = {"mov", "matroska", "avi", "wav", "w64", "aiff", "flac", "flv", "asf", "ogg", "caf", "nut"}
SIGNATURES = (b"RIFF", b"OggS", b"fLaC", b"ID3", b"FLV", b"\x1aE\xdf\xa3", b"\x00\x00\x01\xba")
DECODER_THREADS = 2
GAP_S = 0.05
UNNAMED_LAYOUTS = {3: "2.1", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}


@dataclass(frozen=True, slots=True)
class Limits:
    """What a file may ask of us before it is put aside.

    `min_share` is the part of the stated duration that must be there to be decoded, and
    `max_bad_share` the part of a stream's packets that may be undecodable.
    """

    max_size_bytes: int = 8 << 30
    max_duration_s: float = 3600.0
    max_pixels: int = 36_000_000
    max_channels: int = 16
    min_share: float = 0.9
    max_bad_share: float = 0.02


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """Samples float32 ``[n, channels]``, full scale 1.0; sample 0 is time zero of the file."""

    samples: NDArray[np.float32]
    rate_hz: int

    @property
    def duration_s(self) -> float:
        return len(self.samples) / self.rate_hz


def read_sound(
    path: Path, *, rate_hz: int | None = None, mono: bool = False, limits: Limits = DEFAULT_LIMITS
) -> Sound:
    """The best audio stream of a file.

    A stream that starts late, or that skips more than 50 ms, is filled with silence so
    that what follows stays at its time. More than two channels become stereo by
    swresample's matrix, scaled so that it cannot clip; `mono` is the mean of the
    channels. `rate_hz` resamples (soxr, high quality).
    Raises `RejectEntry`: EMPTY_FILE, NOT_MEDIA, UNREADABLE, TOO_LARGE, TOO_LONG, NO_AUDIO.
    """
    with _opened(path, limits) as container:
        stream = best_audio(container)
        if stream is None:
            raise RejectEntry(Reason.NO_AUDIO, f"{path.name} has no audio stream")
        placed = _Placed(path, limits, time_origin_s(container))
        for frame in _decode(path, container, stream, limits):
            placed.add(frame)
        samples, rate = placed.finish()
    if mono and samples.shape[1] > 1:
        samples = samples.mean(axis=1, dtype=np.float32, keepdims=True)
    if rate_hz is not None and rate_hz != rate:
        samples = soxr.resample(samples, rate, rate_hz, quality="HQ").astype(np.float32, copy=False)
        rate = rate_hz
    return Sound(np.ascontiguousarray(samples), rate)


def best_video(container: InputContainer) -> VideoStream | None:
    """The default stream with the largest picture; cover art is no video."""
    streams = [
        s
        for s in container.streams.video
        if not s.disposition & (Disposition.attached_pic | Disposition.timed_thumbnails)
    ]
    if not streams:
        return None
    return max(
        streams,
        key=lambda s: (bool(s.disposition & Disposition.default), s.width * s.height, -s.index),
    )


def best_audio(container: InputContainer) -> AudioStream | None:
    """FFmpeg's choice among the audio streams."""
    stream = container.streams.best("audio")
    return stream if isinstance(stream, AudioStream) else None


def time_origin_s(container: InputContainer) -> float:
    """Start in container time of what starts first, best video or best audio: our time zero."""
    starts = [
        float(stream.start_time * stream.time_base)
        for stream in (best_video(container), best_audio(container))
        if stream is not None and stream.start_time is not None and stream.time_base is not None
    ]
    return min(starts, default=0.0)


class _Placed:
    """Audio frames as float chunks, each at the place that its timestamp says."""

    def __init__(self, path: Path, limits: Limits, origin_s: float) -> None:
        self._path, self._limits, self._origin_s = path, limits, origin_s
        self._chunks: list[NDArray[np.float32]] = []
        self._resampler: AudioResampler | None = None
        self._form: tuple[str, str, int] | None = None
        self._rate = self._channels = self._length = 0

    def add(self, frame: AudioFrame) -> None:
        channels = frame.layout.nb_channels
        if channels > self._limits.max_channels or not frame.sample_rate:
            detail = f"{self._path.name} has {channels} channels at {frame.sample_rate} Hz"
            raise RejectEntry(Reason.UNREADABLE, detail)
        if not self._rate:
            self._rate, self._channels = frame.sample_rate, min(channels, 2)
        self._place(frame)
        form = (frame.format.name, frame.layout.name, frame.sample_rate)
        if form != self._form:
            self._flush()
            self._form, self._resampler = form, self._make_resampler(channels)
        self._append(_named_layout(frame))

    def finish(self) -> tuple[NDArray[np.float32], int]:
        """Samples ``[n, channels]`` and their rate."""
        self._flush()
        if not self._length:
            raise RejectEntry(Reason.UNREADABLE, f"no audio of {self._path.name} can be decoded")
        return np.concatenate(self._chunks, axis=1).T, self._rate

    def _make_resampler(self, channels: int) -> AudioResampler:
        # swresample scales its downmix matrix against clipping for integers only.
        mixed = channels > 2
        layout = "mono" if self._channels == 1 else "stereo"
        return AudioResampler("s32p" if mixed else "fltp", layout, self._rate)

    def _place(self, frame: AudioFrame) -> None:
        if frame.pts is None or frame.time_base is None:
            return
        start = round((float(frame.pts * frame.time_base) - self._origin_s) * self._rate)
        gap = start - self._length
        self._check_length(gap)
        if gap > GAP_S * self._rate or (self._length == 0 and gap > 0):
            self._chunks.append(np.zeros((self._channels, gap), np.float32))
            self._length += gap

    def _append(self, frame: AudioFrame | None) -> None:
        if self._resampler is None:
            return
        for out in self._resampler.resample(frame):
            samples = out.to_ndarray()
            if samples.dtype == np.int32:
                samples = samples.astype(np.float64) / 2.0**31
            self._chunks.append(samples.astype(np.float32))
            self._length += samples.shape[1]
        self._check_length(0)

    def _flush(self) -> None:
        self._append(None)
        self._resampler = None

    def _check_length(self, more: int) -> None:
        seconds = (self._length + more) / self._rate
        if seconds > self._limits.max_duration_s:
            _too_long(self._path, seconds, self._limits)


def _named_layout(frame: AudioFrame) -> AudioFrame:
    """The frame with a layout that swresample can mix: files may give a channel count alone."""
    channels = frame.layout.nb_channels
    if channels <= 2 or not frame.layout.name.endswith("channels"):
        return frame
    named = AudioFrame.from_ndarray(
        frame.to_ndarray(), format=frame.format.name, layout=UNNAMED_LAYOUTS.get(channels, "7.1")
    )
    named.sample_rate = frame.sample_rate
    return named


def _too_long(path: Path, seconds: float, limits: Limits) -> None:
    limit = f"the limit is {limits.max_duration_s:.0f} s"
    raise RejectEntry(Reason.TOO_LONG, f"{path.name} lasts {seconds:.0f} s or more; {limit}")


@contextmanager
def _opened(path: Path, limits: Limits) -> Iterator[InputContainer]:
    """An open container, inside limits; whatever FFmpeg raises is a `RejectEntry`."""
    size_bytes = _checked_size(path, limits)
    options = {
        "protocol_whitelist": "file",
        "format_whitelist": FORMATS,
        "max_pixels": str(limits.max_pixels),
    }
    try:
        container = av.open(f"file:{path}", options=options, metadata_errors="ignore")
    except (av.error.FFmpegError, OSError, ValueError) as error:
        known = size_bytes > 0 and _looks_like_media(path)
        detail = f"{path.name} cannot be opened as sound or video ({_said(error)})"
        raise RejectEntry(Reason.UNREADABLE if known else Reason.NOT_MEDIA, detail) from error
    with container:
        _check_header(path, container, limits)
        try:
            yield container
        except av.error.FFmpegError as error:
            detail = f"{path.name} breaks off while decoding ({_said(error)})"
            raise RejectEntry(Reason.UNREADABLE, detail) from error


def _checked_size(path: Path, limits: Limits) -> int:
    if not path.is_file():
        raise RejectEntry(Reason.UNREADABLE, f"{path} is not a file")
    size_bytes = path.stat().st_size
    if size_bytes == 0:
        raise RejectEntry(Reason.EMPTY_FILE, f"{path.name} holds no bytes")
    if size_bytes > limits.max_size_bytes:
        limit = f"the limit is {limits.max_size_bytes}"
        raise RejectEntry(Reason.TOO_LARGE, f"{path.name} has {size_bytes} bytes; {limit}")
    return size_bytes


def _looks_like_media(path: Path) -> bool:
    with path.open("rb") as handle:
        head = handle.read(16)
    return head.startswith(SIGNATURES) or head[4:8] in {b"ftyp", b"moov", b"mdat", b"free", b"wide"}


def _said(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error or type(error).__name__)


def _check_header(path: Path, container: InputContainer, limits: Limits) -> None:
    if container.duration is not None and container.duration / av.time_base > limits.max_duration_s:
        _too_long(path, container.duration / av.time_base, limits)
    for stream in container.streams.video:
        if stream.width * stream.height > limits.max_pixels:
            size = f"{stream.width} x {stream.height} pixels"
            raise RejectEntry(
                Reason.TOO_LARGE,
                f"{path.name} has pictures of {size}; the limit is {limits.max_pixels} pixels",
            )


def _decode(
    path: Path, container: InputContainer, stream: AudioStream, limits: Limits
) -> Iterator[AudioFrame]:
    """Decoded frames of one stream; at the end, a check that the file was all there."""
    stream.codec_context.thread_count = DECODER_THREADS
    watch = _Completeness(path, container, limits)
    for packet in container.demux():
        watch.saw(packet)
        if packet.stream.index != stream.index:
            continue
        try:
            frames = packet.decode()
        except av.error.InvalidDataError:
            watch.bad += 1
            continue
        watch.good += 1
        for frame in frames:
            if isinstance(frame, AudioFrame):
                yield frame
    watch.check()


class _Completeness:
    """Compares what a container promises with what its packets hold."""

    def __init__(self, path: Path, container: InputContainer, limits: Limits) -> None:
        self._path, self._limits = path, limits
        stated = STATED & set(container.format.name.split(","))
        self._stated_s = (container.duration or 0) / av.time_base if stated else 0.0
        self._start_s = (container.start_time or 0) / av.time_base
        self._end_s = 0.0
        self.good = self.bad = 0

    def saw(self, packet: "Packet[Any]") -> None:
        if packet.pts is not None and packet.time_base is not None:
            end = float((packet.pts + (packet.duration or 0)) * packet.time_base) - self._start_s
            self._end_s = max(self._end_s, end)

    def check(self) -> None:
        share = self._limits.min_share
        if self._end_s < share * self._stated_s and self._stated_s - self._end_s > 0.5:
            states = f"states {self._stated_s:.1f} s but ends after {self._end_s:.1f} s"
            raise RejectEntry(Reason.UNREADABLE, f"{self._path.name} {states}: it is cut short")
        if self.bad > max(1.0, self._limits.max_bad_share * (self.good + self.bad)):
            broken = f"{self.bad} of {self.good + self.bad} packets cannot be decoded"
            raise RejectEntry(Reason.UNREADABLE, f"{self._path.name}: {broken}")
