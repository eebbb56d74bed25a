"""Codes of the sound, as models of audio learn it: those of EnCodec, or of DAC.

GVMGen learns clips of 30 s at 32 kHz as four codes of 2,048 fifty times a second. A
recording of any length is encoded in windows of as many seconds, each by itself as those clips
are, so memory does not grow with it. `decoded` gives the sound back.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from symmv_builder import backends
from symmv_builder.backends.slots import AudioCodec
from symmv_builder.music import listening
from symmv_builder.pipeline.step import Step, Use
from symmv_builder.records import AudioCodes, Ints
from symmv_builder.schema import Column


class _CodeListener:
    mono = True
    block_s: float | None = None

    def __init__(self, model: AudioCodec, window_s: float) -> None:
        self.rate_hz: int | None = model.rate_hz
        self._model = model
        # A window is of whole steps, so codes of the next one lie on the same grid.
        self._window = max(1, round(window_s * model.rate_hz / model.hop))
        self._codes: list[Ints] = []

    def hear(self, samples: NDArray[np.float32], rate_hz: int) -> None:
        size = self._window * self._model.hop
        for start in range(0, len(samples), size):
            self._codes.append(self._model.encode(samples[start : start + size, 0]))

    def finish(self) -> AudioCodes:
        nothing = np.zeros((0, self._model.codebooks), dtype=np.int64)
        codes = np.concatenate([nothing, *self._codes])
        return AudioCodes(codes, self._model.rate_hz, self._model.hop, self._window)


def hear_codes(*, model: AudioCodec, window_s: float = 30.0) -> _CodeListener:
    """Encode the mono sound as codes ``[t, codebooks]``, each `window_s` seconds by themselves.

    With EnCodec row i is of the sound from i / 50 seconds on, with DAC from 512 i / 44100.
    """
    return _CodeListener(model, window_s)


def decoded(codes: AudioCodes, model: AudioCodec) -> NDArray[np.float32]:
    """Decode codes to sound ``[n]``, at the rate of the model that made them."""
    windows = [
        model.decode(codes.codes[start : start + codes.window].astype(np.int64))
        for start in range(0, len(codes.codes), codes.window)
    ]
    return np.concatenate([np.zeros(0, dtype=np.float32), *windows])


def columns(use: Use, uses: Mapping[str, Use]) -> tuple[Column, ...]:
    """Declare a column as wide as the codec has codebooks."""
    codec = backends.backend_class("codec", str(use.model))
    rate = codec.rate_hz / codec.hop
    meaning = (
        f"codes of {use.model}, below {codec.codebook_size}, at {rate:.5g} Hz, each "
        f"{use.parameters['window_s']:g} s encoded by themselves"
    )
    return (Column("{}", f"list<int16[{codec.codebooks}]>", "", meaning, "codes"),)


STEP = Step(
    "audio_codes",
    1,
    ("music",),
    hear_codes,
    slot="codec",
    together=listening.listen,
    columns=columns,
)
