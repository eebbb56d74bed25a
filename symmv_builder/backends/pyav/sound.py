"""Sound out of a file, placed by its timestamps on the file's clock.

Float sound may hold values that are no sound: NaN, infinities, numbers beyond the range of
every sample format. One of them spoils a whole transform, and most tools raise errors of
their own on it, so they are dealt with here, where every stage gets its sound. Sound with a
few of them is used, each replaced by silence: a click of one sample is no more than a scratch
on a record, and a lost packet costs more. Where they are more than `Limits.max_bad_share`,
the share that also bounds packets that cannot be decoded, the recording is UNREADABLE.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import soxr
from numpy.typing import NDArray

from symmv_builder.backends.pyav.opening import (
    DEFAULT_LIMITS,
    Limits,
    best_audio,
    decoded,
    opened,
    time_origin_s,
    too_long,
)
from symmv_builder.errors import Reason, RejectEntry

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.resampler import AudioResampler

GAP_S = 0.05
# The largest value of any integer format: floats that were never scaled to 1.0 pass, and no
# sum of squares overflows.
LARGEST = 2.0**31
UNNAMED_LAYOUTS = {3: "2.1", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """Samples float32 ``[n, channels]``, full scale 1.0; sample 0 is time zero of the file.

    All are finite. `replaced` is how many of the file were not, or were beyond every format,
    and are silent here.
    """

    samples: NDArray[np.float32]
    rate_hz: int
    replaced: int = 0

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
    with opened(path, limits) as container:
        stream = best_audio(container)
        if stream is None:
            raise RejectEntry(Reason.NO_AUDIO, "the file has no audio stream that can be decoded")
        placed = _Placed(limits, time_origin_s(container))
        for frame in decoded(container, stream, limits):
            placed.add(frame)
        samples, rate = placed.finish()
    if mono and samples.shape[1] > 1:
        samples = samples.mean(axis=1, dtype=np.float32, keepdims=True)
    if rate_hz is not None and rate_hz != rate:
        samples = soxr.resample(samples, rate, rate_hz, quality="HQ").astype(np.float32, copy=False)
        rate = rate_hz
    return Sound(np.ascontiguousarray(samples), rate, placed.replaced)


class _Placed:
    """Audio frames as float chunks, each at the place that its timestamp says."""

    def __init__(self, limits: Limits, origin_s: float) -> None:
        self._limits, self._origin_s = limits, origin_s
        self._chunks: list[NDArray[np.float32]] = []
        self._resampler: AudioResampler | None = None
        self._form: tuple[str, str, int] | None = None
        self._rate = self._channels = self._length = 0
        self._decoded = self.replaced = 0

    def add(self, frame: "AudioFrame") -> None:
        channels = frame.layout.nb_channels
        if channels > self._limits.max_channels or not frame.sample_rate:
            detail = f"the file has {channels} channels at {frame.sample_rate} Hz"
            raise RejectEntry(Reason.UNREADABLE, detail)
        if not self._rate:
            self._rate, self._channels = frame.sample_rate, min(channels, 2)
        self._place(frame)
        form = (frame.format.name, frame.layout.name, frame.sample_rate)
        if form != self._form:
            self._flush()
            self._form, self._resampler = form, self._make_resampler(channels)
        # Before the resampler, which would spread a NaN over its neighbours.
        self._append(_named_layout(self._without_wild_values(frame)))

    def finish(self) -> tuple[NDArray[np.float32], int]:
        """Samples ``[n, channels]`` and their rate."""
        self._flush()
        if not self._length:
            raise RejectEntry(Reason.UNREADABLE, "no audio of the file can be decoded")
        if self.replaced > self._limits.max_bad_share * self._decoded:
            found = f"{self.replaced} of {self._decoded} samples of the sound"
            detail = f"{found} are no numbers: NaN, infinite or beyond every sample format"
            raise RejectEntry(Reason.UNREADABLE, detail)
        return np.concatenate(self._chunks, axis=1).T, self._rate

    def _without_wild_values(self, frame: "AudioFrame") -> "AudioFrame":
        self._decoded += frame.samples * frame.layout.nb_channels
        if not frame.format.name.startswith(("flt", "dbl")):
            return frame
        values = frame.to_ndarray()
        # Written so that NaN, which compares as false, counts as wild.
        tame = np.abs(values) <= LARGEST
        if tame.all():
            return frame
        self.replaced += int(values.size - np.count_nonzero(tame))
        return _like(frame, np.where(tame, values, 0).astype(values.dtype))

    def _make_resampler(self, channels: int) -> "AudioResampler":
        from av.audio.resampler import AudioResampler

        # swresample scales its downmix matrix against clipping for integers only.
        mixed = channels > 2
        layout = "mono" if self._channels == 1 else "stereo"
        return AudioResampler("s32p" if mixed else "fltp", layout, self._rate)

    def _place(self, frame: "AudioFrame") -> None:
        if frame.pts is None or frame.time_base is None:
            return
        start = round((float(frame.pts * frame.time_base) - self._origin_s) * self._rate)
        gap = start - self._length
        self._check_length(gap)
        if gap > GAP_S * self._rate or (self._length == 0 and gap > 0):
            self._chunks.append(np.zeros((self._channels, gap), np.float32))
            self._length += gap

    def _append(self, frame: "AudioFrame | None") -> None:
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
            raise too_long(seconds, self._limits)


def _named_layout(frame: "AudioFrame") -> "AudioFrame":
    """The frame with a layout that swresample can mix: files may give a channel count alone."""
    channels = frame.layout.nb_channels
    if channels <= 2 or not frame.layout.name.endswith("channels"):
        return frame
    return _like(frame, frame.to_ndarray(), layout=UNNAMED_LAYOUTS.get(channels, "7.1"))


def _like(frame: "AudioFrame", values: NDArray[Any], layout: str | None = None) -> "AudioFrame":
    """A frame of other values; its time is not taken along, since it is placed already."""
    from av.audio.frame import AudioFrame

    made = AudioFrame.from_ndarray(
        values, format=frame.format.name, layout=layout or frame.layout.name
    )
    made.sample_rate = frame.sample_rate
    return made
