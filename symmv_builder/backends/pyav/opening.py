"""Opening an untrusted file, choosing its streams, and noticing what is missing from it."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from heapq import heappop, heappush
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from symmv_builder.errors import Reason, RejectEntry

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

# Demuxers that read one file and nothing but that file.
FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,flv,asf,mpeg,mpegts,mpegvideo,m4v,h264,hevc,"
    "ogg,wav,w64,aiff,flac,mp3,aac,ac3,eac3,dts,au,caf,ape,tta,wv,amr,nut,ivf,mxf,dv,rm"
)
# Containers whose header states a duration; elsewhere FFmpeg estimates one.
STATED = {"mov", "matroska", "avi", "wav", "w64", "aiff", "flac", "flv", "asf", "ogg", "caf", "nut"}
SIGNATURES = (b"RIFF", b"OggS", b"fLaC", b"ID3", b"FLV", b"\x1aE\xdf\xa3", b"\x00\x00\x01\xba")
DECODER_THREADS = 2
S = TypeVar("S", "AudioStream", "VideoStream")
# What FFmpeg counts the time of a whole file in.
TIME_BASE_HZ = 1_000_000


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits beyond which a file is rejected.

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


@contextmanager
def opened(path: Path, limits: Limits) -> Iterator["InputContainer"]:
    """Open a container within limits; errors of FFmpeg become a `RejectEntry`."""
    import av
    import av.error

    _check_size(path, limits)
    options = {
        "protocol_whitelist": "file",
        "format_whitelist": FORMATS,
        "max_pixels": str(limits.max_pixels),
    }
    try:
        container = av.open(f"file:{path}", options=options, metadata_errors="ignore")
    except (av.error.FFmpegError, OSError, ValueError) as error:
        reason = Reason.UNREADABLE if _looks_like_media(path) else Reason.NOT_MEDIA
        detail = f"the file cannot be opened as sound or video ({_message_of(error)})"
        raise RejectEntry(reason, detail) from error
    with container:
        _check_header(container, limits)
        try:
            yield container
        except av.error.FFmpegError as error:
            detail = f"the file breaks off while decoding ({_message_of(error)})"
            raise RejectEntry(Reason.UNREADABLE, detail) from error


def best_video(container: "InputContainer") -> "VideoStream | None":
    """Choose the first stream marked as default, else the first; cover art is no video.

    Not the largest: a player, OpenCV and PySceneDetect show the first one too.
    """
    from av.stream import Disposition

    cover_art = Disposition.attached_pic | Disposition.timed_thumbnails
    return _main([s for s in _decodable(container.streams.video) if not s.disposition & cover_art])


def best_audio(container: "InputContainer") -> "AudioStream | None":
    """Choose the first stream marked as default, else the first."""
    return _main(_decodable(container.streams.audio))


def _decodable(streams: Iterable[S]) -> list[S]:
    """Streams for which this FFmpeg has a decoder; PyAV gives the others no context."""
    return [stream for stream in streams if stream.codec_context is not None]


def _main(streams: list[S]) -> S | None:
    from av.stream import Disposition

    default = [stream for stream in streams if stream.disposition & Disposition.default]
    return next(iter(default + streams), None)


def time_origin_s(container: "InputContainer") -> float:
    """Find our time zero: the earlier start of best video and best audio, in container time."""
    starts = [
        float(stream.start_time * stream.time_base) if has_presentation_times(stream) else 0.0
        for stream in (best_video(container), best_audio(container))
        if stream is not None and stream.start_time is not None and stream.time_base is not None
    ]
    return min(starts, default=0.0)


def has_presentation_times(stream: "AudioStream | VideoStream") -> bool:
    """Check whether packets have presentation times.

    Those of AVI do not: FFmpeg guesses, wrongly where B-frames change the order. There the n-th
    picture is shown at the n-th decoding time, the first of which is zero.
    """
    if stream.type != "video" or stream.container.format.name != "avi":
        return True
    return not stream.codec_context.has_b_frames


def decoded(
    container: "InputContainer",
    stream: "AudioStream | VideoStream",
    limits: Limits,
    watch: "Completeness | None" = None,
) -> Iterator[Any]:
    """Decode the frames of one stream in order, then check that the file was complete.

    Every stream is demuxed, so that a container that ends early is told from one stream
    that is shorter than the others. An empty packet says that the picture before it stays:
    that picture comes again, with the packet's time. `watch` is told of every packet.
    Pictures come in order of presentation, and their `pts` rise with it.
    """
    bound_threads(stream)
    watch = watch or Completeness(container, limits)
    repeats: deque[int] = deque()
    current: Any = None
    for frame in _as_decoded(container, stream, watch, repeats):
        # The decoder holds pictures back: which of them an empty packet follows is told by time.
        while repeats and frame.pts is not None and repeats[0] < frame.pts:
            at = repeats.popleft()
            if current is not None:
                current.pts = at
                yield current
        current = frame
        yield frame
    if current is not None:
        for at in repeats:
            current.pts = at
            yield current
    watch.check()


def _as_decoded(
    container: "InputContainer",
    stream: "AudioStream | VideoStream",
    watch: "Completeness",
    repeats: deque[int],
) -> Iterator[Any]:
    """Iterate over frames as decoded; times of pictures' empty packets are added to `repeats`."""
    # Times of packets whose pictures are still to come, where those are not the packets' own.
    waiting: list[int] = []
    is_timed = has_presentation_times(stream)

    def in_time(frames: list[Any]) -> Iterator[Any]:
        for frame in frames:
            if waiting:
                frame.pts = heappop(waiting)
            yield frame

    for packet in packets(container):
        watch.add(packet)
        if packet.stream.index != stream.index:
            continue
        at = watch.time_of(packet)
        if packet.size:
            if at is not None and not is_timed:
                heappush(waiting, at)
            yield from in_time(watch.decode(packet))
        elif at is not None and stream.type == "video":
            repeats.append(at)
    yield from in_time(watch.drain(stream))


