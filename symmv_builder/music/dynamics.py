"""How busy and how loud the music is, once a second of the recording.

Video2Music (Kang, Poria, Herremans, "Video2Music: Suitable music generation from videos
using an Affective Multimodal Transformer model", 2024) takes both as targets of its
regressors. Its paper counts the notes in each second and its released features count the
notes that sound in it; both are here. Loudness is the root mean square of 16-bit
samples over 32767: of the released code's two decibel formulas one undoes the other.
"""

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from symmv_builder.music import listening
from symmv_builder.pipeline.step import Step, Use
from symmv_builder.records import Asset, FeatureTrack, Notes
from symmv_builder.schema import Column
from symmv_builder.timeline import Clock, grid_length

HOP_S = 1.0


def note_density(
    music_asset: Asset, notes: Notes, *, variant: Literal["sounding", "onsets"] = "sounding"
) -> FeatureTrack:
    """Count notes in each second of the recording: `FeatureTrack` "density", values ``[t, 1]``.

    ``sounding`` (released features): notes that sound anywhere in ``[i, i + 1)``.
    ``onsets`` (paper): notes that begin there. A note of no length counts where it begins.
    """
    length = grid_length(music_asset.duration_s, HOP_S)
    first = np.floor(notes.starts_s).astype(np.int64)
    after = first + 1
    if variant == "sounding":
        after = np.maximum(after, np.ceil(notes.ends_s).astype(np.int64))
    # +1 where a note comes in and -1 behind its last second; the running sum is the count.
    begun = np.bincount(first.clip(0, length), minlength=length + 1)
    over = np.bincount(after.clip(0, length), minlength=length + 1)
    values = np.cumsum(begun - over)[:length]
    return _track("density", values)


class _LoudnessListener:
    rate_hz: int | None = None
    mono = True
    block_s: float | None = HOP_S

    def __init__(self) -> None:
        self._powers: list[float] = []

    def hear(self, samples: NDArray[np.float32], rate_hz: int) -> None:
        self._powers.append(float(np.mean(np.square(samples[:, 0], dtype=np.float64))))

    def finish(self, music_asset: Asset) -> FeatureTrack:
        power = np.zeros(grid_length(music_asset.duration_s, HOP_S))
        powers = self._powers[: len(power)]
        power[: len(powers)] = powers
        return _track("loudness", np.minimum(np.sqrt(power) * (32768 / 32767), 1.0))


def hear_loudness() -> _LoudnessListener:
    """Loudness of each second of the recording, 0 to 1: `FeatureTrack` "loudness", ``[t, 1]``.

    Root mean square of the mono signal on the 16-bit scale over 32767. The last block is
    measured over the samples that it holds; a second without any is silent. What a decoder
    adds behind the recording's end does not count.
    """
    return _LoudnessListener()


def _track(name: str, values: NDArray[np.generic]) -> FeatureTrack:
    return FeatureTrack(
        name=name, hop_s=HOP_S, values=values.astype(np.float32)[:, None], clock=Clock.MUSIC
    )


_MEANINGS = {
    "sounding": "notes sounding in each second",
    "onsets": "notes that begin in each second",
}


def density_columns(use: Use, uses: Mapping[str, Use]) -> tuple[Column, ...]:
    """Declare the column; what is counted is a setting."""
    meaning = _MEANINGS[use.parameters["variant"]]
    return (Column("{}", "list<float32>", "notes", meaning, "values"),)


LOUDNESS_COLUMNS = (
    Column("{}", "list<float32>", "0-1", "RMS of each second over full scale", "values"),
)
DENSITY = Step(
    "density", 1, reads=("music_asset", "notes"), run=note_density, columns=density_columns
)
LOUDNESS = Step(
    "loudness",
    2,
    reads=("music_asset", "music"),
    run=hear_loudness,
    together=listening.listen,
    columns=LOUDNESS_COLUMNS,
)
