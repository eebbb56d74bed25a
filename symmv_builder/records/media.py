"""What a recording or a video is like beside its notes: loudness, shares, codes, pictures.

They are records as those of `records`, which knows them by their names.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from symmv_builder.records.arrays import same_length, set_array
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


@dataclass(frozen=True, slots=True, eq=False)
class TagTrack:
    """The likelihood of each of ``tags`` every ``hop_s`` s: ``values`` float32 ``[t, tags]``."""

    tags: tuple[str, ...]
    hop_s: float
    values: NDArray[np.float32]
    clock: Clock = Clock.MUSIC

    def __post_init__(self) -> None:
        object.__setattr__(self, "clock", Clock(self.clock))
        object.__setattr__(self, "tags", tuple(map(str, self.tags)))
        values = set_array(self, "values", np.float32, ndim=2)
        if values.size and values.shape[1] != len(self.tags):
            raise ValueError(f"TagTrack: {values.shape[1]} values for {len(self.tags)} tags")

    def greatest(self, tags: Collection[str]) -> NDArray[np.float32]:
        """Find the likelihood of the likeliest of some tags, ``[t]``.

        0 where none of them is known.
        """
        places = [place for place, tag in enumerate(self.tags) if tag in tags]
        return np.asarray(self.values[:, places].max(axis=1, initial=0.0))


@dataclass(frozen=True, slots=True, eq=False)
class SoundShares:
    """The shares of every ``hop_s`` seconds that are music, singing, speech, 0-1, ``[t]`` each."""

    music: NDArray[np.float32]
    vocals: NDArray[np.float32]
    speech: NDArray[np.float32]
    hop_s: float = 1.0
    clock: Clock = Clock.MUSIC

    def __post_init__(self) -> None:
        object.__setattr__(self, "clock", Clock(self.clock))
        for name in ("music", "vocals", "speech"):
            set_array(self, name, np.float32)
        same_length(self, "music", "vocals", "speech")

    @property
    def music_share(self) -> float:
        """Share of the whole recording that is music, 0-1."""
        return _mean(self.music)

    @property
    def vocals_share(self) -> float:
        """Share of the whole recording in which somebody sings, 0-1."""
        return _mean(self.vocals)

    @property
    def speech_share(self) -> float:
        """Share of the whole recording in which somebody speaks, 0-1."""
        return _mean(self.speech)


def _mean(values: NDArray[np.float32]) -> float:
    # In double precision: 27 of 30 seconds are 0.9, and not a little less.
    return float(values.mean(dtype=np.float64)) if values.size else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class AudioCodes:
    """Codes of a codec, int16 ``[t, codebooks]``, ``rate_hz / hop`` rows a second.

    Each ``window`` rows were encoded by themselves, and so are decoded.
    """

    codes: NDArray[np.int16]
    rate_hz: int
    hop: int
    window: int
    clock: Clock = Clock.MUSIC

    def __post_init__(self) -> None:
        object.__setattr__(self, "clock", Clock(self.clock))
        codes = np.asarray(self.codes)
        if codes.size and (codes.min() < 0 or codes.max() > np.iinfo(np.int16).max):
            raise ValueError("AudioCodes: a code lies outside 0-32767")
        set_array(self, "codes", np.int16, ndim=2)


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """Pictures as files, one every ``hop_s`` seconds: bytes ``[n]`` one after the other.

    File i is ``data[ends[i - 1]:ends[i]]``, the first from 0 on; ``ends`` is ``[t]``.
    """

    data: NDArray[np.uint8]
    ends: NDArray[np.int64]
    hop_s: float
    clock: Clock = Clock.VIDEO

    def __post_init__(self) -> None:
        object.__setattr__(self, "clock", Clock(self.clock))
        set_array(self, "data", np.uint8)
        ends = set_array(self, "ends", np.int64)
        if (np.diff(ends, prepend=0) < 0).any() or (len(ends) and ends[-1] != len(self.data)):
            raise ValueError("Pictures: the files do not fill the data")

    @property
    def files(self) -> tuple[bytes, ...]:
        """The pictures, as the bytes of a file each."""
        starts = [0, *self.ends[:-1].tolist()]
        return tuple(
            self.data[start:end].tobytes()
            for start, end in zip(starts, self.ends.tolist(), strict=False)
        )


@dataclass(frozen=True, slots=True)
class PublishedLabels:
    """A published list's labels of a video, and a caption of the seconds named.

    A list that names no seconds speaks of the whole video: both are 0.
    """

    labels: tuple[str, ...]
    caption: str = ""
    start_s: float = 0.0
    end_s: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", tuple(map(str, self.labels)))


@dataclass(frozen=True, slots=True)
class MusicLabels:
    """The labels of a whole recording by its tags: likeliest genre (0-1), playing instruments."""

    genre: str
    genre_likelihood: float
    instruments: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "instruments", tuple(map(str, self.instruments)))


@dataclass(frozen=True, slots=True, eq=False)
class SoundFile:
    """A recording that a step made of another, on its clock: the bytes of a FLAC file ``[n]``.

    A step that reads ``music`` may be given it in the recording's place. `gain` is what its samples
    were multiplied by, 1 unless they would have been beyond full scale.
    """

    data: NDArray[np.uint8]
    gain: float = 1.0
    clock: Clock = Clock.MUSIC

    def __post_init__(self) -> None:
        object.__setattr__(self, "clock", Clock(self.clock))
        set_array(self, "data", np.uint8)
        if not 0 < self.gain <= 1:
            raise ValueError(f"SoundFile: the gain is {self.gain}")
