"""What a recording or a video is like beside its notes: loudness, shares, codes, pictures.

They are records as those of `records`, which knows them by their names.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from symmv_builder.arrays import set_array
from symmv_builder.timeline import Clock


@dataclass(frozen=True, slots=True, eq=False)
class Loudness:
    """Loudness in LUFS by ITU-R BS.1770: of all, and around every ``hop_s`` seconds, ``[t]``."""

    integrated_lufs: float
    short_term_lufs: NDArray[np.float32]
    hop_s: float = 1.0
    clock: Clock = Clock.MUSIC

    def __post_init__(self) -> None:
        object.__setattr__(self, "clock", Clock(self.clock))
        set_array(self, "short_term_lufs", np.float32)
