"""Sound out of a file, placed by its timestamps on the file's clock.

Float sound may hold values that are no sound: NaN, infinities, numbers beyond the range of
every sample format. One of them spoils a whole transform, and most tools raise errors of
their own on it, so they are dealt with here, where every stage gets its sound. Sound with a
few of them is used, each replaced by silence: a click of one sample is no more than a scratch
on a record, and a lost packet costs more. Where they are more than `Limits.max_bad_share`,
the share that also bounds packets that cannot be decoded, the recording is UNREADABLE.
"""

from collections.abc import Iterator
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
# Samples of a block at least: a decoder gives a thousand at a time, too few to work on one by one.
BLOCK = 1 << 16


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
    """Read the best audio stream of a file, whole: `SoundStream` through a `Converter`.

    Raises `RejectEntry`: EMPTY_FILE, NOT_MEDIA, UNREADABLE, TOO_LARGE, TOO_LONG, NO_AUDIO.
    """
    stream, tape = SoundStream(path, limits), Tape()
    convert: Converter | None = None
    for block in stream:
        convert = convert or Converter(stream, rate_hz=rate_hz, mono=mono)
        tape.add(convert(block))
    if convert is not None:
        tape.add(convert.end())
    return Sound(tape.take(), rate_hz or stream.rate_hz, stream.replaced)


