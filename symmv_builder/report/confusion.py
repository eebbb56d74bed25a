"""Confusion matrices as pictures: what was true by what was predicted, rows as shares.

A row's colour is its share of that row's counts, so that a rare chord reads as well as a common
one; counts are written in where there is room. Labels that never occur are left out.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from symmv_builder.report import ink

_MOST_LABELS = 40
_MOST_WRITTEN = 20
_CELL_IN = 0.34


def draw_confusion(
    path: Path,
    counts: ArrayLike,
    labels: Sequence[str],
    *,
    title: str,
    true: str = "true",
    predicted: str = "predicted",
) -> None:
    """Write a PNG of `counts` ``[n, n]`` (row: true, column: predicted); no sum may be negative.

    Of more than 40 labels that occur, the 40 most frequent ones are shown. `ValueError` where
    labels and counts differ in number, or where nothing was counted.
    """
    table = np.asarray(counts, dtype=np.float64)
    if table.shape != (len(labels), len(labels)):
        raise ValueError(f"{len(labels)} labels for a matrix of shape {table.shape}")
    often = table.sum(axis=0) + table.sum(axis=1)
    if not often.any():
        raise ValueError(f"nothing was counted for {title}")
    ranked = np.argsort(-often, kind="stable")[:_MOST_LABELS]
    classes = np.sort(ranked[often[ranked] > 0])
    table = table[np.ix_(classes, classes)]
    names = [ink.plain(labels[place], 12) for place in classes]
    sums = table.sum(axis=1, keepdims=True)
    shares = np.divide(table, sums, out=np.zeros_like(table), where=sums > 0)
    size = max(3.6, _CELL_IN * len(classes))
    figure = ink.new_figure(size + 1.6, size + 1.7)
    axes = figure.add_axes((1.0 / (size + 1.6), 0.9 / (size + 1.7), size / (size + 1.6),
                            size / (size + 1.7)))  # fmt: skip
    axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0, aspect="auto")
    axes.set_xticks(range(len(names)), names, rotation=90, parse_math=False)
    axes.set_yticks(range(len(names)), names, parse_math=False)
    axes.set_xlabel(predicted, color=ink.INK)
    axes.set_ylabel(true, color=ink.INK)
    ink.bare(axes)
    if len(classes) < np.count_nonzero(often):
        title += f", the {len(classes)} most frequent of {np.count_nonzero(often)}"
    axes.set_title(ink.plain(title), loc="left", size=12, color=ink.INK, parse_math=False)
    if len(classes) <= _MOST_WRITTEN:
        for (row, column), count in np.ndenumerate(table):
            if count:
                colour = ink.PAPER if shares[row, column] > 0.5 else ink.INK
                axes.text(
                    column, row, f"{count:.3g}", ha="center", va="center", size=6, color=colour
                )
    ink.save(figure, path)
