"""Music for a video: chords by the transformer, busyness and loudness by a regressor, notes.

Kang et al., "Video2Music", 2024, sections 4.1 to 4.3. The model works in C major or A minor;
what it writes is transposed to the key that is asked for, and a primer, which is given in that
key, the other way.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from symmv_builder.errors import MissingFeatures, OtherFeatures, StopRun, WrongArguments
from symmv_builder.records import Notes
from symmv_builder.timeline import grid_length
from symmv_builder.training.amt.arrange import BASELINE_PATTERN, CHORD_S, Style, arrange
from symmv_builder.training.amt.features import video_input
from symmv_builder.training.amt.loading import LoadedAmt, load
from symmv_builder.training.amt.regressor import model as regressors
from symmv_builder.training.amt.sampling import ChordSampling, sample_chords
from symmv_builder.training.amt.vocabulary import (
    parse_key,
    parse_primer,
    shift_into,
    transpose,
)
from symmv_builder.vocab import MUVISYNC_LABELS, muvisync_id

__all__ = ["ChordPiece", "ChordSampling", "LoadedAmt", "compose", "load"]

REGRESSOR_OR_PATTERN = (
    "this model plays as busily and loudly as a regressor says: give `regressor`, the folder of "
    "the training of one, or `pattern`, 1 to 5"
)


@dataclass(frozen=True, slots=True, eq=False)
class ChordPiece:
    """Music for a video: its chords a second as they sound, and its notes.

    `normalised` are the chords in C major or A minor, as the model wrote them. `density` and
    `loudness` are what the notes were arranged by, `None` where nothing was estimated.
    """

    chords: tuple[str, ...]
    normalised: tuple[str, ...]
    key: str
    notes: Notes
    density: NDArray[Any] | None
    loudness: NDArray[Any] | None


def compose(
    model: Path | LoadedAmt,
    regressor: Path | regressors.LoadedRegressor | None,
    row: Mapping[str, Any],
    *,
    key: str = "C major",
    primer: str = "",
    seed: int = 0,
    sampling: ChordSampling | None = None,
    pattern: int | None = None,
    style: Style = "paper",
    density: float = 1.0,
    device: str = "cpu",
    tell: Callable[[int, int], None] = lambda done, seconds: None,
) -> ChordPiece:
    """Compose music as long as the video of a row with MuVi-Sync's columns.

    A model that sees the video needs ``semantic scene_offset motion emotion``; the others only
    its length, ``video_duration_s``. `model` and `regressor` are runs' folders or loaded; without
    a regressor a `pattern` 1-5 must be chosen, which is then played throughout at medium
    strength. Baselines without video are always played so, by the third pattern unless
    another is named (section 5.1). `style` is `arrange`'s. `seed` stands for that of `sampling`
    where none is given.
    `density` is a factor of what the regressor says.
    `StopRun` for a key, a primer or features that do not fit.
    """
    loaded = load(model, device) if isinstance(model, Path) else model
    tonic, mode = parse_key(key)
    shift = shift_into(tonic, mode)
    begun = [muvisync_id(label) for label in transpose(parse_primer(primer), -shift)]
    video = _video(loaded, row) if loaded.config.sees_video else None
    if regressor is None and pattern is None and video is not None:
        raise WrongArguments(REGRESSOR_OR_PATTERN)
    seconds = _seconds(row) if video is None else len(video)
    numbers = sample_chords(
        loaded.model,
        seconds=seconds,
        mode=mode,
        video=None if video is None else torch.from_numpy(video).to(loaded.device),
        primer=begun,
        sampling=sampling or ChordSampling(seed=seed),
        tell=tell,
    )
    normalised = tuple(MUVISYNC_LABELS[number] for number in numbers)
    chords = transpose(normalised, shift)
    busyness, loudness = None, None
    if video is None:
        pattern = BASELINE_PATTERN if pattern is None else pattern
    elif regressor is not None:
        busyness, loudness = regressors.predict(regressor, video)
        busyness = density * busyness
    notes = arrange(chords, busyness, loudness, pattern, style=style)
    return ChordPiece(chords, normalised, key, notes, busyness, loudness)


def _video(loaded: LoadedAmt, row: Mapping[str, Any]) -> NDArray[np.float32]:
    video = video_input(row)
    if video.shape[1] != loaded.video_width:
        actual = f"{video.shape[1]} features a second"
        raise OtherFeatures("this video", actual, loaded.folder, str(loaded.video_width))
    if not len(video):
        raise StopRun("this video has no second to write music for")
    return video


def _seconds(row: Mapping[str, Any]) -> int:
    if row.get("video_duration_s") is None:
        raise MissingFeatures("the row", ("video_duration_s",), "the length of the music")
    return grid_length(float(row["video_duration_s"]), CHORD_S)