class Converter:
    """Blocks of a stream at another rate and in another layout, the same as if they were one.

    `rate_hz` resamples (soxr, high quality), `None` keeps the stream's rate; `mono` is the mean of
    the channels. It is made once the stream has given its first block.
    """

    def __init__(self, stream: "SoundStream", *, rate_hz: int | None, mono: bool) -> None:
        self.rate_hz = rate_hz or stream.rate_hz
        self._mixes = mono and stream.channels > 1
        self._channels = 1 if mono else stream.channels
        self._resampler: soxr.ResampleStream | None = None
        if self.rate_hz != stream.rate_hz:
            self._resampler = soxr.ResampleStream(
                stream.rate_hz, self.rate_hz, self._channels, dtype="float32", quality="HQ"
            )

    def __call__(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Convert a block ``[n, channels]``; the resampler holds a little back."""
        if self._mixes:
            samples = samples.mean(axis=1, dtype=np.float32, keepdims=True)
        if self._resampler is not None:
            samples = self._resampler.resample_chunk(samples)
        return samples

    def end(self) -> NDArray[np.float32]:
        """Flush the resampler after the last block; gives the remaining samples."""
        samples = np.empty((0, self._channels), np.float32)
        if self._resampler is not None:
            samples = self._resampler.resample_chunk(samples, last=True)
        return samples


class Tape:
    """A signal that grows block by block and is held once: its array is enlarged in place."""

    def __init__(self) -> None:
        self._samples = np.empty((0, 0), np.float32)
        self._length = 0

    def add(self, samples: NDArray[np.float32]) -> None:
        end = self._length + len(samples)
        if end > len(self._samples) or not self._length:
            # By an eighth at a time, so that enlarging costs little and nothing much lies idle.
            self._resize(end + end // 8, samples.shape[1])
        self._samples[self._length : end] = samples
        self._length = end

    def trim(self) -> None:
        """Free the memory that is reserved for further blocks."""
        self._resize(self._length, self._samples.shape[1])

    def copy(self) -> NDArray[np.float32]:
        """Copy what was added, ``[n, channels]``."""
        return self._samples[: self._length].copy()

    def take(self) -> NDArray[np.float32]:
        """Give all that was added, ``[n, channels]``, and empty the tape."""
        self.trim()
        samples, self._samples, self._length = self._samples, np.empty((0, 0), np.float32), 0
        return samples

    def _resize(self, length: int, channels: int) -> None:
        # Nobody else has seen the array yet.
        self._samples.resize((length, channels), refcheck=False)


class SoundStream:
    """The best audio stream of a file, block after block: float32 ``[n, channels]``, read once.

    A stream that starts late, or that skips more than 50 ms, is filled with silence so
    that what follows stays at its time. More than two channels become stereo by
    swresample's matrix, scaled so that it cannot clip. `rate_hz` and `channels` are known with
    the first block, of which there is one at least, and `replaced` (see `Sound`) after the last.
    Iterating raises `RejectEntry` (EMPTY_FILE, NOT_MEDIA, UNREADABLE, TOO_LARGE, TOO_LONG,
    NO_AUDIO), for what is wrong with the end of a file only after its last block.
    """

    def __init__(self, path: Path, limits: Limits = DEFAULT_LIMITS) -> None:
        self._path, self._limits = path, limits
        self._chunks: list[NDArray[np.float32]] = []
        self._waiting = self._length = self._decoded = 0
        self._resampler: AudioResampler | None = None
        self._form: tuple[str, str, int] | None = None
        self.rate_hz = self.channels = self.replaced = 0

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        with opened(self._path, self._limits) as container:
            stream = best_audio(container)
            if stream is None:
                detail = "the file has no audio stream that can be decoded"
                raise RejectEntry(Reason.NO_AUDIO, detail)
            origin_s = time_origin_s(container)
            for frame in decoded(container, stream, self._limits):
                self._add(frame, origin_s)
                if self._waiting >= BLOCK:
                    yield self._block()
            self._flush()
            self._check_values()
            if self._waiting:
                yield self._block()

    def _block(self) -> NDArray[np.float32]:
        block = np.concatenate(self._chunks, axis=1) if len(self._chunks) > 1 else self._chunks[0]
        self._chunks, self._waiting = [], 0
        return block.T

    def _add(self, frame: "AudioFrame", origin_s: float) -> None:
        channels = frame.layout.nb_channels
        if channels > self._limits.max_channels or not frame.sample_rate:
            detail = f"the file has {channels} channels at {frame.sample_rate} Hz"
            raise RejectEntry(Reason.UNREADABLE, detail)
        if not self.rate_hz:
            self.rate_hz, self.channels = frame.sample_rate, min(channels, 2)
        self._place(frame, origin_s)
        form = (frame.format.name, frame.layout.name, frame.sample_rate)
        if form != self._form:
            self._flush()
            self._form, self._resampler = form, self._make_resampler(channels)
        # Before the resampler, which would spread a NaN over its neighbours.
        self._append(_named_layout(self._without_wild_values(frame)))

    def _check_values(self) -> None:
        if not self._length:
            raise RejectEntry(Reason.UNREADABLE, "no audio of the file can be decoded")
        if self.replaced > self._limits.max_bad_share * self._decoded:
            finding = f"{self.replaced} of {self._decoded} samples of the sound"
            detail = f"{finding} are no numbers: NaN, infinite or beyond every sample format"
            raise RejectEntry(Reason.UNREADABLE, detail)

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
        layout = "mono" if self.channels == 1 else "stereo"
        return AudioResampler("s32p" if mixed else "fltp", layout, self.rate_hz)

    def _place(self, frame: "AudioFrame", origin_s: float) -> None:
        if frame.pts is None or frame.time_base is None:
            return
        start = round((float(frame.pts * frame.time_base) - origin_s) * self.rate_hz)
        gap = start - self._length
        self._check_length(gap)
        if gap > GAP_S * self.rate_hz or (self._length == 0 and gap > 0):
            self._keep(np.zeros((self.channels, gap), np.float32))

    def _append(self, frame: "AudioFrame | None") -> None:
        if self._resampler is None:
            return
        for out in self._resampler.resample(frame):
            samples = out.to_ndarray()
            if samples.dtype == np.int32:
                samples = samples.astype(np.float64) / 2.0**31
            self._keep(samples.astype(np.float32))
        self._check_length(0)

    def _keep(self, samples: NDArray[np.float32]) -> None:
        self._chunks.append(samples)
        self._waiting += samples.shape[1]
        self._length += samples.shape[1]

    def _flush(self) -> None:
        self._append(None)
        self._resampler = None

    def _check_length(self, more: int) -> None:
        seconds = (self._length + more) / self.rate_hz
        if seconds > self._limits.max_duration_s:
            raise too_long(seconds, self._limits)


def _named_layout(frame: "AudioFrame") -> "AudioFrame":
    """Name the frame's layout so that swresample can mix: files may give a channel count alone."""
    channels = frame.layout.nb_channels
    if channels <= 2 or not frame.layout.name.endswith("channels"):
        return frame
    return _like(frame, frame.to_ndarray(), layout=UNNAMED_LAYOUTS.get(channels, "7.1"))


def _like(frame: "AudioFrame", values: NDArray[Any], layout: str | None = None) -> "AudioFrame":
    """Make a frame of other values; its time is not taken along, since it is placed already."""
    from av.audio.frame import AudioFrame

    converted = AudioFrame.from_ndarray(
        values, format=frame.format.name, layout=layout or frame.layout.name
    )
    converted.sample_rate = frame.sample_rate
    return converted
