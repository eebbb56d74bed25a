"""A row of MuVi-Sync as the model reads it: chords in and out, key, feelings, video.

The decoder reads START and the chords up to the second before, and writes the chord of each
second and, behind a song's last, END. Chords and video are cut to the same length first. A
song longer than the model's length gives a stretch of it; what stands before the stretch's
first second is then the chord before, as it is when long music is written piece by piece.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symmv_builder.training.amt.config import AmtConfig
from symmv_builder.training.amt.features import VIDEO_COLUMNS, video_input
from symmv_builder.training.amt.losses import NO_EMOTION
from symmv_builder.training.amt.vocabulary import END, PAD, START, key_value
from symmv_builder.training.usable import UnusableRow
from symmv_builder.vocab import EMOTIONS, muvisync_id

Example = dict[str, NDArray[Any]]

CHORD_COLUMNS = ("normalised_chords_labels", "key_mode")
# What stands where a batch's shorter examples have ended.
PADDING: Mapping[str, float | int] = {"inputs": PAD, "targets": PAD, "emotions": NO_EMOTION}


def columns_of(config: AmtConfig) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """List the columns that a model needs, and those that it uses where they are."""
    if config.sees_video:
        return (*CHORD_COLUMNS, *VIDEO_COLUMNS), ("entry_id",)
    return CHORD_COLUMNS, ("entry_id", "emotion")


def prepare(
    row: Mapping[str, Any], config: AmtConfig, rng: np.random.Generator | None = None
) -> Example:
    """Prepare a row as arrays; `UnusableRow` where it has no second of music and video.

    ``inputs``, ``targets`` and ``emotions`` int64 ``[t]``, ``key`` float32 ``[]`` and, for a
    model that sees it, ``video`` float32 ``[s, w]`` of the seconds that are written. A stretch
    is drawn with `rng` where the configuration says so; without one it is the beginning.
    """
    chords = chord_numbers(row["normalised_chords_labels"])
    video = video_input(row) if config.sees_video else None
    seconds = len(chords) if video is None else min(len(chords), len(video))
    chords = chords[:seconds]
    start = [START] if config.start == "symbol" else []
    if len(chords) + len(start) < 2:
        raise UnusableRow(f"it has {len(chords)} seconds of music and video, too few to learn from")
    inputs = np.array([*start, *chords], dtype=np.int64)
    # A first chord that is given is never written.
    ahead = 1 - len(start)
    targets = np.array([*chords[ahead:], END], dtype=np.int64)
    spare = len(targets) - config.length
    first = 0
    if spare > 0 and config.crop == "random" and rng is not None:
        first = int(rng.integers(spare + 1))
    stretch = slice(first, first + config.length)
    felt = np.append(_emotions(row, config, seconds)[ahead:], NO_EMOTION)
    example: Example = {
        "inputs": inputs[stretch],
        "targets": targets[stretch],
        "emotions": felt[stretch],
        "key": np.array(key_value(row["key_mode"], config.key_flag), dtype=np.float32),
    }
    if video is not None:
        example["video"] = video[:seconds][stretch]
    return example


def chord_numbers(labels: tuple[str, ...]) -> NDArray[np.int64]:
    """MuVi-Sync's numbers of labels; `UnusableRow` for a label outside its vocabulary."""
    try:
        return np.array([muvisync_id(label) for label in labels], dtype=np.int64)
    except KeyError as error:
        raise UnusableRow(f"{error} is no label of MuVi-Sync") from None


def _emotions(row: Mapping[str, Any], config: AmtConfig, seconds: int) -> NDArray[np.int64]:
    """Find the strongest feeling of each second; `NO_EMOTION` where no picture is known.

    Five feelings have chords in Table 1 and the paper chooses among them; its code chooses
    among six, and ``neutral`` then suits no chord.
    """
    classes = np.full(seconds, NO_EMOTION, dtype=np.int64)
    if row.get("emotion") is None:
        return classes
    choices = len(EMOTIONS) if config.emotions == "released" else EMOTIONS.index("neutral")
    felt = np.asarray(row["emotion"], dtype=np.float32)[:seconds, :choices].argmax(axis=1)
    classes[: len(felt)] = felt
    return classes
