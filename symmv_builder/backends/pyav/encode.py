"""Media that we make ourselves: H.264 and AAC in MP4, FLAC and WAV, through PyAV.

One thread and fixed settings, so that the same frames give the same bytes. A file is
written under a temporary name beside its place, flushed and renamed: it is whole or not
there.
"""

import errno
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symmv_builder.errors import DiskFull, StopRun
from symmv_builder.storage.outputs import replacing_file

_SOUND_BLOCK = 1024
_BITS_A_SECOND = {"aac": 128_000, "libmp3lame": 192_000}


def write_video(
    path: Path,
    frames: Iterable[NDArray[np.uint8]],
    *,
    frame_rate: Fraction,
    sound: NDArray[np.float32] | None = None,
    sound_rate_hz: int = 44100,
    preset: str = "veryfast",
    quality: int = 23,
) -> None:
    """Write RGB frames ``uint8 [h, w, 3]`` (even sizes) and sound ``[n, c]`` as an MP4 file.

    `quality` is x264's constant rate factor. `StopRun` where nothing can be encoded or
    written, `ValueError` for no frames.
    """
    rate = Fraction(frame_rate)
    with replacing_file(path) as temporary, writing(temporary, "mp4") as container:
        video = container.add_stream("libx264", rate=rate)
        video.pix_fmt = "yuv420p"
        video.options = {
            "preset": preset,
            "crf": str(quality),
            "threads": "1",
            "x264-params": "log=-1",
        }
        voice = None if sound is None else Voice(container, "aac", "fltp", sound, sound_rate_hz)
        count = 0
        for frame in frames:
            if count == 0:
                video.height, video.width = frame.shape[:2]
            picture = _picture(frame)
            picture.pts, picture.time_base = count, 1 / rate
            container.mux(video.encode(picture))
            count += 1
            if voice is not None:
                voice.write_until(float(count / rate))
        if count == 0:
            raise ValueError(f"no frames for {path.name}")
        container.mux(video.encode())
        if voice is not None:
            voice.finish()


def write_sound(path: Path, samples: NDArray[np.float32], rate_hz: int) -> None:
    """Write samples ``[n, c]`` (one or two channels, -1..1) in 16 bits: as WAV or FLAC, by name."""
    form, codec = ("wav", "pcm_s16le") if path.suffix == ".wav" else ("flac", "flac")
    with replacing_file(path) as temporary, writing(temporary, form) as container:
        Voice(container, codec, "s16", samples, rate_hz).finish()


class Voice:
    """The sound stream of a file that is being written, block by block.

    Samples ``[n, c]`` are floats, or 16 bits that are written as they are.
    """

    def __init__(
        self,
        container: Any,
        codec: str,
        form: str,
        samples: NDArray[np.float32] | NDArray[np.int16],
        rate_hz: int,
    ) -> None:
        channels = samples.shape[1]
        self._layout = {1: "mono", 2: "stereo"}[channels]
        self._container, self._form, self._rate_hz = container, form, rate_hz
        self._stream = container.add_stream(codec, rate=rate_hz, layout=self._layout)
        self._stream.format = form
        if codec in _BITS_A_SECOND:
            self._stream.bit_rate = _BITS_A_SECOND[codec]
        self._samples, self._position = samples, 0

    def write_until(self, time_s: float) -> None:
        from av import AudioFrame

        end = min(len(self._samples), round(time_s * self._rate_hz))
        while self._position + _SOUND_BLOCK <= end or (
            end == len(self._samples) and self._position < end
        ):
            block = self._samples[self._position : self._position + _SOUND_BLOCK]
            frame = AudioFrame.from_ndarray(
                self._planes(block), format=self._form, layout=self._layout
            )
            frame.sample_rate, frame.pts = self._rate_hz, self._position
            frame.time_base = Fraction(1, self._rate_hz)
            self._container.mux(self._stream.encode(frame))
            self._position += len(block)

    def finish(self) -> None:
        self.write_until(len(self._samples) / self._rate_hz)
        self._container.mux(self._stream.encode())

    def _planes(self, block: NDArray[Any]) -> NDArray[Any]:
        if block.dtype == np.int16:
            return np.ascontiguousarray(block.reshape(1, -1))
        clipped = np.clip(block, -1.0, 1.0)
        if self._form == "fltp":
            return np.ascontiguousarray(clipped.T, dtype=np.float32)
        whole = np.rint(clipped * 32767).astype(np.int16)
        return np.ascontiguousarray(whole.reshape(1, -1))


def _picture(frame: NDArray[np.uint8]) -> Any:
    from av import VideoFrame

    return VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")


@contextmanager
def writing(path: Path, form: str) -> Iterator[Any]:
    """Open a file to mux into; FFmpeg's errors become `StopRun`."""
    import av

    try:
        with av.open(
            str(path), "w", format=form, container_options={"fflags": "+bitexact"}
        ) as container:
            yield container
    except (av.error.FFmpegError, OSError) as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(path.parent, "the disk is full") from error
        raise StopRun(f"{path.parent} takes no {form} file: {error}") from error
