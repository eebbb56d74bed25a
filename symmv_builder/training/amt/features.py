"""What the models of Video2Music see of a row: its video, second by second, and what it asks for.

Kang, Poria, Herremans, "Video2Music", 2024, equation 4 and section 4.2.1: semantic features,
scene offset, motion and emotion side by side, one row a second, for the transformer and for the
regressors alike. The columns of a row may differ in length by a second or so, since audio and
video streams of one file do; all are cut to the shortest.

The paper counts the scene offset from 0 and the released loader from 1, so that padding differs;
here it is the loader's 1, and a model with a bias cannot tell one from the other. What else is
released otherwise, emotion without its mean over five seconds and motion between native frames,
belongs to the stages that make the columns.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from symmv_builder.errors import MalformedColumn, MissingFeatures
from symmv_builder.schema import row_name
from symmv_builder.training.usable import UnusableRow
from symmv_builder.vocab import EMOTIONS

Array: TypeAlias = NDArray[np.float32]

VIDEO_COLUMNS = ("semantic", "scene_offset", "motion", "emotion")
TARGET_COLUMNS = ("density", "loudness")
# Scene offset, motion and the emotions stand behind the semantic features.
EXTRA_WIDTH = 2 + len(EMOTIONS)
# The width of CLIP ViT-L/14, which the paper's 776 comes from.
PAPER_SEMANTIC_WIDTH = 768


def video_input(row: Mapping[str, Any]) -> Array:
    """Make a row's video input, float32 ``[t, semantic width + 8]``: 776 wide for the paper's CLIP.

    Columns: semantic | seconds since the last cut, plus 1 | motion (0-255) | six emotions in
    the order of `vocab.EMOTIONS`.

    `StopRun` where a column is absent or does not have the shape of its schema, `UnusableRow`
    where a value is not finite.
    """
    semantic = _track(row, "semantic", 2)
    emotion = _track(row, "emotion", 2)
    if emotion.shape[1] != len(EMOTIONS):
        problem = f"holds {emotion.shape[1]} values a second, not {len(EMOTIONS)}"
        raise MalformedColumn("emotion", _name(row), problem)
    offset = _track(row, "scene_offset", 1) + np.float32(1)
    motion = _track(row, "motion", 1)
    seconds = min(map(len, (semantic, offset, motion, emotion)))
    parts = (semantic, offset[:, None], motion[:, None], emotion)
    return np.concatenate([part[:seconds] for part in parts], axis=1)


def targets(row: Mapping[str, Any]) -> Array:
    """Make the regressors' targets, float32 ``[t, 2]``: notes in the second, loudness (0-1)."""
    tracks = [_track(row, name, 1) for name in TARGET_COLUMNS]
    seconds = min(map(len, tracks))
    return np.stack([track[:seconds] for track in tracks], axis=1)


def _track(row: Mapping[str, Any], name: str, ndim: int) -> Array:
    """Read a column as float32; half precision is widened here, once."""
    if row.get(name) is None:
        needed_for = (
            "which Video2Music reads, as rows of the muvisync schema have it that were built or "
            "imported with their videos"
        )
        raise MissingFeatures(_name(row), (name,), needed_for)
    values = np.asarray(row[name], dtype=np.float32)
    if values.ndim == 2 and ndim == 1 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != ndim:
        raise MalformedColumn(name, _name(row), f"has {values.ndim} dimensions, not {ndim}")
    if not np.isfinite(values).all():
        raise UnusableRow(f"column {name} holds values that are not finite")
    return values


def _name(row: Mapping[str, Any]) -> str:
    return f"row {name}" if (name := row_name(row)) else "the row"
