"""The melody model: forests in a row, each of which reads the melody that the one before found."""

from collections.abc import Sequence
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from symmv_builder.music.melody.features import note_features
from symmv_builder.music.melody.forest import Forest
from symmv_builder.music.melody.line import line_features
from symmv_builder.records import Floats, GridNotes


def melody_scores(grid: GridNotes, forests: Sequence[Forest]) -> Floats:
    """Log odds ``[notes]`` that each note is of the melody, of the last of the forests."""
    return forests[-1].scores(melody_table(grid, forests[:-1]))


def melody_table(grid: GridNotes, before: Sequence[Forest]) -> NDArray[np.float32]:
    """Compute what the forest after these reads: ``[features, notes]``.

    The first forest reads the features of the notes, every later one also those of the line that
    the scores of the forest before it draw.
    """
    notes = table = note_features(grid)
    for forest in before:
        table = np.concatenate([notes, line_features(grid, forest.scores(table))])
    return table


@cache
def melody_forests() -> tuple[Forest, ...]:
    """Load the trained model of the package: `benchmarks/train_melody.py` makes its file."""
    with (files(__package__) / "weights.npz").open("rb") as file, np.load(file) as arrays:
        return tuple(
            Forest(
                arrays[f"features_{k}"],
                arrays[f"borders_{k}"],
                arrays[f"leaves_{k}"],
                float(arrays[f"bias_{k}"]),
            )
            for k in range(len(arrays.files) // 4)
        )
