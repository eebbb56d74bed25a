"""Media with known contents and known hazards, written by PyAV where a test asks for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.stream import Disposition
from numpy.typing import NDArray

TICKS = 12800


@dataclass(frozen=True, slots=True)
class Pictures:
    """A video stream: RGB frames ``[h, w, 3]`` and the time in seconds of each."""

    frames: Sequence[NDArray[np.uint8]]
    times_s: Sequence[float]
    rate: Fraction = Fraction(25)
    rotation: int = 0
    aspect: Fraction | None = None
    codec: str = "libx264"
    b_frames: int = 0


@dataclass(frozen=True, slots=True)
class Samples:
    """An audio stream: samples ``[n, channels]`` from `start_s` on; `gap_s` is left out at
    half of it."""

    samples: NDArray[np.float32]
    rate_hz: int = 8000
    layout: str = "mono"
    start_s: float = 0.0
    gap_s: float = 0.0
    codec: str = "pcm_f32le"


def paint(colour: Sequence[int], height: int = 48, width: int = 64) -> NDArray[np.uint8]:
    """A picture of one colour, with a darker left half, so that turning it shows."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[:] = colour
    picture[:, : width // 2] //= 2
    return picture


def noise(seed: int, height: int = 48, width: int = 64) -> NDArray[np.uint8]:
    """Blocks of random colours: no two seeds look alike."""
    blocks = np.random.default_rng(seed).integers(0, 256, (height // 8, width // 8, 3))
    return np.kron(blocks, np.ones((8, 8, 1))).astype(np.uint8)


def steady(count: int, rate: int = 25) -> list[float]:
    """Times of frames at a constant rate."""
    return [number / rate for number in range(count)]


def tone(seconds: float, rate_hz: int = 8000, channels: int = 1) -> NDArray[np.float32]:
    """440 Hz in the first channel, 220 Hz higher in each next one."""
    times = np.arange(round(seconds * rate_hz)) / rate_hz
    waves = [0.5 * np.sin(2 * np.pi * (440 + 220 * c) * times) for c in range(channels)]
    return np.stack(waves, axis=1).astype(np.float32)


def write_media(
    path: Path,
    *streams: Pictures | Samples,
    cover: NDArray[np.uint8] | None = None,
    container: str | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """Mux streams into one file, in the order given; `cover` is attached as cover art."""
    with av.open(str(path), "w", format=container, container_options=options or {}) as out:
        made = [(_add_stream(out, stream), stream) for stream in streams]
        art = None if cover is None else _add_cover(out, cover)
        out.start_encoding()
        if art is not None and cover is not None:
            frame = av.VideoFrame.from_ndarray(cover, format="rgb24")
            out.mux([*art.encode(frame), *art.encode()])
        packets = [p for native, stream in made for p in _packets(native, stream)]
        for packet in sorted(packets, key=lambda p: float((p.dts or 0) * p.time_base)):
            out.mux(packet)
    return path


def _add_stream(out: Any, stream: Pictures | Samples) -> Any:
    if isinstance(stream, Samples):
        native = out.add_stream(stream.codec, rate=stream.rate_hz, layout=stream.layout)
        native.format = "flt" if stream.codec.startswith("pcm") else "fltp"
        return native
    native = out.add_stream(stream.codec, rate=stream.rate)
    native.height, native.width = stream.frames[0].shape[:2]
    native.pix_fmt = "yuv420p"
    native.codec_context.time_base = Fraction(1, TICKS)
    if stream.codec == "libx264":
        # Without adaptive choice: every group has as many B-frames as are asked for.
        native.options = {"preset": "ultrafast", "qp": "1", "threads": "1"}
        native.options = {**native.options, "bf": str(stream.b_frames), "b_strategy": "0"}
    elif stream.b_frames:
        native.max_b_frames = stream.b_frames
    if stream.aspect is not None:
        native.codec_context.sample_aspect_ratio = stream.aspect
    if stream.rotation:
        native.set_display_rotation(stream.rotation)
    return native


def _add_cover(out: Any, cover: NDArray[np.uint8]) -> Any:
    art = out.add_stream("png", rate=1)
    art.height, art.width = cover.shape[:2]
    art.pix_fmt = "rgb24"
    art.disposition = Disposition.attached_pic
    return art


def _packets(native: Any, stream: Pictures | Samples) -> list[Any]:
    frames = _sound_frames(stream) if isinstance(stream, Samples) else _video_frames(stream)
    packets = [packet for frame in frames for packet in native.encode(frame)]
    return packets + list(native.encode())


def _video_frames(stream: Pictures) -> list[Any]:
    made = []
    for picture, time_s in zip(stream.frames, stream.times_s, strict=True):
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
        frame.pts, frame.time_base = round(time_s * TICKS), Fraction(1, TICKS)
        made.append(frame)
    return made


def _sound_frames(stream: Samples) -> list[Any]:
    made = []
    packed = stream.codec.startswith("pcm")
    for start in range(0, len(stream.samples), 1000):
        block = stream.samples[start : start + 1000]
        planes = block.reshape(1, -1) if packed else block.T
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(planes),
            format="flt" if packed else "fltp",
            layout=stream.layout,
        )
        late_s = stream.start_s + (stream.gap_s if start >= len(stream.samples) / 2 else 0.0)
        frame.sample_rate = stream.rate_hz
        frame.pts = start + round(late_s * stream.rate_hz)
        frame.time_base = Fraction(1, stream.rate_hz)
        made.append(frame)
    return made
