"""Which rows make up which batch of an epoch: a function of seed, epoch and lengths alone.

Row groups are permuted and taken in windows of a few, rows are shuffled within a window,
sorted into buckets of like length, cut into batches, and the batches are shuffled. So a
reader touches few row groups at a time, and yet no two epochs are alike. What is cut is a
step of all ranks together, which deal its rows among themselves: two ranks with batches of
8 see what one with batches of 16 sees.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

# A window ends when it has so many steps to choose from, or a step's rows and so many bytes:
# two windows, the one in use and the one that is read ahead, must fit into memory.
STEPS_IN_A_WINDOW = 16
WINDOW_BYTES = 256 * 2**20

Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """The rows of one step of all ranks; the `following` window's row groups are read by then.

    It is step `place` of the `steps` of its window.
    """

    rows: Indices
    following: tuple[int, ...] = ()
    place: int = 0
    steps: int = 1

    def share(self, rank: int, world: int) -> Indices:
        """Give a rank's rows.

        Dealt in order of their numbers, so that of a window's row groups each rank reads few.
        """
        count = len(self.rows)
        return np.sort(self.rows)[-(-rank * count // world) : -(-(rank + 1) * count // world)]

    def ahead(self, rank: int, world: int) -> tuple[int, ...]:
        """List the row groups that a rank is about to need, to be read in passing."""
        count = len(self.following)
        first, end = rank * count // world, -(-(rank + 1) * count // world)
        return tuple(sorted(self.following)[first:end][self.place :: self.steps])


def plan_epoch(
    group_starts: Sequence[int],
    group_bytes: Sequence[int],
    *,
    step_rows: int,
    rng: np.random.Generator,
    shuffle: bool,
    lengths: Indices | None = None,
    buckets: int = 0,
    drop_last: bool = False,
) -> list[PlannedStep]:
    """Plan the steps of an epoch, `step_rows` rows each; together they hold every row once.

    Row group g holds the rows from ``group_starts[g]`` to ``group_starts[g + 1]``. What a
    window leaves over begins the next one; what the last leaves over is a smaller step, or
    with `drop_last` none.
    """
    groups = range(len(group_bytes))
    order = rng.permutation(groups).tolist() if shuffle else list(groups)
    windows = _windows(order, group_starts, group_bytes, step_rows)
    steps: list[PlannedStep] = []
    over: Indices = np.zeros(0, dtype=np.int64)
    for window, following in pairwise([*windows, []]):
        rows = np.concatenate([np.arange(*group_starts[group : group + 2]) for group in window])
        rows = np.concatenate([over, rng.permutation(rows) if shuffle else rows])
        if lengths is not None and buckets > 0:
            rows = _in_buckets(rows, lengths, buckets)
        count = len(rows) // step_rows
        cut = [rows[number * step_rows :][:step_rows] for number in range(count)]
        over = rows[count * step_rows :]
        shuffled = rng.permutation(count).tolist() if shuffle else range(count)
        for number, place in enumerate(shuffled):
            steps.append(PlannedStep(cut[place], tuple(following), number, count))
    if len(over) and not drop_last:
        steps.append(PlannedStep(over))
    return steps


def _windows(
    order: Sequence[int], starts: Sequence[int], sizes: Sequence[int], step_rows: int
) -> list[list[int]]:
    """Cut row groups, in order, into windows that each have rows enough to choose from."""
    windows: list[list[int]] = []
    buffer: list[int] = []
    rows = size = 0
    for group in order:
        buffer.append(group)
        rows += starts[group + 1] - starts[group]
        size += sizes[group]
        if rows >= step_rows * STEPS_IN_A_WINDOW or (rows >= step_rows and size >= WINDOW_BYTES):
            windows.append(buffer)
            buffer, rows, size = [], 0, 0
    return [*windows, buffer] if buffer else windows


def _in_buckets(rows: Indices, lengths: Indices, buckets: int) -> Indices:
    """Sort rows short ones first: as many classes of like length as buckets, order kept in each."""
    place = np.empty(len(rows), dtype=np.int64)
    place[np.argsort(lengths[rows], kind="stable")] = np.arange(len(rows))
    return rows[np.argsort(place * buckets // len(rows), kind="stable")]