def packets(container: "InputContainer") -> "Iterator[Packet[Any]]":
    """Iterate over the packets of all streams, in the order of the file.

    PyAV ends each stream with a packet that holds neither bytes nor a time, which tells its
    decoder to finish; here `Completeness.drain` does that. An empty packet of the file itself
    must not reach a decoder: it would be taken for that end.
    """
    demuxed = container.demux()
    while True:
        try:
            packet = next(demuxed)
        except StopIteration:
            return
        except IndexError as error:
            # PyAV knows the streams that were there when the file was opened, no others.
            detail = "the file begins a new stream in the middle"
            raise RejectEntry(Reason.UNREADABLE, detail) from error
        if packet.size or packet.pts is not None or packet.dts is not None:
            yield packet


def bound_threads(stream: "AudioStream | VideoStream") -> None:
    """Let the decoder use two threads and no more: several files are decoded side by side."""
    stream.codec_context.thread_count = DECODER_THREADS
    if stream.type == "video":
        stream.codec_context.thread_type = "AUTO"


def too_long(seconds: float, limits: Limits) -> RejectEntry:
    """Make the rejection of a file that lasts longer than the limit."""
    limit = f"the limit is {limits.max_duration_s:.0f} s"
    return RejectEntry(Reason.TOO_LONG, f"the file lasts {seconds:.0f} s or more; {limit}")


def too_large(width: int, height: int, limits: Limits) -> RejectEntry:
    """Make the rejection of a file whose pictures have more pixels than the limit."""
    limit = f"the limit is {limits.max_pixels} pixels"
    return RejectEntry(Reason.TOO_LARGE, f"the file has pictures of {width} x {height}; {limit}")


def check_picture_size(stream: "VideoStream", limits: Limits) -> None:
    """Raise `RejectEntry` UNREADABLE where FFmpeg found no size that it is allowed to decode."""
    if stream.width <= 0 or stream.height <= 0:
        limit = f"it is damaged, or larger than {limits.max_pixels} pixels"
        raise RejectEntry(Reason.UNREADABLE, f"the file shows no picture size: {limit}")


class StreamEnd:
    """The end of a stream, by the times of its packets and in its own time base.

    The end is that of what is shown last, not the greatest sum of a time and a duration: MP4
    holds no durations of pictures but gaps between decoding times (`gaps`), which belong to
    other pictures once B-frames have changed the order. There the packet that is decoded last
    says how long the last picture stays. A packet without a time follows the one before it.
    """

    def __init__(self, *, gaps: bool) -> None:
        self._gaps = gaps
        self._latest: int | None = None
        self._stays = self._last_stays = self._next = 0
        self._reordered = False

    def add(self, at: int | None, stays: int) -> None:
        at = self._next if at is None else at
        self._last_stays = stays
        self._next = at + self._last_stays
        if self._latest is None or at >= self._latest:
            self._latest, self._stays = at, self._last_stays
        else:
            self._reordered = True

    @property
    def end(self) -> int | None:
        """End of the last packet in presentation order, `None` before the first."""
        if self._latest is None:
            return None
        is_gap = self._gaps and self._reordered
        return self._latest + (self._last_stays if is_gap else self._stays)


