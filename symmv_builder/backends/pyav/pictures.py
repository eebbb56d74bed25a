"""Pictures out of a file, in presentation order, converted only when somebody asks."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends.pyav.opening import (
    DEFAULT_LIMITS,
    Completeness,
    Limits,
    best_video,
    check_picture_size,
    decoded,
    opened,
    time_origin_s,
    too_large,
    too_long,
)
from symmv_builder.errors import Reason, RejectEntry

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.reformatter import VideoReformatter
    from av.video.stream import VideoStream

Picture: TypeAlias = NDArray[np.uint8]
Form: TypeAlias = tuple[int, int, str, str]
# Setting up a conversion costs more than a small picture: one scaler a form and a file.
Scalers: TypeAlias = "dict[Form, VideoReformatter]"


class Frame:
    """One decoded picture and its time; `width` and `height` are as displayed.

    `duration_s` is how long it stays: until the next picture, or the end of the stream.
    `index` is its number in presentation order.
    """

    __slots__ = (
        "_native",
        "_pictures",
        "_scalers",
        "_turns",
        "duration_s",
        "height",
        "index",
        "time_s",
        "width",
    )

    def __init__(
        self,
        native: "VideoFrame",
        index: int,
        timing: tuple[float, float],
        size: tuple[int, int],
        scalers: Scalers,
    ) -> None:
        self._native, self._scalers = native, scalers
        self._turns = quarter_turns(native)
        self._pictures: dict[Form, Picture] = {}
        self.index, (self.time_s, self.duration_s) = index, timing
        self.width, self.height = size

    def rgb(self) -> Picture:
        """Full-size picture uint8 ``[height, width, 3]``: upright, square pixels; kept."""
        return self.small(self.width, self.height)

    def small(
        self, width: int, height: int, layout: str = "rgb24", interpolation: str = "BILINEAR"
    ) -> Picture:
        """Scale the picture straight from the decoder's planes, uint8 ``[height, width, c]``.

        `layout` is an FFmpeg pixel format, `interpolation` a name of swscale's.
        """
        from av.video.reformatter import VideoReformatter

        form = (width, height, layout, interpolation)
        if form not in self._pictures:
            across, down = (height, width) if self._turns % 2 else (width, height)
            scaler = self._scalers.setdefault(form, VideoReformatter())
            scaled = scaler.reformat(
                self._native, across, down, layout, interpolation=interpolation, threads=1
            )
            upright = np.rot90(scaled.to_ndarray(), self._turns)
            self._pictures[form] = np.ascontiguousarray(upright).astype(np.uint8, copy=False)
        return self._pictures[form]


def frames(path: Path, *, limits: Limits = DEFAULT_LIMITS) -> Iterator[Frame]:
    """Decode the best video stream; times are seconds since time zero of the file.

    A frame without a timestamp follows its predecessor by the stream's average gap, and
    one that would go back in time takes its predecessor's. A picture whose size differs
    from the first one's is scaled to it.
    Raises `RejectEntry`: EMPTY_FILE, NOT_MEDIA, UNREADABLE, TOO_LARGE, TOO_LONG, NO_VIDEO.
    """
    with opened(path, limits) as container:
        stream = best_video(container)
        if stream is None:
            raise RejectEntry(Reason.NO_VIDEO, "the file has no video stream that can be decoded")
        check_picture_size(stream, limits)
        size: tuple[int, int] | None = None
        scalers: Scalers = {}
        for index, (native, timing) in enumerate(timed(container, stream, limits)):
            size = size or displayed_size(native, stream, limits)
            yield Frame(native, index, timing, size, scalers)


def timed(
    container: "InputContainer", stream: "VideoStream", limits: Limits
) -> Iterator[tuple["VideoFrame", tuple[float, float]]]:
    """Iterate over pictures in presentation order, each with its time and duration in seconds.

    Times are those of `frames`. Each picture stays until the next one, the last until its
    stream ends. Raises `RejectEntry` as `frames` does.
    """
    origin_s, gap_s = time_origin_s(container), 1.0 / frame_rate_hz(stream)
    watch = Completeness(container, limits)
    shown: tuple[VideoFrame, float] | None = None
    for native in decoded(container, stream, limits, watch):
        time_s = _time_s(native, origin_s, gap_s, None if shown is None else shown[1])
        if time_s > limits.max_duration_s:
            raise too_long(time_s, limits)
        if shown is not None:
            yield shown[0], (shown[1], time_s - shown[1])
        shown = native, time_s
    if shown is None:
        raise RejectEntry(Reason.UNREADABLE, "no picture of the file can be decoded")
    native, time_s = shown
    end_s = (watch.end_s(stream.index) or 0.0) - origin_s
    stays_s = end_s - time_s if end_s > time_s else gap_s
    if time_s + stays_s > limits.max_duration_s:
        raise too_long(time_s + stays_s, limits)
    yield native, (time_s, stays_s)


def frame_rate_hz(stream: "VideoStream") -> float:
    """Give the stream's average rate; 25 where the file says nothing."""
    return float(stream.average_rate or stream.guessed_rate or 25)


def quarter_turns(native: "VideoFrame") -> int:
    """Count the quarter turns counter-clockwise that bring the picture upright, 0-3."""
    return round(native.rotation / 90) % 4


def displayed_size(native: "VideoFrame", stream: "VideoStream", limits: Limits) -> tuple[int, int]:
    """Give width and height when upright and with square pixels; the planes' height is kept."""
    aspect = stream.sample_aspect_ratio or Fraction(1)
    across, down = max(1, round(native.width * (aspect if aspect > 0 else 1))), native.height
    if across * down > limits.max_pixels:
        raise too_large(across, down, limits)
    return (down, across) if quarter_turns(native) % 2 else (across, down)


def _time_s(native: "VideoFrame", origin_s: float, gap_s: float, last_s: float | None) -> float:
    if native.pts is None or native.time_base is None:
        return 0.0 if last_s is None else last_s + gap_s
    time_s = float(native.pts * native.time_base) - origin_s
    return time_s if last_s is None else max(time_s, last_s)
