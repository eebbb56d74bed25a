"""Subtitles of text: read from any container, written into a file that is being written."""

import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
from av.container import InputContainer
from av.packet import Packet
from av.subtitles.stream import SubtitleStream
from av.subtitles.subtitle import AssSubtitle

from symmv_builder.backends.pyav.opening import Limits, opened, packets, time_origin_s

# FFmpeg's names of decoders whose subtitles are text; the others are pictures.
_TEXT = {"mov_text", "srt", "subrip", "ass", "ssa", "webvtt", "text"}
_BASE = Fraction(1, 1000)
# How FFmpeg writes the styles of any subtitles among their words.
_STYLE = re.compile(r"\{\\[^}]*\}")
# Files of subtitles alone that are read, by their suffixes: FFmpeg's names of their demuxers.
FILES = {".vtt": "webvtt", ".srt": "srt"}


@dataclass(slots=True)
class CaptionTrack:
    """One stream of subtitles: start, duration (both in ms, on the file's clock) and text."""

    language: str
    header: bytes | None = None
    lines: list[tuple[int, int, Any]] = field(default_factory=list)

    @property
    def texts(self) -> list[tuple[float, float, str]]:
        """Start and end in seconds, and what is read: without styles, several lines as one."""
        texts = []
        for start, duration, subtitles in self.lines:
            spoken = [each.dialogue for each in subtitles if isinstance(each, AssSubtitle)]
            text = _STYLE.sub("", b"\n".join(spoken).decode("utf-8", "replace"))
            text = " ".join(text.replace("\\{", "{").replace("\\}", "}").split())
            texts.append((start / 1000, (start + duration) / 1000, text))
        return texts


class CaptionReader:
    """Collects the subtitles of a file that is read through; damaged ones are left out."""

    def __init__(self, container: InputContainer, origin_s: float) -> None:
        self._origin = round(origin_s / _BASE)
        self._streams: dict[int, SubtitleStream] = {
            stream.index: stream
            for stream in container.streams.subtitles
            if stream.codec_context is not None and stream.codec_context.name in _TEXT
        }
        self._tracks = {
            index: CaptionTrack(stream.language or "") for index, stream in self._streams.items()
        }

    def saw(self, packet: "Packet[Any]") -> None:
        index = packet.stream.index
        if index not in self._streams or not packet.size:
            return
        if packet.pts is None or packet.time_base is None or not packet.duration:
            return
        context: Any = self._streams[index].codec_context
        try:
            text = context.decode2(packet)
        except av.error.FFmpegError:
            return
        start = round(packet.pts * packet.time_base / _BASE) - self._origin
        end = start + round(packet.duration * packet.time_base / _BASE)
        if text is not None and len(text) and end > max(0, start):
            track = self._tracks[index]
            track.header = context.subtitle_header
            track.lines.append((max(0, start), end - max(0, start), text))

    def tracks(self) -> list[CaptionTrack]:
        """List the streams that hold any subtitle, each sorted by time."""
        tracks = [track for track in self._tracks.values() if track.lines]
        for track in tracks:
            track.lines.sort(key=lambda line: line[:2])
        return tracks


def read_captions(path: Path, limits: Limits) -> list[CaptionTrack]:
    """Read the subtitle streams of a recording that hold any text; `RejectEntry` as `opened`.

    Nothing is decoded but the subtitles.
    """
    with opened(path, limits) as source:
        reader = CaptionReader(source, time_origin_s(source))
        for packet in packets(source):
            reader.saw(packet)
        return reader.tracks()


def read_caption_file(path: Path) -> list[CaptionTrack]:
    """Read a file of nothing but subtitles (`FILES`); no tracks where it is no such file."""
    options = {"protocol_whitelist": "file"}
    try:
        with av.open(f"file:{path}", format=FILES.get(path.suffix), options=options) as source:
            reader = CaptionReader(source, 0.0)
            for packet in packets(source):
                reader.saw(packet)
            return reader.tracks()
    except (av.error.FFmpegError, OSError, ValueError):
        return []


class Captions:
    """The subtitle streams of a file that is being written, line by line."""

    def __init__(
        self,
        container: Any,
        tracks: Sequence[CaptionTrack],
        end_s: float,
        *,
        codec: str = "mov_text",
    ) -> None:
        self._container = container
        self._end = round(end_s / _BASE)
        self._waiting: list[tuple[Any, deque[tuple[int, int, Any]]]] = []
        for track in tracks:
            stream = container.add_stream(codec)
            stream.codec_context.time_base = _BASE
            stream.codec_context.subtitle_header = track.header
            if track.language:
                stream.metadata["language"] = track.language
            self._waiting.append((stream, deque(track.lines)))

    def write_until(self, time_s: float) -> None:
        """Write the lines that begin before a time; what begins after the end is left out."""
        limit = min(self._end, round(time_s / _BASE))
        for stream, lines in self._waiting:
            while lines and lines[0][0] < limit:
                start, duration, text = lines.popleft()
                packet = stream.codec_context.encode_subtitle(text)
                packet.stream, packet.time_base = stream, _BASE
                packet.pts = packet.dts = start
                packet.duration = min(duration, self._end - start)
                self._container.mux(packet)

    def finish(self) -> None:
        self.write_until(float(self._end * _BASE))