class Completeness:
    """Compares what a container promises with what its packets hold."""

    def __init__(self, container: "InputContainer", limits: Limits) -> None:
        self._limits = limits
        formats = set(container.format.name.split(","))
        self._stated_s = (container.duration or 0) / TIME_BASE_HZ if STATED & formats else 0.0
        # Some containers count their length from zero, some from their start: a late start
        # takes nothing off, so that nothing whole is called short.
        self._start_s = min(0.0, (container.start_time or 0) / TIME_BASE_HZ)
        self._gaps = "mov" in formats
        self._untimed = {
            stream.index
            for stream in _decodable(container.streams.video)
            if not has_presentation_times(stream)
        }
        self._ends: dict[int, tuple[StreamEnd, Fraction]] = {}
        self._good = self._bad = 0

    def add(self, packet: "Packet[Any]") -> None:
        """Take note of when a packet ends; one that an edit list cuts off is not shown."""
        if packet.time_base is None or packet.is_discard:
            return
        index = packet.stream.index
        if index not in self._ends:
            self._ends[index] = StreamEnd(gaps=self._gaps), packet.time_base
        self._ends[index][0].add(self.time_of(packet), packet.duration or 0)

    def time_of(self, packet: "Packet[Any]") -> int | None:
        """Tell when a packet is shown, in its time base.

        Else when it is decoded, if that is said.
        """
        if packet.pts is None or packet.stream.index in self._untimed:
            return packet.dts
        return packet.pts

    def end_s(self, index: int) -> float | None:
        """End in container time of what was seen of a stream, `None` where that is nothing."""
        if index not in self._ends:
            return None
        end, base = self._ends[index]
        return None if end.end is None else float(end.end * base)

    def decode(self, packet: "Packet[Any]") -> list[Any]:
        """Decode the frames of a packet; a broken one gives none and is counted."""
        return self._decode_counted(packet.decode) if packet.size else []

    def drain(self, stream: "AudioStream | VideoStream") -> list[Any]:
        """Give the frames that a decoder still holds when its stream has ended."""
        from av.packet import Packet

        # A packet of nothing, and not `None`: frames have the time base of their packet.
        end: Packet[Any] = Packet()
        end.stream, end.time_base = stream, stream.time_base or Fraction(1)
        return self._decode_counted(end.decode)

    def _decode_counted(self, decode: Callable[[], Any]) -> list[Any]:
        from av.error import InvalidDataError

        try:
            frames = list(decode())
        except InvalidDataError:
            self._bad += 1
            return []
        self._good += 1
        return frames

    def check(self) -> None:
        """Raise `RejectEntry` UNREADABLE for a file that is cut short or mostly broken."""
        ends = [end for index in self._ends if (end := self.end_s(index)) is not None]
        end_s = max(ends, default=0.0) - self._start_s
        missing_s = self._stated_s - end_s
        if missing_s > max(0.5, (1 - self._limits.min_share) * self._stated_s):
            states = f"states {self._stated_s:.1f} s but ends after {end_s:.1f} s"
            raise RejectEntry(Reason.UNREADABLE, f"the file {states}: it is cut short")
        if self._bad > max(1.0, self._limits.max_bad_share * (self._good + self._bad)):
            broken = f"{self._bad} of {self._good + self._bad} packets cannot be decoded"
            raise RejectEntry(Reason.UNREADABLE, f"the file: {broken}")


def _check_size(path: Path, limits: Limits) -> None:
    if not path.is_file():
        raise RejectEntry(Reason.UNREADABLE, f"{path} is not a file")
    size_bytes = path.stat().st_size
    if size_bytes == 0:
        raise RejectEntry(Reason.EMPTY_FILE, "the file holds no bytes")
    if size_bytes > limits.max_size_bytes:
        limit = f"the limit is {limits.max_size_bytes}"
        raise RejectEntry(Reason.TOO_LARGE, f"the file has {size_bytes} bytes; {limit}")


def _check_header(container: "InputContainer", limits: Limits) -> None:
    stated_s = (container.duration or 0) / TIME_BASE_HZ
    if stated_s > limits.max_duration_s:
        raise too_long(stated_s, limits)
    for stream in _decodable(container.streams.video):
        if stream.width * stream.height > limits.max_pixels:
            raise too_large(stream.width, stream.height, limits)
        stream.codec_context.options = {"max_pixels": str(limits.max_pixels)}


def _looks_like_media(path: Path) -> bool:
    try:
        with path.open("rb") as handle:
            head = handle.read(16)
    except OSError:
        # It may well be: we were not allowed to look.
        return True
    return head.startswith(SIGNATURES) or head[4:8] in {b"ftyp", b"moov", b"mdat", b"free", b"wide"}


def _message_of(error: Exception) -> str:
    """Give an error's words: FFmpeg's, else its text, else its class."""
    return str(getattr(error, "strerror", None) or error or type(error).__name__)
