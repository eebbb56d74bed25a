"""A Standard MIDI File as the result of a step: bytes that are stored, and put into rows."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_HEAD = b"MThd"


@dataclass(frozen=True, slots=True, eq=False)
class MidiFile:
    """The bytes of a file, ``data`` uint8 ``[n]``; `ValueError` where they are no MIDI's."""

    data: NDArray[np.uint8]

    def __post_init__(self) -> None:
        array = np.array(self.data, dtype=np.uint8)
        if array.ndim != 1 or array[: len(_HEAD)].tobytes() != _HEAD:
            raise ValueError("MidiFile: these are not the bytes of a Standard MIDI File")
        array.setflags(write=False)
        object.__setattr__(self, "data", array)

    @property
    def content(self) -> bytes:
        """The file's bytes, as a column of type ``binary`` holds them."""
        return self.data.tobytes()
