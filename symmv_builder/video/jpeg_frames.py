"""Pictures of the video as JPEG files, at a rate and a size: what a model of pictures starts from.

A picture of 336 pixels has about 25 kB where the tokens that a ViT-L/14 makes of it have 1.2 MB, so
a dataset of clips keeps pictures, and whoever trains embeds them with a model of their own.
"""

import io
from collections.abc import Mapping

import numpy as np

from symmv_builder.backends.pyav import Frame
from symmv_builder.packages import required
from symmv_builder.pipeline.step import Step, Use
from symmv_builder.records import Pictures
from symmv_builder.schema import Column
from symmv_builder.timeline import Clock
from symmv_builder.video import frames


class _JpegWatcher:
    def __init__(self, hop_s: float, side: int, quality: int) -> None:
        self.hop_s: float | None = hop_s
        self._hop_s, self._side, self._quality = hop_s, side, quality
        self._files: list[bytes] = []
        self._index = -1

    def see(self, time_s: float, frame: Frame, previous: Frame | None) -> None:
        # A frame that stays on screen is compressed once.
        if frame.index != self._index:
            self._index = frame.index
            self._last = self._compressed(frame)
        self._files.append(self._last)

    def finish(self, duration_s: float) -> Pictures:
        ends = np.cumsum([len(file) for file in self._files], dtype=np.int64)
        data = np.frombuffer(b"".join(self._files), dtype=np.uint8)
        return Pictures(data, ends, self._hop_s, Clock.VIDEO)

    def _compressed(self, frame: Frame) -> bytes:
        with required("models"):
            from PIL import Image
        factor = min(1.0, self._side / min(frame.width, frame.height))
        width, height = (max(1, round(factor * each)) for each in (frame.width, frame.height))
        picture = frame.small(width, height, interpolation="BICUBIC")
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "JPEG", quality=self._quality)
        return file.getvalue()


def watch_jpeg(*, hop_s: float = 1.0, side: int = 336, quality: int = 90) -> _JpegWatcher:
    """Encode the picture on screen every `hop_s` seconds as a JPEG file: `Pictures`.

    The shorter side has `side` pixels (bicubic; a smaller picture stays as it is), the longer
    one keeps the shape. `quality` is libjpeg's, 1-95.
    """
    return _JpegWatcher(hop_s, side, quality)


def columns(use: Use, uses: Mapping[str, Use]) -> tuple[Column, ...]:
    """Rate and size are settings."""
    rate, side = 1 / use.parameters["hop_s"], use.parameters["side"]
    meaning = f"JPEG files at {rate:.3g} Hz, the shorter side {side} pixels at most"
    return (Column("{}", "list<binary>", "", meaning, "files"),)


STEP = Step("frames", 1, ("video",), watch_jpeg, together=frames.watch, columns=columns)
